//! The login of `-u` that is not sent as it is: Digest, and signatures of AWS.

use fetch_auth::{AwsCredential, LoginCredential, Secret, SecretKind, check_secret};
use fetch_driver::Settings;
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
        let (profile, mut keys) = match pair {
            Some((key, secret_key)) => (
                profile.tokens(TokenPolicy::DEFAULT.fixed()),
                AwsCredential::with_keys(secret(key), secret(secret_key)),
            ),
            None => (profile, keys_of_environment()?),
        };
        if let Some(region) = &scope.region {
            keys = keys.region(region);
        }
        if let Some(service) = &scope.service {
            keys = keys.service(service);
        }
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

fn keys_of_environment() -> Result<AwsCredential, CliError> {
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        let source = SecretSource::Env(name.to_owned());
        check_secret(&source, SecretKind::Line).map_err(|error| {
            CliError::usage(format!("--aws-sigv4: {error}, or write -u KEY:SECRET"))
        })?;
    }
    Ok(AwsCredential::from_env())
}
