//! The command `server`; see `server --help`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Its size classes suit records of a hundred bytes; `results/server.md` says what pairs take.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    server::cli::main()
}
