//! When a run ends before the list does, and what counts as a failure.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::args::CliArgs;

/// The conditions that stop a run early.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct StopConditions {
    /// The longest that the run may take.
    pub(crate) deadline: Option<Duration>,
    /// Whether statuses of 400 and above are failures.
    pub(crate) fail: bool,
    /// The number of failures that stops the run.
    pub(crate) max_errors: Option<NonZeroU64>,
}

impl StopConditions {
    pub(super) fn new(args: &CliArgs) -> Self {
        Self {
            deadline: args.timeouts.deadline.filter(|limit| !limit.is_zero()),
            fail: args.output.fails(),
            max_errors: args.output.max_failures(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn conditions(options: &[&str]) -> StopConditions {
        let line = ["fetch-all"].iter().chain(options);
        StopConditions::new(&CliArgs::try_parse_from(line).unwrap())
    }

    #[test]
    fn fail_early_is_one_failure_and_a_deadline_of_zero_is_none() {
        let none = conditions(&["--deadline", "0"]);
        assert_eq!((none.deadline, none.max_errors), (None, None));
        let early = conditions(&["--fail-early", "--deadline", "2", "-f"]);
        assert_eq!(early.max_errors, Some(NonZeroU64::MIN));
        assert_eq!(early.deadline, Some(Duration::from_secs(2)));
        assert!(early.fail && !none.fail);
        let three = conditions(&["--max-errors", "3"]);
        assert_eq!(three.max_errors, NonZeroU64::new(3));
    }
}
