//! Classification of an outcome: its name in the record, curl's exit code, and this command's.

use fetch_driver::{Error, ErrorKind, Outcome};
use fetch_proto::{AttemptEnd, FailureKind, FetchError as FailureCause, RedirectError};

use super::kind::OutcomeKind;
use crate::exit::ExitStatus;

/// The class of an outcome in records and exit codes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct OutcomeClass {
    /// The field `outcome`.
    pub(crate) kind: OutcomeKind,
    /// The field `exitcode`: the code that curl would have ended with.
    pub(crate) curl_code: u8,
    /// The exit code of this command that the fetch causes; `None` for a success.
    pub(crate) exit_code: Option<ExitStatus>,
}

impl OutcomeClass {
    /// The body does not have the checksum of the list. curl has no such check.
    pub(crate) const CHECKSUM: Self = Self::failed(OutcomeKind::Checksum, 0, ExitStatus::Protocol);

    /// The body could not be saved.
    pub(crate) const SAVE: Self = Self::failed(OutcomeKind::Io, 23, ExitStatus::File);

    const fn failed(kind: OutcomeKind, curl_code: u8, exit_code: ExitStatus) -> Self {
        Self {
            kind,
            curl_code,
            exit_code: Some(exit_code),
        }
    }

    const fn succeeded(kind: OutcomeKind) -> Self {
        Self {
            kind,
            curl_code: 0,
            exit_code: None,
        }
    }

    /// Classifies an outcome; `fail` is the option `--fail`.
    pub(crate) fn new(outcome: &Outcome, fail: bool) -> Self {
        match &outcome.result {
            Ok(response) => Self::of_status(response.status.as_u16(), fail),
            Err(error) => Self::of_error(error, outcome),
        }
    }

    fn of_status(status: u16, fail: bool) -> Self {
        let code = match status {
            401 | 403 | 407 => ExitStatus::Auth,
            400.. => ExitStatus::Http,
            _ => return Self::succeeded(OutcomeKind::Ok),
        };
        match fail {
            true => Self::failed(OutcomeKind::HttpError, 22, code),
            false => Self::succeeded(OutcomeKind::HttpError),
        }
    }

    fn of_error(error: &Error, outcome: &Outcome) -> Self {
        use OutcomeKind as Kind;
        let cause = match error.kind() {
            ErrorKind::Fetch(cause) => cause,
            ErrorKind::Stopped => return Self::failed(Kind::Cancelled, 42, ExitStatus::Internal),
            _ => return Self::failed(Kind::Invalid, 3, ExitStatus::Usage),
        };
        match cause {
            FailureCause::BodyTooLarge { .. } | FailureCause::Failed(FailureKind::BodyTooLarge) => {
                Self::failed(Kind::TooLarge, 63, ExitStatus::Protocol)
            }
            FailureCause::Cancelled => Self::failed(Kind::Cancelled, 42, ExitStatus::Unfinished),
            FailureCause::TimedOut(_) => Self::failed(Kind::Timeout, 28, ExitStatus::Network),
            FailureCause::Redirect(RedirectError::TooMany) => {
                Self::failed(Kind::Protocol, 47, ExitStatus::Protocol)
            }
            FailureCause::Redirect(RedirectError::InvalidLocation) => {
                Self::failed(Kind::Protocol, 3, ExitStatus::Protocol)
            }
            FailureCause::Redirect(_) => Self::failed(Kind::Protocol, 1, ExitStatus::Protocol),
            FailureCause::Failed(FailureKind::Save) => Self::SAVE,
            FailureCause::Failed(FailureKind::Tls) => {
                Self::failed(Kind::Tls, tls_code(error), ExitStatus::Tls)
            }
            FailureCause::HostDown { cause, .. } => Self::of_host_down(cause),
            FailureCause::Failed(failure) => Self::of_failure(failure, has_response_head(outcome)),
            _ => Self::failed(Kind::Io, 56, ExitStatus::Network),
        }
    }

