//! Signed assertions (RFC 7523): JWTs by RS256, ES256 or EdDSA.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fetch_proto::SecretSource;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Map, Value, json};

use crate::secret::{SecretError, SecretKind, read_secret};

/// How long an assertion is valid. It is used once, at once.
const LIFETIME: Duration = Duration::from_secs(300);

/// Signs assertions with a private key in PEM: RSA (RS256), P-256 (ES256) or Ed25519 (EdDSA).
///
/// ```
/// use fetch_auth::AssertionSigner;
/// let signer = AssertionSigner::new("file:key.pem".parse()?)
///     .key_id("2026-01")
///     .issuer("robot@project.example")
///     .subject("me@project.example");
/// # Ok::<(), fetch_proto::InvalidSecretSource>(())
/// ```
#[derive(Clone, Debug)]
pub struct AssertionSigner {
    audience: Option<String>,
    pub(super) issuer: Option<String>,
    key: SecretSource,
    key_id: Option<String>,
    pub(super) subject: Option<String>,
}

impl AssertionSigner {
    /// A signer with this private key, which is read for each assertion.
    ///
    /// ```
    /// let signer = fetch_auth::AssertionSigner::new("file:key.pem".parse()?);
    /// # Ok::<(), fetch_proto::InvalidSecretSource>(())
    /// ```
    #[must_use]
    pub const fn new(key: SecretSource) -> Self {
        Self {
            audience: None,
            issuer: None,
            key,
            key_id: None,
            subject: None,
        }
    }

    /// Sets the claim `aud`: for whom the assertion is. Default: the URL of the token server.
    ///
    /// ```
    /// let signer = fetch_auth::AssertionSigner::new("file:key.pem".parse()?).audience("https://id.example");
    /// # Ok::<(), fetch_proto::InvalidSecretSource>(())
    /// ```
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.audience = Some(audience.to_owned());
        self
    }

    /// Sets the claim `iss`: who asserts. Default: the id of the client.
    ///
    /// ```
    /// let signer = fetch_auth::AssertionSigner::new("file:key.pem".parse()?).issuer("robot@project.example");
    /// # Ok::<(), fetch_proto::InvalidSecretSource>(())
    /// ```
    #[must_use]
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.issuer = Some(issuer.to_owned());
        self
    }

    /// Sets the header `kid`: the server's name of the key. Default: none.
    ///
    /// ```
    /// let signer = fetch_auth::AssertionSigner::new("file:key.pem".parse()?).key_id("2026-01");
    /// # Ok::<(), fetch_proto::InvalidSecretSource>(())
    /// ```
    #[must_use]
    pub fn key_id(mut self, id: &str) -> Self {
        self.key_id = Some(id.to_owned());
        self
    }

    /// Sets the claim `sub`: whom the token is for. Default: the issuer.
    ///
    /// ```
    /// let signer = fetch_auth::AssertionSigner::new("file:key.pem".parse()?).subject("me@project.example");
    /// # Ok::<(), fetch_proto::InvalidSecretSource>(())
    /// ```
    #[must_use]
    pub fn subject(mut self, subject: &str) -> Self {
        self.subject = Some(subject.to_owned());
        self
    }

    /// A new assertion. Blocks while the key is read.
    ///
    /// # Errors
    ///
    /// If the key cannot be read or used.
    pub(super) fn sign(
        &self,
        client_id: Option<&str>,
        token_url: &str,
        scope: Option<&str>,
    ) -> Result<String, SecretError> {
        let key = SigningKey::read(&self.key)?;
        let failed = |why: &str| SecretError::new(&self.key, why);
        let mut header = json!({"alg": key.algorithm(), "typ": "JWT"});
        if let Some(id) = &self.key_id {
            header["kid"] = json!(id);
        }
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = since_epoch.map_err(|_| failed("cannot be used: the clock is before 1970"))?;
        let mut id = [0; 16];
        let random = SystemRandom::new();
        let filled = random.fill(&mut id);
        filled.map_err(|_| failed("cannot be used: the system has no random numbers"))?;
        let issuer = self.issuer.as_deref().or(client_id).unwrap_or_default();
        let mut claims = Map::new();
        let mut claim = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        claim("iss", json!(issuer));
        claim("sub", json!(self.subject.as_deref().unwrap_or(issuer)));
        let audience = self.audience.as_deref().unwrap_or(token_url);
        claim("aud", json!(audience));
        claim("iat", json!(now.as_secs()));
        claim("exp", json!((now + LIFETIME).as_secs()));
        claim("jti", json!(URL_SAFE_NO_PAD.encode(id)));
        // Google reads the scope from here.
        if let Some(scope) = scope {
            claim("scope", json!(scope));
        }
        let encode = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&Value::Object(claims)));
        let signature = key.sign(&random, signed.as_bytes());
        let signature = signature.ok_or_else(|| failed("could not sign"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// Checks that a private key can be read and used for assertions, as far as that is possible without
/// running a command.
///
/// ```
/// assert!(fetch_auth::check_signing_key(&"file:/no/such/key.pem".parse()?).is_err());
/// # Ok::<(), fetch_proto::InvalidSecretSource>(())
/// ```
///
/// # Errors
///
/// If it cannot.
pub fn check_signing_key(source: &SecretSource) -> Result<(), SecretError> {
    match source {
        SecretSource::Exec(_) => Ok(()),
        _ => SigningKey::read(source).map(drop),
    }
}

enum SigningKey {
    EcdsaP256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl SigningKey {
    fn read(source: &SecretSource) -> Result<Self, SecretError> {
        let text = read_secret(source, SecretKind::Text)?.secret;
        // Errors of the parser could quote the key.
        let key = PrivateKeyDer::from_pem_slice(text.expose().as_bytes()).map_err(|_| {
            SecretError::new(
                source,
                "is not a private key in PEM (-----BEGIN PRIVATE KEY-----)",
            )
        })?;
        let parsed = match &key {
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der())
                .ok()
                .map(|key| Self::Rsa(Box::new(key))),
            PrivateKeyDer::Pkcs8(key) => Self::from_pkcs8(key.secret_pkcs8_der()),
            _ => {
                let why = "is in SEC 1: convert it by `openssl pkcs8 -topk8 -nocrypt`";
                return Err(SecretError::new(source, why));
            }
        };
        let why = "is not an RSA key of 2048 to 4096 bits, a P-256 or an Ed25519 key";
        parsed.ok_or_else(|| SecretError::new(source, why))
    }

    fn from_pkcs8(der: &[u8]) -> Option<Self> {
        if let Ok(key) = RsaKeyPair::from_pkcs8(der) {
            return Some(Self::Rsa(Box::new(key)));
        }
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        if let Ok(key) = EcdsaKeyPair::from_pkcs8(algorithm, der, &SystemRandom::new()) {
            return Some(Self::EcdsaP256(key));
        }
        // OpenSSL writes no public key beside it.
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok();
        key.map(Self::Ed25519)
    }

    /// Its name by RFC 7518 and RFC 8037.
    const fn algorithm(&self) -> &'static str {
        match self {
            Self::EcdsaP256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
            Self::Rsa(_) => "RS256",
        }
    }

    fn sign(&self, random: &SystemRandom, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::EcdsaP256(key) => {
                let signature = key.sign(random, text).ok()?;
                Some(signature.as_ref().to_vec())
            }
            Self::Ed25519(key) => Some(key.sign(text).as_ref().to_vec()),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, random, text, &mut signature)
                    .ok()?;
                Some(signature)
            }
        }
    }
}
