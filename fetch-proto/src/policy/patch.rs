//! Changes of single settings of a policy.

use core::time::Duration;

use super::{
    Backoff, ChaosPolicy, Fallback, Policy, RedirectPolicy, RetryAfterPolicy, RetryClasses,
    StatusSet, Timeouts,
};
use crate::guards::hedge::Hedge;
use crate::guards::rate::Rate;
use crate::guards::stall::StallGuard;

/// Defines a patch: a struct with an optional value for each setting of another struct.
///
/// - `values` are replaced.
/// - `optional` settings are replaced too; `None` switches the setting off.
/// - `nested` settings have a separate patch, so each part of them is a separate setting.
/// - `derived` settings follow from the others, whose setters set them.
macro_rules! patch {
    (
        $(#[$meta:meta])*
        pub struct $patch:ident for $target:ident {
            values { $($(#[$value_meta:meta])* $value:ident: $value_type:ty,)* }
            optional { $($optional:ident: $optional_type:ty,)* }
            nested { $($nested:ident: $nested_type:ty,)* }
            derived { $($derived:ident,)* }
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, Eq, PartialEq)]
        #[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
        #[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
        pub struct $patch {
            $(
                #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
                $(#[$value_meta])*
                $value: Option<$value_type>,
            )*
            $(
                #[cfg_attr(
                    feature = "serde",
                    serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")
                )]
                $optional: Option<Option<$optional_type>>,
            )*
            $(
                #[cfg_attr(
                    feature = "serde",
                    serde(skip_serializing_if = "crate::policy::patch::is_unset")
                )]
                $nested: $nested_type,
            )*
        }

        impl $patch {
            $(
                #[doc = concat!("Sets [`", stringify!($target), "::", stringify!($value), "`].")]
                #[must_use]
                pub fn $value(mut self, value: $value_type) -> Self {
                    self.$value = Some(value);
                    self
                }
            )*
            $(
                #[doc = concat!(
                    "Sets [`", stringify!($target), "::", stringify!($optional), "`](",
                    stringify!($target), "::", stringify!($optional), "()).",
                )]
                #[must_use]
                pub fn $optional(mut self, value: impl Into<Option<$optional_type>>) -> Self {
                    self.$optional = Some(value.into());
                    self
                }
            )*
            $(
                #[doc = concat!(
                    "Sets parts of [`", stringify!($target), "::", stringify!($nested),
                    "`], over those set before.",
                )]
                #[must_use]
                pub fn $nested(mut self, patch: $nested_type) -> Self {
                    self.$nested = patch.over(self.$nested);
                    self
                }
            )*

            /// The settings of this patch, and for those that it does not set, the settings of
            /// `lower`.
            #[must_use]
            pub fn over(self, lower: Self) -> Self {
                Self {
                    $($value: self.$value.or(lower.$value),)*
                    $($optional: self.$optional.or(lower.$optional),)*
                    $($nested: self.$nested.over(lower.$nested),)*
                }
            }

            /// `target` with the settings of this patch.
            #[must_use]
            pub fn apply(&self, target: &$target) -> $target {
                // Names every field, so that a new setting cannot be left out of the patch.
                let $target {
                    $($value: _,)* $($optional: _,)* $($nested: _,)* $($derived: _,)*
                } = target;
                let mut changed = target.clone();
                $(
                    if let Some(value) = &self.$value {
                        changed = changed.$value(value.clone());
                    }
                )*
                $(
                    if let Some(value) = &self.$optional {
                        changed = changed.$optional(*value);
                    }
                )*
                $(changed = changed.$nested(self.$nested.apply(&target.$nested));)*
                changed
            }
        }
    };
}

