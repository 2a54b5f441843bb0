//! Options that are on the command line, over what is configured otherwise.

use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, FromArgMatches};
use fetch_proto::{Config, Policy, RetryAfter, Rules, Timeouts};

use crate::args::{Retry, Speed, Time};
use crate::exit::Stop;
use crate::plan::rules::{backoff, limited};

/// Which options are on the command line, and do not just have their defaults.
#[derive(Clone, Debug)]
pub(crate) struct Given(Vec<String>);

impl Given {
    pub(crate) fn any(&self, options: &[&str]) -> bool {
        self.0.iter().any(|given| options.contains(&given.as_str()))
    }

    /// The value, if it was given.
    pub(crate) fn of<T>(&self, option: &str, value: T) -> Option<T> {
        self.any(&[option]).then_some(value)
    }
}

/// As an argument group without an argument of its own, it sees those of the others.
impl clap::Args for Given {
    fn augment_args(command: clap::Command) -> clap::Command {
        command
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        command
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let ids = matches.ids().map(clap::Id::as_str);
        Ok(Self(ids.filter(given).map(str::to_owned).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Given {
    /// `config`, changed by the options that are given: they win over everything.
    ///
    /// # Errors
    ///
    /// If the patterns of `--timeout` are too large together.
    pub(crate) fn over(
        &self,
        config: Config,
        speed: &Speed,
        retry: &Retry,
        time: &Time,
    ) -> Result<Config, Stop> {
        let rules = config
            .rules_ref()
            .map(|policy| self.changed(policy, retry, time));
        let mut config = config.rules(with_patterns(rules, time)?);
        if let Some(attempts) = self.of("concurrency", speed.concurrency) {
            config = config.concurrency(attempts);
        }
        if let Some(attempts) = self.of("per_host", speed.per_host) {
            config = config.per_host(attempts);
        }
        if let Some(rate) = speed.rate {
            config = config.rate(rate);
        }
        if let Some(rate) = speed.host_rate {
            config = config.host_rate(rate);
        }
        Ok(config)
    }

    /// A policy, changed by the options that are given.
    fn changed(&self, policy: Policy, retry: &Retry, time: &Time) -> Policy {
        let old = *policy.timeouts_ref();
        let or = |option: Option<Duration>, old| option.map_or(old, limited);
        let mut policy = policy.timeouts(Timeouts {
            attempt: or(time.max_time, old.attempt),
            connect: or(time.connect_timeout, old.connect),
            idle_read: or(time.read_timeout, old.idle_read),
            total: or(retry.retry_max_time, old.total),
            ..old
        });
        if let Some(retries) = self.of("retry", retry.retry) {
            policy = policy.attempts(retries.saturating_add(1));
        }
        if let Some(cap) = retry.max_retry_after {
            policy = policy.retry_after(RetryAfter {
                cap,
                ..RetryAfter::DEFAULT
            });
        }
        if retry.retry_delay.is_some() || retry.no_jitter {
            policy = policy.backoff(backoff(retry));
        }
        retry.tries.over(policy, self.any(&["fail"]))
    }
}

/// The rules, after those of `--timeout`.
fn with_patterns(rules: Rules, time: &Time) -> Result<Rules, Stop> {
    if time.timeout.is_empty() {
        return Ok(rules);
    }
    let base = rules.default_policy();
    let mut builder = Rules::builder();
    for (pattern, limit) in &time.timeout {
        let policy = Policy::clone(base);
        let timeouts = Timeouts {
            attempt: limited(*limit),
            ..*policy.timeouts_ref()
        };
        builder = builder.rule(pattern.clone(), policy.timeouts(timeouts));
    }
    for (pattern, policy) in rules.iter() {
        builder = builder.rule(pattern.clone(), policy.clone());
    }
    let built = builder.default(base.clone()).build();
    built.map_err(|error| Stop::usage(format!("--timeout: {error}")))
}
