//! The state of the sources, asked of git when a run begins.

use std::path::Path;
use std::process::Command;

use crate::report::Revision;

/// The commit that is checked out in the repository around `folder`, and whether tracked files
/// differ from it. Reports under `results/` do not count: committing them must not make the
/// revision that they were measured at look changed.
#[must_use]
pub fn read(folder: &Path) -> Revision {
    let Some(commit) = git(folder, &["rev-parse", "--short=10", "HEAD"]) else {
        return Revision { commit: "unknown".to_owned(), dirty: false };
    };
    let status = git(
        folder,
        &["status", "--porcelain", "--untracked-files=no", "--", ":/", ":(exclude,top)results"],
    );
    Revision { commit, dirty: status.is_none_or(|lines| !lines.is_empty()) }
}

/// What git answers to `arguments`, without the white space around it; `None` if it fails.
pub(super) fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_a_repository_the_revision_is_unknown() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(read(folder.path()).commit, "unknown");
    }

    #[test]
    fn a_changed_tracked_file_is_dirty_and_a_result_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path();
        std::fs::create_dir(path.join("results")).expect("writable");
        std::fs::write(path.join("a"), "1").expect("writable");
        std::fs::write(path.join("results/r"), "1").expect("writable");
        let name = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
        git(path, &["init", "-q"]).expect("git");
        git(path, &["add", "."]).expect("git");
        git(path, &[&name[..], &["commit", "-qm", "m"]].concat()).expect("git");
        std::fs::write(path.join("results/r"), "2").expect("writable");
        assert!(!read(path).dirty);
        std::fs::write(path.join("a"), "2").expect("writable");
        assert!(read(path).dirty);
    }
}
