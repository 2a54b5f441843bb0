//! Converts the file's keys to the engine's configuration.

use fetch_proto::{EngineConfig, OutageWait, PolicyLayer, RulePattern};

use crate::keys::{self, FileKeys};
use crate::patch;
use crate::source::{PolicyError, SourceText};
use crate::tables::Budget;

pub(crate) fn engine_config(
    keys: &FileKeys,
    text: &SourceText,
    base: &EngineConfig,
) -> Result<EngineConfig, PolicyError> {
    crate::auth::settings(keys, text)?;
    crate::cache::settings(keys, text)?;
    if let Some((path, why)) = crate::auth::check_rules(keys) {
        let path: Vec<_> = path.iter().map(String::as_str).collect();
        return Err(text.error_at(&path, &why));
    }
    let limits = &keys.limits;
    let rules = base.rules.with_layer(&layer(keys, text)?);
    let rules = rules.map_err(|error| text.error_at(&["rule"], &error.to_string()))?;
    let mut config = base.clone().rules(rules);
    if let Some(learned) = limits.adaptive {
        config = config.adaptive(learned.adaptive());
    }
    if let Some(breaker) = &keys.breaker {
        if breaker.slow_percent.is_some() != breaker.slow_after.is_some() {
            let why = "`slow_percent` and `slow_after` need each other: set both";
            return Err(text.missing_at(&["breaker"], why));
        }
        config = config.breaker(breaker.breaker());
    }
    let made = |name: &str, budget: &Budget| {
        let made = budget.budget();
        made.map_err(|(key, why)| match key {
            "" => text.missing_at(&[name], &why),
            key => text.error_at(&[name, key], &why),
        })
    };
    if let Some(budget) = &keys.budget {
        config = config.budget(made("budget", budget)?);
    }
    if let Some(budget) = &keys.host_budget {
        config = config.host_budget(made("host_budget", budget)?);
    }
    if let Some(attempts) = limits.per_host {
        config = config.per_host(attempts);
    }
    if let Some(shed) = &keys.shed {
        config = config.shed(shed.shed());
    }
    if let Some(attempts) = limits.concurrency {
        config = config.concurrency(attempts);
    }
    if let Some(throttle) = &keys.throttle {
        let at_once = config.per_host_limit();
        let at_once = at_once.unwrap_or_else(|| config.concurrency_limit());
        config = config.throttle(throttle.throttle(at_once));
    }
    if let Some(window) = limits.window {
        config = config.window(window);
    }
    if let Some(rate) = limits.rate {
        config = config.rate(rate.0);
    }
    if let Some(wait) = limits.host_max_wait {
        config = config.wait_for_outages(OutageWait::default().max(wait.0));
    }
    if let Some(rate) = limits.host_rate {
        config = config.host_rate(rate.0);
    }
    if let Some(slow_start) = limits.slow_start {
        config = config.slow_start(slow_start);
    }
    if let Some([min, max]) = limits.spacing {
        if min.0 > max.0 {
            let why = "the minimum is longer than the maximum: swap them";
            return Err(text.error_at(&["limits", "spacing"], why));
        }
        config = config.spacing(min.0..=max.0);
    }
    for (index, target) in keys.target.iter().enumerate() {
        let added = config.target(target.url.clone(), target.target());
        config = added
            .map_err(|error| text.error_at(&["target", &index.to_string()], &error.to_string()))?;
    }
    Ok(config)
}

/// The file's `[default]` and its rules.
fn layer(keys: &FileKeys, text: &SourceText) -> Result<PolicyLayer, PolicyError> {
    for key in ["match", "methods"] {
        let given = match key {
            "match" => keys.default.pattern.is_some(),
            _ => keys.default.methods.is_some(),
        };
        if given {
            let why = "[default] applies to URLs that no rule matches: move this key to a [[rule]]";
            return Err(text.error_at(&["default", key], why));
        }
    }
    let timeouts = keys.default.timeouts.as_ref();
    let sets_attempt = timeouts.is_some_and(|timeouts| timeouts.attempt.is_some());
    let mut layer =
        PolicyLayer::new(patch::of(&keys.default, text, &["default"])?).replace_rules(sets_attempt);
    for (index, rule) in keys.rule.iter().enumerate() {
        let index = index.to_string();
        let patch = patch::of(rule, text, &["rule", &index])?;
        layer = layer.rule(pattern(rule, text, &index)?, patch);
    }
    Ok(layer)
}

fn pattern(
    rule: &keys::Policy,
    text: &SourceText,
    index: &str,
) -> Result<RulePattern, PolicyError> {
    let Some(pattern) = &rule.pattern else {
        let why = "this rule matches no URL: add a pattern, such as match = \"glob:/api/**\"";
        return Err(text.missing_at(&["rule", index], why));
    };
    let pattern = RulePattern::parse(pattern)
        .map_err(|error| text.error_at(&["rule", index, "match"], &error.to_string()))?;
    let methods = rule.methods.iter().flatten();
    let methods: Result<Vec<_>, _> = methods.map(|method| method.parse()).collect();
    let methods = methods.map_err(|error: fetch_proto::InvalidMethod| {
        text.error_at(&["rule", index, "methods"], &error.to_string())
    })?;
    Ok(match methods.is_empty() {
        true => pattern,
        false => pattern.methods(methods),
    })
}
