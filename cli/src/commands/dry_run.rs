//! `--dry-run`: reads the list, fetches nothing, and prints the plan.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use fetch_driver::Request;
use fetch_proto::{OutageWait, PolicyRules, Rate};

use crate::display::{ShortDuration, plural};
use crate::exit::CliError;
use crate::input::{ListReader, SharedProgress};
use crate::output::format;
use crate::output::format::RecordFormat;
use crate::output::record::RecordBuilder;
use crate::output::target::{print_message, print_text};
use crate::output::{OutputEncoding, OutputTarget};
use crate::plan::DryRunPlan;
use crate::save::BodyStore;
use crate::writer::{OutputOptions, OutputThread};

/// The most hosts with separate counts.
const MAX_HOSTS: usize = 100_000;

/// The most hosts that are printed.
const MAX_LISTED: usize = 10;

/// Reads the list and prints the plan.
///
/// # Errors
///
/// If a thread cannot be started.
pub(crate) fn run(plan: DryRunPlan) -> Result<u8, CliError> {
    let (settings, input) = (plan.client.settings, plan.input);
    let (method, body) = (
        input.template.method.as_str(),
        input.template.payload.identity(),
    );
    let builder = Arc::new(RecordBuilder::new(SystemTime::now(), method, body, false));
    // Malformed lines are reported on stderr, as in a run.
    let (output, writer) = OutputThread::start(OutputOptions {
        after: None,
        encoding: OutputEncoding {
            encoder: format::encoder(RecordFormat::None, false, false),
            has_state: false,
            builder,
        },
        progress: None,
        state: None,
        target: OutputTarget::Stdout,
    })
    .map_err(CliError::internal)?;
    let shared = Arc::new(SharedProgress::default());
    let silent = plan.silent;
    let store = Arc::new(BodyStore::checks_only(&input.template.method, None));
    let reader = ListReader {
        payload: None,
        template: input.template,
        ledger: None,
        max_errors: plan.stop.max_errors,
        duplicates: input.dedupe.then(Default::default),
        seq: 0,
        is_done: None,
        shared: shared.clone(),
        store,
        print: Box::new(move |message| {
            if !silent {
                print_message(message);
            }
        }),
        writer: writer.clone(),
    };
    let requests = reader
        .start(input.list.sources)
        .map_err(CliError::internal)?;
    let mut counts = ListCounts::new(&settings.config.rules);
    while let Ok(batch) = requests.recv_blocking() {
        batch.iter().for_each(|request| counts.add(request));
    }
    writer.close();
    output.finish(|| false)?;
    let (config, robots) = (settings.config.clone(), input.robots.is_some());
    let limits = RateLimits {
        host_rate: config.host_rate,
        rate: config.rate,
    };
    let mut text = counts.summary(&settings.config.rules, &limits);
    let malformed = shared.malformed.load(Relaxed);
    let duplicates = shared.duplicates.load(Relaxed);
    for (count, one, many) in [
        (malformed, "line is not a URL", "lines are not URLs"),
        (duplicates, "duplicate is skipped", "duplicates are skipped"),
    ] {
        if count > 0 {
            let _ = writeln!(text, "{}", plural(count, one, many));
        }
    }
    let per_host = config.per_host_limit().filter(|limit| *limit > 0);
    let per_host = per_host.map_or_else(|| "no limit".to_owned(), |limit| limit.to_string());
    let _ = writeln!(
        text,
        "limits: {} in flight, per host {per_host}{}",
        plural(config.concurrency_limit() as u64, "request", "requests"),
        if robots {
            "; robots.txt will be obeyed, and is not fetched now"
        } else {
            ""
        }
    );
    text.push_str(&outage_line(config.effective_outage_wait()));
    print_text(&text)?;
    Ok(shared.exit_status.get())
}

/// How long hosts that are down are waited for.
fn outage_line(wait: Option<OutageWait>) -> String {
    let Some(wait) = wait else {
        return "outages: a host that is down is not waited for, its URLs fail\n".to_owned();
    };
    let (known, unknown) = (wait.max, wait.unanswered.min(wait.max));
    let mut line = format!(
        "outages: a host that is down is waited for up to {}",
        ShortDuration(known)
    );
    if unknown < known {
        let _ = write!(line, ", {} if it never answered", ShortDuration(unknown));
    }
    line.push('\n');
    line
}

/// The rate limits of the run.
struct RateLimits {
    host_rate: Option<Rate>,
    rate: Option<Rate>,
}

