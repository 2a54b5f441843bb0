//! The command `fetch-all`: fetches every URL of a list.

use std::process::ExitCode;

fn main() -> ExitCode {
    fetch_all_cli::run_command()
}
