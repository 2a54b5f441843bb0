//! The command `fetch-all`: fetches every URL of a list.

mod args;
mod commands;
mod config;
mod display;
mod exit;
mod input;
mod logging;
mod outcome;
mod output;
mod plan;
mod robots;
mod run;
mod save;
mod state;
mod ui;

use std::io::Write;
use std::process::ExitCode;

use args::command::Command;
use commands::{dry_run, generate, policy, replay, simulate};
use config::hints;
use exit::CliError;

fn main() -> ExitCode {
    let parsed = match config::parse() {
        Ok(parsed) => parsed,
        Err(config::ParseError::Line(error, origins)) => return hints::report(&error, &origins),
        Err(config::ParseError::Outside(stop)) => return end(Err(stop)),
    };
    for warning in &parsed.warnings {
        let _ = writeln!(std::io::stderr(), "fetch-all: {warning}");
    }
    end(run(parsed))
}

fn run(parsed: config::Parsed) -> Result<u8, CliError> {
    let setup = &parsed.args.setup;
    if let Some(kind) = setup.generate {
        return print(&generate::generate(kind));
    }
    if setup.print_config {
        return print(config::print(&parsed).as_bytes());
    }
    let mut args = parsed.args;
    match args.command.take() {
        Some(Command::Policy(command)) => policy::run(&command),
        Some(Command::Replay(args)) => replay::run(&args),
        Some(Command::Simulate(args)) => simulate::run(*args),
        None if args.input.dry_run => plan::Plan::dry(args).and_then(dry_run::run),
        None => plan::Plan::new(args).and_then(run::run),
    }
}

/// Prints on stdout, which may be closed early.
fn print(text: &[u8]) -> Result<u8, CliError> {
    match std::io::stdout().write_all(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(CliError::file(
            format!("stdout: cannot be written: {error}"),
        )),
        _ => Ok(0),
    }
}

fn end(result: Result<u8, CliError>) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(code),
        Err(stop) => {
            // Nobody is left to tell if stderr is closed.
            let _ = writeln!(std::io::stderr(), "fetch-all: {}", stop.message);
            ExitCode::from(stop.code as u8)
        }
    }
}
