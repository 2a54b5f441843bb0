//! `fetch-all policy`.

use std::path::Path;

use fetch_policy::{PolicyFile, Severity};

use crate::args::command::{ExplainArgs, PolicyCommand};
use crate::display::plural;
use crate::exit::CliError;
use crate::output::target::print_text;
use crate::plan;
use crate::plan::auth::check_profile_secret;
use crate::plan::policy::file::{self, read};
use crate::plan::policy::options::option_settings;

/// Runs the subcommand, and returns the exit code.
///
/// # Errors
///
/// If the file cannot be used.
pub(crate) fn run(command: PolicyCommand) -> Result<u8, CliError> {
    match command {
        PolicyCommand::Check(args) => check(&args.file),
        PolicyCommand::Explain(args) => explain(*args),
    }
}

fn explain(args: ExplainArgs) -> Result<u8, CliError> {
    let file = read(&args.file)?;
    let options = option_settings(&args.explicit, &args.timeouts);
    let config = plan::engine_config(
        Some(&file),
        args.explicit,
        args.limits,
        args.retry,
        args.timeouts,
    )?;
    let plan = file.explain_config(&args.method, &args.url, &config, &options);
    let plan = plan.map_err(file::error)?;
    let text = match args.all {
        true => format!("{plan:#}\n"),
        false => format!("{plan}\n"),
    };
    print_text(&text)?;
    Ok(0)
}

fn check(path: &Path) -> Result<u8, CliError> {
    let findings = match read(path) {
        Ok(file) => {
            let mut findings = file.lint();
            findings.extend(file.lint_secrets(|key, source| {
                let readable = check_profile_secret(key, source);
                readable.map_err(|error| error.to_string())
            }));
            findings
        }
        // Report all errors of the file. If it has none, the error is about reading the file, or
        // about the environment.
        Err(error) => {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let findings = PolicyFile::check(&path.display().to_string(), &text);
            let has_error = findings.iter().any(|one| one.severity == Severity::Error);
            has_error.then_some(findings).ok_or(error)?
        }
    };
    let mut text: String = findings
        .iter()
        .map(|finding| format!("{finding}\n\n"))
        .collect();
    let count = |severity| {
        findings
            .iter()
            .filter(|one| one.severity == severity)
            .count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    text += &match (errors, warnings) {
        (0, 0) => format!("{}: no errors, no warnings\n", path.display()),
        _ => format!(
            "{}: {}, {}\n",
            path.display(),
            plural(errors as u64, "error", "errors"),
            plural(warnings as u64, "warning", "warnings")
        ),
    };
    print_text(&text)?;
    Ok(u8::from(errors > 0))
}
