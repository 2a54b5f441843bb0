//! Changes of single settings of a policy.

use core::time::Duration;

use super::{AuthChoice, ChaosPolicy, Policy, RetryClasses, StatusSet, Timeouts};
use crate::guards::rate::Rate;

mod parts;
#[cfg(test)]
mod tests;

pub use parts::{
    BackoffPatch, FallbackPatch, HedgeDelayPatch, HedgePatch, KeptPostsPatch, RedirectPatch,
    RetryAfterPatch, StallPatch,
};

/// Defines a patch: a struct with an optional value for each setting of another struct.
///
/// - `values` are replaced, by the setter of this name.
/// - `fields` are replaced too, without a setter.
/// - `optional` settings are replaced too; `None` switches the setting off.
/// - `nested` settings have a separate patch, so each part of them is a separate setting.
/// - `switched` settings are nested ones that may be off: a part that is set changes the default.
/// - `derived` settings follow from the others, whose setters set them.
macro_rules! patch {
    (
        $(#[$meta:meta])*
        pub struct $patch:ident for $target:ident {
            values { $($(#[$value_meta:meta])* $value:ident: $value_type:ty,)* }
            fields { $($field:ident: $field_type:ty,)* }
            optional { $($optional:ident: $optional_type:ty,)* }
            nested { $($nested:ident: $nested_type:ty,)* }
            switched { $($switched:ident: $switched_type:ty,)* }
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
                    serde(
                        deserialize_with = "crate::policy::patch::present",
                        skip_serializing_if = "Option::is_none",
                    )
                )]
                $field: Option<$field_type>,
            )*
            $(
                #[cfg_attr(
                    feature = "serde",
                    serde(
                        deserialize_with = "crate::policy::patch::present",
                        skip_serializing_if = "Option::is_none",
                    )
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
            $(
                #[cfg_attr(
                    feature = "serde",
                    serde(skip_serializing_if = "crate::policy::patch::is_unset")
                )]
                $switched: $switched_type,
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
                #[doc = concat!("Sets `", stringify!($field), "` of [`", stringify!($target), "`].")]
                #[must_use]
                pub fn $field(mut self, value: $field_type) -> Self {
                    self.$field = Some(value);
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
                    "`], over those set before. A whole value sets all parts.",
                )]
                #[must_use]
                pub fn $nested(mut self, patch: impl Into<$nested_type>) -> Self {
                    self.$nested = patch.into().on_top_of(self.$nested);
                    self
                }
            )*
            $(
                #[doc = concat!(
                    "Sets parts of [`", stringify!($target), "::", stringify!($switched), "`](",
                    stringify!($target), "::", stringify!($switched), "()), over those set before. ",
                    "A whole value sets all parts; `None` switches the setting off.",
                )]
                #[must_use]
                pub fn $switched(mut self, patch: impl Into<$switched_type>) -> Self {
                    self.$switched = patch.into().on_top_of(self.$switched);
                    self
                }
            )*

            /// The settings of this patch, and for those that it does not set, the settings of
            /// `lower`.
            #[must_use]
            pub fn on_top_of(self, lower: Self) -> Self {
                Self {
                    $($value: self.$value.or(lower.$value),)*
                    $($field: self.$field.or(lower.$field),)*
                    $($optional: self.$optional.or(lower.$optional),)*
                    $($nested: self.$nested.on_top_of(lower.$nested),)*
                    $($switched: self.$switched.on_top_of(lower.$switched),)*
                }
            }

            /// `target` with the settings of this patch.
            #[must_use]
            pub fn apply(&self, target: &$target) -> $target {
                // Names every field, so that a new setting cannot be left out of the patch.
                let $target {
                    $($value: _,)* $($field: _,)* $($optional: _,)* $($nested: _,)*
                    $($switched: _,)* $($derived: _,)*
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
                $(
                    if let Some(value) = &self.$field {
                        changed.$field = value.clone();
                    }
                )*
                $(changed.$nested = self.$nested.apply(&target.$nested);)*
                $(
                    if !crate::policy::patch::is_unset(&self.$switched) {
                        let current = target.$switched.unwrap_or_default();
                        changed = changed.$switched(self.$switched.apply(&current));
                    }
                )*
                changed
            }
        }
    };
}
use patch;

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
    /// Each part of a setting is a separate setting: a patch of the backoff's base keeps its cap. A whole
    /// [`Backoff`](crate::Backoff) sets all parts. Only lists are replaced as a whole:
    /// [`retry_statuses`](Self::retry_statuses), and the faults of [`chaos`](Self::chaos).
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{Policy, PolicyPatch, TimeoutsPatch};
    ///
    /// let file = PolicyPatch::default().attempts(5).max_body(1 << 20);
    /// let option = PolicyPatch::default().attempts(1);
    /// let policy = option.on_top_of(file).apply(&Policy::default());
    /// assert_eq!(policy, Policy::default().attempts(1).max_body(1 << 20));
    ///
    /// let minute = TimeoutsPatch::default().total(Duration::from_secs(60));
    /// let policy = PolicyPatch::default().timeouts(minute).apply(&policy);
    /// assert_eq!(policy.timeouts.attempt, Policy::default().timeouts.attempt);
    /// ```
    pub struct PolicyPatch for Policy {
        values {
            attempts: u16,
            auth: AuthChoice,
            chaos: ChaosPolicy,
            drain: u64,
            max_body: u64,
            #[cfg_attr(feature = "serde", serde(rename = "useful"))]
            min_attempt_time: Duration,
            retry_non_idempotent: bool,
            retry_statuses: StatusSet,
        }
        fields {}
        optional {
            rate: Rate,
        }
        nested {
            backoff: BackoffPatch,
            classes: RetryClasses,
            fallback: FallbackPatch,
            redirects: RedirectPatch,
            retry_after: RetryAfterPatch,
            timeouts: TimeoutsPatch,
        }
        switched {
            hedge: HedgePatch,
            stall: StallPatch,
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
        fields {}
        optional {
            attempt: Duration,
            connect: Duration,
            first_byte: Duration,
            hook: Duration,
            idle_read: Duration,
            queue: Duration,
            total: Duration,
        }
        nested {}
        switched {}
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
