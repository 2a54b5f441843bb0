//! Profiles of the kind `sigv4`.

use fetch_proto::SecretSource;

use super::read::AuthTable;
use crate::source::PolicyError;

/// Signatures of AWS, version 4.
///
/// ```
/// use fetch_policy::{AuthKind, PolicyFile, SigV4Keys};
///
/// let text = "auth.a = { kind = 'sigv4', origins = ['http://a.test'], region = 'eu-west-1' }";
/// let file = PolicyFile::parse("p.toml", text)?;
/// let AuthKind::SigV4(settings) = &file.auth_profiles()?[0].kind else { unreachable!() };
/// assert_eq!(settings.keys, SigV4Keys::Environment);
/// assert_eq!(settings.region.as_deref(), Some("eu-west-1"));
/// # Ok::<(), fetch_policy::PolicyError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SigV4Settings {
    /// The keys that sign.
    pub keys: SigV4Keys,
    /// The region; without, that of the host.
    pub region: Option<String>,
    /// The service; without, that of the host.
    pub service: Option<String>,
}

/// Where the keys of AWS are read from.
///
/// ```
/// use fetch_policy::SigV4Keys;
/// let printed = SigV4Keys::Credentials("exec:aws configure export-credentials".parse()?);
/// # Ok::<(), fetch_proto::InvalidSecretSource>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SigV4Keys {
    /// JSON as of `credential_process`.
    Credentials(SecretSource),
    /// The variables of AWS's tools.
    Environment,
    /// Each from its place.
    Stored {
        /// The id of the key.
        access_key: SecretSource,
        /// The key.
        secret_key: SecretSource,
        /// The token of temporary keys.
        session_token: Option<SecretSource>,
    },
}

impl SigV4Keys {
    /// The keys of the file, and where each is read from.
    pub(super) fn secrets(&self) -> [Option<(&'static str, &SecretSource)>; 3] {
        match self {
            Self::Credentials(source) => [Some(("credentials", source)), None, None],
            Self::Environment => [None; 3],
            Self::Stored {
                access_key,
                secret_key,
                session_token,
            } => [
                Some(("access_key", access_key)),
                Some(("secret_key", secret_key)),
                session_token.as_ref().map(|token| ("session_token", token)),
            ],
        }
    }
}

impl AuthTable<'_> {
    pub(super) fn sigv4(&self) -> Result<SigV4Settings, PolicyError> {
        let auth = self.auth;
        let stored = [&auth.access_key, &auth.secret_key, &auth.session_token];
        let is_stored = stored.iter().any(|key| key.is_some());
        let keys = match &auth.credentials {
            Some(_) if is_stored => {
                let why = "it has all keys: leave out access_key, secret_key and session_token";
                return Err(self.error("credentials", why));
            }
            Some(source) => SigV4Keys::Credentials(self.secret("credentials", Some(source))?),
            None if is_stored => SigV4Keys::Stored {
                access_key: self.secret("access_key", auth.access_key.as_deref())?,
                secret_key: self.secret("secret_key", auth.secret_key.as_deref())?,
                session_token: match auth.session_token.as_deref() {
                    Some(token) => Some(self.secret("session_token", Some(token))?),
                    None => None,
                },
            },
            None => SigV4Keys::Environment,
        };
        Ok(SigV4Settings {
            keys,
            region: auth.region.clone(),
            service: auth.service.clone(),
        })
    }
}
