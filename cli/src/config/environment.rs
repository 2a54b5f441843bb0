//! Options from variables: `FETCH_ALL_` and the long name in capitals.

use std::ffi::OsString;

use clap::ArgAction;

use super::known::{Known, Value, words};
use super::{Entry, Origin};
use crate::exit::CliError;

const PREFIX: &str = "FETCH_ALL_";
/// What begins so belongs to the policy file's keys.
const POLICY: &str = "FETCH_ALL_POLICY_";

/// What the variables say, and what should be told of them. An empty one says nothing; one that names
/// no option may be somebody else's, so it is told and stops nothing.
///
/// # Errors
///
/// If one has a value that is no good.
pub(super) fn entries(
    known: &Known<'_>,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<(Vec<Entry>, Vec<String>), CliError> {
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
            let like = known.like(&rest);
            let like = like.map(|like| format!(": did you mean {}?", variable(Some(like))));
            let like = like.unwrap_or_default();
            warnings.push(format!("{name}: there is no option --{rest}{like}"));
            continue;
        };
        let text = value
            .to_str()
            .ok_or_else(|| wrong("it is not UTF-8".into()))?;
        let value = match (arg.get_action(), text.to_ascii_lowercase().as_str()) {
            (ArgAction::SetTrue, "1" | "on" | "true" | "yes") => Value::Flag(true),
            (ArgAction::SetTrue, "0" | "false" | "no" | "off") => Value::Flag(false),
            // The lines of a variable are its values.
            (ArgAction::Append, _) => Value::Many(text.lines().map(str::to_owned).collect()),
            _ => Value::One(text.to_owned()),
        };
        let words = words(arg, &value).map_err(|why| wrong(format!("{text:?}: {why}")))?;
        entries.push(Entry {
            id: arg.get_id().to_string(),
            origin: Origin::Environment(name.to_owned()),
            words,
        });
    }
    // The same whatever order the system has them in.
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

    fn said(name: &str, value: &str) -> Result<Vec<OsString>, String> {
        let command = crate::args::command();
        let variables = [(name.into(), value.into())].into_iter();
        let entries = entries(&Known::new(&command), variables);
        let (entries, warnings) = entries.map_err(|stop| stop.message)?;
        if let Some(warning) = warnings.into_iter().next() {
            return Err(warning);
        }
        Ok(entries.into_iter().flat_map(|entry| entry.words).collect())
    }

    #[test]
    fn a_variable_is_an_option_in_capitals() {
        for (name, value, words) in [
            ("FETCH_ALL_MAX_TIME", "10", &["--max-time=10"][..]),
            ("FETCH_ALL_LOCATION", "1", &["--location"]),
            ("FETCH_ALL_LOCATION", "no", &[]),
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
            assert_eq!(said(name, value).unwrap(), words, "{name}={value}");
        }
    }

    #[test]
    fn what_is_no_option_or_no_value_is_told_with_a_guess() {
        for (name, value, part) in [
            ("FETCH_ALL_MAX_TIMES", "1", "mean FETCH_ALL_MAX_TIME?"),
            (
                "FETCH_ALL_MAX_TIME",
                "soon",
                "\"soon\": not a number of seconds",
            ),
            ("FETCH_ALL_LOCATION", "perhaps", "true or false"),
            ("FETCH_ALL_DEMO", "1", "no option"),
        ] {
            let error = said(name, value).unwrap_err();
            assert!(error.starts_with(name) && error.contains(part), "{error}");
        }
    }
}