patch! {
    /// Changes of single settings of a [`Policy`]. A setting that the patch does not set keeps its
    /// value.
    ///
    /// Everything that sets only a part of a policy is a patch. Where several sources set the same
    /// setting, this is the order of precedence, the lowest first:
    ///
    /// 1. the built-in defaults: [`PolicyRules::default`](crate::PolicyRules)
    /// 2. the policy file
    /// 3. the environment, which changes single keys of the file
    /// 4. the options of the command, or the setters of a builder
    /// 5. the request: [`FetchRequest::patch`](crate::FetchRequest::patch())
    ///
    /// A source that has rules for some URLs is a [`PolicyLayer`](crate::PolicyLayer).
    ///
    /// A setting is replaced as a whole: a [`Backoff`] replaces the backoff below it, including the
    /// parts that have default values. Only each of the [`Timeouts`] is a separate setting.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{Policy, PolicyPatch, TimeoutsPatch};
    ///
    /// let file = PolicyPatch::default().attempts(5).max_body(1 << 20);
    /// let option = PolicyPatch::default().attempts(1);
    /// let policy = option.over(file).apply(&Policy::default());
    /// assert_eq!(policy, Policy::default().attempts(1).max_body(1 << 20));
    ///
    /// let minute = TimeoutsPatch::default().total(Duration::from_secs(60));
    /// let policy = PolicyPatch::default().timeouts(minute).apply(&policy);
    /// assert_eq!(policy.timeouts.attempt, Policy::default().timeouts.attempt);
    /// ```
    pub struct PolicyPatch for Policy {
        values {
            attempts: u16,
            backoff: Backoff,
            chaos: ChaosPolicy,
            classes: RetryClasses,
            drain: u64,
            fallback: Fallback,
            max_body: u64,
            #[cfg_attr(feature = "serde", serde(rename = "useful"))]
            min_attempt_time: Duration,
            redirects: RedirectPolicy,
            retry_after: RetryAfterPolicy,
            retry_non_idempotent: bool,
            retry_statuses: StatusSet,
        }
        optional {
            hedge: Hedge,
            rate: Rate,
            stall: StallGuard,
        }
        nested {
            timeouts: TimeoutsPatch,
        }
        derived {}
    }
}

patch! {
    /// Changes of single [`Timeouts`]: the part [`timeouts`](PolicyPatch::timeouts) of a
    /// [`PolicyPatch`].
    ///
    /// ```
    /// use fetch_proto::{Timeouts, TimeoutsPatch};
    ///
    /// let timeouts = TimeoutsPatch::default().queue(None).apply(&Timeouts::DEFAULT);
    /// assert_eq!(timeouts, Timeouts::DEFAULT.queue(None));
    /// ```
    pub struct TimeoutsPatch for Timeouts {
        values {}
        optional {
            attempt: Duration,
            connect: Duration,
            first_byte: Duration,
            idle_read: Duration,
            queue: Duration,
            total: Duration,
        }
        nested {}
        derived {
            attempt_covers_body,
            total_covers_body,
        }
    }
}

impl PolicyPatch {
    /// A patch that sets only the limit [`Timeouts::attempt`](field@Timeouts::attempt).
    ///
    /// ```
    /// use fetch_proto::{Policy, PolicyPatch};
    ///
    /// let policy = PolicyPatch::attempt_timeout(None).apply(&Policy::default());
    /// assert_eq!(policy.timeouts.attempt, None);
    /// ```
    #[must_use]
    pub fn attempt_timeout(limit: impl Into<Option<Duration>>) -> Self {
        Self::default().timeouts(TimeoutsPatch::default().attempt(limit))
    }

    /// Whether the patch sets nothing.
    ///
    /// ```
    /// assert!(fetch_proto::PolicyPatch::default().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        is_unset(self)
    }
}

fn is_unset<T: Default + PartialEq>(patch: &T) -> bool {
    *patch == T::default()
}

