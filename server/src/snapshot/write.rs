//! Writes snapshots: under another name first, which becomes the right one once all is on the disk.
//!
//! Whenever the process or the machine stops, the right name has a whole snapshot, the former one or
//! the new: the file is synced before it is renamed, and its folder after.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use zstd::stream::write::Encoder;

use super::walk::{self, Bounds};
use crate::keyspace::Keyspace;

/// zstd's level: the fastest, as callers need the processors more than the disk needs its room.
const LEVEL: i32 = 1;

/// What is asked of a file system.
pub(super) trait Files {
    /// A file that is being written.
    type File: Write;

    /// An empty file at `path`, whatever was there.
    fn create(&self, path: &Path) -> io::Result<Self::File>;

    /// Waits until all of `file` is on the disk.
    fn sync(&self, file: &mut Self::File) -> io::Result<()>;

    /// Gives the file at `from` the name `to`, in place of what was there, in one step.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Waits until the names in `folder` are on the disk.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// Removes the file at `path`.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// That of the system.
#[derive(Debug, Clone, Copy)]
pub(super) struct Disk;

impl Files for Disk {
    type File = File;

    fn create(&self, path: &Path) -> io::Result<File> {
        File::create(path)
    }

    fn sync(&self, file: &mut File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// Pairs.
    pub(crate) pairs: u64,
    /// The length of their text, in bytes.
    pub(crate) text_bytes: u64,
    /// The length of the file, in bytes.
    pub(crate) bytes: u64,
}

/// The file beside `path` whose name has `ending` added.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

/// The folder that `path` stands in.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The name that a snapshot has until it is whole.
pub(super) fn partial(path: &Path) -> PathBuf {
    beside(path, ".tmp")
}

/// Writes a snapshot of `keyspace` to `path`. Asks `go_on` now and then, and gives up on an error.
///
/// # Errors
/// What went wrong; at `path` there is then what was there before.
pub(super) fn write<F: Files>(
    files: &F,
    path: &Path,
    keyspace: &Keyspace,
    bounds: Bounds,
    go_on: impl Fn() -> io::Result<()>,
) -> io::Result<Written> {
    let partial = partial(path);
    let written = fill(files, &partial, keyspace, bounds, go_on)
        .and_then(|written| files.rename(&partial, path).map(|()| written));
    if written.is_err() {
        // It may not even be there.
        let _ = files.remove(&partial);
    }
    let written = written?;
    // The new snapshot is there, and who reads `path` gets it. File systems of networks and of users
    // may not sync folders, so it is no reason to say that there is none.
    if let Err(error) = files.sync_folder(folder(path)) {
        tracing::warn!(
            %error,
            "{}: written, but its folder could not be synced: should the machine lose power now, the \
             snapshot before may be there again",
            path.display()
        );
    }
    Ok(written)
}

/// Writes the file itself, to the disk.
fn fill<F: Files>(
    files: &F,
    path: &Path,
    keyspace: &Keyspace,
    bounds: Bounds,
    go_on: impl Fn() -> io::Result<()>,
) -> io::Result<Written> {
    let to = Counting { to: files.create(path)?, bytes: 0 };
    let mut packer = packer(to)?;
    let walked = walk::walk(keyspace, bounds, |text| {
        go_on()?;
        packer.write_all(text)
    })?;
    let mut counted = packer.finish()?;
    counted.flush()?;
    files.sync(&mut counted.to)?;
    let (pairs, text_bytes) = (walked.pairs, walked.text_bytes);
    Ok(Written { pairs, text_bytes, bytes: counted.bytes })
}

/// What packs text into a snapshot that ends in a checksum.
fn packer<W: Write>(to: W) -> io::Result<Encoder<'static, W>> {
    let mut packer = Encoder::new(to, LEVEL)?;
    packer.include_checksum(true)?;
    Ok(packer)
}

/// A snapshot that holds `text`, whatever that is.
pub(crate) fn pack(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut packer = packer(Vec::new())?;
    packer.write_all(text)?;
    packer.finish()
}

/// Counts what is written to a file.
struct Counting<W> {
    to: W,
    bytes: u64,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
