//! The folder that values are kept in: made or taken over, locked, and never another's.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Its presence says that what lies in `DATA` beside it is ours; whoever holds its lock uses it.
const MARK: &str = "values-of-the-server";
const DATA: &str = "data";
const TEXT: &[u8] = b"`server --values` keeps the values of a running server in the folder `data` \
beside this file.\nWhat is in that folder is deleted whenever a server starts here, and when it \
stops.\n";

/// A folder that no other server uses, and nothing in it.
#[derive(Debug)]
pub(super) struct Folder {
    /// Where values go; it does not exist yet.
    pub(super) data: PathBuf,
    /// Held as long as the folder is.
    _lock: File,
}

/// Why values cannot be kept in a folder.
#[derive(Debug)]
pub enum FolderError {
    /// There are things in it that no server has put there.
    NotOurs(PathBuf),
    /// Another server uses it.
    InUse(PathBuf),
    /// It cannot be had, read or written.
    Io(PathBuf, io::Error),
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs(path) => write!(
                f,
                "{}: there are things in it that no `server --values` has put there, and values \
                 are not kept among them: name an empty folder, or one that does not exist",
                path.display()
            ),
            Self::InUse(path) => write!(
                f,
                "{}: another server keeps its values there: stop it, or name another folder",
                path.display()
            ),
            Self::Io(path, error) => write!(
                f,
                "{}: values cannot be kept there ({error}): name a folder that can be written, or \
                 one that can be made",
                path.display()
            ),
        }
    }
}

impl std::error::Error for FolderError {}

impl Folder {
    /// Makes the folder, or takes it over from a server that is gone: what that has left is
    /// deleted.
    pub(super) fn claim(path: &Path) -> Result<Self, FolderError> {
        let failed = |error| FolderError::Io(path.to_owned(), error);
        fs::create_dir_all(path).map_err(failed)?;
        let mark = path.join(MARK);
        if !mark.try_exists().map_err(failed)? {
            if fs::read_dir(path).map_err(failed)?.next().is_some() {
                return Err(FolderError::NotOurs(path.to_owned()));
            }
            let mut file = File::create_new(&mark).map_err(failed)?;
            file.write_all(TEXT).map_err(failed)?;
        }
        let lock = OpenOptions::new().read(true).write(true).open(&mark).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let data = path.join(DATA);
        match fs::remove_dir_all(&data) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(Self { data, _lock: lock }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ours_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let letter = folder.path().join("letter.txt");
        fs::write(&letter, "dear").expect("it can be written");
        fs::create_dir(folder.path().join(DATA)).expect("it can be made");
        let refused = Folder::claim(folder.path()).expect_err("it is not empty");
        assert!(matches!(refused, FolderError::NotOurs(_)), "{refused}");
        assert!(refused.to_string().contains(&folder.path().display().to_string()));
        assert_eq!(fs::read(&letter).expect("it is there"), b"dear");
        assert!(folder.path().join(DATA).exists() && !folder.path().join(MARK).exists());
        // Nor is a file a folder.
        let refused = Folder::claim(&letter).expect_err("it is a file");
        assert!(matches!(refused, FolderError::Io(..)), "{refused}");
    }

    #[test]
    fn a_folder_is_one_servers_and_what_a_killed_one_left_is_deleted() {
        let parent = tempfile::tempdir().expect("a folder");
        let path = parent.path().join("new/values");
        let held = Folder::claim(&path).expect("it can be made");
        fs::create_dir(&held.data).expect("it can be made");
        fs::write(held.data.join("left"), "x").expect("it can be written");
        fs::write(path.join("note"), "not ours").expect("it can be written");
        let refused = Folder::claim(&path).expect_err("it is held");
        assert!(matches!(refused, FolderError::InUse(_)), "{refused}");
        assert!(held.data.join("left").exists(), "what is in use stays");
        drop(held);
        let taken = Folder::claim(&path).expect("nobody holds it");
        assert!(!taken.data.exists(), "what was left is gone");
        assert_eq!(fs::read(path.join("note")).expect("it is there"), b"not ours");
    }
}
