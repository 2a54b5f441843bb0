//! The engine of a driver: recorded, with the feature `record`.

use fetch_proto::{EngineConfig, Timestamp};

#[cfg(not(feature = "record"))]
pub(crate) type DriverEngine = fetch_proto::Engine;
#[cfg(feature = "record")]
pub(crate) type DriverEngine = fetch_trace::RecordedEngine;

/// Where a recording is written.
#[cfg(feature = "record")]
pub(crate) type RecordSink = Box<dyn std::io::Write + Send>;
/// Without the feature there is no recording.
#[cfg(not(feature = "record"))]
pub(crate) type RecordSink = std::convert::Infallible;

/// A new engine, recorded if `record` is set.
#[cfg(feature = "record")]
pub(crate) fn new_engine(
    config: EngineConfig,
    seed: u64,
    now: Timestamp,
    record: Option<RecordSink>,
) -> DriverEngine {
    match record {
        None => DriverEngine::new(config, seed, now),
        Some(sink) => DriverEngine::recording(config, seed, now, sink, |error| {
            log::error!(target: crate::LOG_TARGET, "the recording ended: {error}");
        }),
    }
}

/// A new engine.
#[cfg(not(feature = "record"))]
pub(crate) fn new_engine(
    config: EngineConfig,
    seed: u64,
    now: Timestamp,
    _: Option<RecordSink>,
) -> DriverEngine {
    DriverEngine::new(config, seed, now)
}
