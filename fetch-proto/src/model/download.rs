//! A body that is being received, as others see it.

use alloc::sync::Arc;

use url::Url;

use super::time::Timestamp;

/// A body that is being received.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{Engine, EngineConfig, Timestamp};
/// let engine = Engine::new(EngineConfig::default(), 7, Timestamp::START);
/// assert!(engine.downloads(Duration::ZERO, Timestamp::START).is_empty());
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct ActiveDownload {
    /// What has arrived, including what earlier attempts brought. In bytes, after decoding.
    pub bytes: u64,
    /// The mean speed of the current attempt since its response head.
    pub bytes_per_second: u64,
    /// The response head of the first attempt that brought a part of the body.
    pub since: Timestamp,
    /// The URL of the current attempt. It may contain secrets.
    pub url: Arc<Url>,
}
