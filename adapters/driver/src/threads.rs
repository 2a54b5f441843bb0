//! Several drivers, each on a thread of its own, as one fetcher.

use crate::clock::Clock;
use crate::divided::{self, Divided};
use crate::driver::{self, Peers, Place, Ways};
use crate::fetcher::{Fetcher, Handle, Inner};
use crate::recording::Record;
use crate::settings::{Adapter, BuildError, Settings};
use crate::share::Share;

/// A fetcher of as many drivers as the settings ask for, or of one if only one can keep to them.
pub(crate) fn build<A: Adapter>(
    adapter: &A,
    mut settings: Settings,
    mut record: Option<Record>,
    (clock, undelivered): (Clock, usize),
) -> Result<Fetcher<A>, BuildError> {
    // Only one can keep to a rate, or a budget, over all hosts exactly.
    let threads = if record.is_some() || divided::has_limits(&settings.engine_config()) {
        1
    } else {
        settings.threads.min(settings.concurrency)
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
    let parts = shares.into_iter().zip(Divided::new(threads));
    for (i, (share, divided)) in parts.enumerate() {
        let settings = part(&settings, i, threads);
        let place = Place {
            clock,
            divided: (threads > 1).then_some(divided),
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

/// The settings of one of several drivers.
fn part(all: &Settings, i: usize, threads: usize) -> Settings {
    let mut settings = all.clone();
    settings.max_connections = match all.max_connections {
        _ if threads == 1 => all.max_connections,
        Some(most) => Some((most / threads).max(1)),
        // All hosts may be on one thread: it must have connections for all attempts.
        None => Some((all.connection_limit() / threads).max(all.concurrency)),
    };
    settings.seed = settings.seed.map(|seed| seed.wrapping_add(i as u64));
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_connections_for_all_attempts_and_its_part_of_the_idle_ones() {
        let connections = |concurrency, most, threads| {
            let mut settings = Settings::default();
            (settings.concurrency, settings.max_connections) = (concurrency, most);
            part(&settings, 0, threads).max_connections
        };
        assert_eq!(connections(100, None, 1), None);
        assert_eq!(connections(100, None, 2), Some(512));
        assert_eq!(connections(5_000, None, 4), Some(5_000));
        assert_eq!(connections(100, Some(30), 4), Some(7));
    }
}
