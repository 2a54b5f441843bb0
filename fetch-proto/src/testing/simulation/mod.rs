//! A whole run in virtual time: the real engine against modelled servers.

mod arrivals;
mod flights;
mod host;
mod hosts;
mod latency;
mod load;
mod run;
mod series;
mod server;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use url::Url;

use self::host::Host;
use self::run::Running;
use crate::engine::{Config, Stats};
use crate::fetch::request::FetchRequest;
use crate::guards::rate::Rate;
use crate::model::outcome::FetchOutcome;
use crate::model::time::Timestamp;
use crate::stats::batch::BatchStats;

pub use latency::LatencyModel;
pub use load::{HostSummary, RequestResult};
pub use series::{LoadSeries, SeriesPoint};
pub use server::{Outage, OutageKind, ServerModel};

/// A run of an [`Engine`](crate::Engine) in virtual time. The driver in it sleeps exactly until the engine's wake
/// or the next answer and never otherwise looks, so a lost wake-up would show.
///
/// The memory it needs is bounded by the engine's window and the hosts that have a model; hosts
/// without one share a summary when there are more than 256.
///
/// ```
/// use fetch_proto::Config;
/// use fetch_proto::testing::{ServerModel, Simulation};
///
/// let urls = (0..1000).map(|n| format!("http://{}.test/{n}", n % 10));
/// let mut simulation = Simulation::new(Config::default(), 7).everywhere(ServerModel::default());
/// let summary = simulation.run(urls);
/// assert_eq!(summary.batch.count(), 1000);
/// assert!(summary.max_in_flight <= 100);
/// ```
#[derive(Debug)]
pub struct Simulation {
    arrivals: Option<Rate>,
    config: Config,
    deadline: Option<Duration>,
    default: ServerModel,
    /// Of all hosts.
    outages: Vec<Outage>,
    own_outages: BTreeMap<String, Vec<Outage>>,
    seed: u64,
    servers: BTreeMap<String, ServerModel>,
}

/// What came out of a [`Simulation`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SimulationSummary {
    /// The outcomes' statistics.
    pub batch: BatchStats,
    /// The order of all outputs in one number: two runs that decide alike have the same.
    pub digest: u64,
    /// The engine's counts.
    pub engine: Stats,
    /// What each host got to do, by name.
    pub hosts: Vec<HostSummary>,
    /// The most attempts that were in flight at once.
    pub max_in_flight: usize,
    /// The most that were in flight at once at any one host.
    pub max_in_flight_per_host: usize,
    /// Load and results of all hosts over time.
    pub series: LoadSeries,
    /// Fetches that would have waited for ever, for an answer that never comes and that no limit
    /// ends. They were cancelled.
    pub stuck: usize,
    /// How long it took, in virtual time.
    pub took: Duration,
}

