//! Commands about snapshots.

use super::{Call, Error, Outcome, SYNTAX};
use crate::snapshot::{NotBegun, Snapshots};
use crate::state::Shared;
use crate::wire::Reply;

/// The snapshots, or the complaint that there are none.
fn snapshots(shared: &Shared) -> Result<&Snapshots, Error> {
    let none = "ERR no snapshots are kept: start the server with `--snapshot FILE`";
    shared.snapshots.as_ref().ok_or_else(|| none.into())
}

fn not_begun(why: NotBegun) -> Error {
    match why {
        NotBegun::InProgress => "ERR Background save already in progress".into(),
        NotBegun::Stopping => "ERR the server stops, and writes a last snapshot itself".into(),
    }
}

/// SAVE: only who asks waits for it.
pub(super) fn save(shared: &Shared, reply: &mut Reply) -> Outcome {
    let saved = snapshots(shared)?.save().map_err(not_begun)?;
    saved.map_err(|failure| Error::about("ERR ", failure.as_bytes(), ""))?;
    reply.ok();
    Ok(())
}

/// BGSAVE, and BGSAVE SCHEDULE, which is the same where nothing else is written to disk.
pub(super) fn bgsave(call: &mut Call<'_>) -> Outcome {
    if call.args.len() > 2 || (call.args.len() == 2 && !call.args.is(1, "schedule")) {
        return Err(SYNTAX);
    }
    snapshots(call.shared)?.ask().map_err(not_begun)?;
    call.reply.simple("Background saving started");
    Ok(())
}

/// LASTSAVE: as in Redis the start of the server, if there was none since.
pub(super) fn lastsave(call: &mut Call<'_>) -> Outcome {
    let last_s = snapshots(call.shared)?.status().last_s;
    call.reply.integer(i64::try_from(last_s).unwrap_or(i64::MAX));
    Ok(())
}
