//! Small values that entries refer to by number.

use std::sync::Arc;

use fetch_proto::{FetchRequest, Policy};
use serde::de::DeserializeOwned;

use crate::entry::TextRef;

/// The words so far, and what they mean, where that was asked already.
#[derive(Debug, Default)]
pub(super) struct ReadDictionary {
    texts: Vec<Box<str>>,
    policies: Vec<Option<Arc<Policy>>>,
    shapes: Vec<Option<FetchRequest>>,
}

impl ReadDictionary {
    /// Gives the text the next number.
    pub(super) fn add(&mut self, text: &str) {
        self.texts.push(text.into());
    }

    pub(super) fn read<T: DeserializeOwned>(&self, word: u32) -> Option<T> {
        serde_json::from_str(self.texts.get(word as usize)?).ok()
    }

    pub(super) fn policy(&mut self, text: &TextRef<'_>) -> Option<Arc<Policy>> {
        match text {
            TextRef::Word(word) => {
                let read = |words: &Self| words.read(*word).map(Arc::new);
                cached(self, |words| &mut words.policies, *word, read)
            }
            TextRef::Whole(text) => serde_json::from_str(text).ok().map(Arc::new),
        }
    }

    pub(super) fn shape(&mut self, text: &TextRef<'_>) -> Option<FetchRequest> {
        match text {
            TextRef::Word(word) => cached(
                self,
                |words| &mut words.shapes,
                *word,
                |words| words.read(*word),
            ),
            TextRef::Whole(text) => serde_json::from_str(text).ok(),
        }
    }
}

/// What the word means, read once.
fn cached<T: Clone>(
    words: &mut ReadDictionary,
    cache: fn(&mut ReadDictionary) -> &mut Vec<Option<T>>,
    word: u32,
    read: impl FnOnce(&ReadDictionary) -> Option<T>,
) -> Option<T> {
    let (index, count) = (word as usize, words.texts.len());
    if index >= count {
        return None;
    }
    if let Some(Some(known)) = cache(words).get(index) {
        return Some(known.clone());
    }
    let value = read(words)?;
    let cache = cache(words);
    cache.resize(count.max(cache.len()), None);
    cache[index] = Some(value.clone());
    Some(value)
}
