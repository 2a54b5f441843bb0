//! The attribute `#[timed]`, documented here because its examples can run in this crate, and what the code
//! that it writes calls.

use log::Level;

use crate::{Scope, Timed, TimedExt, TimedOutcome};

/// Times each call of a function and logs it.
///
/// It works on sync and async functions and methods, also generic or `unsafe` ones. Signature, attributes and
/// docs do not change. The body of a sync function is timed from call to return, that of an async function from
/// its first poll to its output. A dropped future reports *cancelled*, a panic *panicked*, an `Err` *failed*,
/// and everything else *finished*. The output is known to be a `Result` if its type is one where the function
/// is written, also by an alias; a type parameter or an `impl Trait` is not.
///
/// # Arguments
///
/// All are optional strings:
///
/// - `name = "…"`: the name in the report; by default the module path and the function's name.
/// - `level = "…"`: `error`, `warn`, `info` (default), `debug` or `trace`.
/// - `crate = "…"`: the path of the timing crate. By default it is found in the caller's `Cargo.toml`:
///   `fetch-timing` (also renamed), or the module `timing` of `fetch-all`.
///
/// # Example
///
/// ```
/// use fetch_timing::timed;
///
/// #[timed]
/// fn parse(text: &str) -> Result<u32, std::num::ParseIntError> {
///     Ok(text.trim().parse::<u32>()? * 2)
/// }
///
/// #[timed(name = "load the page", level = "debug")]
/// async fn load<'a>(parts: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
///     parts.iter().copied()
/// }
///
/// assert_eq!(parse(" 21 "), Ok(42));
/// assert!(parse("x").is_err()); // logs "timed …::parse: 0.000003 s (failed)"
/// assert_eq!(futures_lite::future::block_on(load(&["a", "b"])).count(), 2);
/// ```
///
/// # Compile errors
///
/// A `const fn`, because there is no clock at compile time, and anything that is not a function with a body:
///
/// ```compile_fail
/// #[fetch_timing::timed]
/// const fn answer() -> u32 {
///     42
/// }
/// ```
///
/// ```compile_fail
/// #[fetch_timing::timed]
/// struct Answer;
/// ```
///
/// An unknown level or argument:
///
/// ```compile_fail
/// #[fetch_timing::timed(level = "loud")]
/// fn answer() {}
/// ```
///
/// ```compile_fail
/// #[fetch_timing::timed(label = "answer")]
/// fn answer() {}
/// ```
///
/// # Limits
///
/// A sync function that returns a future, such as those of `#[async_trait]`, is timed only until it returns the
/// future. Time that future with `.timed("name")` instead.
pub use fetch_timing_macros::timed;

/// Times a call, for `#[timed]`.
#[doc(hidden)]
pub fn timed_call<T>(
    level: Level,
    name: &'static str,
    call: impl FnOnce() -> T,
    outcome_of: fn(&T) -> TimedOutcome,
) -> T {
    let scope = Scope::at(level, name);
    let output = call();
    scope.end_as(outcome_of(&output));
    output
}

/// Times a future, for `#[timed]`.
#[doc(hidden)]
pub fn timed_future<F: Future>(
    level: Level,
    name: &'static str,
    future: F,
    outcome_of: fn(&F::Output) -> TimedOutcome,
) -> Timed<F> {
    future.timed_at(level, name).with_outcome(outcome_of)
}

/// The output of a timed function, for `#[timed]`.
#[doc(hidden)]
#[derive(Debug)]
pub struct OutputOf<'a, T>(pub &'a T);

impl<T, E> OutputOf<'_, Result<T, E>> {
    #[doc(hidden)]
    #[must_use]
    pub fn outcome(&self) -> TimedOutcome {
        TimedOutcome::of(self.0)
    }
}

/// The outcome of outputs that are no `Result`, for `#[timed]`.
#[doc(hidden)]
pub trait AnyOutput {
    #[doc(hidden)]
    fn outcome(&self) -> TimedOutcome;
}

impl<T> AnyOutput for OutputOf<'_, T> {
    fn outcome(&self) -> TimedOutcome {
        TimedOutcome::Finished
    }
}
