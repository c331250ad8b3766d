//! `peers`: the targets of the saved reports side by side.

use std::fs;
use std::path::Path;

use super::PeersArgs;
use super::failure::Failure;
use super::folder;
use crate::output;
use crate::output::{index, peers};

const BEGIN: &str = "<!-- peers -->\n";
const END: &str = "<!-- /peers -->\n";

pub(super) fn run(args: &PeersArgs) -> Result<(), Failure> {
    let folder = folder::results(args.folder.as_deref())?;
    let all = index::full(&folder).map_err(Failure::Failed)?;
    let reports: Vec<_> = all.into_iter().map(|(_, report)| report).collect();
    let tables = peers::tables(&reports, args.revision.as_deref()).map_err(Failure::Failed)?;
    if let Some(path) = &args.into {
        return replace(path, &tables);
    }
    output::print(&tables);
    Ok(())
}

/// Puts the tables where the file says, and leaves the rest of it as it is.
fn replace(path: &Path, tables: &str) -> Result<(), Failure> {
    let name = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::Failed(format!("{name}: cannot be read: {error}")))?;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let Some((before, after)) = parts else {
        return Err(Failure::Failed(format!(
            "{name}: nothing was written: the table belongs between the lines `{}` and `{}`, in \
             this order; add them",
            BEGIN.trim_end(),
            END.trim_end()
        )));
    };
    folder::write_whole(path, &format!("{before}{BEGIN}\n{tables}\n{END}{after}"))?;
    output::note(&format!("wrote the table into {name}"));
    Ok(())
}
