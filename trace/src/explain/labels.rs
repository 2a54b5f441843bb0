//! Describes decisions and their reasons.

use std::time::Duration;

use fetch_proto::{
    AttemptId, DecisionEvent, Engine, EngineConfig, FetchOutcome, FetchRequest, HookStage, Input,
    InputEffect, Policy, ResponseVerdict, ShortDuration, TimeLimit, Timeouts, Timestamp, plural,
};

/// Describes the load at the submission of a fetch.
pub(super) fn describe_submission(request: &FetchRequest, host: &str, engine: &Engine) -> String {
    let (all, here) = (engine.stats(), engine.host_stats(host));
    let before = here.map_or(0, |here| here.live.saturating_sub(1));
    format!(
        "{} is submitted; other live fetches: {}, at {host}: {before}",
        request.method,
        all.live.saturating_sub(1),
    )
}

/// Describes why a fetch waits for a slot.
pub(super) fn describe_wait(host: &str, limit: usize, engine: &Engine) -> String {
    let all = engine.stats();
    let Some(here) = engine.host_stats(host) else {
        return "waits".to_owned();
    };
    if let Some(until) = here.paused_until {
        let until = ShortDuration(until.since_start());
        return format!("waits: its host is paused until {until} after the start");
    }
    if all.in_flight >= limit {
        return format!("waits: the limit of {limit} attempts in flight is reached");
    }
    let (flying, queued) = (here.in_flight, here.queued);
    format!(
        "waits: its host has {flying} in flight and {queued} queued, and its limits allow no more"
    )
}

/// Describes an event.
pub(super) fn describe_event(event: &DecisionEvent) -> String {
    match event {
        DecisionEvent::Redirecting { to: url, .. } | DecisionEvent::Started { url, .. } => {
            format!("{event}: {url}")
        }
        event => event.to_string(),
    }
}

/// Describes an input of an attempt.
pub(super) fn describe_input(
    id: AttemptId,
    input: &Input,
    handled: InputEffect,
    now: Timestamp,
) -> String {
    let what = match input {
        Input::BodyUnused => "the request body was not read".to_owned(),
        Input::Body { bytes } => format!("{} of the body", plural(*bytes, "byte", "bytes")),
        Input::End(Ok(())) => "the response is complete".to_owned(),
        Input::End(Err(failure)) => failure.to_string(),
        Input::Head(head) => match head.verdict {
            None => format!("status {}", head.status),
            Some(ResponseVerdict::Accept) => format!("status {}, accepted by a hook", head.status),
            Some(_) => format!("status {}, rejected by a hook", head.status),
        },
        Input::HookEnded => "the hook has decided".to_owned(),
        Input::HookStarted(HookStage::Classify) => "a hook classifies the response".to_owned(),
        Input::HookStarted(_) => "a hook prepares the attempt".to_owned(),
        Input::Mark(phase, at) => match now.saturating_since(*at) {
            Duration::ZERO => phase.to_string(),
            ago => format!("{phase}, {} ago", ShortDuration(ago)),
        },
        Input::Paused => "the consumer has stopped reading".to_owned(),
        Input::Resumed => "the consumer reads again".to_owned(),
        _ => "another report".to_owned(),
    };
    let late = if handled == InputEffect::Stale {
        " (ignored: too late)"
    } else {
        ""
    };
    format!("attempt {}: {what}{late}", id.number())
}

/// Describes the policy of a request and why it applies.
pub(super) fn describe_policy(
    request: &FetchRequest,
    pinned: bool,
    config: &EngineConfig,
) -> String {
    let rules = &config.rules;
    let matched = rules.matching_rule(&request.method, &request.url);
    let (why, policy): (String, &Policy) = match (&request.policy, matched) {
        (Some(policy), _) if pinned => (
            "selected by a secret part of the URL or of a rule".to_owned(),
            policy,
        ),
        (Some(policy), _) => ("the request's own".to_owned(), policy),
        (None, Some(index)) => {
            let rule = rules.iter().nth(index);
            let pattern = rule
                .map(|(pattern, _)| pattern.to_string())
                .unwrap_or_default();
            let policy = rules.policy(&request.method, &request.url);
            (format!("rule {}, {pattern}", index + 1), policy)
        }
        (None, None) => (
            "no rule matches: the default".to_owned(),
            rules.default_policy(),
        ),
    };
    let (change, limits) = match &request.patch {
        Some(patch) => {
            let limits = describe_timeouts(&patch.apply(policy).timeouts);
            (", changed by the request", limits)
        }
        None => ("", describe_timeouts(&policy.timeouts)),
    };
    format!("policy: {why}{change}; limits: {limits}")
}

fn describe_timeouts(timeouts: &Timeouts) -> String {
    let all = [
        (TimeLimit::Attempt, timeouts.attempt),
        (TimeLimit::Connect, timeouts.connect),
        (TimeLimit::FirstByte, timeouts.first_byte),
        (TimeLimit::IdleRead, timeouts.idle_read),
        (TimeLimit::Queue, timeouts.queue),
        (TimeLimit::Total, timeouts.total),
    ];
    let set = all
        .iter()
        .filter_map(|(limit, time)| Some(format!("{limit} {}", ShortDuration((*time)?))));
    let set: Vec<_> = set.collect();
    if set.is_empty() {
        "none".to_owned()
    } else {
        set.join(", ")
    }
}

pub(super) fn describe_outcome(outcome: &FetchOutcome) -> String {
    let result = match outcome.result {
        Ok(finish) => format!(
            "status {}, {}",
            finish.status,
            plural(finish.bytes, "byte", "bytes")
        ),
        Err(error) => error.to_string(),
    };
    let why = outcome
        .gave_up
        .map_or_else(String::new, |why| format!(" ({why})"));
    let t = &outcome.timings;
    format!(
        "over: {result}{why}; attempts: {}, time in queues: {}, time between attempts: {}",
        outcome.attempts.len(),
        ShortDuration(t.queued),
        ShortDuration(t.backoff)
    )
}
