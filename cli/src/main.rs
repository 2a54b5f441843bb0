//! The command `fetch-all`: fetches every URL of a list.

mod args;
mod backlog;
mod checksum;
mod command;
mod config;
mod demo;
mod dry;
mod ended;
mod errors;
mod eta;
mod exit;
mod format;
mod generate;
mod given;
mod hints;
mod hosts;
mod input;
mod item;
mod logging;
mod logins;
mod monitor;
mod origin;
mod output;
mod plan;
mod policy;
mod progress;
mod record;
mod replace;
mod replay;
mod report;
mod robots;
mod run;
mod save;
mod screen;
mod show;
mod signals;
mod simulate;
mod state;
mod summary;
mod tally;
mod text;
mod toml_file;
mod verdict;
mod version;
mod write_out;

use std::io::Write;
use std::process::ExitCode;

use exit::Stop;

fn main() -> ExitCode {
    let parsed = match config::parse() {
        Ok(parsed) => parsed,
        Err(config::Wrong::Line(error, origins)) => return hints::report(&error, &origins),
        Err(config::Wrong::Outside(stop)) => return end(Err(stop)),
    };
    for warning in &parsed.warnings {
        let _ = writeln!(std::io::stderr(), "fetch-all: {warning}");
    }
    end(run(parsed))
}

fn run(parsed: config::Parsed) -> Result<u8, Stop> {
    let setup = &parsed.args.setup;
    if let Some(kind) = setup.generate {
        return print(&generate::generate(kind));
    }
    if setup.print_config {
        return print(config::print(&parsed).as_bytes());
    }
    let mut args = parsed.args;
    match args.command.take() {
        Some(command) => command.run(),
        None if args.input.dry_run => plan::Plan::dry(args).and_then(dry::run),
        None => plan::Plan::new(args).and_then(run::run),
    }
}

/// Prints on stdout, which may be closed early.
fn print(text: &[u8]) -> Result<u8, Stop> {
    match std::io::stdout().write_all(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Stop::file(format!("stdout: cannot be written: {error}")))
        }
        _ => Ok(0),
    }
}

fn end(result: Result<u8, Stop>) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(code),
        Err(stop) => {
            // Nobody is left to tell if stderr is closed.
            let _ = writeln!(std::io::stderr(), "fetch-all: {}", stop.message);
            ExitCode::from(stop.code as u8)
        }
    }
}