/// The counts of a list.
struct ListCounts<'a> {
    hosts: HashMap<String, u64>,
    /// URLs by rule; the last is the default policy.
    matched: Vec<u64>,
    methods: HashMap<String, u64>,
    others: u64,
    rules: &'a PolicyRules,
    total: u64,
}

impl<'a> ListCounts<'a> {
    fn new(rules: &'a PolicyRules) -> Self {
        Self {
            hosts: HashMap::new(),
            matched: vec![0; rules.iter().len() + 1],
            methods: HashMap::new(),
            others: 0,
            rules,
            total: 0,
        }
    }

    fn add(&mut self, request: &Request) {
        self.total += 1;
        let url = request.url();
        let host = fetch_proto::url_host(url);
        let is_full = self.hosts.len() >= MAX_HOSTS;
        match self.hosts.get_mut(host) {
            Some(count) => *count += 1,
            None if is_full => self.others += 1,
            None => {
                self.hosts.insert(host.to_owned(), 1);
            }
        }
        let method = request.method();
        let rule = self.rules.matching_rule(method, url);
        let last = self.matched.len() - 1;
        self.matched[rule.unwrap_or(last)] += 1;
        *self.methods.entry(method.as_str().to_owned()).or_default() += 1;
    }

    fn summary(&self, rules: &PolicyRules, limits: &RateLimits) -> String {
        let mut text = String::from("dry run: nothing is fetched\n");
        let urls = plural(self.total, "URL", "URLs");
        let hosts = plural(self.hosts.len() as u64, "host", "hosts");
        let more = if self.others > 0 { " and more" } else { "" };
        let mut methods: Vec<_> = self.methods.iter().collect();
        methods.sort();
        let methods: Vec<_> = methods
            .iter()
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        let _ = writeln!(text, "{urls} at {hosts}{more}: {}", methods.join(", "));
        let top = self.top();
        for (host, count) in top.iter().take(MAX_LISTED) {
            let _ = writeln!(text, "  {count:>9}  {host}");
        }
        if top.len() > MAX_LISTED || self.others > 0 {
            let rest = self.total
                - top
                    .iter()
                    .take(MAX_LISTED)
                    .map(|(_, count)| count)
                    .sum::<u64>();
            let _ = writeln!(text, "  {rest:>9}  other hosts");
        }
        text.push_str("rules:\n");
        let names = rules
            .iter()
            .map(|(pattern, policy)| (pattern.to_string(), policy));
        let names = names.chain([("other URLs".to_owned(), rules.default_policy())]);
        for ((name, policy), count) in names.zip(&self.matched).filter(|(_, count)| **count > 0) {
            let attempts = plural(policy.attempts_limit().into(), "attempt", "attempts");
            let limit = policy.timeouts.attempt;
            let limit = limit.map_or_else(
                || "no timeout".to_owned(),
                |limit| ShortDuration(limit).to_string(),
            );
            let _ = writeln!(text, "  {count:>9}  {name}: {attempts}, timeout {limit}");
        }
        let _ = writeln!(text, "{}", self.min_time(&top, rules, limits));
        text
    }

    /// The minimum time that the rate limits allow. The speed of servers is unknown.
    fn min_time(&self, top: &[(&str, u64)], rules: &PolicyRules, limits: &RateLimits) -> String {
        let whole = limits
            .rate
            .map(|rate| (rate.time_for(self.total), "--rate".to_owned()));
        let largest = top.first().map(|(host, count)| (*host, *count));
        let host = limits.host_rate.zip(largest).map(|(rate, (host, count))| {
            (rate.time_for(count), format!("the rate limit at {host}"))
        });
        let policies = rules
            .iter()
            .map(|(pattern, policy)| (pattern.to_string(), policy));
        let policies = policies.chain([("other URLs".to_owned(), rules.default_policy())]);
        let ruled = policies
            .zip(&self.matched)
            .filter_map(|((name, policy), count)| {
                let rate = policy.rate?;
                Some((
                    rate.time_for(*count),
                    format!("the rate limit of the rule {name}"),
                ))
            });
        match whole
            .into_iter()
            .chain(host)
            .chain(ruled)
            .max_by_key(|(time, _)| *time)
        {
            Some((time, why)) if time > Duration::ZERO => {
                format!("time: at least {}, because of {why}", ShortDuration(time))
            }
            _ => "time: there is no rate limit; it depends on the servers".to_owned(),
        }
    }

    /// The hosts, the ones with the most URLs first.
    fn top(&self) -> Vec<(&str, u64)> {
        let hosts = self
            .hosts
            .iter()
            .map(|(host, count)| (host.as_str(), *count));
        let mut top: Vec<_> = hosts.collect();
        top.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        top
    }
}
