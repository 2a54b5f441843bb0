//! Packs URLs as the difference from the previous URL of the same host.

use std::collections::HashMap;

use super::entry::PackedUrl;

/// Most hosts remembered. Both sides forget all of them when a further one appears.
const MAX_HOSTS: usize = 4096;

/// Packs URLs.
#[derive(Debug, Default)]
pub(crate) struct UrlPacker {
    index: HashMap<Box<str>, usize>,
    last: Vec<String>,
}

/// Unpacks URLs.
#[derive(Debug, Default)]
pub(crate) struct UrlUnpacker {
    last: Vec<String>,
}

impl UrlPacker {
    pub(crate) fn pack<'a>(&mut self, url: &'a str) -> PackedUrl<'a> {
        if let Some(&host) = self.index.get(origin(url)) {
            let last = &mut self.last[host];
            let prefix_len = common_prefix_len(last, url);
            last.truncate(prefix_len);
            last.push_str(&url[prefix_len..]);
            return PackedUrl {
                host: u32::try_from(host + 1).unwrap_or(u32::MAX),
                prefix_len: u32::try_from(prefix_len).unwrap_or(u32::MAX),
                suffix: &url[prefix_len..],
            };
        }
        if self.last.len() == MAX_HOSTS {
            self.index.clear();
            self.last.clear();
        }
        self.index.insert(origin(url).into(), self.last.len());
        self.last.push(url.to_owned());
        PackedUrl {
            host: 0,
            prefix_len: 0,
            suffix: url,
        }
    }
}

impl UrlUnpacker {
    /// Returns the URL; `None` if the host or the prefix does not exist.
    pub(crate) fn unpack(&mut self, packed: &PackedUrl<'_>) -> Option<&str> {
        let Some(host) = packed.host.checked_sub(1) else {
            if self.last.len() == MAX_HOSTS {
                self.last.clear();
            }
            self.last.push(packed.suffix.to_owned());
            return self.last.last().map(String::as_str);
        };
        let last = self.last.get_mut(host as usize)?;
        let prefix_len = packed.prefix_len as usize;
        if !last.is_char_boundary(prefix_len) {
            return None;
        }
        last.truncate(prefix_len);
        last.push_str(packed.suffix);
        Some(last)
    }
}

/// Scheme, host and port.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| host + at);
    &url[..end]
}

/// Returns the length of the common prefix in bytes, whole characters only.
fn common_prefix_len(a: &str, b: &str) -> usize {
    let mut prefix_len = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    while !b.is_char_boundary(prefix_len) || !a.is_char_boundary(prefix_len) {
        prefix_len -= 1;
    }
    prefix_len
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_new_suffix_is_stored() {
        let mut packer = UrlPacker::default();
        packer.pack("http://a.test/items/1");
        packer.pack("http://b.test/items/1");
        let packed = packer.pack("http://a.test/items/2");
        assert_eq!(
            (packed.host, packed.prefix_len, packed.suffix),
            (1, 20, "2")
        );
    }

    proptest! {
        #[test]
        fn packed_urls_unpack_to_the_originals(urls in prop::collection::vec("http://[a-c]{1,4}/[aé/]{0,6}", 1..200)) {
            let (mut packer, mut unpacker) = (UrlPacker::default(), UrlUnpacker::default());
            for url in urls {
                let packed = packer.pack(&url);
                prop_assert_eq!(unpacker.unpack(&packed), Some(url.as_str()));
            }
        }
    }

    #[test]
    fn packing_works_beyond_the_host_limit() {
        let (mut packer, mut unpacker) = (UrlPacker::default(), UrlUnpacker::default());
        for n in 0..3 * MAX_HOSTS {
            let url = format!("http://{}.test/{n}", n % (MAX_HOSTS + 7));
            assert_eq!(unpacker.unpack(&packer.pack(&url)), Some(url.as_str()));
        }
    }
}
