//! The engine as the driver holds it: with a recorder, where that was built in and asked for.

use fetch_proto::{Config, Timestamp};

#[cfg(not(feature = "record"))]
pub(crate) type Core = fetch_proto::Engine;
#[cfg(feature = "record")]
pub(crate) type Core = fetch_trace::Recorded;

/// Where a recording goes.
#[cfg(feature = "record")]
pub(crate) type Record = Box<dyn std::io::Write + Send>;
/// There can be none.
#[cfg(not(feature = "record"))]
pub(crate) type Record = std::convert::Infallible;

/// The engine, recorded to `record` if there is one.
#[cfg(feature = "record")]
pub(crate) fn engine(config: Config, seed: u64, now: Timestamp, record: Option<Record>) -> Core {
    match record {
        None => Core::new(config, seed, now),
        Some(to) => Core::recording(config, seed, now, to, |error| {
            log::error!(target: crate::LOG_TARGET, "the recording ended: {error}");
        }),
    }
}

/// The engine.
#[cfg(not(feature = "record"))]
pub(crate) fn engine(config: Config, seed: u64, now: Timestamp, _: Option<Record>) -> Core {
    Core::new(config, seed, now)
}

#[cfg(all(test, feature = "record"))]
mod tests {
    #[test]
    fn what_is_hidden_in_logs_is_hidden_in_recordings() {
        for name in crate::fields::redact::SECRET {
            assert!(fetch_trace::is_secret(name), "{name}");
        }
    }
}
