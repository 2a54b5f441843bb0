//! The options for limits on all requests and on each host, and for robots.txt.

use std::path::PathBuf;

use clap::Args as Group;
use fetch_proto::Rate;

use crate::args::values;

#[derive(Debug, Group)]
#[command(next_help_heading = "Policy")]
pub(crate) struct PolicyArgs {
    /// TOML file of limits, circuit breakers, retry budgets and rules by URL: see fetch-all policy
    ///
    /// Options take precedence over the environment (FETCH_ALL_POLICY_…), that over the file, and the
    /// file over the defaults. The file is checked for changes every second and reloaded. If the new
    /// file has an error, that is reported and the old policy stays in force.
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
}

/// Options of a real run that a simulation lacks.
#[derive(Debug, Group)]
#[command(next_help_heading = "Speed")]
pub(crate) struct ThreadArgs {
    /// Threads that fetch, each with its own connections [default: the number of cores]
    ///
    /// Hosts are divided among them, and all limits apply to all threads together. With --record there
    /// is one thread.
    #[arg(long, value_name = "N", value_parser = values::concurrency)]
    pub(crate) threads: Option<usize>,
}

#[derive(Clone, Debug, Group)]
#[command(next_help_heading = "Speed")]
pub(crate) struct LimitArgs {
    /// Maximum requests in flight
    #[arg(short = 'j', long, value_name = "N", default_value_t = 100, value_parser = values::concurrency)]
    #[arg(visible_alias = "parallel-max", aliases = ["max-concurrency", "jobs"])]
    pub(crate) concurrency: usize,

    /// Maximum requests in flight per host; 0 means no limit per host
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = values::count)]
    #[arg(visible_alias = "parallel-max-host", alias = "host-concurrency")]
    pub(crate) per_host: usize,

    /// Rate limit for starting requests, such as 50/s, 10/m or 2/500ms
    #[arg(long, value_name = "N/UNIT")]
    pub(crate) rate: Option<Rate>,

    /// Rate limit per host
    #[arg(long, value_name = "N/UNIT")]
    pub(crate) host_rate: Option<Rate>,
}

#[derive(Debug, Group)]
#[command(next_help_heading = "Politeness")]
pub(crate) struct RobotsArgs {
    /// Fetch only what robots.txt allows, no faster than its Crawl-delay
    ///
    /// Follows RFC 9309, for the name of --user-agent-token, by default the product in the user agent. The
    /// file of a site is fetched once and cached for a day. If there is none (4xx), everything is allowed;
    /// if it cannot be fetched (5xx, 429, no connection), nothing is. A Crawl-delay above 60 s counts as
    /// 60 s. A URL that is not allowed, or redirects to one, gets a record with the outcome robots.
    #[arg(long, overrides_with = "no_robots")]
    pub(crate) robots: bool,

    /// The name to look for in robots.txt [default: the product in the user agent]
    #[arg(long, value_name = "NAME")]
    pub(crate) user_agent_token: Option<String>,

    /// Ignore robots.txt (the default)
    #[arg(long, overrides_with = "robots")]
    pub(crate) no_robots: bool,

    /// Contact for site owners, a URL or an email address, appended to the user agent
    #[arg(long, value_name = "URL|ADDRESS", conflicts_with = "user_agent")]
    pub(crate) contact: Option<String>,
}
