//! What a server says about authentication, and how a request answers it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::challenge::digest::DigestAnswer;
use crate::challenge::parse::AuthChallenge;

/// The schemes by which a user name and a password may be sent in answer to a challenge. Nothing is
/// sent before a server asks for it.
///
/// ```
/// use fetch_proto::LoginSchemes;
/// assert!(LoginSchemes::ANY.basic && !LoginSchemes::DIGEST.basic);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct LoginSchemes {
    /// Basic (RFC 7617): the password is sent as it is.
    pub basic: bool,
    /// Digest (RFC 7616): the password is hashed.
    pub digest: bool,
}

impl LoginSchemes {
    /// The strongest scheme that a server offers.
    pub const ANY: Self = Self {
        basic: true,
        digest: true,
    };
    /// Digest only.
    pub const DIGEST: Self = Self {
        basic: false,
        digest: true,
    };
}

/// How an attempt answers a challenge. The driver has the user name and the password.
///
/// ```
/// use fetch_proto::ChallengeAnswer;
/// assert!(!ChallengeAnswer::Basic.hashes_body());
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum ChallengeAnswer {
    /// By the scheme Basic.
    Basic,
    /// By the scheme Digest.
    Digest(DigestAnswer),
}

impl ChallengeAnswer {
    /// Whether the body of the request is hashed, so that it has to be known.
    ///
    /// ```
    /// assert!(!fetch_proto::ChallengeAnswer::Basic.hashes_body());
    /// ```
    #[must_use]
    pub fn hashes_body(&self) -> bool {
        match self {
            Self::Basic => false,
            Self::Digest(answer) => answer.challenge().hashes_body(),
        }
    }
}

/// What the head of a response says about authentication.
///
/// ```
/// use fetch_proto::{AuthChallenge, ServerAuthentication};
///
/// let challenges = AuthChallenge::parse_all([r#"Digest realm="r", nonce="n""#]);
/// let fields = ServerAuthentication::challenges(challenges);
/// assert_eq!(fields.info, None);
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct ServerAuthentication {
    /// The challenges that can be answered, of `WWW-Authenticate`.
    pub challenges: Vec<AuthChallenge>,
    /// The field `Authentication-Info`, which may have the next nonce.
    pub info: Option<Box<str>>,
}

impl ServerAuthentication {
    /// Challenges, without `Authentication-Info`.
    ///
    /// ```
    /// use fetch_proto::{AuthChallenge, ServerAuthentication};
    /// let found = AuthChallenge::parse_all(["Basic realm=x"]);
    /// assert_eq!(ServerAuthentication::challenges(found).challenges.len(), 1);
    /// ```
    #[must_use]
    pub fn challenges(challenges: Vec<AuthChallenge>) -> Self {
        let info = None;
        Self { challenges, info }
    }

    /// The field `Authentication-Info`, without challenges.
    ///
    /// ```
    /// use fetch_proto::ServerAuthentication;
    /// assert!(ServerAuthentication::info(r#"nextnonce="m""#).info.is_some());
    /// ```
    #[must_use]
    pub fn info(info: &str) -> Self {
        Self {
            challenges: Vec::new(),
            info: Some(info.into()),
        }
    }
}
