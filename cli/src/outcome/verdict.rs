//! What an outcome comes to: its name in the record, curl's exit code, our own.

use fetch_driver::{Error, ErrorKind, Outcome};
use fetch_proto::{AttemptEnd, Error as Cause, Failure, RedirectError};

use crate::exit::ExitStatus;

/// How a fetch ended, as records and exit codes tell it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Verdict {
    /// The field `outcome`.
    pub(crate) outcome: &'static str,
    /// The field `exitcode`: what curl would have ended with.
    pub(crate) curl: u8,
    /// What it does to our own exit code.
    pub(crate) code: Option<ExitStatus>,
}

impl Verdict {
    /// The body is not what the list says. curl does not look.
    pub(crate) const CHECKSUM: Self = Self {
        outcome: "checksum",
        curl: 0,
        code: Some(ExitStatus::Protocol),
    };

    /// The body could not be kept.
    pub(crate) const SAVE: Self = Self {
        outcome: "io",
        curl: 23,
        code: Some(ExitStatus::File),
    };

    /// Judges an outcome; `fail` is the option `--fail`.
    pub(crate) fn new(outcome: &Outcome, fail: bool) -> Self {
        match &outcome.result {
            Ok(response) => Self::status(response.status.as_u16(), fail),
            Err(error) => Self::error(error, outcome),
        }
    }

    fn status(status: u16, fail: bool) -> Self {
        let code = match status {
            401 | 403 | 407 => ExitStatus::Auth,
            400.. => ExitStatus::Http,
            _ => {
                return Self {
                    outcome: "ok",
                    curl: 0,
                    code: None,
                };
            }
        };
        match fail {
            true => Self {
                outcome: "http_error",
                curl: 22,
                code: Some(code),
            },
            false => Self {
                outcome: "http_error",
                curl: 0,
                code: None,
            },
        }
    }

    fn error(error: &Error, outcome: &Outcome) -> Self {
        let verdict = |outcome, curl, code| Self {
            outcome,
            curl,
            code: Some(code),
        };
        let cause = match error.kind() {
            ErrorKind::Fetch(cause) => cause,
            ErrorKind::Stopped => return verdict("cancelled", 42, ExitStatus::Internal),
            _ => return verdict("invalid", 3, ExitStatus::Usage),
        };
        match cause {
            Cause::BodyTooLarge { .. } | Cause::Failed(Failure::BodyTooLarge) => {
                verdict("too_large", 63, ExitStatus::Protocol)
            }
            Cause::Cancelled => verdict("cancelled", 42, ExitStatus::Unfinished),
            Cause::TimedOut(_) => verdict("timeout", 28, ExitStatus::Network),
            Cause::Redirect(RedirectError::TooMany) => {
                verdict("protocol", 47, ExitStatus::Protocol)
            }
            Cause::Redirect(RedirectError::InvalidLocation) => {
                verdict("protocol", 3, ExitStatus::Protocol)
            }
            Cause::Redirect(_) => verdict("protocol", 1, ExitStatus::Protocol),
            Cause::Failed(Failure::Save) => Self::SAVE,
            Cause::Failed(Failure::Tls) => verdict("tls", tls(error), ExitStatus::Tls),
            Cause::Failed(failure) => {
                let (name, curl, code) = network(failure, has_head(outcome));
                verdict(name, curl, code)
            }
            _ => verdict("io", 56, ExitStatus::Network),
        }
    }
}

fn network(failure: Failure, has_head: bool) -> (&'static str, u8, ExitStatus) {
    match failure {
        Failure::Resolve => ("dns", 6, ExitStatus::Network),
        Failure::Connect | Failure::Exhausted => ("connect", 7, ExitStatus::Network),
        Failure::EmptyReply => ("io", 52, ExitStatus::Network),
        // curl tells a reset from an early end; here both are a part of the body that is missing.
        Failure::Io if has_head => ("io", 18, ExitStatus::Network),
        Failure::Decode => ("protocol", 61, ExitStatus::Protocol),
        Failure::Protocol => ("protocol", 8, ExitStatus::Protocol),
        Failure::Unsupported => ("protocol", 1, ExitStatus::Protocol),
        Failure::RequestBody => ("io", 55, ExitStatus::Network),
        Failure::Dropped => ("io", 56, ExitStatus::Internal),
        _ => ("io", 56, ExitStatus::Network),
    }
}

/// curl has a code of its own for a certificate that is not accepted.
fn tls(error: &Error) -> u8 {
    if error
        .detail()
        .is_some_and(|detail| detail.contains("certificate"))
    {
        60
    } else {
        35
    }
}

fn has_head(outcome: &Outcome) -> bool {
    outcome
        .attempts
        .last()
        .is_some_and(|last| last.timings.head.is_some())
}

/// The field `error_type` of one attempt.
pub(crate) fn attempt_error(end: AttemptEnd) -> Option<&'static str> {
    match end {
        AttemptEnd::BodyTooLarge => Some("too_large"),
        AttemptEnd::Cancelled => Some("cancelled"),
        AttemptEnd::Failed(failure) => Some(failure.as_str()),
        AttemptEnd::TimedOut(_) => Some("timeout"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_fail_only_when_asked_to() {
        assert_eq!(Verdict::status(404, false).code, None);
        assert_eq!(Verdict::status(404, true).code, Some(ExitStatus::Http));
        assert_eq!(Verdict::status(401, true).code, Some(ExitStatus::Auth));
        assert_eq!(Verdict::status(302, true).outcome, "ok");
        assert_eq!(Verdict::status(500, false).outcome, "http_error");
    }

    #[test]
    fn each_failure_has_curls_code() {
        for (failure, has_head, outcome, curl) in [
            (Failure::Resolve, false, "dns", 6),
            (Failure::Connect, false, "connect", 7),
            (Failure::Io, true, "io", 18),
            (Failure::Io, false, "io", 56),
            (Failure::EmptyReply, false, "io", 52),
            (Failure::Decode, true, "protocol", 61),
        ] {
            let (name, code, _) = network(failure, has_head);
            assert_eq!((name, code), (outcome, curl), "{failure:?}");
        }
    }
}
