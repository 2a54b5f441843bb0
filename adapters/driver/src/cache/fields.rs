//! Header fields as the core's cache reads them.

use fetch_proto::cache::CacheFields;
use http::HeaderMap;

/// The fields of one message. Those of a coded body, which a transport removes when it decodes, do not
/// concern a cache.
pub(crate) struct HeaderFields<'a>(pub(crate) &'a HeaderMap);

impl CacheFields for HeaderFields<'_> {
    fn each_value(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        for value in self.0.get_all(name) {
            each(value.as_bytes());
        }
    }
}
