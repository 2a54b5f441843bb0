//! The command `fetch-all`: fetches every URL of a list.

mod args;
mod checksum;
mod command;
mod demo;
mod ended;
mod exit;
mod format;
mod given;
mod hints;
mod hosts;
mod input;
mod item;
mod logging;
mod logins;
mod output;
mod plan;
mod policy;
mod progress;
mod record;
mod replay;
mod run;
mod save;
mod show;
mod signals;
mod simulate;
mod state;
mod summary;
mod text;
mod toml_file;
mod verdict;
mod write_out;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let mut args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => return hints::report(&error),
    };
    let result = match args.command.take() {
        Some(command) => command.run(),
        None => plan::Plan::new(args).and_then(run::run),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(stop) => {
            // Nobody is left to tell if stderr is closed.
            let _ = writeln!(std::io::stderr(), "fetch-all: {}", stop.message);
            ExitCode::from(stop.code as u8)
        }
    }
}
