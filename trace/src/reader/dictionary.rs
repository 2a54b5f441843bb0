//! Values that entries refer to by index.

use std::sync::Arc;

use fetch_proto::{FetchRequest, Policy};
use serde::de::DeserializeOwned;

use crate::format::entry::TextRef;

/// Texts read so far, and a cache of the values parsed from them.
#[derive(Debug, Default)]
pub(super) struct ReadDictionary {
    texts: Vec<Box<str>>,
    policies: Vec<Option<Arc<Policy>>>,
    templates: Vec<Option<FetchRequest>>,
}

impl ReadDictionary {
    /// Adds a text at the next index.
    pub(super) fn add(&mut self, text: &str) {
        self.texts.push(text.into());
    }

    pub(super) fn read<T: DeserializeOwned>(&self, index: u32) -> Option<T> {
        serde_json::from_str(self.texts.get(index as usize)?).ok()
    }

    pub(super) fn policy(&mut self, text: &TextRef<'_>) -> Option<Arc<Policy>> {
        match text {
            TextRef::Index(index) => {
                let read = |dictionary: &Self| dictionary.read(*index).map(Arc::new);
                cached(self, |dictionary| &mut dictionary.policies, *index, read)
            }
            TextRef::Inline(text) => serde_json::from_str(text).ok().map(Arc::new),
        }
    }

    pub(super) fn template(&mut self, text: &TextRef<'_>) -> Option<FetchRequest> {
        match text {
            TextRef::Index(index) => cached(
                self,
                |dictionary| &mut dictionary.templates,
                *index,
                |dictionary| dictionary.read(*index),
            ),
            TextRef::Inline(text) => serde_json::from_str(text).ok(),
        }
    }
}

/// Returns the value at `index`, and parses it only once.
fn cached<T: Clone>(
    dictionary: &mut ReadDictionary,
    cache: fn(&mut ReadDictionary) -> &mut Vec<Option<T>>,
    index: u32,
    read: impl FnOnce(&ReadDictionary) -> Option<T>,
) -> Option<T> {
    let (index, count) = (index as usize, dictionary.texts.len());
    if index >= count {
        return None;
    }
    if let Some(Some(known)) = cache(dictionary).get(index) {
        return Some(known.clone());
    }
    let value = read(dictionary)?;
    let cache = cache(dictionary);
    cache.resize(count.max(cache.len()), None);
    cache[index] = Some(value.clone());
    Some(value)
}
