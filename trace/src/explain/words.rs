//! Decisions and their reasons in words.

use std::time::Duration;

use fetch_proto::{
    AttemptId, Config, Engine, Handled, Input, Limit, Outcome, Policy, Request, Timeouts, Timestamp,
};

/// How it stands when a fetch is submitted.
pub(super) fn submitted(request: &Request, host: &str, engine: &Engine) -> String {
    let (all, here) = (engine.stats(), engine.host_stats(host));
    let (flying, queued) = here.map_or((0, 0), |here| (here.flying, here.queued));
    let rest = here.and_then(|here| here.paused_until);
    let rest = rest.map_or_else(String::new, |until| format!(", rests until {until}"));
    format!(
        "{} is submitted; {} fetches in flight, {flying} of them at {host} and {queued} queued \
         there{rest}",
        request.method, all.flying,
    )
}

/// What was seen of an attempt.
pub(super) fn seen(id: AttemptId, input: &Input, handled: Handled, now: Timestamp) -> String {
    let what = match input {
        Input::Body { bytes } => format!("{bytes} bytes of the body"),
        Input::End(Ok(())) => "the response is complete".to_owned(),
        Input::End(Err(failure)) => failure.to_string(),
        Input::Head(head) => format!("status {}", head.status),
        Input::Mark(phase, at) => {
            let phase = format!("{phase:?}").to_lowercase();
            match now.saturating_since(*at) {
                Duration::ZERO => phase,
                ago => format!("{phase}, {ago:?} ago"),
            }
        }
        Input::Paused => "the consumer does not read on".to_owned(),
        Input::Resumed => "the consumer reads again".to_owned(),
        other => format!("{other:?}"),
    };
    let late = if handled == Handled::Stale {
        " (too late to matter)"
    } else {
        ""
    };
    format!("attempt {}: {what}{late}", id.number())
}

/// Which policy holds, and why.
pub(super) fn chosen(request: &Request, pinned: bool, config: &Config) -> String {
    let rules = config.rules_ref();
    let matched = rules.matched(&request.method, &request.url);
    let (why, policy): (String, &Policy) = match (&request.policy, matched) {
        (Some(policy), _) if pinned => (
            "chosen by a secret part of the URL or of a rule".to_owned(),
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
    format!("policy: {why}; limits: {}", limits(policy.timeouts_ref()))
}

fn limits(timeouts: &Timeouts) -> String {
    let all = [
        (Limit::Attempt, timeouts.attempt),
        (Limit::Connect, timeouts.connect),
        (Limit::FirstByte, timeouts.first_byte),
        (Limit::IdleRead, timeouts.idle_read),
        (Limit::Queue, timeouts.queue),
        (Limit::Total, timeouts.total),
    ];
    let set = all
        .iter()
        .filter_map(|(limit, time)| Some(format!("{limit} {:?}", (*time)?)));
    let set: Vec<_> = set.collect();
    if set.is_empty() {
        "none".to_owned()
    } else {
        set.join(", ")
    }
}

pub(super) fn ended(outcome: &Outcome) -> String {
    let result = match outcome.result {
        Ok(finish) => format!("status {}, {} bytes", finish.status, finish.bytes),
        Err(error) => error.to_string(),
    };
    let why = outcome
        .gave_up
        .map_or_else(String::new, |why| format!(" ({why})"));
    let t = &outcome.timings;
    format!(
        "over: {result}{why}; {} attempts, {:?} in queues, {:?} between attempts",
        outcome.attempts.len(),
        t.queued,
        t.backoff
    )
}
