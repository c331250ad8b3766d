//! `server generate`: a file of pairs from a seed.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

use super::GenerateArgs;
use crate::data::Pairs;

/// Lines between two looks at the progress.
const STEP: u64 = 10_000;

pub(super) fn run(args: &GenerateArgs) -> Result<(), String> {
    let named = |error: io::Error| format!("{}: cannot be written: {error}", args.file.display());
    // Under another name first: whoever sees the file sees all of it.
    let mut partial = args.file.clone().into_os_string();
    partial.push(".tmp");
    let written = write(Path::new(&partial), args).and_then(|()| fs::rename(&partial, &args.file));
    if written.is_err() {
        let _ = fs::remove_file(&partial);
    }
    written.map_err(named)
}

fn write(path: &Path, args: &GenerateArgs) -> io::Result<()> {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} lines, {eta} left");
    let bar = ProgressBar::new(args.lines);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut pairs = Pairs::new(args.seed);
    for line in 0..args.lines {
        pairs.write(&args.separator, &mut file)?;
        if (line + 1).is_multiple_of(STEP) {
            bar.inc(STEP);
        }
    }
    bar.finish_and_clear();
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}
