//! The Digest scheme (RFC 7616): which nonce is used how often, and what is hashed.

mod session;
#[cfg(test)]
mod tests;

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::fmt;

use crate::challenge::parse::AuthChallenge;

pub use session::{DigestAnswer, DigestSession};

/// A hash function of the Digest scheme.
///
/// ```
/// use fetch_proto::DigestHash;
/// assert!(DigestHash::Sha256 > DigestHash::Md5, "ordered by strength");
/// ```
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum DigestHash {
    /// MD5, which RFC 7616 keeps for old servers.
    Md5,
    /// SHA-256.
    Sha256,
    /// SHA-512/256.
    Sha512_256,
}

/// Hashes bytes, and returns the hash in lower-case hexadecimal digits.
pub type HexHash<'a> = &'a dyn Fn(DigestHash, &[u8]) -> String;

impl fmt::Debug for DigestRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("DigestRequest");
        let shown = shown.field("method", &self.method);
        shown.field("target", &self.target).finish_non_exhaustive()
    }
}

/// A Digest challenge that can be answered.
///
/// ```
/// use fetch_proto::{AuthChallenge, DigestChallenge, DigestHash};
///
/// let fields = [r#"Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256"#];
/// let found = DigestChallenge::parse(&AuthChallenge::parse_all(fields)[0]).unwrap();
/// assert_eq!(found.hash(), DigestHash::Sha256);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct DigestChallenge {
    domain: Option<String>,
    hash: DigestHash,
    hash_user: bool,
    is_session: bool,
    is_stale: bool,
    is_utf8: bool,
    nonce: String,
    opaque: Option<String>,
    quality: Option<DigestQuality>,
    realm: String,
    /// The algorithm as the server writes it; it is sent back so.
    written: Option<String>,
}

/// What the hash protects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
enum DigestQuality {
    /// The method and the target.
    Auth,
    /// The request's body, too.
    AuthInt,
}

/// The request that is authenticated.
///
/// ```
/// let request = fetch_proto::DigestRequest {
///     body: b"",
///     client_nonce: "0a4f113b",
///     method: "GET",
///     password: "Circle Of Life",
///     target: "/dir/index.html",
///     user: "Mufasa",
/// };
/// ```
#[derive(Clone, Copy)]
pub struct DigestRequest<'a> {
    /// The body. It is hashed only if the server accepts nothing but `auth-int`.
    pub body: &'a [u8],
    /// A random text of at least 64 bits, new for each request.
    pub client_nonce: &'a str,
    /// The method.
    pub method: &'a str,
    /// The password.
    pub password: &'a str,
    /// The request target: path and query, or what stands in the request line in its place.
    pub target: &'a str,
    /// The name of the user.
    pub user: &'a str,
}

impl DigestChallenge {
    /// Reads a challenge of the scheme Digest. Returns `None` if it lacks the realm or the nonce, or
    /// if it asks for a hash function or a protection that RFC 7616 does not have.
    ///
    /// ```
    /// use fetch_proto::{AuthChallenge, DigestChallenge};
    /// let unknown = AuthChallenge::parse_all([r#"Digest realm="r", nonce="n", algorithm=SHA-1"#]);
    /// assert_eq!(DigestChallenge::parse(&unknown[0]), None);
    /// ```
    #[must_use]
    pub fn parse(challenge: &AuthChallenge) -> Option<Self> {
        if !challenge.is_scheme("Digest") {
            return None;
        }
        let is_true = |name| {
            let value = challenge.parameter(name);
            value.is_some_and(|value| value.eq_ignore_ascii_case("true"))
        };
        let written = challenge.parameter("algorithm").map(ToOwned::to_owned);
        let upper = written.as_deref().unwrap_or("MD5").to_ascii_uppercase();
        let (name, is_session) = match upper.strip_suffix("-SESS") {
            Some(name) => (name, true),
            None => (&*upper, false),
        };
        let hash = match name {
            "MD5" => DigestHash::Md5,
            "SHA-256" => DigestHash::Sha256,
            "SHA-512-256" => DigestHash::Sha512_256,
            _ => return None,
        };
        let quality = match challenge.parameter("qop") {
            None => None,
            Some(offered) => {
                let offers = |name: &str| {
                    let mut all = offered.split(',');
                    all.any(|one| one.trim().eq_ignore_ascii_case(name))
                };
                match (offers("auth"), offers("auth-int")) {
                    (true, _) => Some(DigestQuality::Auth),
                    (false, true) => Some(DigestQuality::AuthInt),
                    (false, false) => return None,
                }
            }
        };
        let charset = challenge.parameter("charset");
        Some(Self {
            domain: challenge.parameter("domain").map(ToOwned::to_owned),
            hash,
            hash_user: is_true("userhash"),
            is_session,
            is_stale: is_true("stale"),
            is_utf8: charset.is_some_and(|charset| charset.eq_ignore_ascii_case("UTF-8")),
            nonce: challenge.parameter("nonce")?.to_owned(),
            opaque: challenge.parameter("opaque").map(ToOwned::to_owned),
            quality,
            realm: challenge.parameter("realm")?.to_owned(),
            written,
        })
    }

    /// The hash function.
    ///
    /// ```
    /// # use fetch_proto::{AuthChallenge, DigestChallenge, DigestHash};
    /// let found = AuthChallenge::parse_all([r#"Digest realm="r", nonce="n""#]);
    /// assert_eq!(DigestChallenge::parse(&found[0]).unwrap().hash(), DigestHash::Md5);
    /// ```
    #[must_use]
    pub fn hash(&self) -> DigestHash {
        self.hash
    }

