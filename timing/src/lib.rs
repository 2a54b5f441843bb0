//! Times futures, closures, scopes and functions.
//!
//! Every measurement ends in one [`TimingReport`]: a name, the elapsed time by [`Instant`](std::time::Instant)
//! and a [`TimedOutcome`]: finished, failed, cancelled or panicked. By default the report
//! is one line of the [`log`] facade, under the target [`TARGET`]:
//!
//! ```text
//! timed read config: 0.001204 s (finished)    name="read config" elapsed_us=1204 outcome="finished"
//! ```
//!
//! | to time                 | write                                                          |
//! |-------------------------|----------------------------------------------------------------|
//! | a future                | `future.timed("name").await` ([`TimedExt`])                    |
//! | a closure               | `timed("name", \|\| …)` ([`fn@timed`])                         |
//! | work that may fail      | `timed_result("name", \|\| …)?`, `future.timed_result("name").await?` |
//! | the rest of a block     | `let _scope = scope("name");` ([`scope`], [`Scope`])           |
//! | a function, also async  | `#[timed]` ([`macro@timed`])                                   |
//!
//! Each has a variant `…_at` for a level other than [`DEFAULT_LEVEL`] and a variant `…_with` that passes the
//! report to a closure instead of the log. [`Scope::to`] takes any [`Reporter`]. No async runtime is required.
//!
//! # Cost
//!
//! When the log level is off, a measurement costs only this check: no clock is read and nothing is stored.
//! The check is made when the work starts. Enabling the level later has no effect on work already started.
//!
//! # Example
//!
//! ```
//! use fetch_timing::{TimedExt, scope, timed};
//!
//! #[timed(level = "debug")]
//! async fn answer() -> u32 {
//!     let _scope = scope("body");
//!     timed("arithmetic", || 6 * 7)
//! }
//!
//! let answer = futures_lite::future::block_on(answer().timed("answer with polling"));
//! assert_eq!(answer, 42);
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

// The attribute refers to this crate by an absolute path, also in the crate's own tests.
extern crate self as fetch_timing;

#[doc(hidden)]
pub mod attribute;
mod future;
mod report;
mod scope;

pub use attribute::timed;
pub use future::{Timed, TimedExt};
pub use log::Level;
pub use report::{DEFAULT_LEVEL, Reporter, TARGET, TimedOutcome, TimingReport, ToLog};
pub use scope::{Scope, scope, timed, timed_at, timed_result, timed_result_at, timed_with};

/// Compiles and runs the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
