//! The command `fetch-all`: fetches every URL of a list.

mod args;
mod demo;
mod exit;
mod hints;
mod hosts;
mod input;
mod logging;
mod output;
mod plan;
mod progress;
mod record;
mod replay;
mod run;
mod show;
mod signals;
mod summary;
mod text;
mod verdict;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // A subcommand is the first argument or none: `replay` later on is a URL like any other.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == "replay") {
        return replay::main(std::iter::once("fetch-all replay".into()).chain(arguments));
    }
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => return hints::report(&error),
    };
    match plan::Plan::new(args).and_then(run::run) {
        Ok(code) => ExitCode::from(code),
        Err(stop) => {
            // Nobody is left to tell if stderr is closed.
            let _ = writeln!(std::io::stderr(), "fetch-all: {}", stop.message);
            ExitCode::from(stop.code as u8)
        }
    }
}
