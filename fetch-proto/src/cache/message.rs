//! Requests and responses, as the cache sees them.

use core::fmt;

use crate::cache::fields::CacheFields;
use crate::cache::rules::CacheMode;
use crate::cache::time::WallTime;
use crate::model::method::Method;

/// A request, as the cache sees it.
#[derive(Clone, Copy)]
pub struct CacheRequest<'a> {
    /// Its header fields as they are sent, except those that the cache itself adds.
    pub fields: &'a dyn CacheFields,
    /// The method.
    pub method: &'a Method,
    /// How it uses the cache.
    pub mode: CacheMode,
}

/// The head of a response, as the cache sees it.
#[derive(Clone, Copy)]
pub struct CacheResponse<'a> {
    /// Its header fields as received.
    pub fields: &'a dyn CacheFields,
    /// When its request was sent.
    pub requested: WallTime,
    /// When it was received.
    pub received: WallTime,
    /// The status.
    pub status: u16,
}

impl fmt::Debug for CacheRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("CacheRequest");
        debug
            .field("method", &self.method)
            .field("mode", &self.mode);
        debug.finish_non_exhaustive()
    }
}

impl fmt::Debug for CacheResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("CacheResponse");
        debug
            .field("status", &self.status)
            .field("received", &self.received);
        debug.finish_non_exhaustive()
    }
}
