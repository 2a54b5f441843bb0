//! The token request: a form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fetch_driver::Request;
use fetch_proto::SecretSource;
use form_urlencoded::{Serializer, byte_serialize};
use zeroize::Zeroizing;

use super::credential::{ClientAuthentication, Grant, OAuthCredential};
use super::endpoint;
use crate::secret::{Secret, SecretError, SecretKind, read_secret};

const JWT_GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const JWT_CLIENT: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A token request, and the secrets in it, which no message may show.
pub(super) struct TokenRequest {
    pub(super) request: Request,
    pub(super) secrets: Vec<Secret>,
}

/// Why there is no request.
#[derive(Debug)]
pub(super) enum FormError {
    Request(fetch_driver::Error),
    Secret(SecretError),
}

impl From<fetch_driver::Error> for FormError {
    fn from(error: fetch_driver::Error) -> Self {
        Self::Request(error)
    }
}

impl From<SecretError> for FormError {
    fn from(error: SecretError) -> Self {
        Self::Secret(error)
    }
}

impl TokenRequest {
    /// Reads the secrets and makes the request. Blocks.
    ///
    /// # Errors
    ///
    /// If a secret cannot be read, or the request cannot be sent.
    pub(super) fn new(
        oauth: &OAuthCredential,
        refresh_token: Option<&Secret>,
    ) -> Result<Self, FormError> {
        let mut form = Serializer::new(String::new());
        let mut secrets: Vec<Secret> = refresh_token.cloned().into_iter().collect();
        let (id, url) = (
            oauth.client_id.as_deref(),
            oauth.token_url.as_url().as_str(),
        );
        match &oauth.grant {
            Grant::ClientCredentials => {
                form.append_pair("grant_type", "client_credentials");
            }
            Grant::JwtBearer(signer) => {
                let assertion = signer.sign(id, url, oauth.scope.as_deref())?;
                form.append_pair("grant_type", JWT_GRANT);
                form.append_pair("assertion", &assertion);
            }
            Grant::RefreshToken(_) => {
                let token = refresh_token.map_or("", Secret::expose);
                form.append_pair("grant_type", "refresh_token");
                form.append_pair("refresh_token", token);
            }
        }
        if let Some(scope) = &oauth.scope {
            form.append_pair("scope", scope);
        }
        let mut basic = None;
        match (&oauth.authentication, id) {
            (ClientAuthentication::Basic(source), id) => {
                let secret = read_line(source)?;
                basic = Some(basic_value(id.unwrap_or_default(), &secret));
                secrets.push(secret);
            }
            (ClientAuthentication::Post(source), id) => {
                let secret = read_line(source)?;
                form.append_pair("client_id", id.unwrap_or_default());
                form.append_pair("client_secret", secret.expose());
                secrets.push(secret);
            }
            (ClientAuthentication::PrivateKeyJwt(signer), id) => {
                let assertion = signer.sign(id, url, None)?;
                form.append_pair("client_id", id.unwrap_or_default());
                form.append_pair("client_assertion_type", JWT_CLIENT);
                form.append_pair("client_assertion", &assertion);
            }
            (ClientAuthentication::None, Some(id)) => {
                form.append_pair("client_id", id);
            }
            (ClientAuthentication::None, None) => {}
        }
        let mut request = Request::post(url)?
            .body(form.finish())
            .header("Content-Type", "application/x-www-form-urlencoded")?
            .header("Accept", "application/json")?
            .policy(endpoint::policy());
        if let Some(value) = basic {
            request = request.header("Authorization", &value)?;
        }
        Ok(Self { request, secrets })
    }
}

pub(super) fn read_line(source: &SecretSource) -> Result<Secret, SecretError> {
    Ok(read_secret(source, SecretKind::Line)?.secret)
}

/// The login of a client, whose parts are encoded first (RFC 6749, 2.3.1).
fn basic_value(id: &str, secret: &Secret) -> Zeroizing<String> {
    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let password = Zeroizing::new(encode(secret.expose()));
    let login = Zeroizing::new(format!("{}:{}", encode(id), *password));
    let encoded = Zeroizing::new(STANDARD.encode(login.as_bytes()));
    Zeroizing::new(format!("Basic {}", *encoded))
}