    /// Whether the server refuses the nonce alone: the same user and password are right with the new
    /// one.
    ///
    /// ```
    /// # use fetch_proto::{AuthChallenge, DigestChallenge};
    /// let found = AuthChallenge::parse_all([r#"Digest realm="r", nonce="n", stale=TRUE"#]);
    /// assert!(DigestChallenge::parse(&found[0]).unwrap().is_stale());
    /// ```
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// The protection space.
    ///
    /// ```
    /// # use fetch_proto::{AuthChallenge, DigestChallenge};
    /// let found = AuthChallenge::parse_all([r#"Digest realm="r", nonce="n""#]);
    /// assert_eq!(DigestChallenge::parse(&found[0]).unwrap().realm(), "r");
    /// ```
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The URLs of the protection space, separated by spaces; `None` if it is the whole origin.
    ///
    /// ```
    /// # use fetch_proto::{AuthChallenge, DigestChallenge};
    /// let found = AuthChallenge::parse_all([r#"Digest realm="r", nonce="n", domain="/a /b""#]);
    /// assert_eq!(DigestChallenge::parse(&found[0]).unwrap().domain(), Some("/a /b"));
    /// ```
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }

    /// The nonce.
    ///
    /// ```
    /// # use fetch_proto::{AuthChallenge, DigestChallenge};
    /// let found = AuthChallenge::parse_all([r#"Digest realm="r", nonce="n""#]);
    /// assert_eq!(DigestChallenge::parse(&found[0]).unwrap().nonce(), "n");
    /// ```
    #[must_use]
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Whether the client nonce of the first request with a nonce belongs to all of them: `-sess`.
    ///
    /// ```
    /// # use fetch_proto::{AuthChallenge, DigestChallenge};
    /// let found = AuthChallenge::parse_all([r#"Digest realm="r", nonce="n", algorithm=MD5-sess"#]);
    /// assert!(DigestChallenge::parse(&found[0]).unwrap().is_session());
    /// ```
    #[must_use]
    pub fn is_session(&self) -> bool {
        self.is_session
    }

    /// Whether the body of the request is hashed.
    ///
    /// ```
    /// # use fetch_proto::{AuthChallenge, DigestChallenge};
    /// let found = AuthChallenge::parse_all([r#"Digest realm="r", nonce="n", qop="auth-int""#]);
    /// assert!(DigestChallenge::parse(&found[0]).unwrap().hashes_body());
    /// ```
    #[must_use]
    pub fn hashes_body(&self) -> bool {
        self.quality == Some(DigestQuality::AuthInt)
    }

    /// The value of `Authorization` for the `count`-th request with this nonce, by RFC 7616, 3.4.
    fn authorization(&self, request: &DigestRequest<'_>, count: u32, hash: HexHash<'_>) -> String {
        let hash = |text: &[u8]| hash(self.hash, text);
        let joined = |parts: &[&str]| hash(parts.join(":").as_bytes());
        let (user, realm, nonce) = (request.user, &*self.realm, &*self.nonce);
        let mut secret = joined(&[user, realm, request.password]);
        if self.is_session {
            secret = joined(&[&secret, nonce, request.client_nonce]);
        }
        let sent = match self.hashes_body() {
            true => joined(&[request.method, request.target, &hash(request.body)]),
            false => joined(&[request.method, request.target]),
        };
        let counted = format!("{count:08x}");
        let client_nonce = request.client_nonce;
        let quality = self.quality.map(|quality| match quality {
            DigestQuality::Auth => "auth",
            DigestQuality::AuthInt => "auth-int",
        });
        let response = match quality {
            Some(quality) => joined(&[&secret, nonce, &counted, client_nonce, quality, &sent]),
            None => joined(&[&secret, nonce, &sent]),
        };
        let name = match self.hash_user {
            true => format!("username={}", quoted(&joined(&[user, realm]))),
            false if self.is_utf8 && !user.is_ascii() => {
                format!("username*=UTF-8''{}", percent_encoded(user))
            }
            false => format!("username={}", quoted(user)),
        };
        let mut value = format!(
            "Digest {name}, realm={}, nonce={}, uri={}, response=\"{response}\"",
            quoted(realm),
            quoted(nonce),
            quoted(request.target),
        );
        if let Some(quality) = quality {
            value += &format!(
                ", cnonce={}, nc={counted}, qop={quality}",
                quoted(client_nonce)
            );
        } else if self.is_session {
            value += &format!(", cnonce={}", quoted(client_nonce));
        }
        if let Some(opaque) = &self.opaque {
            value += &format!(", opaque={}", quoted(opaque));
        }
        if let Some(algorithm) = &self.written {
            value += &format!(", algorithm={algorithm}");
        }
        if self.hash_user {
            value += ", userhash=true";
        }
        value
    }
}

/// The text as a quoted string.
fn quoted(text: &str) -> String {
    let mut value = String::with_capacity(text.len() + 2);
    value.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            value.push('\\');
        }
        value.push(c);
    }
    value.push('"');
    value
}

/// The text as the value of an extended parameter (RFC 8187, 3.2.1).
fn percent_encoded(text: &str) -> String {
    let mut value = String::new();
    for byte in text.bytes() {
        match byte {
            b if b.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&b) => {
                value.push(char::from(b));
            }
            b => value += &format!("%{b:02X}"),
        }
    }
    value
}
