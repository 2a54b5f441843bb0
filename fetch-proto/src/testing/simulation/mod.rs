//! Simulation of whole runs in virtual time: the real engine against modelled servers.

mod arrivals;
mod attempts;
mod host;
mod host_summary;
mod hosts;
mod latency;
mod run;
mod series;
mod server;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use url::Url;

use self::host::SimulatedHost;
use self::run::SimulationRun;
use crate::engine::{EngineConfig, EngineStats};
use crate::fetch::request::FetchRequest;
use crate::guards::rate::Rate;
use crate::model::outcome::FetchOutcome;
use crate::model::text::ShortDuration;
use crate::model::time::Timestamp;
use crate::stats::batch::BatchStats;

pub use host_summary::{HostSummary, RequestResult};
pub use latency::LatencyModel;
pub use series::{LoadSeries, SeriesPoint};
pub use server::{Outage, OutageKind, ServerModel};

/// A run of an [`Engine`](crate::Engine) in virtual time. Its driver polls only at the engine's
/// wake time or when a request or an answer arrives, so a lost wake-up is detected.
///
/// Memory is bounded by the engine's window and the hosts that have a model. More than 256 hosts
/// without a model share a summary.
///
/// ```
/// use fetch_proto::EngineConfig;
/// use fetch_proto::testing::{ServerModel, Simulation};
///
/// let urls = (0..1000).map(|n| format!("http://{}.test/{n}", n % 10));
/// let mut simulation = Simulation::new(EngineConfig::default(), 7).everywhere(ServerModel::default());
/// let summary = simulation.run(urls);
/// assert_eq!(summary.batch.count(), 1000);
/// assert!(summary.max_in_flight <= 100);
/// ```
#[derive(Debug)]
pub struct Simulation {
    arrivals: Option<Rate>,
    config: EngineConfig,
    deadline: Option<Duration>,
    default: ServerModel,
    /// Outages of all hosts.
    outages: Vec<Outage>,
    host_outages: BTreeMap<String, Vec<Outage>>,
    seed: u64,
    servers: BTreeMap<String, ServerModel>,
}

/// The result of a [`Simulation`].
///
/// ```
/// use fetch_proto::EngineConfig;
/// use fetch_proto::testing::Simulation;
///
/// let summary = Simulation::new(EngineConfig::default(), 7).run(["http://a.test/1", "http://b.test/"]);
/// assert_eq!((summary.batch.succeeded(), summary.hosts.len(), summary.stuck), (2, 2, 0));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SimulationSummary {
    /// The statistics of the outcomes.
    pub batch: BatchStats,
    /// A hash over the sequence of outputs: equal for runs with the same decisions.
    pub digest: u64,
    /// The counters of the engine.
    pub engine: EngineStats,
    /// The hosts, sorted by name.
    pub hosts: Vec<HostSummary>,
    /// The largest number of concurrent attempts.
    pub max_in_flight: usize,
    /// The largest number of concurrent attempts at any one host.
    pub max_in_flight_per_host: usize,
    /// Load and results of all hosts over time.
    pub series: LoadSeries,
    /// Fetches that were cancelled because they would have waited forever: the answer never
    /// arrives, and no limit is set.
    pub stuck: usize,
    /// The duration of the run in virtual time.
    pub took: Duration,
}

/// The statistics of the outcomes, then one line each about the duration, the engine and fetches that
/// would have waited forever.
impl fmt::Display for SimulationSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            batch,
            engine,
            max_in_flight,
            max_in_flight_per_host,
            took,
            ..
        } = self;
        write!(
            f,
            "{batch}\ntook {} of virtual time, with at most {max_in_flight} attempts at once, \
             {max_in_flight_per_host} per host\nengine: {engine}",
            ShortDuration(*took)
        )?;
        match self.stuck {
            0 => Ok(()),
            stuck => write!(
                f,
                "\n{stuck} would have waited forever: set a time limit in their policy"
            ),
        }
    }
}

impl Simulation {
    /// A simulation of an engine with this configuration. All random draws depend on `seed`.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, testing::Simulation};
    /// let simulation = Simulation::new(EngineConfig::default(), 7);
    /// ```
    #[must_use]
    pub fn new(config: EngineConfig, seed: u64) -> Self {
        Self {
            arrivals: None,
            config,
            deadline: None,
            default: ServerModel::default(),
            outages: Vec::new(),
            host_outages: BTreeMap::new(),
            seed,
            servers: BTreeMap::new(),
        }
    }

