//! The folder of reports: found, checked before a run, and written to without half-written files.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use super::failure::Failure;
use crate::output::{self, index};
use crate::report::capacity::{Capacity, KIND};
use crate::report::{Machine, Report, Revision, WorkloadRecord};

/// The folder to read or write: the one given, else `results/` of the repository around the
/// current folder, else `results/` here.
pub(super) fn results(given: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let output = Command::new("git").args(["rev-parse", "--show-toplevel"]).output();
    let root = output.ok().filter(|output| output.status.success()).and_then(|output| {
        String::from_utf8(output.stdout).ok().map(|text| PathBuf::from(text.trim()))
    });
    // Shown to the user: relative where that says the same.
    let here = std::env::current_dir().map_err(|error| Failure::Failed(error.to_string()))?;
    let root = root.filter(|root| *root != here).unwrap_or_default();
    Ok(root.join("results"))
}

/// Makes sure that reports can be written, before the run that they are of.
pub(super) fn check_writable(folder: &Path) -> Result<(), Failure> {
    let attempt = fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder));
    attempt.map(drop).map_err(|error| {
        let name = folder.display();
        Failure::Failed(format!(
            "{name}: reports cannot be written there: {error}; choose another folder with --out, \
             or --no-write"
        ))
    })
}

/// Writes a report under its full name at once, or not at all. Returns where.
pub(super) fn write_report(folder: &Path, report: &Report) -> Result<PathBuf, Failure> {
    let folder = folder.join(&report.workload.name).join(&report.target);
    let (started, workload) = (&report.started, &report.workload);
    let name = file_name(started, &report.revision, &report.machine, workload);
    write_json(&folder.join(name), report)
}

/// The same for a capacity, in a folder of its own beside the reports of the target: what reads
/// reports does not come across it.
pub(super) fn write_capacity(folder: &Path, found: &Capacity) -> Result<PathBuf, Failure> {
    let folder = folder.join(&found.workload.name).join(&found.target).join(KIND);
    let (started, workload) = (&found.started, &found.workload);
    let name = file_name(started, &found.revision, &found.machine, workload);
    write_json(&folder.join(name), found)
}

fn write_json(path: &Path, report: &impl Serialize) -> Result<PathBuf, Failure> {
    let text = serde_json::to_string(report).map_err(|error| Failure::Failed(error.to_string()))?;
    write_whole(path, &(text + "\n"))?;
    Ok(path.to_owned())
}

/// `<UTC>-<revision>[-dirty]-<machine>[-<case>].json`.
fn file_name(
    started: &str,
    revision: &Revision,
    machine: &Machine,
    workload: &WorkloadRecord,
) -> String {
    let time: String = started.chars().filter(char::is_ascii_alphanumeric).collect();
    let case = workload
        .case
        .as_ref()
        .map_or_else(String::new, |case| format!("-{}", case.replace(',', "-").replace('=', "_")));
    format!("{time}-{revision}-{}{case}.json", machine.id)
}

/// Makes the page of all results and its pictures anew.
pub(super) fn write_index(folder: &Path) -> Result<(), Failure> {
    let made = index::pages(folder).map_err(Failure::Failed)?;
    for (path, text) in &made {
        write_whole(path, text)?;
    }
    if let [(page, _), pictures @ ..] = made.as_slice() {
        output::note(&format!("wrote {} and {} pictures", page.display(), pictures.len()));
    }
    Ok(())
}

/// Writes beside the final place and renames: a reader sees the old file or the new one.
pub(super) fn write_whole(path: &Path, text: &str) -> Result<(), Failure> {
    // The parent of a bare name is empty, and means here.
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = parent.unwrap_or(Path::new("."));
    let attempt = fs::create_dir_all(folder)
        .and_then(|()| tempfile::NamedTempFile::new_in(folder))
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            make_readable(file.as_file())?;
            file.persist(path).map_err(|error| error.error)
        });
    attempt.map(drop).map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}

/// Temporary files are private; what is to be committed is not.
#[cfg(unix)]
fn make_readable(file: &fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_file: &fs::File) -> std::io::Result<()> {
    Ok(())
}
