//! Numbers for who watches from elsewhere.

mod page;
mod server;
mod statsd;

use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::args::monitor::MonitorOptions;
use crate::exit::CliError;
use crate::ui::counts::Counts;
pub(crate) use statsd::Statsd;

/// The limits of the buckets, in seconds: those that OpenTelemetry advises for HTTP, and longer ones
/// for what waits and is tried again.
const BUCKETS: [f64; 18] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0,
    60.0, 300.0,
];

/// How the run stands, for the page.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Standing {
    pub(crate) counts: Counts,
    pub(crate) elapsed: Duration,
}

/// What is told of the run while it goes on.
#[derive(Default)]
pub(crate) struct Monitor {
    standing: Arc<Mutex<Standing>>,
    statsd: Option<Statsd>,
}

/// What is open already: a port that is taken is known before the first request.
#[derive(Default)]
pub(crate) struct Opened {
    listener: Option<TcpListener>,
    statsd: Option<Statsd>,
}

impl Opened {
    /// Opens the port, and finds the server.
    ///
    /// # Errors
    ///
    /// If that is not possible.
    pub(crate) fn new(options: &MonitorOptions) -> Result<Self, CliError> {
        let listener = options.metrics_listen.map(|address| {
            let listener = TcpListener::bind(address)
                .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
            listener.map_err(|error| {
                CliError::usage(format!(
                    "--metrics-listen {address}: cannot be listened at: {error}"
                ))
            })
        });
        Ok(Self {
            listener: listener.transpose()?,
            statsd: options.statsd.as_deref().map(Statsd::new).transpose()?,
        })
    }

    /// Starts what tells. It must be there before what is measured.
    ///
    /// # Errors
    ///
    /// If no thread can be started.
    pub(crate) fn start(self, tell: impl Fn(&str)) -> Result<Monitor, CliError> {
        let standing = Arc::new(Mutex::new(Standing::default()));
        if let Some(listener) = self.listener {
            let address = listener.local_addr().map_err(CliError::internal)?;
            let handle = record()?;
            server::start(listener, handle, standing.clone()).map_err(CliError::internal)?;
            tell(&format!("watch it at http://{address}/"));
        }
        Ok(Monitor {
            standing,
            statsd: self.statsd,
        })
    }
}

impl Monitor {
    /// Takes note of how the run stands.
    pub(crate) fn stands(&mut self, standing: Standing) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
        if let Some(statsd) = &mut self.statsd {
            statsd.stands(&standing.counts);
        }
    }

    /// Where each outcome is told, if anywhere.
    pub(crate) fn statsd(&mut self) -> Option<&mut Statsd> {
        self.statsd.as_mut()
    }
}

/// From now on what is measured is kept for Prometheus.
fn record() -> Result<PrometheusHandle, CliError> {
    let builder = PrometheusBuilder::new().with_recommended_naming(true);
    let suffix = Matcher::Suffix("duration".to_owned());
    let builder = builder.set_buckets_for_metric(suffix, &BUCKETS);
    let recorder = builder.map_err(CliError::internal)?.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(CliError::internal)?;
    Ok(handle)
}
