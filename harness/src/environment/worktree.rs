//! Other revisions of the sources, checked out beside the working tree and built there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::repository;
use super::revision::git;

/// So much of what git says is shown when it fails.
const LINES_SHOWN: usize = 12;
/// The words for the working tree as it is.
const AS_IT_IS: [&str; 2] = [".", "WORKTREE"];

/// A revision that can be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// What the user called it, and the commit it is.
    pub label: String,
    /// The commit; `None` for the working tree as it is.
    commit: Option<String>,
    root: PathBuf,
    folder: PathBuf,
}

impl Tree {
    /// Finds out what `revision` means.
    ///
    /// # Errors
    /// If it means nothing, or there is no repository around the current folder.
    pub fn find(revision: &str) -> Result<Self, String> {
        let root = repository::root().ok_or("the current folder is in no git repository")?;
        let trees = root.join("target").join("ab");
        if AS_IT_IS.contains(&revision) {
            let (label, folder) = ("the working tree".to_owned(), trees.join("worktree"));
            return Ok(Self { label, commit: None, root, folder });
        }
        let commit = repository::commit(revision).ok_or_else(|| {
            format!(
                "{revision}: there is no such revision; name a commit, a branch or a tag, or `.` \
                 for the working tree as it is"
            )
        })?;
        let short = commit.get(..10).unwrap_or(&commit).to_owned();
        let label = if commit.starts_with(revision) {
            short.clone()
        } else {
            format!("{revision} ({short})")
        };
        Ok(Self { label, folder: trees.join(short), commit: Some(commit), root })
    }

    /// Checks the revision out, if it is not there yet, and begins to build its harness as users
    /// would. What the compiler says goes to the file `said`.
    ///
    /// # Errors
    /// If it cannot be checked out, or the build not be started.
    pub fn build(&self, said: &Path) -> Result<Child, String> {
        let source = match &self.commit {
            None => self.root.clone(),
            Some(commit) => self.check_out(commit)?,
        };
        let said = File::create(said).map_err(|error| format!("{}: {error}", said.display()))?;
        Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--release", "--package", "harness", "--bin", "harness"])
            .current_dir(&source)
            .env("CARGO_TARGET_DIR", self.target())
            .env_remove("CARGO_BUILD_TARGET")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .map_err(|error| format!("cargo cannot be started: {error}"))
    }

    /// Where the program is, once it is built.
    ///
    /// # Errors
    /// If it is not there.
    pub fn program(&self) -> Result<PathBuf, String> {
        let program = self.target().join("release").join("harness");
        let program = program.with_extension(std::env::consts::EXE_EXTENSION);
        if program.is_file() {
            return Ok(program);
        }
        Err(format!("{}: cargo built no {}", self.label, program.display()))
    }

    fn target(&self) -> PathBuf {
        self.folder.join("target")
    }

    fn check_out(&self, commit: &str) -> Result<PathBuf, String> {
        let source = self.folder.join("source");
        if source.exists() {
            let found = git(&source, &["rev-parse", "HEAD"]);
            let clean = git(&source, &["status", "--porcelain", "--untracked-files=no"]);
            if found.as_deref() == Some(commit) && clean.as_deref() == Some("") {
                return Ok(source);
            }
            let name = source.display();
            return Err(format!("{name} is not {} as committed; remove it", self.label));
        }
        fs::create_dir_all(&self.folder)
            .map_err(|error| format!("{}: {error}", self.folder.display()))?;
        // Twice forced: git may remember a tree here that was deleted together with `target`.
        let output = Command::new("git")
            .arg("-C")
            .arg(&self.root)
            .args(["worktree", "add", "--force", "--detach", "--quiet"])
            .arg(&source)
            .arg(commit)
            .output()
            .map_err(|error| format!("git cannot be started: {error}"))?;
        if output.status.success() {
            return Ok(source);
        }
        let said = last_lines(&String::from_utf8_lossy(&output.stderr), LINES_SHOWN);
        Err(format!("{} cannot be checked out:\n{said}", self.label))
    }
}

/// The end of a long text, where the reason usually stands.
#[must_use]
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// Whether two names mean the same sources.
#[must_use]
pub fn same(a: &Tree, b: &Tree) -> bool {
    a.commit == b.commit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_text_is_shown() {
        assert_eq!(last_lines("a\nb\nc\n\n", 2), "b\nc");
        assert_eq!(last_lines("a", 9), "a");
        assert_eq!(last_lines("", 9), "");
    }

    #[test]
    fn an_unknown_revision_is_refused_with_what_can_be_named() {
        let error = Tree::find("no-such-revision").expect_err("unknown");
        assert!(error.starts_with("no-such-revision: there is no such revision; name "), "{error}");
        assert!(same(&Tree::find(".").expect("here"), &Tree::find("WORKTREE").expect("here")));
    }
}
