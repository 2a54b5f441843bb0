//! Tokens from an OAuth 2 token server (RFC 6749).

mod answer;
mod assertion;
mod cache;
mod credential;
mod endpoint;
mod form;
mod source;

pub use assertion::{AssertionSigner, check_signing_key};
pub use credential::{ClientAuthentication, OAuthCredential};
pub use source::OAuthSource;
