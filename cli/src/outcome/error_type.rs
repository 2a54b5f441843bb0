//! The kind of an error, as records and tallies name it.

use std::fmt;

use serde::ser::{Serialize, Serializer};

use super::kind::OutcomeKind;
use super::result::FetchResult;
use super::saved_body::SaveError;

/// `error_type` as OpenTelemetry defines it: the status of an HTTP error, otherwise a name.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum ErrorType {
    Name(&'static str),
    Status(u16),
}

impl ErrorType {
    /// `None` for a success.
    pub(crate) fn of(result: &FetchResult<'_>) -> Option<Self> {
        match &result.outcome.result {
            Ok(response) if result.class.kind == OutcomeKind::HttpError => {
                Some(Self::Status(response.status.as_u16()))
            }
            Ok(_) => Some(Self::Name(match result.saved?.error.as_ref()? {
                SaveError::Checksum(_) => "checksum_mismatch",
                SaveError::Write(_) => "save",
            })),
            Err(_) if result.class.kind == OutcomeKind::Robots => Some(Self::Name("robots")),
            Err(error) => Some(Self::Name(error.kind().as_str())),
        }
    }
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.pad(name),
            Self::Status(status) => f.pad(&status.to_string()),
        }
    }
}

impl Serialize for ErrorType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
