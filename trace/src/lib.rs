//! x

mod call;
mod canon;
mod digest;
mod drive;
mod error;
mod explain;
mod frame;
mod reader;
mod recorded;
mod recorder;
mod redact;
mod replay;
#[cfg(test)]
mod tests;
mod urls;
mod what_if;
mod wire;

pub use call::{Answer, Call};
pub use error::TraceError;
pub use explain::{Chapter, Line, Story, explain};
pub use reader::Ending;
pub use recorded::Recorded;
pub use recorder::Recorder;
pub use redact::is_secret;
pub use replay::{Difference, Moment, Replay, Report, replay};
pub use what_if::{Comparison, Totals, what_if};