impl Simulation {
    /// A simulation of an engine with this configuration, all chance being drawn from `seed`.
    ///
    /// ```
    /// # use fetch_proto::{Config, testing::Simulation};
    /// let simulation = Simulation::new(Config::default(), 7);
    /// ```
    #[must_use]
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            arrivals: None,
            config,
            deadline: None,
            default: ServerModel::default(),
            outages: Vec::new(),
            own_outages: BTreeMap::new(),
            seed,
            servers: BTreeMap::new(),
        }
    }

    /// Sets how fast URLs come, whatever becomes of those before, as requests of users do. Default: as
    /// soon as there is room, as from a list. Only what comes by itself can overload a server that
    /// the fetches in flight cannot.
    ///
    /// ```
    /// # use fetch_proto::{Config, RateError, testing::Simulation};
    /// let mut simulation = Simulation::new(Config::default(), 7).arrivals("10/s".parse()?);
    /// let summary = simulation.run((0..50).map(|n| format!("http://a.test/{n}")));
    /// assert_eq!(summary.took.as_secs(), 4);
    /// # Ok::<(), RateError>(())
    /// ```
    #[must_use]
    pub fn arrivals(mut self, rate: Rate) -> Self {
        self.arrivals = Some(rate);
        self
    }

    /// Ends the run at this time: what is not over then is cancelled, and no more is begun.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::{Config, testing::{ServerModel, Simulation}};
    /// let mut simulation = Simulation::new(Config::default(), 7)
    ///     .everywhere(ServerModel::default().stalls(1000))
    ///     .deadline(Duration::from_secs(2));
    /// let summary = simulation.run(["http://a.test/"]);
    /// assert_eq!((summary.batch.cancelled(), summary.took), (1, Duration::from_secs(2)));
    /// ```
    #[must_use]
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = Some(limit);
        self
    }

    /// Sets how hosts behave that have no model of their own.
    ///
    /// ```
    /// # use fetch_proto::{Config, testing::{ServerModel, Simulation}};
    /// let simulation = Simulation::new(Config::default(), 7).everywhere(ServerModel::default());
    /// ```
    #[must_use]
    pub fn everywhere(mut self, server: ServerModel) -> Self {
        self.default = server;
        self
    }

    /// Sets how the host of this name behaves.
    ///
    /// ```
    /// # use fetch_proto::{Config, testing::{ServerModel, Simulation}};
    /// let simulation =
    ///     Simulation::new(Config::default(), 7).host("slow.test", ServerModel::default().stalls(100));
    /// ```
    #[must_use]
    pub fn host(mut self, name: &str, server: ServerModel) -> Self {
        self.servers.insert(name.to_string(), server);
        self
    }

    /// Adds an outage of the host of this name. Where several overlap, the first that was added counts.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::{Config, testing::{OutageKind, Outage, Simulation}};
    /// let first_minute =
    ///     Outage { from: Duration::ZERO, until: Duration::from_secs(60), how: OutageKind::Refuse };
    /// let simulation = Simulation::new(Config::default(), 7).outage("a.test", first_minute);
    /// ```
    #[must_use]
    pub fn outage(mut self, name: &str, outage: Outage) -> Self {
        let outages = self.own_outages.entry(name.to_string());
        outages.or_default().push(outage);
        self
    }

    /// Adds an outage of all hosts, such as one of the client's own network.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::{Config, testing::{OutageKind, Outage, Simulation}};
    /// let second = Duration::from_secs(1);
    /// let blink = Outage { from: second, until: second * 2, how: OutageKind::Stall };
    /// let simulation = Simulation::new(Config::default(), 7).outage_everywhere(blink);
    /// ```
    #[must_use]
    pub fn outage_everywhere(mut self, outage: Outage) -> Self {
        self.outages.push(outage);
        self
    }

    /// Fetches all `urls`. URLs that cannot be parsed are left out.
    ///
    /// ```
    /// # use fetch_proto::{Config, testing::Simulation};
    /// let summary = Simulation::new(Config::default(), 7).run(["http://a.test/"]);
    /// assert_eq!(summary.engine.responded, 1);
    /// ```
    pub fn run<U: AsRef<str>>(&mut self, urls: impl IntoIterator<Item = U>) -> SimulationSummary {
        self.run_with(urls, |_, _| {})
    }

    /// Like [`run`](Self::run), and shows every outcome with the time of its end.
    ///
    /// ```
    /// # use fetch_proto::{Config, testing::Simulation};
    /// let mut count = 0;
    /// Simulation::new(Config::default(), 7).run_with(["http://a.test/"], |_, _| count += 1);
    /// assert_eq!(count, 1);
    /// ```
    ///
    /// # Panics
    ///
    /// If fetches are live, none waits for an answer, and nothing will ever happen: a lost wake-up.
    pub fn run_with<U: AsRef<str>>(
        &mut self,
        urls: impl IntoIterator<Item = U>,
        mut each: impl FnMut(&FetchOutcome, Timestamp),
    ) -> SimulationSummary {
        let requests = urls
            .into_iter()
            .filter_map(|url| Url::parse(url.as_ref()).ok())
            .map(FetchRequest::get);
        Running::new(self).run(requests, &mut each)
    }

    /// A new host of this name.
    fn model(&self, name: &str) -> Host {
        let server = self.servers.get(name).unwrap_or(&self.default);
        let own = self.own_outages.get(name).into_iter().flatten();
        let outages = own.chain(&self.outages).copied().collect();
        Host::new(*server, outages)
    }
}
