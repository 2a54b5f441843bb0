//! Each setting is changed alone, and the higher source wins.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::policy::{Backoff, Jitter, RedirectPolicy, RetryClass};
use crate::{FailureKind, Hedge, HedgeDelay, InjectedFault, OverCap, StallGuard};

const SECOND: Duration = Duration::from_secs(1);

/// A setting: its name, a patch that sets only it, and one that sets it otherwise.
type Setting = (&'static str, [PolicyPatch; 2]);

fn settings() -> Vec<Setting> {
    let new = PolicyPatch::default;
    let status = |class| RetryClasses::default().status(404, class);
    let failure = |class| RetryClasses::default().failure(FailureKind::Tls, class);
    let classes = [RetryClass::Server, RetryClass::Transient];
    let mut all = vec![
        ("attempts", [7, 8].map(|n| new().attempts(n))),
        (
            "auth",
            ["a", "b"].map(|name| new().auth(AuthChoice::profile(name))),
        ),
        (
            "chaos",
            [1, 2].map(|n| new().chaos(ChaosPolicy::default().fault(n, InjectedFault::Reset))),
        ),
        (
            "classes.404",
            classes.map(|class| new().classes(status(class))),
        ),
        (
            "classes.tls",
            classes.map(|class| new().classes(failure(class))),
        ),
        ("drain", [1, 2].map(|n| new().drain(n))),
        ("max_body", [1, 2].map(|n| new().max_body(n))),
        (
            "rate",
            ["1/s".parse::<Rate>().ok(), None].map(|rate| new().rate(rate)),
        ),
        (
            "retry_non_idempotent",
            [true, false].map(|retry| new().retry_non_idempotent(retry)),
        ),
        (
            "retry_statuses",
            [404, 405].map(|status| new().retry_statuses(StatusSet::EMPTY.with(status))),
        ),
        (
            "useful",
            [SECOND, 2 * SECOND].map(|time| new().min_attempt_time(time)),
        ),
    ];
    all.extend(delays());
    all.extend(responses());
    all.extend(timeouts());
    all
}

/// The settings of backoff, hedge and stall.
fn delays() -> Vec<Setting> {
    let new = PolicyPatch::default;
    let backoff = |patches: [BackoffPatch; 2]| patches.map(|patch| new().backoff(patch));
    let hedge = |patches: [HedgePatch; 2]| patches.map(|patch| new().hedge(patch));
    let stall = |patches: [StallPatch; 2]| patches.map(|patch| new().stall(patch));
    let part = BackoffPatch::default;
    let slow = StallPatch::default;
    let times = [7 * SECOND, 8 * SECOND];
    let percentile = |per_mille, min, fallback| {
        HedgePatch::default().delay(HedgeDelayPatch::Percentile {
            per_mille,
            min,
            fallback,
        })
    };
    vec![
        ("backoff.base", backoff(times.map(|time| part().base(time)))),
        ("backoff.cap", backoff(times.map(|time| part().cap(time)))),
        ("backoff.factor", backoff([7, 8].map(|n| part().factor(n)))),
        (
            "backoff.jitter",
            backoff([None, Some(Jitter::Full)].map(|jitter| part().jitter(jitter))),
        ),
        ("backoff.step", backoff(times.map(|time| part().step(time)))),
        (
            "hedge.delay.per_mille",
            hedge([700, 800].map(|n| percentile(Some(n), None, None))),
        ),
        (
            "hedge.delay.min",
            hedge(times.map(|min| percentile(None, Some(min), None))),
        ),
        (
            "hedge.delay.fallback",
            hedge(times.map(|time| percentile(None, None, Some(Some(time))))),
        ),
        (
            "hedge.max",
            hedge([7, 8].map(|n| HedgePatch::default().max(n))),
        ),
        (
            "hedge.on_failure",
            hedge([false, true].map(|on| HedgePatch::default().on_failure(on))),
        ),
        ("stall.grace", stall(times.map(|time| slow().grace(time)))),
        (
            "stall.min_bytes_per_second",
            stall([7, 8].map(|n| slow().min_bytes_per_second(n))),
        ),
        ("stall.window", stall(times.map(|time| slow().window(time)))),
    ]
}

/// The settings of fallback, redirects and Retry-After.
fn responses() -> Vec<Setting> {
    let new = PolicyPatch::default;
    let redirects = |patches: [RedirectPatch; 2]| patches.map(|patch| new().redirects(patch));
    let part = RedirectPatch::default;
    let kept = |status| {
        redirects(
            [true, false]
                .map(|keep| part().keep_post(KeptPostsPatch::default().status(status, keep))),
        )
    };
    let later = |patches: [RetryAfterPatch; 2]| patches.map(|patch| new().retry_after(patch));
    let url = |url: &str| {
        let url = url.parse().ok().map(Arc::new);
        new().fallback(FallbackPatch::default().url(url))
    };
    vec![
        (
            "fallback.url",
            ["http://a.test/", "http://b.test/"].map(url),
        ),
        (
            "fallback.value",
            [true, false].map(|value| new().fallback(FallbackPatch::default().value(value))),
        ),
        (
            "redirects.downgrade",
            redirects([true, false].map(|allowed| part().downgrade(allowed))),
        ),
        (
            "redirects.follow",
            redirects([false, true].map(|follow| part().follow(follow))),
        ),
        (
            "redirects.https_only",
            redirects([true, false].map(|only| part().https_only(only))),
        ),
        ("redirects.keep_post.301", kept(301)),
        ("redirects.keep_post.302", kept(302)),
        ("redirects.keep_post.303", kept(303)),
        ("redirects.max", redirects([7, 8].map(|n| part().max(n)))),
        (
            "redirects.trusted",
            redirects([true, false].map(|trusted| part().trusted(trusted))),
        ),
        (
            "retry_after.cap",
            later([7 * SECOND, 8 * SECOND].map(|cap| RetryAfterPatch::default().cap(cap))),
        ),
        (
            "retry_after.over",
            later(
                [OverCap::Clamp, OverCap::Defer].map(|over| RetryAfterPatch::default().over(over)),
            ),
        ),
    ]
}

fn timeouts() -> Vec<Setting> {
    let both = |change: fn(TimeoutsPatch, Option<Duration>) -> TimeoutsPatch| {
        [Some(SECOND), None]
            .map(|limit| PolicyPatch::default().timeouts(change(TimeoutsPatch::default(), limit)))
    };
    vec![
        ("timeouts.attempt", both(TimeoutsPatch::attempt)),
        ("timeouts.connect", both(TimeoutsPatch::connect)),
        ("timeouts.first_byte", both(TimeoutsPatch::first_byte)),
        ("timeouts.hook", both(TimeoutsPatch::hook)),
        ("timeouts.idle_read", both(TimeoutsPatch::idle_read)),
        ("timeouts.queue", both(TimeoutsPatch::queue)),
        ("timeouts.total", both(TimeoutsPatch::total)),
    ]
}

#[test]
fn each_setting_is_changed_alone_and_the_higher_patch_wins() {
    let base = Policy::default();
    for (name, [low, high]) in settings() {
        let (with_low, with_high) = (low.apply(&base), high.apply(&base));
        assert_ne!(with_low, base, "{name}");
        assert_ne!(with_low, with_high, "{name}");
        assert_eq!(high.clone().on_top_of(low.clone()), high, "{name}");
        assert_eq!(high.apply(&with_low), with_high, "{name}");
        assert_eq!(PolicyPatch::default().on_top_of(low.clone()), low, "{name}");
        for (other, [patch, _]) in settings() {
            if other != name {
                let both = low.clone().on_top_of(patch.clone());
                assert_eq!(both, patch.on_top_of(low.clone()), "{name}, {other}");
                assert_eq!(both.apply(&base), low.apply(&both.apply(&base)));
                assert_ne!(both.apply(&base), with_low, "{name}, {other}");
            }
        }
    }
    assert_eq!(PolicyPatch::default().apply(&base), base);
}

#[test]
fn a_whole_value_sets_all_parts_and_parts_change_it() {
    let base = Policy::default()
        .backoff(Backoff::DEFAULT.step(SECOND))
        .redirects(RedirectPolicy::NONE.keep_post(303).trusted(true))
        .hedge(Hedge::default().delay(HedgeDelay::Fixed(SECOND)).max(9))
        .stall(StallGuard::SAVED);
    let whole = PolicyPatch::default()
        .backoff(Backoff::DEFAULT)
        .redirects(RedirectPolicy::limit(3))
        .hedge(Hedge::default())
        .stall(None);
    let expected = Policy::default()
        .redirects(RedirectPolicy::limit(3))
        .hedge(Hedge::default())
        .stall(None);
    assert_eq!(whole.apply(&base), expected);
    let parts = PolicyPatch::default()
        .redirects(RedirectPatch::default().trusted(true))
        .hedge(HedgePatch::default().max(2))
        .stall(StallPatch::default().grace(SECOND));
    let policy = parts.on_top_of(whole).apply(&base);
    let redirects = RedirectPolicy::limit(3).trusted(true);
    assert_eq!(policy.redirects, redirects);
    assert_eq!(policy.hedge, Some(Hedge::default().max(2)));
    assert_eq!(policy.stall, Some(StallGuard::OFF.grace(SECOND)));
}

#[test]
fn a_fixed_delay_and_parts_of_a_percentile_replace_each_other() {
    let fixed =
        PolicyPatch::default().hedge(HedgePatch::default().delay(HedgeDelayPatch::Fixed(SECOND)));
    let parts =
        PolicyPatch::default().hedge(HedgePatch::default().delay(HedgeDelayPatch::Percentile {
            per_mille: None,
            min: Some(SECOND),
            fallback: None,
        }));
    let percentile = HedgeDelay::Percentile {
        per_mille: 950,
        min: SECOND,
        fallback: None,
    };
    for (high, low, expected) in [
        (&fixed, &parts, HedgeDelay::Fixed(SECOND)),
        (&parts, &fixed, percentile),
    ] {
        let expected = Some(Hedge::default().delay(expected));
        let base = Policy::default();
        assert_eq!(
            high.clone().on_top_of(low.clone()).apply(&base).hedge,
            expected
        );
        assert_eq!(high.apply(&low.apply(&base)).hedge, expected);
    }
}

#[cfg(feature = "serde")]
#[test]
fn each_setting_is_stored_under_the_key_of_the_policy() {
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let policy = serde_json::to_value(Policy::default()).unwrap();
    let mut names: Vec<String> = settings().iter().map(|(name, _)| (*name).into()).collect();
    for (name, patches) in settings() {
        for patch in patches {
            let json = serde_json::to_value(&patch).unwrap();
            assert_eq!(keys(&json), [name.split('.').next().unwrap()], "{json}");
            assert_eq!(serde_json::from_value::<PolicyPatch>(json).unwrap(), patch);
        }
    }
    names = names
        .iter()
        .filter_map(|name| name.split('.').next())
        .map(String::from)
        .collect();
    names.sort();
    names.dedup();
    let mut expected = keys(&policy);
    expected.sort();
    assert_eq!(names, expected);
    assert_eq!(
        serde_json::to_string(&PolicyPatch::default()).unwrap(),
        "{}"
    );
}
