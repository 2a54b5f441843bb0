//! Classification of an outcome: its name in the record, curl's exit code, and this command's.

use fetch_driver::{Error, ErrorKind, FailureReason, Outcome};
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
    /// The body does not have the checksum of the list. curl has no such check; this is its code for
    /// a failure in receiving data.
    pub(crate) const CHECKSUM: Self = Self::failed(OutcomeKind::Checksum, 56, ExitStatus::Protocol);

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
            Err(error) => Self::of_error(error),
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

    fn of_error(error: &Error) -> Self {
        use OutcomeKind as Kind;
        let cause = match error.kind() {
            ErrorKind::Fetch(cause) => cause,
            ErrorKind::Stopped => return Self::failed(Kind::Cancelled, 42, ExitStatus::Internal),
            _ => return Self::failed(Kind::Invalid, 3, ExitStatus::Usage),
        };
        match cause {
            FailureCause::BodyTooLarge { .. } => Self::of_failure(FailureKind::BodyTooLarge),
            FailureCause::Cancelled => Self::failed(Kind::Cancelled, 42, ExitStatus::Unfinished),
            FailureCause::NoToken(_) => Self::failed(Kind::Auth, 67, ExitStatus::Auth),
            FailureCause::TimedOut(_) => Self::failed(Kind::Timeout, 28, ExitStatus::Network),
            FailureCause::Redirect(RedirectError::TooMany) => {
                Self::failed(Kind::Protocol, 47, ExitStatus::Protocol)
            }
            FailureCause::Redirect(RedirectError::InvalidLocation) => {
                Self::failed(Kind::Protocol, 3, ExitStatus::Protocol)
            }
            FailureCause::Redirect(RedirectError::BodyNotReplayable) => {
                Self::failed(Kind::Protocol, 65, ExitStatus::Protocol)
            }
            FailureCause::Redirect(_) => Self::failed(Kind::Protocol, 1, ExitStatus::Protocol),
            FailureCause::HostDown { cause, .. } => Self::of_host_down(cause),
            FailureCause::Failed(failure) => {
                let class = Self::of_failure(failure);
                let curl_code = error.reason().map_or(class.curl_code, reason_code);
                Self { curl_code, ..class }
            }
            _ => Self::failed(Kind::Io, 56, ExitStatus::Network),
        }
    }

    /// As the latest failure at the host, which is one that shows an outage.
    fn of_host_down(cause: fetch_proto::FailureCause) -> Self {
        use fetch_proto::FailureCause as Cause;
        match cause {
            Cause::Failure(failure) => Self::of_failure(failure),
            Cause::Timeout(_) => Self::failed(OutcomeKind::Timeout, 28, ExitStatus::Network),
            _ => Self::failed(OutcomeKind::Connect, 7, ExitStatus::Network),
        }
    }

    /// By the kind alone, if nothing more exact is known: see [`reason_code`].
    fn of_failure(failure: FailureKind) -> Self {
        use OutcomeKind as Kind;
        match failure {
            FailureKind::Resolve | FailureKind::UnknownHost => {
                Self::failed(Kind::Dns, 6, ExitStatus::Network)
            }
            FailureKind::Connect | FailureKind::Exhausted => {
                Self::failed(Kind::Connect, 7, ExitStatus::Network)
            }
            FailureKind::PrivateAddress => Self::failed(Kind::Connect, 7, ExitStatus::Network),
            // As a URL that robots.txt does not allow.
            FailureKind::Disallowed => Self {
                curl_code: 9,
                ..Self::succeeded(Kind::Robots)
            },
            FailureKind::ProxyRefused => Self::failed(Kind::Connect, 56, ExitStatus::Network),
            FailureKind::Unanswered => Self::failed(Kind::Unanswered, 52, ExitStatus::Network),
            FailureKind::Unprocessed { .. } => Self::failed(Kind::Io, 92, ExitStatus::Network),
            FailureKind::EmptyReply => Self::failed(Kind::Io, 52, ExitStatus::Network),
            FailureKind::Decode => Self::failed(Kind::Protocol, 61, ExitStatus::Protocol),
            FailureKind::Protocol => Self::failed(Kind::Protocol, 8, ExitStatus::Protocol),
            FailureKind::Unsupported => Self::failed(Kind::Protocol, 1, ExitStatus::Protocol),
            FailureKind::RequestBody => Self::failed(Kind::Io, 55, ExitStatus::Network),
            FailureKind::BodyTooLarge => Self::failed(Kind::TooLarge, 63, ExitStatus::Protocol),
            FailureKind::Save => Self::SAVE,
            FailureKind::Tls => Self::failed(Kind::Tls, 35, ExitStatus::Tls),
            FailureKind::Dropped => Self::failed(Kind::Io, 56, ExitStatus::Internal),
            _ => Self::failed(Kind::Io, 56, ExitStatus::Network),
        }
    }
}

/// curl's code where it depends on what exactly failed: those of curl 7.88 for the same bytes.
fn reason_code(reason: FailureReason) -> u8 {
    match reason {
        FailureReason::NotHttp => 1,
        FailureReason::ProxyName => 5,
        FailureReason::Http2GoAway => 16,
        FailureReason::Incomplete => 18,
        FailureReason::TlsHandshake => 35,
        FailureReason::Http2Violation | FailureReason::NoStatusLine => 52,
        FailureReason::Certificate => 60,
        FailureReason::PinnedKey => 90,
        FailureReason::Http2Stream => 92,
        FailureReason::ProxySocks => 97,
        // ChunkFraming, HeadTooLarge, ProxyTunnel, TlsSession: data could not be received.
        _ => 56,
    }
}

/// The field `error_type` of one attempt.
pub(crate) fn attempt_error_type(end: AttemptEnd) -> Option<&'static str> {
    match end {
        AttemptEnd::BodyTooLarge => Some("too_large"),
        AttemptEnd::Cancelled => Some("cancelled"),
        AttemptEnd::Failed(FailureKind::Disallowed) => Some("robots"),
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
        for (failure, outcome, curl) in [
            (FailureKind::BodyTooLarge, "too_large", 63),
            (FailureKind::Connect, "connect", 7),
            (FailureKind::Decode, "protocol", 61),
            (FailureKind::Disallowed, "robots", 9),
            (FailureKind::Dropped, "io", 56),
            (FailureKind::EmptyReply, "io", 52),
            (FailureKind::Exhausted, "connect", 7),
            (FailureKind::Io, "io", 56),
            (FailureKind::PrivateAddress, "connect", 7),
            (FailureKind::Protocol, "protocol", 8),
            (FailureKind::ProxyRefused, "connect", 56),
            (FailureKind::RequestBody, "io", 55),
            (FailureKind::Resolve, "dns", 6),
            (FailureKind::Save, "io", 23),
            (FailureKind::Stale { sent: true }, "io", 56),
            (FailureKind::Tls, "tls", 35),
            (FailureKind::Unanswered, "unanswered", 52),
            (FailureKind::UnknownHost, "dns", 6),
            (FailureKind::Unsupported, "protocol", 1),
        ] {
            let class = OutcomeClass::of_failure(failure);
            let found = (class.kind.as_str(), class.curl_code);
            assert_eq!(found, (outcome, curl), "{failure:?}");
        }
    }
}
