//! Several drivers, each on a thread of its own, as one fetcher.

use crate::clock::Clock;
use crate::driver::{self, Place};
use crate::fetcher::{Fetcher, Inner};
use crate::recording::Record;
use crate::settings::{Adapter, BuildError, Settings};
use crate::share::Share;

/// A fetcher of as many drivers as the settings ask for, or of one if only one can keep to them.
pub(crate) fn build<A: Adapter>(
    adapter: &A,
    settings: Settings,
    mut record: Option<Record>,
    (clock, undelivered): (Clock, usize),
) -> Result<Fetcher<A>, BuildError> {
    let threads = if record.is_some() || is_one_for_all(&settings) {
        1
    } else {
        settings.threads.min(settings.concurrency)
    };
    let window = settings.engine_config().window_size();
    let shares = Share::divide(settings.concurrency, threads);
    let balance = (threads > 1).then(|| shares[0].balance());
    let mut handles = Vec::new();
    for (i, share) in shares.into_iter().enumerate() {
        let settings = part(&settings, i, threads);
        let place = Place {
            clock,
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
    Ok(Fetcher::new(Inner::new(handles, window, balance)))
}

/// Whether a limit over all hosts is to be kept that cannot be divided.
fn is_one_for_all(settings: &Settings) -> bool {
    let config = settings.engine_config();
    let rules = &settings.rules;
    let policies = rules.iter().map(|(_, policy)| policy);
    let mut policies = policies.chain([rules.default_policy()]);
    config.rate_limit().is_some()
        || config.budget_ref().is_some()
        || policies.any(|policy| policy.rate_limit().is_some())
}

/// The settings of one of several drivers.
fn part(all: &Settings, i: usize, threads: usize) -> Settings {
    let mut settings = all.clone();
    if settings.cookies && settings.cookie_jar.is_none() {
        settings.cookie_jar = Some(crate::cookie_jar::CookieJar::default());
    }
    // Where all hosts are on one thread, that must have connections for all attempts.
    let most = settings.max_connections.unwrap_or(2 * settings.concurrency);
    settings.max_connections = Some((most / threads).max(settings.concurrency.min(most)));
    settings.seed = settings.seed.map(|seed| seed.wrapping_add(i as u64));
    settings
}
