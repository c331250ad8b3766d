//! A folder with a workload file in it, and the harness as a program that is run inside.

use std::fs;
use std::process::Command;

pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
}

impl Bench {
    /// The file's name is `w.toml`.
    pub(crate) fn new(workload: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("w.toml"), workload).unwrap();
        Self { folder }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        command.args(arguments).current_dir(self.folder.path());
        command
    }
}