    /// Sets the rate at which URLs arrive, independently of the progress of earlier ones (an open
    /// workload). Default: as soon as there is room, as from a list (a closed workload).
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, RateError, testing::Simulation};
    /// let mut simulation = Simulation::new(EngineConfig::default(), 7).arrivals("10/s".parse()?);
    /// let summary = simulation.run((0..50).map(|n| format!("http://a.test/{n}")));
    /// assert_eq!(summary.took.as_secs(), 4);
    /// # Ok::<(), RateError>(())
    /// ```
    #[must_use]
    pub fn arrivals(mut self, rate: Rate) -> Self {
        self.arrivals = Some(rate);
        self
    }

    /// Ends the run at this time. Fetches in progress are cancelled.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::{EngineConfig, testing::{ServerModel, Simulation}};
    /// let mut simulation = Simulation::new(EngineConfig::default(), 7)
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

    /// Sets the model of all hosts that have no other.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, testing::{ServerModel, Simulation}};
    /// let simulation = Simulation::new(EngineConfig::default(), 7).everywhere(ServerModel::default());
    /// ```
    #[must_use]
    pub fn everywhere(mut self, server: ServerModel) -> Self {
        self.default = server;
        self
    }

    /// Sets the model of the host with this name.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, testing::{ServerModel, Simulation}};
    /// let simulation =
    ///     Simulation::new(EngineConfig::default(), 7).host("slow.test", ServerModel::default().stalls(100));
    /// ```
    #[must_use]
    pub fn host(mut self, name: &str, server: ServerModel) -> Self {
        self.servers.insert(name.to_string(), server);
        self
    }

    /// Adds an outage of the host with this name. If several overlap, the first added applies;
    /// outages of all hosts come last.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::{EngineConfig, testing::{OutageKind, Outage, Simulation}};
    /// let first_minute =
    ///     Outage { from: Duration::ZERO, until: Duration::from_secs(60), kind: OutageKind::Refuse };
    /// let simulation = Simulation::new(EngineConfig::default(), 7).outage("a.test", first_minute);
    /// ```
    #[must_use]
    pub fn outage(mut self, name: &str, outage: Outage) -> Self {
        let outages = self.host_outages.entry(name.to_string());
        outages.or_default().push(outage);
        self
    }

    /// Adds an outage of all hosts, such as a failure of the client's network.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::{EngineConfig, testing::{OutageKind, Outage, Simulation}};
    /// let second = Duration::from_secs(1);
    /// let blink = Outage { from: second, until: second * 2, kind: OutageKind::Stall };
    /// let simulation = Simulation::new(EngineConfig::default(), 7).outage_everywhere(blink);
    /// ```
    #[must_use]
    pub fn outage_everywhere(mut self, outage: Outage) -> Self {
        self.outages.push(outage);
        self
    }

    /// Fetches all `urls`. Invalid URLs are skipped.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, testing::Simulation};
    /// let summary = Simulation::new(EngineConfig::default(), 7).run(["http://a.test/"]);
    /// assert_eq!(summary.engine.responded, 1);
    /// ```
    pub fn run<U: AsRef<str>>(&mut self, urls: impl IntoIterator<Item = U>) -> SimulationSummary {
        self.run_with(urls, |_, _| {})
    }

    /// Like [`run`](Self::run), and calls `each` with every outcome and its time.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, testing::Simulation};
    /// let mut count = 0;
    /// Simulation::new(EngineConfig::default(), 7).run_with(["http://a.test/"], |_, _| count += 1);
    /// assert_eq!(count, 1);
    /// ```
    ///
    /// # Panics
    ///
    /// If the engine has unfinished fetches, no attempt in flight and no wake time: a lost wake-up.
    pub fn run_with<U: AsRef<str>>(
        &mut self,
        urls: impl IntoIterator<Item = U>,
        mut each: impl FnMut(&FetchOutcome, Timestamp),
    ) -> SimulationSummary {
        let requests = urls
            .into_iter()
            .filter_map(|url| Url::parse(url.as_ref()).ok())
            .map(FetchRequest::get);
        SimulationRun::new(self).run(requests, &mut each)
    }

    /// A host with this name in its initial state.
    fn new_host(&self, name: &str) -> SimulatedHost {
        let server = self.servers.get(name).unwrap_or(&self.default);
        let outages = self.host_outages.get(name).into_iter().flatten();
        let outages = outages.chain(&self.outages).copied().collect();
        SimulatedHost::new(*server, outages)
    }
}
