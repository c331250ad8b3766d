//! `server snapshot`: what a snapshot holds.

use std::io::{self, Write as _};

use super::SnapshotVerb;
use crate::snapshot::{self, Contents};

pub(super) fn run(verb: &SnapshotVerb) -> Result<(), String> {
    let mut output = io::stdout().lock();
    let written = match verb {
        SnapshotVerb::Cat { file } => snapshot::unpack(file, &mut output),
        SnapshotVerb::Check { file } => snapshot::check(file).map(|contents| {
            let Contents { pairs, with_deadline, expired, text_bytes } = contents;
            writeln!(
                output,
                "{}: whole: {pairs} pairs, {with_deadline} of them with a TTL, {expired} expired \
                 since, {text_bytes} bytes of text",
                file.display()
            )
        }),
    };
    match written.map_err(|error| error.to_string())? {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| format!("output: {error}")),
    }
}
