//! The command's defaults, and its options as a layer of policies.

use std::time::Duration;

use fetch_policy::OptionSettings;
use fetch_proto::{
    BackoffPatch, EngineConfig, KeptPostsPatch, OutageWait, OverCap, Pacing, PolicyLayer,
    PolicyPatch, Rate, RedirectPatch, RetryAfterPatch, TimeoutsPatch,
};

use super::retry_conditions;
use crate::args::explicit::ExplicitOptions;
use crate::args::{CliArgs, LimitArgs, RequestArgs, RetryArgs, TimeoutArgs};
use crate::exit::CliError;

/// The keys of a policy file that each option sets over it.
const KEYS: [(&str, &[&str]); 17] = [
    ("concurrency", &["limits.concurrency"]),
    ("connect_timeout", &["timeouts.connect"]),
    ("host_max_wait", &["limits.host_max_wait"]),
    ("host_rate", &["limits.host_rate"]),
    ("max_retry_after", &["retry_after.cap", "retry_after.over"]),
    ("max_time", &["timeouts.attempt"]),
    ("no_jitter", &["backoff.jitter"]),
    ("per_host", &["limits.per_host"]),
    ("rate", &["limits.rate"]),
    ("read_timeout", &["timeouts.idle_read"]),
    ("retry", &["attempts"]),
    ("retry_all_errors", &["classes", "retry_non_idempotent"]),
    (
        "retry_delay",
        &[
            "backoff.base",
            "backoff.cap",
            "backoff.factor",
            "backoff.step",
        ],
    ),
    ("retry_max_time", &["timeouts.total"]),
    ("retry_on", &["retry_statuses"]),
    ("speed_limit", &["stall"]),
    ("speed_time", &["stall"]),
];

/// The settings of the options on the command line, to explain them.
pub(crate) fn option_settings(
    explicit: &ExplicitOptions,
    timeouts: &TimeoutArgs,
) -> OptionSettings {
    let mut settings = OptionSettings::default();
    for (option, keys) in KEYS {
        if explicit.contains_any(&[option]) {
            let option = format!("--{}", option.replace('_', "-"));
            settings = keys.iter().fold(settings, |all, key| all.key(key, &option));
        }
    }
    timeouts
        .timeout
        .iter()
        .fold(settings, |all, (pattern, limit)| {
            all.rule(&format!("--timeout {pattern}={}", limit.as_secs_f64()))
        })
}

/// The configuration below the policy file: the command's defaults and its limits.
///
/// # Errors
///
/// If the rules cannot be compiled.
pub(super) fn defaults(args: &CliArgs) -> Result<EngineConfig, CliError> {
    let limits = &args.limits;
    let config = EngineConfig::default()
        .concurrency(limits.concurrency)
        .per_host(limits.per_host)
        .wait_for_outages(outage_wait(args.retry.host_max_wait))
        .pacing(pacing(args.retry.host_max_wait));
    // The built-in rules set only attempt timeouts, which -m sets for all URLs.
    let layer =
        PolicyLayer::new(default_patch(args)).replace_rules(args.timeouts.max_time.is_some());
    let rules = config.rules.with_layer(&layer);
    Ok(config.rules(rules.map_err(CliError::internal)?))
}

/// The queue has no limit, because with a rate limit a list may take days: `--deadline` bounds the
/// whole run.
fn default_patch(args: &CliArgs) -> PolicyPatch {
    // A longer wait than the cap is bounded by --host-max-wait.
    let over = match outage_wait(args.retry.host_max_wait) {
        Some(_) => OverCap::Defer,
        None => OverCap::Fail,
    };
    PolicyPatch::default()
        .retry_after(RetryAfterPatch::default().over(over))
        .stall(retry_conditions::default_stall(&args.retry.conditions))
        .timeouts(TimeoutsPatch::default().queue(None))
}

/// The values that options set, as opposed to defaults.
#[derive(Clone, Debug, Default)]
pub(crate) struct OptionLayer {
    concurrency: Option<usize>,
    host_max_wait: Option<Duration>,
    host_rate: Option<Rate>,
    per_host: Option<usize>,
    policies: PolicyLayer,
    rate: Option<Rate>,
}

impl OptionLayer {
    /// The options of a command that sends no requests.
    pub(crate) fn new(
        explicit: &ExplicitOptions,
        limits: &LimitArgs,
        retry: &RetryArgs,
        timeouts: &TimeoutArgs,
    ) -> Self {
        let base = timeout_patch(retry, timeouts).on_top_of(retry_patch(explicit, retry));
        let policies =
            timeouts
                .timeout
                .iter()
                .fold(PolicyLayer::new(base), |layer, (pattern, limit)| {
                    let patch = PolicyPatch::attempt_timeout(limit_of(*limit));
                    layer.rule(pattern.clone(), patch)
                });
        Self {
            concurrency: explicit.value_of("concurrency", limits.concurrency),
            host_max_wait: retry.host_max_wait,
            host_rate: limits.host_rate,
            per_host: explicit.value_of("per_host", limits.per_host),
            policies,
            rate: limits.rate,
        }
    }

