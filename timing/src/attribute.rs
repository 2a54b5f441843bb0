//! The attribute, with its documentation where its examples can run.

/// Times every call of a function and reports it to the log.
///
/// Works on sync and async functions and methods, also generic or `unsafe`; the signature, attributes and docs
/// stay as they are. The body of a sync function is timed from call to return, that of an async function from
/// its first poll to its output; a dropped future reports *cancelled*, a panic *panicked*, and everything else,
/// an `Err` included, *finished*.
///
/// # Arguments
///
/// All are optional strings:
///
/// - `name = "…"`: the name in the report; by default the path of the module and the function's name.
/// - `level = "…"`: `error`, `warn`, `info` (default), `debug` or `trace`.
/// - `crate = "…"`: the path of the timing crate. By default it is found by the caller's `Cargo.toml`, as
///   `fetch-timing` (also renamed) or as the module `timing` of `fetch-all`.
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
/// assert_eq!(futures_lite::future::block_on(load(&["a", "b"])).count(), 2);
/// ```
///
/// # What is rejected
///
/// A `const fn`, since no clock runs at compile time, and anything that is not a function with a body:
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
/// # What it cannot see
///
/// A plain function that returns a future, as `#[async_trait]` makes them, is timed only until it has returned
/// that future: time the future inside it, with `.timed("name")`.
pub use fetch_timing_macros::timed;
