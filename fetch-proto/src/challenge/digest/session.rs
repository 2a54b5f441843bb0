//! How often a nonce is used.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

use super::{DigestChallenge, DigestRequest, HexHash};
use crate::challenge::parse::AuthChallenge;

/// The Digest state of one protection space: the server's latest challenge, and how many requests
/// used its nonce.
///
/// ```
/// use fetch_proto::{AuthChallenge, DigestChallenge, DigestRequest, DigestSession};
///
/// let fields = [r#"Digest realm="r", nonce="n", qop="auth""#];
/// let challenge = DigestChallenge::parse(&AuthChallenge::parse_all(fields)[0]).unwrap();
/// let mut session = DigestSession::new(challenge);
/// let request = DigestRequest {
///     body: b"",
///     client_nonce: "c",
///     method: "GET",
///     password: "p",
///     target: "/",
///     user: "u",
/// };
/// let hash = |_, bytes: &[u8]| format!("{:032x}", bytes.len()); // a real driver hashes
/// assert!(session.authorize(&request, &hash).contains("nc=00000001"));
/// assert!(session.authorize(&request, &hash).contains("nc=00000002"));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct DigestSession {
    challenge: Arc<DigestChallenge>,
    /// Requests with this nonce so far.
    used: u32,
}

impl DigestSession {
    /// A session whose nonce was not used yet.
    ///
    /// ```
    /// # use fetch_proto::{AuthChallenge, DigestChallenge, DigestSession};
    /// # let found = AuthChallenge::parse_all([r#"Digest realm="r", nonce="n""#]);
    /// let session = DigestSession::new(DigestChallenge::parse(&found[0]).unwrap());
    /// ```
    #[must_use]
    pub fn new(challenge: DigestChallenge) -> Self {
        let challenge = Arc::new(challenge);
        Self { challenge, used: 0 }
    }

    /// The challenge in use.
    ///
    /// ```
    /// # use fetch_proto::{AuthChallenge, DigestChallenge, DigestSession};
    /// # let found = AuthChallenge::parse_all([r#"Digest realm="r", nonce="n""#]);
    /// let session = DigestSession::new(DigestChallenge::parse(&found[0]).unwrap());
    /// assert!(!session.challenge().is_stale());
    /// ```
    #[must_use]
    pub fn challenge(&self) -> &DigestChallenge {
        &self.challenge
    }

    /// The nonce in use. A refusal of another one says nothing about this one.
    ///
    /// ```
    /// # use fetch_proto::{AuthChallenge, DigestChallenge, DigestSession};
    /// # let found = AuthChallenge::parse_all([r#"Digest realm="r", nonce="n""#]);
    /// let session = DigestSession::new(DigestChallenge::parse(&found[0]).unwrap());
    /// assert_eq!(session.nonce(), "n");
    /// ```
    #[must_use]
    pub fn nonce(&self) -> &str {
        &self.challenge.nonce
    }

    /// The value of `Authorization` for the next request. The count of requests begins at 1 with each
    /// nonce and grows by 1 with each request.
    ///
    /// ```
    /// # use fetch_proto::{AuthChallenge, DigestChallenge, DigestRequest, DigestSession};
    /// # let found = AuthChallenge::parse_all([r#"Digest realm="r", nonce="n""#]);
    /// # let mut session = DigestSession::new(DigestChallenge::parse(&found[0]).unwrap());
    /// # let request = DigestRequest { body: b"", client_nonce: "c", method: "GET", password: "p", target: "/", user: "u" };
    /// # let hash = |_, bytes: &[u8]| format!("{:032x}", bytes.len());
    /// assert!(session.authorize(&request, &hash).starts_with("Digest username=\"u\""));
    /// ```
    #[must_use]
    pub fn authorize(&mut self, request: &DigestRequest<'_>, hash: HexHash<'_>) -> String {
        self.next_answer().authorization(request, hash)
    }

    /// The answer for the next request, which a driver hashes. It counts as
    /// [`authorize`](Self::authorize) does.
    ///
    /// ```
    /// # use fetch_proto::{AuthChallenge, DigestChallenge, DigestSession};
    /// # let found = AuthChallenge::parse_all([r#"Digest realm="r", nonce="n""#]);
    /// # let mut session = DigestSession::new(DigestChallenge::parse(&found[0]).unwrap());
    /// assert_eq!(session.next_answer().count(), 1);
    /// assert_eq!(session.next_answer().count(), 2);
    /// ```
    #[must_use]
    pub fn next_answer(&mut self) -> DigestAnswer {
        self.used = self.used.saturating_add(1);
        DigestAnswer {
            challenge: self.challenge.clone(),
            count: self.used,
        }
    }

