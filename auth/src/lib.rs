//! Credentials for fetch-all: stored ones, and tokens of OAuth 2 (feature `oauth`). Secrets are read from
//! an environment variable, a file or a command ([`SecretSource`]), are wiped
//! from memory after use, and are shown nowhere.
//!
//! ```
//! use fetch_auth::StoredCredential;
//! use fetch_driver::{AuthProfile, Settings};
//!
//! let profile = AuthProfile::new("api").scope("https://api.example/v1".parse()?);
//! let token = StoredCredential::bearer("env:API_TOKEN".parse()?);
//! Settings::default().add_credentials(profile, token);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "sigv4")]
mod aws;
#[cfg(any(feature = "digest", feature = "sigv4"))]
mod hex;
#[cfg(feature = "digest")]
mod login;
#[cfg(feature = "oauth")]
mod oauth;
mod secret;
mod stored;

#[cfg(feature = "sigv4")]
#[cfg_attr(docsrs, doc(cfg(feature = "sigv4")))]
pub use aws::AwsCredential;
pub use fetch_proto::{InvalidSecretSource, InvalidTokenUrl, SecretSource, TokenUrl};
#[cfg(feature = "digest")]
#[cfg_attr(docsrs, doc(cfg(feature = "digest")))]
pub use login::LoginCredential;
#[cfg(feature = "oauth")]
#[cfg_attr(docsrs, doc(cfg(feature = "oauth")))]
pub use oauth::{
    AssertionSigner, ClientAuthentication, OAuthCredential, OAuthSource, check_signing_key,
};
pub use secret::{ReadSecret, Secret, SecretError, SecretKind, check_secret, read_secret};
pub use stored::StoredCredential;

/// Compiles the example in `README.md`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct ReadmeExample;
