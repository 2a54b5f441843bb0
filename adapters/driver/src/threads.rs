//! Several drivers, each on a thread of its own, as one fetcher.

use std::num::NonZeroU32;

use fetch_proto::{Config, Rate, RetryBudget};

use crate::clock::Clock;
use crate::divided::Divided;
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
    let threads = if record.is_some() || is_one_for_all(&settings) {
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
    settings.max_connections = match all.max_connections {
        _ if threads == 1 => all.max_connections,
        Some(most) => Some((most / threads).max(1)),
        // All hosts may be on one thread: it must have connections for all attempts.
        None => Some((all.connection_limit() / threads).max(all.concurrency)),
    };
    settings.seed = settings.seed.map(|seed| seed.wrapping_add(i as u64));
    settings
}

/// What one of so many drivers keeps of budgets, and of the rates of rules, so that together they exceed none.
/// The rate over all hosts they [divide](Divided) by need.
pub(crate) fn divide(mut config: Config, drivers: usize) -> Config {
    let drivers = u32::try_from(drivers).unwrap_or(u32::MAX);
    if drivers <= 1 {
        return config;
    }
    if let Some(all) = config.budget_ref() {
        let part = budget(all, drivers);
        config = config.budget(part);
    }
    let rules = config.rules_ref().map(|policy| {
        let part = policy.rate_limit().map(|all| rate(all, drivers));
        policy.clone().rate(part)
    });
    config.rules(rules)
}

fn rate(all: Rate, drivers: u32) -> Rate {
    let burst = NonZeroU32::new(all.burst_size().get() / drivers);
    let part = Rate::new(all.count(), all.period().saturating_mul(drivers));
    part.unwrap_or(all).burst(burst.unwrap_or(NonZeroU32::MIN))
}

fn budget(all: &RetryBudget, drivers: u32) -> RetryBudget {
    let mut part = *all;
    match &mut part {
        RetryBudget::Capacity { capacity: n, .. }
        | RetryBudget::Ratio {
            min_per_second: n, ..
        }
        | RetryBudget::Tokens { max: n, .. } => *n /= drivers,
    }
    part
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

    #[test]
    fn the_parts_of_a_limit_are_no_more_than_the_whole() {
        let all: Rate = "50/s".parse().unwrap();
        let all = all.burst(NonZeroU32::new(9).unwrap());
        let rules = fetch_proto::Rules::default().map(|policy| policy.clone().rate(Some(all)));
        let limits = Config::default().rules(rules).budget(RetryBudget::Ratio {
            min_per_second: 10,
            per_mille: 200,
            ttl: std::time::Duration::from_secs(10),
        });
        let part = divide(limits, 4);
        let rate = part.rules_ref().default_policy().rate_limit().unwrap();
        assert_eq!((rate.count().get(), rate.period().as_secs()), (50, 4));
        assert_eq!(rate.burst_size().get(), 2);
        let budget = part.budget_ref().copied();
        assert!(matches!(
            budget,
            Some(RetryBudget::Ratio {
                min_per_second: 2,
                per_mille: 200,
                ..
            })
        ));
    }
}
