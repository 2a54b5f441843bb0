//! Times any code: futures, closures, scopes and whole functions.
//!
//! Every measurement ends in one [`TimingReport`]: a name, the elapsed time by [`Instant`](std::time::Instant)
//! and an [`TimedOutcome`], which says whether the work finished, was cancelled or panicked. By default the report
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
//! | the rest of a block     | `let _scope = scope("name");` ([`scope`], [`Scope`])           |
//! | a function, also async  | `#[timed]` ([`macro@timed`])                                   |
//!
//! Each has a form `…_at` for another level than [`DEFAULT_LEVEL`] and a form `…_with` that hands the report to
//! a closure instead of the log; [`Scope::to`] takes any [`Reporter`]. No runtime is needed: any executor may poll.
//!
//! # Cost
//!
//! When the log level is off, a measurement costs that one check: no clock is read and nothing is stored.
//! The check is made when the work starts; switching the level on later does not bring the report back.
//!
//! # Example
//!
//! ```
//! use fetch_timing::{TimedExt, scope, timed};
//!
//! #[timed(level = "debug")]
//! async fn answer() -> u32 {
//!     let _scope = scope("thinking");
//!     timed("arithmetic", || 6 * 7)
//! }
//!
//! let answer = futures_lite::future::block_on(answer().timed("the whole question"));
//! assert_eq!(answer, 42);
//! ```

// The attribute names its crate by an absolute path, also in this crate's own tests.
extern crate self as fetch_timing;

mod attribute;
mod future;
mod report;
mod scope;

pub use attribute::timed;
pub use future::{Timed, TimedExt};
pub use log::Level;
pub use report::{DEFAULT_LEVEL, Reporter, TARGET, TimedOutcome, TimingReport, ToLog};
pub use scope::{Scope, scope, timed, timed_at, timed_with};
