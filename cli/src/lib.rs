//! The parts of the command `fetch-all`, for its program and its fuzz targets. This is no public API: it may
//! change with every version.

mod args;
mod commands;
mod config;
mod display;
mod exit;
mod input;
mod logging;
mod mutex;
mod outcome;
mod output;
#[doc(hidden)]
pub mod parsers;
mod plan;
mod robots;
mod run;
mod save;
#[cfg(feature = "scale")]
mod scale;
mod state;
mod ui;
mod upload;
mod writer;

use std::process::ExitCode;

use args::CliArgs;
use args::command::Command;
use commands::demo::DemoSite;
use commands::{cache, dry_run, generate, policy, replay, simulate, state as state_command};
use exit::CliError;
use output::target::{print_message, print_stdout};
use plan::{DryRunPlan, RunPlan};

/// Runs the command with the arguments of this process.
pub fn run_command() -> ExitCode {
    let parsed = match config::parse() {
        Ok(parsed) => parsed,
        Err(config::ParseError::Help(help)) => {
            let _ = help.print();
            return ExitCode::from(u8::try_from(help.exit_code()).unwrap_or(2));
        }
        Err(config::ParseError::Options(error)) => return exit(Err(error)),
    };
    for warning in &parsed.warnings {
        print_message(warning);
    }
    exit(run(parsed))
}

fn run(parsed: config::ParsedOptions) -> Result<u8, CliError> {
    let setup = &parsed.args.setup;
    if let Some(kind) = setup.generate {
        return print_stdout(&generate::generate(kind)).map(|()| 0);
    }
    if setup.print_config {
        return print_stdout(config::print(&parsed).as_bytes()).map(|()| 0);
    }
    let reports = parsed.args.report.report.is_some();
    let options = reports.then(|| config::SetOptions::new(&parsed));
    let mut args = parsed.args;
    match args.command.take() {
        Some(Command::Cache(command)) => cache::run(&command),
        Some(Command::Policy(command)) => policy::run(command),
        Some(Command::Replay(args)) => replay::run(&args),
        Some(Command::Simulate(args)) => simulate::run(*args),
        Some(Command::State(command)) => state_command::run(&command),
        #[cfg(feature = "scale")]
        Some(Command::Collect(args)) => scale::collect(&args),
        #[cfg(feature = "scale")]
        Some(Command::Plan(args)) => scale::plan(&args),
        #[cfg(feature = "scale")]
        Some(Command::Status(args)) => scale::status(&args),
        #[cfg(feature = "scale")]
        Some(Command::Work(args)) => scale::work(*args),
        None => fetch(args, options.unwrap_or_default()),
    }
}

/// Fetches the URLs of the arguments and lists. `options` are for the report.
fn fetch(mut args: CliArgs, options: config::SetOptions) -> Result<u8, CliError> {
    let demo = args.input.demo.then(|| DemoSite::start(&mut args));
    let demo = demo.transpose()?;
    let list = match &demo {
        Some(site) => site.list(),
        None if args.input.is_empty() => return Err(config::nothing_to_fetch()),
        None => input::open(&args.input)?,
    };
    match args.input.dry_run {
        true => DryRunPlan::new(&args, list).and_then(dry_run::run),
        false => RunPlan::new(&args, list).and_then(|plan| run::run(plan, options)),
    }
}

/// Prints the error, and makes the exit code.
fn exit(result: Result<u8, CliError>) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            print_message(&error.message);
            ExitCode::from(error.code as u8)
        }
    }
}
