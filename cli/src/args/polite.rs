//! The options for what sites ask of those who fetch from them.

use clap::Args as Group;

#[derive(Debug, Group)]
#[command(next_help_heading = "Politeness")]
pub(crate) struct RobotsOptions {
    /// Fetch only what each site's robots.txt allows, not faster than its Crawl-delay
    ///
    /// By RFC 9309, for the name at the beginning of the user agent. The file is fetched once for a
    /// site and kept for a day; if there is none (4xx), all is allowed; if it cannot be had (5xx, 429,
    /// no connection), nothing is. A Crawl-delay above a minute counts as one. What is not allowed
    /// has a record with the outcome robots. Redirects are followed wherever they lead.
    #[arg(long, overrides_with = "no_robots")]
    pub(crate) robots: bool,

    /// Fetch whatever robots.txt says: the default
    #[arg(long, overrides_with = "robots")]
    pub(crate) no_robots: bool,

    /// Tell sites whom to turn to: a URL or an address, added to the user agent
    #[arg(long, value_name = "URL|ADDRESS", conflicts_with = "user_agent")]
    pub(crate) contact: Option<String>,
}
