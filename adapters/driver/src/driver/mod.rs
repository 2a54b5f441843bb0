//! One driver: the loop that carries out what its engine decides, over any transport and timer.

mod attempt_runner;
#[cfg(feature = "cache")]
pub(crate) mod cache;
pub(crate) mod command;
mod connect_timeout;
mod event_loop;
pub(crate) mod exchange;
pub(crate) mod fetches;
mod loop_turn;
mod outcome_pipeline;
pub(crate) mod outcomes;
pub(crate) mod permits;
pub(crate) mod siblings;
mod submission;
#[cfg(test)]
mod test_support;
mod token_keeper;

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use fetch_proto::EngineStats;

use crate::driver::attempt_runner::AttemptRunner;
use crate::driver::command::DriverHandle;
use crate::driver::event_loop::Driver;
use crate::driver::exchange::start_exchange;
use crate::driver::fetches::table::FetchTable;
use crate::driver::loop_turn::LoopTurn;
use crate::driver::outcome_pipeline::OutcomePipeline;
use crate::driver::outcomes::fallback::Fallbacks;
use crate::driver::permits::AttemptPermits;
use crate::driver::siblings::Siblings;
use crate::driver::submission::SubmissionQueue;
use crate::driver::token_keeper::TokenKeeper;
use crate::settings::Settings;
use crate::telemetry::recording::{RecordSink, new_engine};
use crate::transport::Transport;
use crate::transport::clock::Clock;
use crate::transport::timer::Timer;

/// What a driver needs besides the settings, which all drivers of a fetcher share.
pub(crate) struct DriverContext {
    pub(crate) clock: Clock,
    /// The other drivers, if there are several.
    pub(crate) siblings: Option<Siblings>,
    /// The bound on undelivered outcomes of this driver.
    pub(crate) undelivered: usize,
}

/// Creates a driver over `transport`: its handle, and the future that runs it.
pub(crate) fn new_driver<T: Transport>(
    transport: T,
    timer: impl Timer,
    settings: &Settings,
    record: Option<RecordSink>,
    context: DriverContext,
) -> (DriverHandle, impl Future<Output = ()> + Send + 'static) {
    let DriverContext {
        clock,
        siblings,
        undelivered,
    } = context;
    let headers = Arc::new(settings.headers.clone());
    let tokens = TokenKeeper::new(&settings.credentials, headers.clone());
    let mut config = tokens.with_profiles(settings.config.clone());
    let concurrency = config.concurrency_limit();
    if !T::SEES_CONNECTION {
        config = connect_timeout::disable_in_rules(config);
    }
    let seed = settings.seed.unwrap_or_else(|| fastrand::u64(..));
    let mut engine = new_engine(config, seed, clock.now(), record);
    if let Some(siblings) = &siblings {
        siblings.restrict(&mut engine);
    }
    let transport = Arc::new(transport);
    let start = start_exchange::<T>;
    let fallbacks = Fallbacks::new(settings.fallback.stale, settings.fallback.value.clone());
    let (sender, commands) = async_channel::unbounded();
    let stats = Arc::new(Mutex::new(EngineStats::default()));
    let handle = DriverHandle {
        commands: sender,
        stats: stats.clone(),
    };
    let driver = Driver {
        attempts: AttemptRunner::new(transport.clone(), start, settings, headers.clone(), clock),
        clock,
        engine,
        fetches: FetchTable::default(),
        outcomes: OutcomePipeline::new(fallbacks, T::SEES_CONNECTION),
        permits: AttemptPermits::new(concurrency, undelivered),
        siblings,
        stats,
        submissions: SubmissionQueue::new::<T>(headers, settings.share),
        waiting_reported: 0,
        window: settings.config.window_size(),
        tokens,
        turn: LoopTurn::default(),
    };
    (handle, run_in_turns(transport, driver.run(commands, timer)))
}

/// Makes each poll of the loop one turn of the transport.
fn run_in_turns<T: Transport>(
    transport: Arc<T>,
    run: impl Future<Output = ()> + Send + 'static,
) -> impl Future<Output = ()> + Send + 'static {
    let mut run = Box::pin(run);
    poll_fn(move |cx| {
        let mut polled = Poll::Pending;
        transport.run_turn(&mut || polled = run.as_mut().poll(cx));
        polled
    })
}
