//! Snapshots that are cut off at any byte and at any step: what was there before must be there
//! after, or else the new one, whole.

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::read::{self, Pairs};
use super::walk::Bounds;
use super::write::{self, Disk, Files, Written};
use crate::keyspace::{Keyspace, Lifetime, Settings};

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The system refuses the step, and no other.
    Refused,
    /// The process is killed.
    Killed,
    /// So is the machine: what was not synced is lost.
    PowerLost,
}

/// The system's files, up to a fault after so many steps. A byte that is written is a step, too.
#[derive(Debug)]
struct Faulty {
    end: End,
    left: Rc<Cell<u64>>,
    /// What was written since it was last synced, and where it stands now.
    unsynced: Rc<RefCell<Option<PathBuf>>>,
    /// Whether the new file has got its name.
    renamed: Rc<Cell<bool>>,
}

/// A file whose writing meets the fault.
struct FaultyFile {
    file: File,
    path: PathBuf,
    faulty: Faulty,
}

impl Faulty {
    fn after(steps: u64, end: End) -> Self {
        let left = Rc::new(Cell::new(steps));
        Self { end, left, unsynced: Rc::default(), renamed: Rc::default() }
    }

    fn same(&self) -> Self {
        Self {
            end: self.end,
            left: Rc::clone(&self.left),
            unsynced: Rc::clone(&self.unsynced),
            renamed: Rc::clone(&self.renamed),
        }
    }

    /// A step, or the fault.
    fn step(&self) -> io::Result<()> {
        match self.left.get() {
            0 => self.fault(),
            left => {
                self.left.set(left - 1);
                Ok(())
            }
        }
    }

    fn fault(&self) -> io::Result<()> {
        if self.end == End::Refused {
            self.left.set(u64::MAX);
            return Err(io::Error::other("refused on purpose"));
        }
        if let (End::PowerLost, Some(lost)) = (self.end, self.unsynced.take()) {
            File::create(lost).expect("it is there");
        }
        // Without the message of a panic.
        resume_unwind(Box::new("killed on purpose"))
    }
}

impl Write for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.faulty.left.get();
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        if room == 0 && !bytes.is_empty() {
            self.faulty.step()?;
        }
        let written = self.file.write(&bytes[..room])?;
        self.faulty.left.set(left - written as u64);
        *self.faulty.unsynced.borrow_mut() = Some(self.path.clone());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Files for Faulty {
    type File = FaultyFile;

    fn create(&self, path: &Path) -> io::Result<FaultyFile> {
        self.step()?;
        let file = Disk.create(path)?;
        *self.unsynced.borrow_mut() = Some(path.to_owned());
        Ok(FaultyFile { file, path: path.to_owned(), faulty: self.same() })
    }

    fn sync(&self, file: &mut FaultyFile) -> io::Result<()> {
        self.step()?;
        Disk.sync(&mut file.file)?;
        self.unsynced.take();
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        Disk.rename(from, to)?;
        self.renamed.set(true);
        let mut unsynced = self.unsynced.borrow_mut();
        if unsynced.is_some() {
            *unsynced = Some(to.to_owned());
        }
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.step()?;
        Disk.sync_folder(folder)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Disk.remove(path)
    }
}

