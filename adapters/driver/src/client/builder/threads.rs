//! Several drivers, each on a thread of its own, as one fetcher.

use crate::client::drivers::Inner;
use crate::client::fetcher::Fetcher;
use crate::driver::command::Handle;
use crate::driver::recording::Record;
use crate::driver::siblings::{Peers, Ways};
use crate::driver::{self, Place};
use crate::settings::Settings;
use crate::settings::adapter::Adapter;
use crate::settings::build_error::BuildError;
use crate::shard::concurrency::Share;
use crate::shard::limits::Limits;
use crate::shard::limits::has_rate;
use crate::transport::clock::Clock;

/// A fetcher of as many drivers as the settings ask for, or of one if only one can keep to them.
pub(crate) fn build<A: Adapter>(
    adapter: &A,
    mut settings: Settings,
    mut record: Option<Record>,
    (clock, undelivered): (Clock, usize),
) -> Result<Fetcher<A>, BuildError> {
    // Only one can keep to a rate, or a budget, over all hosts exactly.
    let threads = if record.is_some() || is_one_for_all(&settings) {
        1
    } else {
        let most = settings.concurrency.min(settings.connection_limit());
        settings.threads.min(most)
    };
    if settings.cookies {
        // One for all of them.
        settings.cookie_jar.get_or_insert_default();
    }
    let window = settings.engine_config().window_size();
    let shares = Share::divide(settings.concurrency, threads);
    let balance = (threads > 1).then(|| shares[0].balance());
    let mut handles: Vec<Handle> = Vec::new();
    let ways = Ways::default();
    let parts = shares.into_iter().zip(Limits::new(threads));
    for (i, (share, limits)) in parts.enumerate() {
        let settings = part(&settings, i);
        let place = Place {
            clock,
            limits: (threads > 1).then_some(limits),
            peers: (threads > 1).then(|| Peers::new(i, threads, ways.clone())),
            share: (threads > 1).then_some(share),
            undelivered: undelivered.div_ceil(threads),
        };
        let record = record.take();
        adapter.spawn_thread(|adapter| {
            let transport = adapter.transport(&settings)?;
            let made = driver::new(transport, adapter.timer(), &settings, record, place);
            let (handle, driver) = made;
            handles.push(handle);
            Ok(driver)
        })?;
    }
    let commands = handles.iter().map(|handle| handle.commands.downgrade());
    let _ = ways.set(commands.collect());
    Ok(Fetcher::new(Inner::new(handles, window, balance)))
}

/// Whether a limit over all hosts is to be kept that cannot be divided.
fn is_one_for_all(settings: &Settings) -> bool {
    let config = settings.engine_config();
    config.budget_ref().is_some() || has_rate(&config)
}

/// The settings of one of several drivers.
fn part(all: &Settings, i: usize) -> Settings {
    let mut settings = all.clone();
    settings.seed = settings.seed.map(|seed| seed.wrapping_add(i as u64));
    settings
}
