//! The options for profiles of authentication.

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
