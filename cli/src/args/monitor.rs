//! The options for who watches from elsewhere.

use std::net::SocketAddr;

use clap::Args as Group;

use super::values;

#[derive(Debug, Group)]
#[command(next_help_heading = "Monitoring")]
pub(crate) struct MonitorOptions {
    /// Serve Prometheus' numbers at /metrics, /healthz, and a page about the run
    ///
    /// A port alone is one of 127.0.0.1; 0 is any that is free. Whoever can reach it can read the
    /// names of the hosts.
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = values::listen)]
    pub(crate) metrics_listen: Option<SocketAddr>,

    /// Send numbers to a StatsD server by UDP, their names beginning with fetch_all
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) statsd: Option<String>,
}
