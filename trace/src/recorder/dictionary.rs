//! Small values that come again and again, each written once, in JSON.

use std::sync::{Arc, LazyLock};

use fetch_proto::{AttemptPhase, FailureKind, FetchRequest, Policy};
use serde::Serialize;
use url::Url;

use super::entries::{RepeatedPoll, append};
use crate::entry::{Entry, TextRef};
use crate::frame::Frame;
use crate::redact::{Redactor, redact_json};

/// No more shapes, and no more policies, than this are remembered; others are written each time.
const MAX_ENTRIES: usize = 256;

/// Stands for the URL in a request's shape.
static PLACEHOLDER_URL: LazyLock<Arc<Url>> =
    LazyLock::new(|| Arc::new(Url::parse("http://shape.invalid/").expect("it is a URL")));

/// The words so far, by value.
#[derive(Debug, Default)]
pub(super) struct WriteDictionary {
    count: u32,
    failures: Vec<(FailureKind, u32)>,
    /// Words that were given a number and are to be written.
    new: Vec<String>,
    phases: Vec<(AttemptPhase, u32)>,
    policies: Vec<(Arc<Policy>, u32)>,
    shapes: Vec<(FetchRequest, u32)>,
}

/// A text to refer to.
#[derive(Debug)]
pub(super) enum DictionaryRef {
    Known(u32),
    Whole(String),
}

impl DictionaryRef {
    pub(super) fn text(&self) -> TextRef<'_> {
        match self {
            Self::Known(word) => TextRef::Word(*word),
            Self::Whole(text) => TextRef::Whole(text),
        }
    }
}

impl WriteDictionary {
    pub(super) fn failure(&mut self, failure: FailureKind) -> u32 {
        if let Some((_, word)) = self.failures.iter().find(|(known, _)| *known == failure) {
            return *word;
        }
        let word = self.add(json(&failure, None));
        self.failures.push((failure, word));
        word
    }

    pub(super) fn phase(&mut self, phase: AttemptPhase) -> u32 {
        if let Some((_, word)) = self.phases.iter().find(|(known, _)| *known == phase) {
            return *word;
        }
        let word = self.add(json(&phase, None));
        self.phases.push((phase, word));
        word
    }

    pub(super) fn policy(&mut self, policy: &Arc<Policy>, redactor: &Redactor) -> DictionaryRef {
        let known = |(known, _): &&(Arc<Policy>, u32)| Arc::ptr_eq(known, policy);
        if let Some((_, word)) = self.policies.iter().rev().find(known) {
            return DictionaryRef::Known(*word);
        }
        let text = json(policy, Some(redactor));
        if self.policies.len() == MAX_ENTRIES {
            return DictionaryRef::Whole(text);
        }
        let word = self.add(text);
        self.policies.push((policy.clone(), word));
        DictionaryRef::Known(word)
    }

    /// The request without URL, tag and policy.
    pub(super) fn shape(&mut self, request: &FetchRequest, redactor: &Redactor) -> DictionaryRef {
        let shape = request
            .clone()
            .policy(None)
            .tag(0)
            .url(PLACEHOLDER_URL.clone());
        if let Some((_, word)) = self.shapes.iter().rev().find(|(known, _)| *known == shape) {
            return DictionaryRef::Known(*word);
        }
        let text = json(&shape, Some(redactor));
        if self.shapes.len() == MAX_ENTRIES {
            return DictionaryRef::Whole(text);
        }
        let word = self.add(text);
        self.shapes.push((shape, word));
        DictionaryRef::Known(word)
    }

    fn add(&mut self, text: String) -> u32 {
        self.new.push(text);
        self.count += 1;
        self.count - 1
    }

    /// Writes the words that are new: before the entry that refers to them.
    pub(super) fn write_new(&mut self, frame: &mut Frame, repeat: &mut Option<RepeatedPoll>) {
        for word in self.new.drain(..) {
            append(frame, repeat, &Entry::Word(&word));
        }
    }
}

fn json(value: &impl Serialize, redactor: Option<&Redactor>) -> String {
    let mut json = serde_json::to_value(value).unwrap_or_default();
    if let Some(redactor) = redactor {
        redact_json(&mut json, redactor);
    }
    json.to_string()
}
