//! Builds the checks with planted bugs compiled in, and runs one check with one bug made.

use crate::planted::Bug;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A kind of check: a column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// Unit tests and the semantics of the public calls.
    Unit,
    LoomScc,
    LoomStandIn,
    Shuttle,
    Histories,
    Simulation,
    Proptest,
}

/// What came of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    /// It failed, at this execution or operation.
    CaughtAt(u64),
    /// It failed and does not count.
    Caught,
    /// It did not end.
    Hung,
}

impl Outcome {
    pub(super) fn caught(&self) -> bool {
        *self != Self::Passed
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("-"),
            Self::CaughtAt(execution) => write!(f, "{execution}"),
            Self::Caught => f.write_str("caught"),
            Self::Hung => f.write_str("hung"),
        }
    }
}

/// The test programs with planted bugs in them.
pub(super) struct Binaries {
    unit: PathBuf,
    semantics: PathBuf,
    state_machine: PathBuf,
    loom: PathBuf,
    loom_stand_in: PathBuf,
    shuttle: PathBuf,
}

/// Builds all of them.
pub(super) fn build() -> Binaries {
    let real =
        build_one("--cfg planted", &["--lib", "--test", "semantics", "--test", "state_machine"]);
    let one = |flags: &str| named(&build_one(flags, &["--lib"]), "store");
    Binaries {
        unit: named(&real, "store"),
        semantics: named(&real, "semantics"),
        state_machine: named(&real, "state_machine"),
        loom: one("--cfg planted --cfg checker=\"loom\""),
        loom_stand_in: one("--cfg planted --cfg checker=\"loom\" --cfg table=\"stand_in\""),
        shuttle: one("--cfg planted --cfg checker=\"shuttle\""),
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Builds the store's tests with `flags`; returns the paths of the programs.
fn build_one(flags: &str, targets: &[&str]) -> Vec<PathBuf> {
    println!("building with {flags}");
    let output = Command::new(env!("CARGO"))
        .args(["test", "-p", "store", "--release", "--no-run", "--message-format=json"])
        .args(["--target-dir", "target-planted"])
        .args(targets)
        .current_dir(workspace())
        .env("RUSTFLAGS", flags)
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo can be started");
    assert!(output.status.success(), "the build failed");
    // Each line is a message; that of a program has its path as the value of this field.
    let field = "\"executable\":\"";
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_once(field)?.1.split_once('"'))
        .map(|(path, _)| PathBuf::from(path))
        .collect()
}

fn named(programs: &[PathBuf], name: &str) -> PathBuf {
    let is = |program: &&PathBuf| {
        let file = program.file_name().unwrap_or_default().to_string_lossy();
        file.rsplit_once('-').is_some_and(|(stem, _)| stem == name)
    };
    programs.iter().find(is).unwrap_or_else(|| panic!("no test program {name}")).clone()
}

impl Binaries {
    /// Runs `check` with `bug` made, or none.
    pub(super) fn run(&self, check: Check, bug: Option<Bug>) -> Outcome {
        let run = |program: &Path, args: &[&str]| run_one(program, args, bug);
        let models = &["checks::models", "--test-threads=1"];
        match check {
            Check::Unit => {
                let units = run(&self.unit, &["tests::", "--test-threads=2"]);
                if units.caught() { units } else { run(&self.semantics, &[]) }
            }
            Check::LoomScc => run(&self.loom, models),
            Check::LoomStandIn => run(&self.loom_stand_in, models),
            Check::Shuttle => run(&self.shuttle, models),
            Check::Histories => {
                let real = run(&self.unit, &["checks::histories"]);
                if real.caught() { real } else { run(&self.shuttle, &["checks::histories"]) }
            }
            Check::Simulation => run(&self.unit, &["checks::simulation"]),
            Check::Proptest => run(&self.state_machine, &[]),
        }
    }
}

/// The longest a check may take; without a bug each takes far less.
const PATIENCE: Duration = Duration::from_secs(120);

fn run_one(program: &Path, args: &[&str], bug: Option<Bug>) -> Outcome {
    let log = std::env::temp_dir().join(format!("planted-{}-{bug:?}.log", std::process::id()));
    let file = File::create(&log).expect("a temporary file can be written");
    let errors = file.try_clone().expect("a file's handle can be copied");
    let mut child = Command::new(program)
        .args(args)
        .arg("--nocapture")
        .env("PLANTED", bug.map_or(String::new(), |bug| format!("{bug:?}")))
        .env("LOOM_MAX_PREEMPTIONS", "2")
        .env("RUST_BACKTRACE", "0")
        .current_dir(std::env::temp_dir())
        .stdout(file)
        .stderr(errors)
        .spawn()
        .expect("a test program can be started");
    let began = Instant::now();
    let so_far = || fs::read_to_string(&log).unwrap_or_default();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break Some(status);
        }
        // Once a model has failed, those after it add nothing but time.
        if began.elapsed() > PATIENCE || first_failure(&so_far()).is_some() {
            child.kill().expect("a child can be stopped");
            child.wait().expect("a child can be waited for");
            break None;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let text = so_far();
    let _ = fs::remove_file(&log);
    match status {
        None => first_failure(&text).map_or(Outcome::Hung, Outcome::CaughtAt),
        Some(status) if status.success() => {
            assert!(!text.contains("running 0 tests"), "{args:?} ran no test");
            Outcome::Passed
        }
        Some(_) => first_failure(&text).map_or(Outcome::Caught, Outcome::CaughtAt),
    }
}

/// The number in the first line of the form `failed: ... at execution 17`, or `after 17
/// operations: ...`.
fn first_failure(text: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        if let Some(model) = line.strip_prefix("failed: ") {
            return model.rsplit_once(' ')?.1.parse().ok();
        }
        line.strip_prefix("after ")?.split_once(" operations: ")?.0.parse().ok()
    })
}

/// A page of `results/`; empty if there is none yet.
pub(super) fn read_results(name: &str) -> String {
    fs::read_to_string(workspace().join("results").join(name)).unwrap_or_default()
}

/// Writes a page to `results/`, all of it or nothing.
pub(super) fn write_results(name: &str, text: &str) {
    let path = workspace().join("results").join(name);
    let unfinished = path.with_extension("tmp");
    fs::write(&unfinished, text).expect("results/ can be written");
    fs::rename(&unfinished, &path).expect("results/ can be written");
}