    /// Takes the nonce that the server announces for later requests by `Authentication-Info` or
    /// `Proxy-Authentication-Info` (RFC 7616, 3.5). Returns whether it is another one.
    ///
    /// ```
    /// # use fetch_proto::{AuthChallenge, DigestChallenge, DigestSession};
    /// # let found = AuthChallenge::parse_all([r#"Digest realm="r", nonce="n""#]);
    /// # let mut session = DigestSession::new(DigestChallenge::parse(&found[0]).unwrap());
    /// assert!(session.use_next_nonce(r#"qop=auth, nextnonce="m""#));
    /// assert_eq!(session.nonce(), "m");
    /// ```
    pub fn use_next_nonce(&mut self, authentication_info: &str) -> bool {
        // The field has the form of a challenge without its scheme.
        let found = AuthChallenge::parse_all([&*format!("Digest {authentication_info}")]);
        let next = found.first().and_then(|info| info.parameter("nextnonce"));
        let next = next.filter(|next| *next != self.challenge.nonce);
        if let Some(next) = next {
            Arc::make_mut(&mut self.challenge).nonce = next.to_owned();
            self.used = 0;
        }
        next.is_some()
    }
}

/// What authenticates one request: a challenge, and how many requests have used its nonce.
///
/// ```
/// # use fetch_proto::{AuthChallenge, DigestChallenge, DigestRequest, DigestSession};
/// # let found = AuthChallenge::parse_all([r#"Digest realm="r", nonce="n", qop="auth""#]);
/// # let mut session = DigestSession::new(DigestChallenge::parse(&found[0]).unwrap());
/// # let request = DigestRequest { body: b"", client_nonce: "c", method: "GET", password: "p", target: "/", user: "u" };
/// # let hash = |_, bytes: &[u8]| format!("{:032x}", bytes.len());
/// let answer = session.next_answer();
/// assert!(answer.authorization(&request, &hash).contains("nc=00000001"));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct DigestAnswer {
    challenge: Arc<DigestChallenge>,
    count: u32,
}

impl DigestAnswer {
    /// The value of `Authorization`, or of `Proxy-Authorization`.
    ///
    /// ```
    /// # use fetch_proto::{AuthChallenge, DigestChallenge, DigestRequest, DigestSession};
    /// # let found = AuthChallenge::parse_all([r#"Digest realm="r", nonce="n""#]);
    /// # let mut session = DigestSession::new(DigestChallenge::parse(&found[0]).unwrap());
    /// # let request = DigestRequest { body: b"", client_nonce: "c", method: "GET", password: "p", target: "/", user: "u" };
    /// # let hash = |_, bytes: &[u8]| format!("{:032x}", bytes.len());
    /// assert!(session.next_answer().authorization(&request, &hash).starts_with("Digest "));
    /// ```
    #[must_use]
    pub fn authorization(&self, request: &DigestRequest<'_>, hash: HexHash<'_>) -> String {
        self.challenge.authorization(request, self.count, hash)
    }

    /// The challenge that it answers.
    ///
    /// ```
    /// # use fetch_proto::{AuthChallenge, DigestChallenge, DigestSession};
    /// # let found = AuthChallenge::parse_all([r#"Digest realm="r", nonce="n""#]);
    /// # let mut session = DigestSession::new(DigestChallenge::parse(&found[0]).unwrap());
    /// assert!(!session.next_answer().challenge().hashes_body());
    /// ```
    #[must_use]
    pub fn challenge(&self) -> &DigestChallenge {
        &self.challenge
    }

    /// The number of this request among those with its nonce, from 1.
    ///
    /// ```
    /// # use fetch_proto::{AuthChallenge, DigestChallenge, DigestSession};
    /// # let found = AuthChallenge::parse_all([r#"Digest realm="r", nonce="n""#]);
    /// # let mut session = DigestSession::new(DigestChallenge::parse(&found[0]).unwrap());
    /// assert_eq!(session.next_answer().count(), 1);
    /// ```
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }
}