    /// As the latest failure at the host, which is one that shows an outage.
    fn of_host_down(cause: fetch_proto::FailureCause) -> Self {
        use fetch_proto::FailureCause as Cause;
        match cause {
            Cause::Failure(failure) => Self::of_failure(failure, false),
            Cause::Timeout(_) => Self::failed(OutcomeKind::Timeout, 28, ExitStatus::Network),
            _ => Self::failed(OutcomeKind::Connect, 7, ExitStatus::Network),
        }
    }

    fn of_failure(failure: FailureKind, has_response_head: bool) -> Self {
        use OutcomeKind as Kind;
        match failure {
            FailureKind::Resolve | FailureKind::UnknownHost => {
                Self::failed(Kind::Dns, 6, ExitStatus::Network)
            }
            FailureKind::Connect | FailureKind::Exhausted => {
                Self::failed(Kind::Connect, 7, ExitStatus::Network)
            }
            FailureKind::ProxyRefused => Self::failed(Kind::Connect, 56, ExitStatus::Network),
            FailureKind::Unanswered => Self::failed(Kind::Unanswered, 52, ExitStatus::Network),
            FailureKind::Unprocessed { .. } => Self::failed(Kind::Io, 92, ExitStatus::Network),
            FailureKind::EmptyReply => Self::failed(Kind::Io, 52, ExitStatus::Network),
            // curl distinguishes a reset from an early end; here both are a partial body.
            FailureKind::Io if has_response_head => Self::failed(Kind::Io, 18, ExitStatus::Network),
            FailureKind::Decode => Self::failed(Kind::Protocol, 61, ExitStatus::Protocol),
            FailureKind::Protocol => Self::failed(Kind::Protocol, 8, ExitStatus::Protocol),
            FailureKind::Unsupported => Self::failed(Kind::Protocol, 1, ExitStatus::Protocol),
            FailureKind::RequestBody => Self::failed(Kind::Io, 55, ExitStatus::Network),
            FailureKind::Dropped => Self::failed(Kind::Io, 56, ExitStatus::Internal),
            _ => Self::failed(Kind::Io, 56, ExitStatus::Network),
        }
    }
}

/// curl has separate codes for a key that is not pinned, and for a certificate that is not accepted.
fn tls_code(error: &Error) -> u8 {
    let is_certificate = |detail: &str| detail.contains("certificate");
    if error
        .detail()
        .is_some_and(|detail| detail.contains("pinned"))
    {
        90
    } else if error.detail().is_some_and(is_certificate) {
        60
    } else {
        35
    }
}

fn has_response_head(outcome: &Outcome) -> bool {
    let last = outcome.attempts.last();
    last.is_some_and(|last| last.timings.head.is_some())
}

/// The field `error_type` of one attempt.
pub(crate) fn attempt_error_type(end: AttemptEnd) -> Option<&'static str> {
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
    fn statuses_fail_only_with_the_option_fail() {
        let class = OutcomeClass::of_status;
        assert_eq!(class(404, false).exit_code, None);
        assert_eq!(class(404, true).exit_code, Some(ExitStatus::Http));
        assert_eq!(class(401, true).exit_code, Some(ExitStatus::Auth));
        assert_eq!(class(302, true).kind, OutcomeKind::Ok);
        assert_eq!(class(500, false).kind, OutcomeKind::HttpError);
    }

    #[test]
    fn each_failure_has_curls_code() {
        for (failure, has_head, outcome, curl) in [
            (FailureKind::Resolve, false, "dns", 6),
            (FailureKind::UnknownHost, false, "dns", 6),
            (FailureKind::Connect, false, "connect", 7),
            (FailureKind::Io, true, "io", 18),
            (FailureKind::Io, false, "io", 56),
            (FailureKind::EmptyReply, false, "io", 52),
            (FailureKind::Decode, true, "protocol", 61),
            (FailureKind::ProxyRefused, false, "connect", 56),
            (FailureKind::Unanswered, false, "unanswered", 52),
        ] {
            let class = OutcomeClass::of_failure(failure, has_head);
            let found = (class.kind.as_str(), class.curl_code);
            assert_eq!(found, (outcome, curl), "{failure:?}");
        }
    }
}
