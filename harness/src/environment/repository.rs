//! What the repository around the current folder remembers, without checking anything out.

use std::path::{Path, PathBuf};

use super::revision::git;

/// The repository's top folder; `None` outside of one.
#[must_use]
pub fn root() -> Option<PathBuf> {
    git(Path::new("."), &["rev-parse", "--show-toplevel"]).map(PathBuf::from)
}

/// The full hash of the commit that `revision` means; `None` if it means none.
#[must_use]
pub fn commit(revision: &str) -> Option<String> {
    let commit = format!("{revision}^{{commit}}");
    git(Path::new("."), &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])
}

/// The reports under `results/` as `revision` has them: their paths from the top folder, and
/// their texts.
///
/// # Errors
/// If git cannot list or read them.
pub fn reports(revision: &str) -> Result<Vec<(String, String)>, String> {
    let here = Path::new(".");
    let listing = ["ls-tree", "-r", "-z", "--name-only", "--full-tree", revision, "results/"];
    let paths =
        git(here, &listing).ok_or_else(|| format!("{revision}: git cannot list its results"))?;
    let is_json = |path: &str| Path::new(path).extension().is_some_and(|end| end == "json");
    let is_report = |path: &&str| is_json(path) && path.split('/').count() == 4;
    paths
        .split('\0')
        .filter(is_report)
        .map(|path| {
            let object = format!("{revision}:{path}");
            let text = git(here, &["cat-file", "blob", &object])
                .ok_or_else(|| format!("{object}: git cannot read it"))?;
            Ok((path.to_owned(), text))
        })
        .collect()
}