fn keyspace(pairs: usize, salt: usize) -> Keyspace {
    let keyspace = Keyspace::new(Settings::default()).expect("it is plain");
    let later_ms = keyspace.now_ms() + 1_000_000;
    for number in 0..pairs {
        let value = format!("{salt}-{}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15 + salt));
        let lifetime = if number % 3 == 0 { Lifetime::Never } else { Lifetime::Until(later_ms) };
        let key = format!("key-{number}");
        keyspace.put(key.as_bytes(), value.as_bytes(), lifetime).expect("it is near and light");
    }
    keyspace
}

fn write_to<F: Files>(files: &F, path: &Path, keyspace: &Keyspace) -> io::Result<Written> {
    // Pieces and parts are small, so that there are several.
    write::write(files, path, keyspace, Bounds { keys: 10_000, text: 500 }, || Ok(()))
}

fn pairs_in(path: &Path) -> Pairs {
    let bytes = fs::read(path).expect("it is there");
    read::pairs(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Cuts the writing of a snapshot of so many pairs off at each of its steps, or at every so many.
fn is_intact_wherever_it_ends(pairs: usize, every: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pairs.zst");
    let (former, new) = (keyspace(pairs, 1), keyspace(pairs, 2));
    write_to(&Disk, &path, &former).expect("nothing is wrong");
    let (before, expected) = (fs::read(&path).expect("it is there"), pairs_in(&path));
    let counting = Faulty::after(u64::MAX, End::Refused);
    write_to(&counting, &path, &new).expect("nothing is wrong");
    let (steps, written) = (u64::MAX - counting.left.get(), pairs_in(&path));
    assert!(expected.len() == pairs && written.len() == pairs && expected != written);
    // The order of pairs is another each time, and so is the file's length, by a little.
    let sampled = (0..steps).step_by(every).chain(steps.saturating_sub(8)..steps + 8);
    let ends = [End::Refused, End::Killed, End::PowerLost];
    let mut met = 0;
    for (cut, end) in sampled.flat_map(|cut| ends.map(|end| (cut, end))) {
        fs::write(&path, &before).expect("there is room");
        let files = Faulty::after(cut, end);
        let outcome = catch_unwind(AssertUnwindSafe(|| write_to(&files, &path, &new)));
        met += u64::from(!matches!(outcome, Ok(Ok(_))));
        if let Ok(outcome) = &outcome {
            // Whoever is told that it was not written relies on what was there before.
            assert_eq!(outcome.is_ok(), files.renamed.get(), "refused step {cut} of {steps}");
            let partial = write::partial(&path);
            assert!(!partial.exists(), "{cut}: the partial file was left");
        }
        let whole = if files.renamed.get() { &written } else { &expected };
        assert!(pairs_in(&path) == *whole, "cut off at step {cut} of {steps}: {end:?}");
    }
    assert!(met >= 3 * steps / every as u64, "only {met} faults of {steps} steps were met");
    // Whatever is left over is in nobody's way.
    write_to(&Disk, &path, &new).expect("nothing is wrong");
    assert!(pairs_in(&path) == written);
}

#[test]
fn a_small_snapshot_may_be_cut_off_anywhere() {
    is_intact_wherever_it_ends(5, 1);
}

#[test]
fn a_larger_snapshot_may_be_cut_off_anywhere() {
    is_intact_wherever_it_ends(2_000, 1_499);
}

#[test]
fn what_is_given_up_is_not_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pairs.zst");
    let keyspace = keyspace(1_000, 1);
    let pieces = Cell::new(0);
    let go_on = || {
        pieces.set(pieces.get() + 1);
        if pieces.get() < 3 { Ok(()) } else { Err(io::Error::other("given up")) }
    };
    let bounds = Bounds { keys: 2_000, text: 500 };
    let given_up = write::write(&Disk, &path, &keyspace, bounds, go_on);
    assert_eq!(given_up.expect_err("it was").to_string(), "given up");
    assert_eq!(pieces.get(), 3);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

/// Says so when it is dropped, also by a check that fails.
struct Done<'d>(&'d AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_deadline_is_told_alike_however_often_it_is_looked_at() {
    let keyspace = keyspace(0, 0);
    let deadline_ms = keyspace.now_ms() + 1_000_000;
    let put = || keyspace.put(b"a", b"1", Lifetime::Until(deadline_ms));
    Keyspace::punctually(put).expect("it is near and light");
    // Often enough for the clock to step in the middle of many of them.
    for look in 0..100_000 {
        let told = keyspace.peek(b"a", |_, told| told);
        assert_eq!(told, Ok(Some(Some(deadline_ms))), "look {look}");
    }
}

/// How far apart the deadlines of two values are.
const STEP_MS: i64 = 100_000;

#[test]
fn pairs_that_stay_are_there_whatever_is_written_beside_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pairs.zst");
    let keyspace = keyspace(2_000, 1);
    let before: Pairs = {
        write_to(&Disk, &path, &keyspace).expect("nothing is wrong");
        pairs_in(&path)
    };
    let base_ms = keyspace.now_ms() + 1_000_000;
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // The table grows and shrinks; one key's value and deadline always change together.
            for number in 0_i64.. {
                let change = format!("change-{}", number % 5_000);
                let _ = keyspace.put(change.as_bytes(), b"x", Lifetime::Never);
                keyspace.remove(format!("change-{}", (number + 2_500) % 5_000).as_bytes());
                let until = Lifetime::Until(base_ms + STEP_MS * number);
                let _ = keyspace.put(b"both", number.to_string().as_bytes(), until);
                if is_done.load(Ordering::SeqCst) {
                    break;
                }
            }
            let _ = keyspace.delete(b"both");
        });
        let _done = Done(&is_done);
        for _ in 0..10 {
            write_to(&Disk, &path, &keyspace).expect("nothing is wrong");
            let pairs = pairs_in(&path);
            for (key, pair) in &before {
                assert_eq!(pairs.get(key), Some(pair), "{}", key.escape_ascii());
            }
            if let Some((value, deadline_ms)) = pairs.get(&b"both"[..]) {
                let value: i64 = String::from_utf8_lossy(value).parse().expect("a number");
                // A thread that was kept from running sets it late, but not so late.
                let late_ms = deadline_ms.expect("it has always one") - base_ms - STEP_MS * value;
                assert!((0..STEP_MS).contains(&late_ms), "of another moment: {late_ms} ms");
            }
        }
    });
}

fn word() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() })]
    #[test]
    fn what_is_written_is_read_again_to_the_millisecond(
        pairs in proptest::collection::btree_map(word(), (word(), proptest::option::of(100_000_i64..900_000_000)), 0..60),
        keys in 1_usize..400,
        text in 1_usize..400,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pairs.zst");
        let first = keyspace(0, 0);
        let now_ms = first.now_ms();
        let expected: Pairs = pairs
            .into_iter()
            .map(|(key, (value, ttl_ms))| (key, (value, ttl_ms.map(|ttl_ms| now_ms + ttl_ms))))
            .collect();
        for (key, (value, deadline_ms)) in &expected {
            let lifetime = deadline_ms.map_or(Lifetime::Never, Lifetime::Until);
            let put = Keyspace::punctually(|| first.put(key, value, lifetime));
            put.expect("it is near and light");
        }
        let bounds = Bounds { keys, text };
        let written = write::write(&Disk, &path, &first, bounds, || Ok(())).expect("it is fine");
        prop_assert_eq!(written.pairs, expected.len() as u64);
        prop_assert_eq!(written.bytes, fs::metadata(&path).expect("it is there").len());
        prop_assert_eq!(&pairs_in(&path), &expected);
        let second = keyspace(0, 0);
        let contents = read::load(&path, &second).expect("it is whole");
        prop_assert_eq!((contents.pairs, contents.expired), (expected.len() as u64, 0));
        prop_assert_eq!(contents.text_bytes, written.text_bytes);
        for (key, pair) in &expected {
            let held = second.peek(key, |value, deadline_ms| (value.to_vec(), deadline_ms));
            prop_assert_eq!(held, Ok(Some(pair.clone())));
        }
    }
}
