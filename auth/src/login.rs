//! Logins: a user name and a password that servers ask for.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fetch_driver::{
    AccessToken, CredentialError, CredentialSource, RequestSigner, RequestToSign, TokenFuture,
};
use fetch_proto::{ChallengeAnswer, DigestAnswer, DigestHash, DigestRequest, SecretSource};
use http::{HeaderName, HeaderValue, header};
use md5::{Digest as _, Md5};
use ring::digest::{SHA256, SHA512_256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use crate::hex::hexadecimal;
use crate::secret::{ReadSecret, Secret, SecretKind, identity, known_secret, read_secret};
use crate::stored::credential_error;

/// A user name and a password for a profile that is a [login](fetch_proto::AuthProfile::login): they
/// answer challenges by the scheme Digest (RFC 7616) or, if the profile allows it, Basic (RFC 7617).
///
/// The password is read when the first request needs it, and after a server has refused it.
///
/// ```
/// use fetch_auth::LoginCredential;
/// use fetch_driver::{AuthProfile, LoginSchemes, Settings};
///
/// let profile = AuthProfile::new("api").scope("https://api.example/".parse()?);
/// let login = LoginCredential::new("alice", "env:PASSWORD".parse()?);
/// Settings::default().add_credentials(profile.login(LoginSchemes::DIGEST), login);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct LoginCredential {
    password: Password,
    user: String,
}

#[derive(Clone, Debug)]
enum Password {
    Known(Secret),
    Stored(SecretSource),
}

impl LoginCredential {
    /// A login whose password is read from `password`.
    ///
    /// ```
    /// let login = fetch_auth::LoginCredential::new("alice", "env:PASSWORD".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(user: &str, password: SecretSource) -> Self {
        Self {
            password: Password::Stored(password),
            user: user.to_owned(),
        }
    }

    /// A login with this password.
    ///
    /// ```
    /// use fetch_auth::{LoginCredential, Secret};
    /// let login = LoginCredential::with_password("alice", Secret::new("hunter2".to_owned()));
    /// assert!(!format!("{login:?}").contains("hunter2"));
    /// ```
    #[must_use]
    pub fn with_password(user: &str, password: Secret) -> Self {
        Self {
            password: Password::Known(password),
            user: user.to_owned(),
        }
    }

    /// Reads the password. Blocks.
    fn read(&self) -> Result<AccessToken, CredentialError> {
        let (password, lifetime) = match &self.password {
            Password::Known(password) => (password.clone(), None),
            Password::Stored(source) => {
                let read = read_secret(source, SecretKind::Line).map_err(credential_error)?;
                let ReadSecret { lifetime, secret } = read;
                (secret, lifetime)
            }
        };
        let mut seed = Zeroizing::new([0; 16]);
        let filled = SystemRandom::new().fill(&mut *seed);
        filled.map_err(|_| CredentialError::unavailable("no random numbers"))?;
        let token = AccessToken::signer(LoginSigner {
            password,
            seed,
            user: self.user.clone(),
        });
        Ok(match lifetime {
            Some(lifetime) => token.lifetime(lifetime),
            None => token,
        })
    }
}

impl CredentialSource for LoginCredential {
    fn acquire(&self) -> TokenFuture {
        let login = self.clone();
        Box::pin(blocking::unblock(move || login.read()))
    }

    fn identity(&self) -> Vec<u8> {
        let password = match &self.password {
            Password::Known(password) => Zeroizing::new(password.expose().into()),
            Password::Stored(source) => known_secret(source),
        };
        identity([self.user.as_bytes(), &password])
    }
}

/// Answers challenges with a user name and a password.
struct LoginSigner {
    password: Secret,
    /// Random: client nonces are hashes of it.
    seed: Zeroizing<[u8; 16]>,
    user: String,
}

impl LoginSigner {
    fn basic(&self) -> Zeroizing<String> {
        let pair = Zeroizing::new(format!("{}:{}", self.user, self.password.expose()));
        Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
    }

    fn digest(&self, answer: &DigestAnswer, request: &RequestToSign<'_>) -> Option<String> {
        let challenge = answer.challenge();
        // A session has one client nonce.
        let count = if challenge.is_session() {
            0
        } else {
            answer.count()
        };
        let mut text = Zeroizing::new(self.seed.to_vec());
        text.extend(count.to_be_bytes());
        text.extend(challenge.nonce().as_bytes());
        let client_nonce = hexadecimal(&digest(&SHA256, &text).as_ref()[..16]);
        let body = match challenge.hashes_body() {
            true => request.body?,
            false => b"",
        };
        let request = DigestRequest {
            body,
            client_nonce: &client_nonce,
            method: request.method.as_str(),
            password: self.password.expose(),
            target: request.target,
            user: &self.user,
        };
        Some(answer.authorization(&request, &hash))
    }
}

impl RequestSigner for LoginSigner {
    fn sign(&self, request: &RequestToSign<'_>) -> Vec<(HeaderName, HeaderValue)> {
        let value = match request.login {
            None => None,
            Some(ChallengeAnswer::Basic) => HeaderValue::from_str(&self.basic()).ok(),
            Some(ChallengeAnswer::Digest(answer)) => {
                let value = self.digest(answer, request);
                value.and_then(|value| HeaderValue::try_from(value).ok())
            }
        };
        let fields = value.map(|value| (header::AUTHORIZATION, value));
        fields.into_iter().collect()
    }
}

impl fmt::Debug for LoginSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginSigner(..)")
    }
}

fn hash(which: DigestHash, bytes: &[u8]) -> String {
    match which {
        DigestHash::Md5 => hexadecimal(&Md5::digest(bytes)),
        DigestHash::Sha256 => hexadecimal(digest(&SHA256, bytes).as_ref()),
        DigestHash::Sha512_256 => hexadecimal(digest(&SHA512_256, bytes).as_ref()),
    }
}
