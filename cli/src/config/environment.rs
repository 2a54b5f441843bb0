//! Options from variables: `FETCH_ALL_` and the long name in capitals.

use crate::display::Quoted;
use std::ffi::OsString;

use clap::ArgAction;

use super::known::{OptionIndex, OptionValue, arguments};
use super::print::redact;
use super::{ConfigEntry, OptionSource};
use crate::exit::CliError;

const PREFIX: &str = "FETCH_ALL_";
/// The prefix of overrides of the policy file.
const POLICY: &str = "FETCH_ALL_POLICY_";

/// Reads the variables. Returns their options, and warnings. An empty variable is ignored. One that
/// names no option may belong to another program, so it is only a warning.
///
/// # Errors
///
/// If a value is not valid for its option.
pub(super) fn entries(
    known: &OptionIndex<'_>,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<(Vec<ConfigEntry>, Vec<String>), CliError> {
    let (mut entries, mut warnings) = (Vec::new(), Vec::new());
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        if name.starts_with(POLICY) || value.is_empty() {
            continue;
        }
        let wrong = |why: String| CliError::usage(format!("{name}: {why}"));
        let Some(arg) = known.options().find(|arg| variable(arg.get_long()) == name) else {
            let rest = name[PREFIX.len()..].to_ascii_lowercase().replace('_', "-");
            let suggestion = known.suggest(&rest);
            let suggestion =
                suggestion.map(|name| format!(": did you mean {}?", variable(Some(name))));
            let suggestion = suggestion.unwrap_or_default();
            warnings.push(format!("{name}: there is no option --{rest}{suggestion}"));
            continue;
        };
        let text = value
            .to_str()
            .ok_or_else(|| wrong("it is not UTF-8".into()))?;
        let value = match (arg.get_action(), text.to_ascii_lowercase().as_str()) {
            (ArgAction::SetTrue, "1" | "on" | "true" | "yes") => OptionValue::Flag(true),
            (ArgAction::SetTrue, "0" | "false" | "no" | "off") => OptionValue::Flag(false),
            // Each line of a variable is a value.
            (ArgAction::Append, _) => OptionValue::Many(text.lines().map(str::to_owned).collect()),
            _ => OptionValue::One(text.to_owned()),
        };
        let arguments = arguments(arg, &value).map_err(|why| {
            let shown = redact(arg.get_id().as_str(), text);
            wrong(format!("{}: {why}", Quoted(&shown)))
        })?;
        entries.push(ConfigEntry {
            id: arg.get_id().to_string(),
            source: OptionSource::Environment(name.to_owned()),
            arguments,
        });
    }
    // Sorted, because the system may list variables in any order.
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    Ok((entries, warnings))
}

fn variable(long: Option<&str>) -> String {
    let long = long.unwrap_or_default();
    let capital = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    format!("{PREFIX}{}", long.chars().map(capital).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments_of(name: &str, value: &str) -> Result<Vec<OsString>, String> {
        let command = crate::args::command();
        let variables = [(name.into(), value.into())].into_iter();
        let entries = entries(&OptionIndex::new(&command), variables);
        let (entries, warnings) = entries.map_err(|error| error.message)?;
        if let Some(warning) = warnings.into_iter().next() {
            return Err(warning);
        }
        Ok(entries
            .into_iter()
            .flat_map(|entry| entry.arguments)
            .collect())
    }

    #[test]
    fn variables_become_arguments() {
        for (name, value, arguments) in [
            ("FETCH_ALL_MAX_TIME", "10", &["--max-time=10"][..]),
            ("FETCH_ALL_LOCATION", "1", &["--location"]),
            ("FETCH_ALL_LOCATION", "no", &["--no-location"]),
            (
                "FETCH_ALL_HEADER",
                "a: 1\nb: 2",
                &["--header=a: 1", "--header=b: 2"],
            ),
            ("FETCH_ALL_VERBOSE", "2", &["--verbose", "--verbose"]),
            ("FETCH_ALL_HTTP1_1", "true", &["--http1.1"]),
            ("FETCH_ALL_MAX_TIME", "", &[]),
            ("FETCH_ALL_POLICY_LIMITS__RATE", "1/s", &[]),
            ("PATH", "x", &[]),
        ] {
            assert_eq!(
                arguments_of(name, value).unwrap(),
                arguments,
                "{name}={value}"
            );
        }
    }

    #[test]
    fn unknown_variables_and_wrong_values_are_reported() {
        for (name, value, part) in [
            ("FETCH_ALL_MAX_TIMES", "1", "mean FETCH_ALL_MAX_TIME?"),
            (
                "FETCH_ALL_MAX_TIME",
                "soon",
                "\"soon\": not a number of seconds",
            ),
            ("FETCH_ALL_LOCATION", "perhaps", "true or false"),
            ("FETCH_ALL_DEMO", "1", "no option"),
            ("FETCH_ALL_HEADER", "X-Key secret", "\"X-Key: REDACTED\": "),
        ] {
            let error = arguments_of(name, value).unwrap_err();
            assert!(error.starts_with(name) && error.contains(part), "{error}");
        }
    }
}
