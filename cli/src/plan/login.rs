//! The login of `-u` that is not sent as it is: Digest, and signatures of AWS.

use fetch_auth::{AwsCredential, LoginCredential, Secret, SecretError, SecretKind, check_secret};
use fetch_driver::Settings;
use fetch_policy::{SigV4Keys, SigV4Settings};
use fetch_proto::{AuthProfile, LoginSchemes, SecretSource, TokenPolicy};

use crate::args::CliArgs;
use crate::exit::CliError;

/// Whether `-u` is sent with each request as it is, by the scheme Basic.
pub(super) fn is_basic(args: &CliArgs) -> bool {
    let auth = &args.auth;
    !auth.digest && !auth.anyauth && auth.aws_sigv4.is_none()
}

/// Adds the login of the options, which is for the origins of all URLs.
///
/// # Errors
///
/// If there are no keys for `--aws-sigv4`.
pub(super) fn set_login(args: &CliArgs, settings: &mut Settings) -> Result<(), CliError> {
    if is_basic(args) {
        return Ok(());
    }
    let auth = &args.auth;
    let pair = args
        .request
        .user
        .as_deref()
        .and_then(|user| user.split_once(':'));
    let profile = AuthProfile::new("-u").first_origins();
    if let Some(scope) = &auth.aws_sigv4 {
        let secret = |text: &str| Secret::new(text.to_owned());
        let (profile, keys) = match pair {
            Some((key, secret_key)) => (
                profile.tokens(TokenPolicy::DEFAULT.fixed()),
                AwsCredential::with_keys(secret(key), secret(secret_key)),
            ),
            None => {
                let keys = keys_of_environment();
                let why = |error| format!("--aws-sigv4: {error}, or write -u KEY:SECRET");
                (profile, keys.map_err(|error| CliError::usage(why(error)))?)
            }
        };
        let keys = with_scope(keys, scope.region.as_deref(), scope.service.as_deref());
        settings.add_credentials(profile, keys);
    } else if let Some((user, password)) = pair {
        let schemes = LoginSchemes {
            basic: auth.anyauth || auth.basic,
            digest: true,
        };
        let profile = profile.login(schemes).tokens(TokenPolicy::DEFAULT.fixed());
        let password = Secret::new(password.to_owned());
        settings.add_credentials(profile, LoginCredential::with_password(user, password));
    }
    Ok(())
}

/// The keys of a profile, if they can be read.
pub(super) fn aws_keys(settings: SigV4Settings) -> Result<AwsCredential, SecretError> {
    let keys = match settings.keys {
        SigV4Keys::Credentials(source) => AwsCredential::process(source),
        SigV4Keys::Stored {
            access_key,
            secret_key,
            session_token,
        } => AwsCredential::stored(access_key, secret_key, session_token),
        _ => keys_of_environment()?,
    };
    Ok(with_scope(
        keys,
        settings.region.as_deref(),
        settings.service.as_deref(),
    ))
}

fn with_scope(
    mut keys: AwsCredential,
    region: Option<&str>,
    service: Option<&str>,
) -> AwsCredential {
    if let Some(region) = region {
        keys = keys.region(region);
    }
    if let Some(service) = service {
        keys = keys.service(service);
    }
    keys
}

fn keys_of_environment() -> Result<AwsCredential, SecretError> {
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        let source = SecretSource::Env(name.to_owned());
        check_secret(&source, SecretKind::Line)?;
    }
    Ok(AwsCredential::from_env())
}
