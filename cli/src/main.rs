//! The command `fetch-all`: fetches every URL of a list.

use std::process::ExitCode;

/// Costs fewer instructions than the system's allocator, and keeps the pages of large bodies mapped.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    fetch_all_cli::run_command()
}
