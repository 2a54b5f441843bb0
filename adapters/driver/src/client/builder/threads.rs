//! A fetcher of several drivers, each on its own thread.

use std::sync::Arc;

use crate::client::drivers::DriverSet;
use crate::client::fetcher::Fetcher;
use crate::driver::command::DriverHandle;
use crate::driver::siblings::{DriverSenders, Siblings};
use crate::driver::{DriverContext, new_driver};
use crate::settings::Settings;
use crate::settings::adapter::Adapter;
use crate::settings::build_error::BuildError;
use crate::shard::concurrency::ConcurrencyShare;
use crate::shard::shared_limits::{SharedLimits, SharedLimitsHandle};
use crate::telemetry::recording::RecordSink;
use crate::transport::clock::Clock;

/// Builds a fetcher with as many drivers as the settings ask for, but no more than attempts or
/// connections are allowed, and with one if it is recorded.
pub(super) fn build<A: Adapter>(
    adapter: &A,
    settings: &Settings,
    mut record: Option<RecordSink>,
    clock: Clock,
) -> Result<Fetcher<A>, BuildError> {
    let config = &settings.config;
    let concurrency = config.concurrency_limit();
    let threads = if record.is_some() {
        1
    } else {
        let most = concurrency.min(settings.connection_limit());
        settings.threads.min(most)
    };
    let shares = ConcurrencyShare::divide(concurrency, threads);
    let limits = Arc::new(SharedLimits::new(config));
    let shared_limits = (threads > 1).then(|| (shares[0].shared_limit(), limits.clone()));
    let mut handles: Vec<DriverHandle> = Vec::new();
    let senders = DriverSenders::default();
    for (i, share) in shares.into_iter().enumerate() {
        let limits = SharedLimitsHandle::new(limits.clone(), i, config);
        let settings = settings_of_thread(settings, i);
        let siblings = Siblings::new(i, threads, senders.clone(), share, limits);
        let context = DriverContext {
            clock,
            siblings: (threads > 1).then_some(siblings),
            undelivered: settings.undelivered_limit().div_ceil(threads),
        };
        let record = record.take();
        adapter.spawn_thread(|adapter| {
            let transport = adapter.transport(&settings)?;
            let timer = A::Timer::default();
            let (handle, driver) = new_driver(transport, timer, &settings, record, context);
            handles.push(handle);
            Ok(driver)
        })?;
    }
    let commands = handles.iter().map(|handle| handle.commands.downgrade());
    let _ = senders.set(commands.collect());
    let drivers = DriverSet::new(
        handles,
        config.window_size(),
        shared_limits,
        settings.hsts.clone(),
        clock,
    );
    Ok(Fetcher::new(drivers))
}

/// The settings with a different seed for each thread.
fn settings_of_thread(settings: &Settings, i: usize) -> Settings {
    let mut settings = settings.clone();
    settings.seed = settings.seed.map(|seed| seed.wrapping_add(i as u64));
    settings
}
