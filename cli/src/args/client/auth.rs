//! The options for profiles of authentication.

use clap::Args as Group;
use fetch_proto::AuthChoice;

#[derive(Debug, Group)]
#[command(next_help_heading = "Request")]
pub(crate) struct AuthArgs {
    /// Use this profile, [auth.PROFILE] of the policy file; none switches authentication by profiles off
    ///
    /// A profile is used only for URLs in its `origins`. By default, the one whose origins fit a URL best
    /// is used.
    #[arg(long, value_name = "PROFILE")]
    pub(crate) auth: Option<AuthChoice>,
}
