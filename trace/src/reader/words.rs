//! Small values that entries refer to by number.

use std::sync::Arc;

use fetch_proto::{Policy, Request};
use serde::de::DeserializeOwned;

use crate::wire::Text;

/// The words so far, and what they mean, where that was asked already.
#[derive(Debug, Default)]
pub(super) struct Words {
    texts: Vec<Box<str>>,
    policies: Vec<Option<Arc<Policy>>>,
    shapes: Vec<Option<Request>>,
}

impl Words {
    /// Gives the text the next number.
    pub(super) fn add(&mut self, text: &str) {
        self.texts.push(text.into());
    }

    pub(super) fn read<T: DeserializeOwned>(&self, word: u32) -> Option<T> {
        serde_json::from_str(self.texts.get(word as usize)?).ok()
    }

    pub(super) fn policy(&mut self, text: &Text<'_>) -> Option<Arc<Policy>> {
        match text {
            Text::Word(word) => {
                let read = |words: &Self| words.read(*word).map(Arc::new);
                cached(self, |words| &mut words.policies, *word, read)
            }
            Text::Whole(text) => serde_json::from_str(text).ok().map(Arc::new),
        }
    }

    pub(super) fn shape(&mut self, text: &Text<'_>) -> Option<Request> {
        match text {
            Text::Word(word) => cached(
                self,
                |words| &mut words.shapes,
                *word,
                |words| words.read(*word),
            ),
            Text::Whole(text) => serde_json::from_str(text).ok(),
        }
    }
}

/// What the word means, read once.
fn cached<T: Clone>(
    words: &mut Words,
    cache: fn(&mut Words) -> &mut Vec<Option<T>>,
    word: u32,
    read: impl FnOnce(&Words) -> Option<T>,
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
