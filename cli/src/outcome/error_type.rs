//! The kind of an error, as records and tallies name it.

use std::fmt;

use serde::ser::{Serialize, Serializer};

use crate::outcome::result::Ended;
use crate::outcome::saved_body::Trouble;

/// `error_type` as OpenTelemetry has it: the status for HTTP errors, else the kind.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum ErrorType {
    Name(&'static str),
    Status(u16),
}

/// What went wrong, in a word; `None` for what is ok.
pub(crate) fn error_type(ended: &Ended<'_>) -> Option<ErrorType> {
    match &ended.outcome.result {
        Ok(response) if ended.verdict.outcome == "http_error" => {
            Some(ErrorType::Status(response.status.as_u16()))
        }
        Ok(_) => Some(ErrorType::Name(match ended.kept?.error.as_ref()? {
            Trouble::Checksum(_) => "checksum_mismatch",
            Trouble::Save(_) => "save",
        })),
        Err(error) => Some(ErrorType::Name(error.kind().as_str())),
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
