//! Tells the program what compiled it, for its reports.

use std::process::Command;

fn main() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(rustc).arg("--version").output().ok();
    let version = version.and_then(|output| String::from_utf8(output.stdout).ok());
    let version = version.as_deref().map_or("unknown", str::trim);
    let profile = std::env::var("PROFILE").unwrap_or_else(|_| "unknown".to_owned());
    let script = format!(
        "cargo::rustc-env=HARNESS_RUSTC={version}\n\
         cargo::rustc-env=HARNESS_PROFILE={profile}\n\
         cargo::rerun-if-changed=build.rs\n"
    );
    let _ = std::io::Write::write_all(&mut std::io::stdout().lock(), script.as_bytes());
}
