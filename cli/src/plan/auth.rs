//! The profiles that authenticate requests.

use fetch_auth::{
    AssertionSigner, ClientAuthentication, LoginCredential, OAuthCredential, SecretError,
    SecretKind, StoredCredential, check_secret, check_signing_key,
};
use fetch_driver::Settings;
use fetch_policy::{
    AssertionSettings, AuthKind, AuthSettings, ClientSettings, GrantSettings, OAuthSettings,
    PolicyFile,
};
use fetch_proto::{AuthChoice, AuthProfile, SecretSource};
use fetch_smol::Smol;

use super::login;
use super::policy::file;
use crate::args::{AuthArgs, CliArgs};
use crate::exit::CliError;

/// The name of the profile that `--token-url` makes.
const OPTIONS_PROFILE: &str = "--token-url";

/// Adds the profiles of the policy file, and the one of the options.
///
/// # Errors
///
/// If a secret cannot be read, or `--auth` names no profile.
pub(super) fn set_profiles(
    args: &CliArgs,
    file: Option<&PolicyFile>,
    settings: &mut Settings,
) -> Result<(), CliError> {
    let profiles = file.map_or_else(|| Ok(Vec::new()), PolicyFile::auth_profiles);
    let profiles = profiles.map_err(file::error)?;
    if let Some(AuthChoice::Profile(name)) = &args.auth.auth
        && !profiles.iter().any(|profile| profile.name == **name)
    {
        return Err(unknown_profile(name, file.is_some(), &profiles));
    }
    for profile in profiles {
        add_profile(profile, settings)?;
    }
    add_profile_of_options(&args.auth, settings)?;
    login::set_login(args, settings)
}

/// Checks a secret of a profile, as far as that is possible without running a command.
///
/// # Errors
///
/// If it cannot be read, or is no private key where one is needed.
pub(crate) fn check_profile_secret(key: &str, source: &SecretSource) -> Result<(), SecretError> {
    match key {
        "key" => check_signing_key(source),
        // JSON.
        "credentials" => check_secret(source, SecretKind::Text),
        _ => check_secret(source, SecretKind::Line),
    }
}

fn add_profile(profile: AuthSettings, settings: &mut Settings) -> Result<(), CliError> {
    for (key, source) in profile.kind.secrets() {
        check_profile_secret(key, source).map_err(|error| {
            let name = &profile.name;
            CliError::usage(format!("[auth.{name}] {key}: {error}"))
        })?;
    }
    let scope = profile.profile();
    match profile.kind {
        AuthKind::Basic { password, username } => {
            settings.add_credentials(scope, StoredCredential::basic(&username, password));
        }
        AuthKind::Bearer { token } => {
            settings.add_credentials(scope, StoredCredential::bearer(token));
        }
        AuthKind::Digest { password, username } => {
            settings.add_credentials(scope, LoginCredential::new(&username, password));
        }
        AuthKind::SigV4(aws) => {
            let keys = login::aws_keys(*aws).map_err(|error| {
                let name = &profile.name;
                CliError::usage(format!("[auth.{name}]: {error}"))
            })?;
            settings.add_credentials(scope, keys);
        }
        AuthKind::OAuth(oauth) => {
            let credential = oauth_credential(*oauth, &profile.name)?;
            let source = credential.source::<Smol>(settings);
            settings.add_credentials(scope, source);
        }
        kind => return Err(unsupported(&profile.name, kind.name())),
    }
    Ok(())
}

/// The profile that `--token-url` makes, for the origins of all URLs.
fn add_profile_of_options(args: &AuthArgs, settings: &mut Settings) -> Result<(), CliError> {
    let (Some(url), Some(id), Some(secret)) =
        (&args.token_url, &args.client_id, &args.client_secret)
    else {
        return Ok(());
    };
    // Neither message shows the text, which may be the secret itself.
    let failed = |why: String| CliError::usage(format!("--client-secret: {why}"));
    let place: Result<SecretSource, _> = secret.parse();
    let place = place.map_err(|error| failed(error.to_string()))?;
    check_secret(&place, SecretKind::Line).map_err(|error| failed(error.to_string()))?;
    let oauth = OAuthCredential::client_credentials(url.clone());
    let oauth = oauth.client(id, ClientAuthentication::Basic(place));
    let oauth = match &args.scope {
        Some(scope) => oauth.scope(scope),
        None => oauth,
    };
    let source = oauth.source::<Smol>(settings);
    settings.add_credentials(AuthProfile::new(OPTIONS_PROFILE).first_origins(), source);
    Ok(())
}

fn oauth_credential(oauth: OAuthSettings, profile: &str) -> Result<OAuthCredential, CliError> {
    let url = oauth.token_url;
    let mut credential = match oauth.grant {
        GrantSettings::ClientCredentials => OAuthCredential::client_credentials(url),
        GrantSettings::JwtBearer(assertion) => OAuthCredential::jwt_bearer(url, signer(assertion)),
        GrantSettings::RefreshToken(first) => OAuthCredential::refresh_token(url, first),
        grant => return Err(unsupported(profile, grant.name())),
    };
    let authentication = match oauth.client {
        ClientSettings::Basic(secret) => ClientAuthentication::Basic(secret),
        ClientSettings::Post(secret) => ClientAuthentication::Post(secret),
        ClientSettings::PrivateKeyJwt(assertion) => {
            ClientAuthentication::PrivateKeyJwt(signer(assertion))
        }
        _ => ClientAuthentication::None,
    };
    if let Some(id) = oauth.client_id {
        credential = credential.client(&id, authentication);
    }
    if let Some(scope) = oauth.scope {
        credential = credential.scope(&scope);
    }
    if let Some(path) = oauth.token_cache {
        credential = credential.token_cache(path);
    }
    Ok(credential)
}

fn signer(assertion: AssertionSettings) -> AssertionSigner {
    let mut signer = AssertionSigner::new(assertion.key);
    if let Some(audience) = assertion.audience {
        signer = signer.audience(&audience);
    }
    if let Some(issuer) = assertion.issuer {
        signer = signer.issuer(&issuer);
    }
    if let Some(id) = assertion.key_id {
        signer = signer.key_id(&id);
    }
    if let Some(subject) = assertion.subject {
        signer = signer.subject(&subject);
    }
    signer
}

fn unsupported(profile: &str, kind: &str) -> CliError {
    CliError::usage(format!(
        "[auth.{profile}]: kind = {kind:?} is not supported here"
    ))
}

fn unknown_profile(name: &str, has_file: bool, profiles: &[AuthSettings]) -> CliError {
    if name.contains(':') {
        // It may be a password.
        return CliError::usage(
            "--auth: not the name of a profile: write -u USER:PASSWORD for Basic",
        );
    }
    let fix = match (has_file, profiles) {
        (false, _) => format!("add --policy FILE with a table [auth.{name}]"),
        (true, []) => format!("the policy file has no profiles: add a table [auth.{name}]"),
        (true, profiles) => {
            let names: Vec<_> = profiles.iter().map(|one| &*one.name).collect();
            format!("the policy file has {}", names.join(", "))
        }
    };
    CliError::usage(format!(
        "--auth {name}: there is no profile of this name: {fix}"
    ))
}
