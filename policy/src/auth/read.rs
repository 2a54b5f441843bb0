//! Converts the tables `[auth.NAME]`.

use fetch_proto::SecretSource;
use url::Url;

use super::{AuthKind, AuthSettings};
use crate::keys::{Auth, AuthKindName, FileKeys};
use crate::source::{PolicyError, PolicyErrorKind, SourceText};

/// The profiles of the file, by name.
///
/// # Errors
///
/// If a key is missing, belongs to another kind, or has an invalid value.
pub(crate) fn settings(
    keys: &FileKeys,
    text: &SourceText,
) -> Result<Vec<AuthSettings>, PolicyError> {
    let tables = keys.auth.iter().map(|(name, auth)| {
        let table = AuthTable { auth, name, text };
        table.settings()
    });
    tables.collect()
}

/// One table of the file.
pub(super) struct AuthTable<'a> {
    pub(super) auth: &'a Auth,
    name: &'a str,
    text: &'a SourceText,
}

impl AuthTable<'_> {
    fn settings(&self) -> Result<AuthSettings, PolicyError> {
        if matches!(self.name, "auto" | "none") {
            let why =
                "this name has another meaning where a rule names a profile: choose another one";
            return Err(self.text.error_at(&["auth", self.name], why));
        }
        let Some(kind) = self.auth.kind else {
            let kinds = AuthKindName::ALL.map(|kind| format!("{:?}", kind.name()));
            let why = format!("missing field `kind`: {}", kinds.join(", "));
            return Err(self.missing(&why));
        };
        self.check_keys(kind)?;
        let origins = self.origins()?;
        let kind = match kind {
            AuthKindName::Basic => AuthKind::Basic {
                password: self.secret("password", self.auth.password.as_deref())?,
                username: self.string("username", self.auth.username.as_deref())?,
            },
            AuthKindName::Bearer => AuthKind::Bearer {
                token: self.secret("token", self.auth.token.as_deref())?,
            },
            AuthKindName::Digest => AuthKind::Digest {
                password: self.secret("password", self.auth.password.as_deref())?,
                username: self.string("username", self.auth.username.as_deref())?,
            },
            AuthKindName::SigV4 => AuthKind::SigV4(Box::new(self.sigv4()?)),
            AuthKindName::ClientCredentials
            | AuthKindName::JwtBearer
            | AuthKindName::RefreshToken => AuthKind::OAuth(Box::new(self.oauth(kind)?)),
        };
        Ok(AuthSettings {
            kind,
            name: self.name.to_owned(),
            origins,
        })
    }

    /// # Errors
    ///
    /// If a key belongs to another kind.
    fn check_keys(&self, kind: AuthKindName) -> Result<(), PolicyError> {
        let given = self.auth.given_keys();
        let other = given.into_iter().find(|key| !kind.keys().contains(key));
        let Some(key) = other else { return Ok(()) };
        let (name, keys) = (kind.name(), kind.keys().join(", "));
        let why = format!("this key has no meaning for kind = {name:?}, whose keys are {keys}");
        Err(self.error(key, &why))
    }

    fn origins(&self) -> Result<Vec<Url>, PolicyError> {
        let example = "write URLs such as origins = [\"https://api.example\"]";
        let origins = self.auth.origins.as_deref().unwrap_or_default();
        if origins.is_empty() {
            let why = format!("missing field `origins`, the URLs that it applies to: {example}");
            return Err(self.missing(&why));
        }
        let parsed = origins.iter().enumerate().map(|(index, origin)| {
            parse_origin(origin).map_err(|why| {
                let path = ["auth", self.name, "origins", &index.to_string()];
                self.text.error_at(&path, &format!("{why}: {example}"))
            })
        });
        parsed.collect()
    }

    /// The value of a key that the kind needs.
    pub(super) fn string(&self, key: &str, value: Option<&str>) -> Result<String, PolicyError> {
        match value {
            Some(value) if !value.is_empty() => Ok(value.to_owned()),
            _ => Err(self.missing_key(key)),
        }
    }

    /// Where a secret that the kind needs is read from.
    pub(super) fn secret(
        &self,
        key: &str,
        value: Option<&str>,
    ) -> Result<SecretSource, PolicyError> {
        let value = value.ok_or_else(|| self.missing_key(key))?;
        value
            .parse()
            .map_err(|error: fetch_proto::InvalidSecretSource| {
                let mut error = self.error(key, &error.to_string());
                // It may be the secret itself.
                error.text = format!("{key} = …");
                error.with_kind(PolicyErrorKind::ExposedSecret)
            })
    }

    pub(super) fn missing_key(&self, key: &str) -> PolicyError {
        let kind = self.auth.kind.map_or("", AuthKindName::name);
        self.missing(&format!(
            "missing field `{key}`, which kind = {kind:?} needs"
        ))
    }

    pub(super) fn missing(&self, why: &str) -> PolicyError {
        self.text.missing_at(&["auth", self.name], why)
    }

    pub(super) fn error(&self, key: &str, why: &str) -> PolicyError {
        self.text.error_at(&["auth", self.name, key], why)
    }
}

fn parse_origin(text: &str) -> Result<Url, String> {
    let url: Url = text
        .parse()
        .map_err(|error| format!("not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("no request has the scheme {:?}", url.scheme()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("an origin has no query and no fragment".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an origin has no user name and no password".to_owned());
    }
    Ok(url)
}
