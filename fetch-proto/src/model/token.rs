//! Tokens by number: their values stay with the driver.

use core::fmt;

/// Why no token could be acquired.
///
/// ```
/// use fetch_proto::TokenFailure;
/// assert!(TokenFailure::Refused.to_string().contains("refuses"));
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum TokenFailure {
    /// The token server refuses client, grant or scope: `invalid_client` or `invalid_grant`, for
    /// instance. The same request would be refused again.
    Refused,
    /// The token server does not answer, or answers with an error that may pass.
    Unavailable,
    /// Servers refuse each new token.
    Useless,
}

impl TokenFailure {
    /// Whether no later acquisition is attempted.
    ///
    /// ```
    /// use fetch_proto::TokenFailure;
    /// assert!(TokenFailure::Refused.is_final() && !TokenFailure::Unavailable.is_final());
    /// ```
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Unavailable)
    }
}

impl fmt::Display for TokenFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "the token server refuses the client or its grant",
            Self::Unavailable => "the token server is unavailable",
            Self::Useless => "the server refuses each new token",
        })
    }
}

impl core::error::Error for TokenFailure {}

/// The token of an attempt, by profile and generation.
///
/// ```
/// let latest = fetch_proto::TokenUse { generation: 2, profile: 0 };
/// assert!(latest > fetch_proto::TokenUse { generation: 1, profile: 0 });
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct TokenUse {
    /// The number of the profile in the configuration, from 0.
    pub profile: u16,
    /// The generation of the token, from 1; it grows with each new token.
    pub generation: u32,
}