    /// The options of a run.
    pub(super) fn of_run(args: &CliArgs) -> Self {
        let mut layer = Self::new(&args.explicit, &args.limits, &args.retry, &args.timeouts);
        let request = request_patch(&args.request, args.input.redirects_allow_http());
        let request = match &args.auth.auth {
            Some(choice) => request.auth(choice.clone()),
            None => request,
        };
        layer.policies = layer.policies.update_base(|base| request.on_top_of(base));
        layer
    }

    /// Applies the options to `config`: they take precedence over it.
    ///
    /// # Errors
    ///
    /// If the patterns of `--timeout` are too large together.
    pub(crate) fn apply(&self, mut config: EngineConfig) -> Result<EngineConfig, CliError> {
        let rules = config.rules.with_layer(&self.policies);
        let rules = rules.map_err(|error| CliError::usage(format!("--timeout: {error}")))?;
        config = config.rules(rules);
        if let Some(attempts) = self.concurrency {
            config = config.concurrency(attempts);
        }
        if let Some(attempts) = self.per_host {
            config = config.per_host(attempts);
        }
        if self.host_max_wait.is_some() {
            config = config
                .wait_for_outages(outage_wait(self.host_max_wait))
                .pacing(pacing(self.host_max_wait));
        }
        if let Some(rate) = self.rate {
            config = config.rate(rate);
        }
        if let Some(rate) = self.host_rate {
            config = config.host_rate(rate);
        }
        Ok(config)
    }
}

/// `schemes`: whether redirects may lead to http, if an option says so.
fn request_patch(request: &RequestArgs, schemes: Option<bool>) -> PolicyPatch {
    let mut patch = PolicyPatch::default();
    let mut redirects = RedirectPatch::default();
    if let Some(max) = request.max_redirs {
        redirects = redirects.max(max);
    }
    if request.location_trusted {
        redirects = redirects.trusted(true);
    }
    let kept_posts = [
        (301, request.post301),
        (302, request.post302),
        (303, request.post303),
    ];
    for (status, _) in kept_posts.into_iter().filter(|(_, kept)| *kept) {
        redirects = redirects.keep_post(KeptPostsPatch::default().status(status, true));
    }
    if request.no_location {
        redirects = redirects.follow(false);
    }
    if let Some(allows_http) = schemes {
        redirects = redirects.https_only(!allows_http);
    }
    patch = patch.redirects(redirects);
    if let Some(bytes) = request.max_filesize {
        patch = patch.max_body(bytes);
    }
    patch
}

fn timeout_patch(retry: &RetryArgs, options: &TimeoutArgs) -> PolicyPatch {
    let mut timeouts = TimeoutsPatch::default();
    if let Some(limit) = options.max_time {
        timeouts = timeouts.attempt(limit_of(limit));
    }
    if let Some(limit) = options.connect_timeout {
        timeouts = timeouts.connect(limit_of(limit));
    }
    if let Some(limit) = options.read_timeout {
        timeouts = timeouts.idle_read(limit_of(limit));
    }
    if let Some(limit) = retry.retry_max_time {
        timeouts = timeouts.total(limit_of(limit));
    }
    PolicyPatch::default().timeouts(timeouts)
}

fn retry_patch(explicit: &ExplicitOptions, retry: &RetryArgs) -> PolicyPatch {
    let mut patch = PolicyPatch::default();
    if let Some(retries) = explicit.value_of("retry", retry.retry) {
        patch = patch.attempts(retries.saturating_add(1));
    }
    if let Some(cap) = retry.max_retry_after {
        // A longer wait is not obeyed, whatever the file does with it.
        patch = patch.retry_after(RetryAfterPatch::default().cap(cap).over(OverCap::Fail));
    }
    patch = patch.backoff(backoff(retry));
    let fail = explicit.contains_any(&["fail"]);
    retry_conditions::patch(&retry.conditions, fail).on_top_of(patch)
}

fn backoff(retry: &RetryArgs) -> BackoffPatch {
    let mut patch = BackoffPatch::default();
    if let Some(delay) = retry.retry_delay {
        patch = patch.base(delay).cap(delay).factor(1).step(Duration::ZERO);
    }
    if retry.no_jitter {
        patch = patch.jitter(None);
    }
    patch
}

/// How long hosts that are down are waited for; zero means not at all.
fn outage_wait(max: Option<Duration>) -> Option<OutageWait> {
    let wait = OutageWait::default();
    let wait = max.map_or(wait, |max| wait.max(max));
    Some(wait).filter(|wait| !wait.max.is_zero())
}

/// How hosts that limit the rate of requests are paced: as long as hosts that are down are waited for.
fn pacing(max: Option<Duration>) -> Option<Pacing> {
    outage_wait(max).map(|wait| Pacing::default().max_wait(wait.max))
}

/// Zero means no limit, as in curl.
fn limit_of(limit: Duration) -> Option<Duration> {
    (!limit.is_zero()).then_some(limit)
}
