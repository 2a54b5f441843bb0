//! Metrics of a run over the network: a page, Prometheus, StatsD.

mod page;
mod server;
mod statsd;

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::args::MonitorArgs;
use crate::exit::CliError;
use crate::mutex::lock;
use crate::ui::counts::ProgressCounts;
pub(crate) use statsd::StatsdReporter;

/// Bucket boundaries in seconds: OpenTelemetry's advice for HTTP, and longer ones for waits and
/// retries.
const BUCKETS: [f64; 18] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0,
    60.0, 300.0,
];

/// The monitors of a run.
#[derive(Default)]
pub(crate) struct RunMonitor {
    counts: Arc<Mutex<ProgressCounts>>,
    statsd: Option<StatsdReporter>,
}

/// The sockets of the monitors. They are opened first, so that a port in use is reported before any
/// request.
#[derive(Default)]
pub(crate) struct MonitorSockets {
    listener: Option<TcpListener>,
    statsd: Option<StatsdReporter>,
}

impl MonitorSockets {
    /// Opens the port, and resolves the StatsD server.
    ///
    /// # Errors
    ///
    /// If one of them fails.
    pub(crate) fn new(options: &MonitorArgs) -> Result<Self, CliError> {
        let listener = options.metrics_listen.map(|address| {
            let listener = TcpListener::bind(address)
                .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
            listener.map_err(|error| {
                CliError::usage(format!(
                    "--metrics-listen {address}: cannot listen: {error}"
                ))
            })
        });
        Ok(Self {
            listener: listener.transpose()?,
            statsd: options
                .statsd
                .as_deref()
                .map(StatsdReporter::new)
                .transpose()?,
        })
    }

    /// Starts the monitors. They must exist before anything is measured.
    ///
    /// # Errors
    ///
    /// If no thread can be started.
    pub(crate) fn start(self, print_message: impl Fn(&str)) -> Result<RunMonitor, CliError> {
        let counts = Arc::new(Mutex::new(ProgressCounts::default()));
        if let Some(listener) = self.listener {
            let address = listener.local_addr().map_err(CliError::internal)?;
            let handle = install_recorder()?;
            server::start(listener, handle, counts.clone()).map_err(CliError::internal)?;
            print_message(&format!("metrics at http://{address}/"));
        }
        Ok(RunMonitor {
            counts,
            statsd: self.statsd,
        })
    }
}

impl RunMonitor {
    /// Publishes the progress of the run.
    pub(crate) fn update(&mut self, counts: &ProgressCounts) {
        *lock(&self.counts) = *counts;
        if let Some(statsd) = &mut self.statsd {
            statsd.update(counts);
        }
    }

    /// The reporter of single outcomes, if there is one.
    pub(crate) fn statsd(&mut self) -> Option<&mut StatsdReporter> {
        self.statsd.as_mut()
    }
}

/// Makes a Prometheus recorder the recorder of the process.
fn install_recorder() -> Result<PrometheusHandle, CliError> {
    let builder = PrometheusBuilder::new().with_recommended_naming(true);
    let suffix = Matcher::Suffix("duration".to_owned());
    let builder = builder.set_buckets_for_metric(suffix, &BUCKETS);
    let recorder = builder.map_err(CliError::internal)?.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(CliError::internal)?;
    Ok(handle)
}
