//! The profiles that authenticate requests.

use fetch_auth::{SecretKind, StoredCredential, check_secret};
use fetch_driver::Settings;
use fetch_policy::{AuthKind, AuthSettings, PolicyFile};
use fetch_proto::AuthChoice;

use super::login;
use super::policy::file;
use crate::args::CliArgs;
use crate::exit::CliError;

/// Adds the profiles of the policy file, and the login of the options.
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
    login::set_login(args, settings)
}

fn add_profile(profile: AuthSettings, settings: &mut Settings) -> Result<(), CliError> {
    for (key, source) in profile.kind.secrets() {
        check_secret(source, SecretKind::Line).map_err(|error| {
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
        kind => {
            let (name, kind) = (&profile.name, kind.name());
            let why = format!("[auth.{name}]: kind = {kind:?} is not supported here");
            return Err(CliError::usage(why));
        }
    }
    Ok(())
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
