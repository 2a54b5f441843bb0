//! The options of the log, beside those of fetch-logging.

use std::env;

use fetch_logging::DEFAULT_LEVEL;

/// The environment variable with the filter, used if no option sets it.
pub(crate) const LEVEL_VARIABLE: &str = "RUST_LOG";

/// The value of `--log-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormatArg {
    /// For people: time, level, target, message and key-values.
    Text,
    /// One JSON object on each line, with the fields `time`, `level`, `target`, `message` and
    /// `fields`.
    Json,
}

impl From<LogFormatArg> for fetch_logging::LogFormat {
    fn from(format: LogFormatArg) -> Self {
        match format {
            LogFormatArg::Text => Self::Text,
            LogFormatArg::Json => Self::Json,
        }
    }
}

/// The filter that the option sets, or else the variable [`LEVEL_VARIABLE`], or else
/// [`DEFAULT_LEVEL`].
pub(crate) fn level_or_env(option: Option<String>) -> String {
    pick_level(option, env::var(LEVEL_VARIABLE).ok())
}

fn pick_level(option: Option<String>, variable: Option<String>) -> String {
    let mut levels = [option, variable].into_iter().flatten();
    levels
        .find(|level| !level.trim().is_empty())
        .unwrap_or_else(|| DEFAULT_LEVEL.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn option_overrides_environment_and_that_the_default() {
        let given = |level: &str| Some(level.to_owned());
        assert_eq!(pick_level(given("trace"), given("warn")), "trace");
        assert_eq!(pick_level(None, given("warn")), "warn");
        assert_eq!(pick_level(None, given(" ")), DEFAULT_LEVEL);
        assert_eq!(pick_level(None, None), DEFAULT_LEVEL);
    }
}
