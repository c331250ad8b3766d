//! From reports to text: for the terminal, as Markdown, as a page, and the index of all committed
//! results.
//!
//! Everything here works on saved data. Figures become a [`grid`] of cells first, and only then
//! text, so that all forms show the same.

pub mod capacity;
mod chart;
pub mod comparison;
pub mod diagnosis;
pub mod figures;
pub mod grid;
pub mod html;
pub mod index;
mod markup;
pub mod peers;
mod scaling;
mod steps;
pub mod summary;
pub mod trace;
mod trend;
pub mod trials;

use std::io::{self, Write as _};

/// Writes to standard output. A reader that has gone away is no reason to complain.
pub fn print(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Writes to standard error.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
