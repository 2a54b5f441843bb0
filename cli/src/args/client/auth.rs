//! The options for authentication.

use clap::Args as Group;
use fetch_proto::{AuthChoice, TokenUrl};

#[derive(Debug, Group)]
#[command(next_help_heading = "Request")]
pub(crate) struct AuthArgs {
    /// Use this profile, [auth.PROFILE] of the policy file; none switches authentication by profiles off
    ///
    /// A profile is used only for URLs in its `origins`. By default, the one whose origins fit a URL best
    /// is used.
    #[arg(long, value_name = "PROFILE")]
    pub(crate) auth: Option<AuthChoice>,

    /// Send -u by the scheme Basic (the default)
    ///
    /// With --digest, a server may choose.
    #[arg(long)]
    pub(crate) basic: bool,

    /// Send -u by the scheme Digest: hashed, once a server asks for it
    ///
    /// The challenge is remembered for later requests to the same origin. While the first one is on its
    /// way, the others to its origin wait.
    #[arg(long, requires = "user", conflicts_with = "auth")]
    pub(crate) digest: bool,

    /// Send -u by the strongest scheme that a server offers: Digest or Basic
    #[arg(long, requires = "user", conflicts_with = "auth")]
    pub(crate) anyauth: bool,

    /// Sign requests for AWS: aws:amz[:REGION[:SERVICE]]; -u KEY:SECRET, or the variables of AWS
    ///
    /// Region and service are those of the host, unless they are given. Without -u, the keys are
    /// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
    #[arg(long, value_name = "PROVIDER", value_parser = aws_scope)]
    #[arg(conflicts_with_all = ["auth", "basic", "digest", "anyauth", "oauth2_bearer", "token_url"])]
    pub(crate) aws_sigv4: Option<AwsScope>,

    /// Acquire tokens for all URLs from this OAuth 2 token server, by client credentials
    ///
    /// After a redirect to another host, no token is sent. Profiles of the policy file go before for
    /// URLs in their `origins`.
    #[arg(long, value_name = "URL", requires_all = ["client_id", "client_secret"])]
    #[arg(conflicts_with_all = ["auth", "user", "oauth2_bearer", "location_trusted"])]
    pub(crate) token_url: Option<TokenUrl>,

    /// The client's id at the token server
    #[arg(long, value_name = "ID", requires = "token_url")]
    pub(crate) client_id: Option<String>,

    /// Where the client's secret is read from: env:NAME, file:PATH or exec:COMMAND
    #[arg(long, value_name = "PLACE", requires = "token_url")]
    pub(crate) client_secret: Option<String>,

    /// What the tokens are for, as the token server names it
    #[arg(long, value_name = "SCOPE", requires = "token_url")]
    pub(crate) scope: Option<String>,
}

/// Region and service of `--aws-sigv4`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct AwsScope {
    pub(crate) region: Option<String>,
    pub(crate) service: Option<String>,
}

/// The value of `--aws-sigv4`, as curl has it.
fn aws_scope(text: &str) -> Result<AwsScope, String> {
    let form = "write aws:amz, aws:amz:REGION or aws:amz:REGION:SERVICE";
    let mut parts = text.split(':');
    let providers = [parts.next().unwrap_or("aws"), parts.next().unwrap_or("amz")];
    if providers.map(str::to_ascii_lowercase) != ["aws", "amz"] {
        return Err(format!("no other provider is supported: {form}"));
    }
    let mut part = || {
        parts
            .next()
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
    };
    let (region, service) = (part(), part());
    match parts.next() {
        Some(_) => Err(form.to_owned()),
        None => Ok(AwsScope { region, service }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_and_service_may_be_left_out() {
        let read = |text| aws_scope(text).map(|scope| (scope.region, scope.service));
        assert_eq!(read("aws"), Ok((None, None)));
        assert_eq!(read("AWS:amz"), Ok((None, None)));
        assert_eq!(
            read("aws:amz:eu-west-1"),
            Ok((Some("eu-west-1".into()), None))
        );
        assert_eq!(read("aws:amz::s3"), Ok((None, Some("s3".into()))));
        assert!(read("osc").is_err() && read("aws:amz:a:b:c").is_err());
    }
}