/// Deserializes a setting that is present: a null is the value `None`, not a setting that is left
/// out.
#[cfg(feature = "serde")]
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::policy::{Jitter, RetryClass};
    use crate::{InjectedFault, OverCap};

    const SECOND: Duration = Duration::from_secs(1);

    /// For each setting: its name, a patch that sets only it, and one that sets it otherwise.
    fn settings() -> Vec<(&'static str, [PolicyPatch; 2])> {
        let new = PolicyPatch::default;
        let cap = |cap| RetryAfterPolicy {
            cap,
            over: OverCap::Clamp,
        };
        let timeouts = |timeouts: [TimeoutsPatch; 2]| timeouts.map(|patch| new().timeouts(patch));
        let limits = TimeoutsPatch::default;
        vec![
            ("attempts", [7, 8].map(|n| new().attempts(n))),
            (
                "backoff",
                [None, Some(Jitter::Full)]
                    .map(|jitter| new().backoff(Backoff::DEFAULT.jitter(jitter))),
            ),
            (
                "chaos",
                [1, 2].map(|n| new().chaos(ChaosPolicy::default().fault(n, InjectedFault::Reset))),
            ),
            (
                "classes",
                [404, 405].map(|status| {
                    new().classes(RetryClasses::default().status(status, RetryClass::Server))
                }),
            ),
            ("drain", [1, 2].map(|n| new().drain(n))),
            (
                "fallback",
                ["http://a.test/", "http://b.test/"]
                    .map(|url| new().fallback(Fallback::to(url.parse().unwrap()))),
            ),
            (
                "hedge",
                [Some(Hedge::default()), None].map(|hedge| new().hedge(hedge)),
            ),
            ("max_body", [1, 2].map(|n| new().max_body(n))),
            (
                "rate",
                ["1/s".parse::<Rate>().ok(), None].map(|rate| new().rate(rate)),
            ),
            (
                "redirects",
                [1, 2].map(|n| new().redirects(RedirectPolicy::limit(n))),
            ),
            (
                "retry_after",
                [SECOND, 2 * SECOND].map(|time| new().retry_after(cap(time))),
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
                "stall",
                [Some(StallGuard::default()), None].map(|guard| new().stall(guard)),
            ),
            (
                "timeouts.attempt",
                timeouts([limits().attempt(SECOND), limits().attempt(None)]),
            ),
            (
                "timeouts.connect",
                timeouts([limits().connect(SECOND), limits().connect(None)]),
            ),
            (
                "timeouts.first_byte",
                timeouts([limits().first_byte(SECOND), limits().first_byte(None)]),
            ),
            (
                "timeouts.idle_read",
                timeouts([limits().idle_read(SECOND), limits().idle_read(None)]),
            ),
            (
                "timeouts.queue",
                timeouts([limits().queue(SECOND), limits().queue(None)]),
            ),
            (
                "timeouts.total",
                timeouts([limits().total(SECOND), limits().total(None)]),
            ),
            (
                "useful",
                [SECOND, 2 * SECOND].map(|time| new().min_attempt_time(time)),
            ),
        ]
    }

    #[test]
    fn each_setting_is_changed_alone_and_the_higher_patch_wins() {
        let base = Policy::default();
        for (name, [low, high]) in settings() {
            let (with_low, with_high) = (low.apply(&base), high.apply(&base));
            assert_ne!(with_low, base, "{name}");
            assert_ne!(with_low, with_high, "{name}");
            assert_eq!(high.clone().over(low.clone()), high, "{name}");
            assert_eq!(high.apply(&with_low), with_high, "{name}");
            assert_eq!(PolicyPatch::default().over(low.clone()), low, "{name}");
            for (other, [patch, _]) in settings() {
                if other != name {
                    let both = low.clone().over(patch.clone());
                    assert_eq!(both, patch.over(low.clone()), "{name}, {other}");
                    assert_eq!(both.apply(&base), low.apply(&both.apply(&base)));
                    assert_ne!(both.apply(&base), with_low, "{name}, {other}");
                }
            }
        }
        assert_eq!(PolicyPatch::default().apply(&base), base);
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
        names.retain(|name| !name.starts_with("timeouts."));
        names.push("timeouts".into());
        names.sort();
        let mut expected = keys(&policy);
        expected.sort();
        assert_eq!(names, expected);
        assert_eq!(
            serde_json::to_string(&PolicyPatch::default()).unwrap(),
            "{}"
        );
    }
}
