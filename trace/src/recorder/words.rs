//! Small values that come again and again, each written once, in JSON.

use std::sync::{Arc, LazyLock};

use fetch_proto::{Failure, Phase, Policy, Request};
use serde::Serialize;
use url::Url;

use super::entries::{Repeat, append};
use crate::frame::Frame;
use crate::redact::{Redactor, hide};
use crate::wire::{Entry, Text};

/// No more shapes, and no more policies, than this are remembered; others are written each time.
const MEMORY: usize = 256;

/// Stands for the URL in a request's shape.
static NOWHERE: LazyLock<Arc<Url>> =
    LazyLock::new(|| Arc::new(Url::parse("http://shape.invalid/").expect("it is a URL")));

/// The words so far, by value.
#[derive(Debug, Default)]
pub(super) struct Words {
    count: u32,
    failures: Vec<(Failure, u32)>,
    /// Words that were given a number and are to be written.
    new: Vec<String>,
    phases: Vec<(Phase, u32)>,
    policies: Vec<(Arc<Policy>, u32)>,
    shapes: Vec<(Request, u32)>,
}

/// A text to refer to.
#[derive(Debug)]
pub(super) enum Word {
    Known(u32),
    Whole(String),
}

impl Word {
    pub(super) fn text(&self) -> Text<'_> {
        match self {
            Self::Known(word) => Text::Word(*word),
            Self::Whole(text) => Text::Whole(text),
        }
    }
}

impl Words {
    pub(super) fn failure(&mut self, failure: Failure) -> u32 {
        if let Some((_, word)) = self.failures.iter().find(|(known, _)| *known == failure) {
            return *word;
        }
        let word = self.add(json(&failure, None));
        self.failures.push((failure, word));
        word
    }

    pub(super) fn phase(&mut self, phase: Phase) -> u32 {
        if let Some((_, word)) = self.phases.iter().find(|(known, _)| *known == phase) {
            return *word;
        }
        let word = self.add(json(&phase, None));
        self.phases.push((phase, word));
        word
    }

    pub(super) fn policy(&mut self, policy: &Arc<Policy>, redactor: &Redactor) -> Word {
        let known = |(known, _): &&(Arc<Policy>, u32)| Arc::ptr_eq(known, policy);
        if let Some((_, word)) = self.policies.iter().rev().find(known) {
            return Word::Known(*word);
        }
        let text = json(policy, Some(redactor));
        if self.policies.len() == MEMORY {
            return Word::Whole(text);
        }
        let word = self.add(text);
        self.policies.push((policy.clone(), word));
        Word::Known(word)
    }

    /// The request without URL, tag and policy.
    pub(super) fn shape(&mut self, request: &Request, redactor: &Redactor) -> Word {
        let shape = Request {
            policy: None,
            tag: 0,
            url: NOWHERE.clone(),
            ..request.clone()
        };
        if let Some((_, word)) = self.shapes.iter().rev().find(|(known, _)| *known == shape) {
            return Word::Known(*word);
        }
        let text = json(&shape, Some(redactor));
        if self.shapes.len() == MEMORY {
            return Word::Whole(text);
        }
        let word = self.add(text);
        self.shapes.push((shape, word));
        Word::Known(word)
    }

    fn add(&mut self, text: String) -> u32 {
        self.new.push(text);
        self.count += 1;
        self.count - 1
    }

    /// Writes the words that are new: before the entry that refers to them.
    pub(super) fn write_new(&mut self, frame: &mut Frame, repeat: &mut Option<Repeat>) {
        for word in self.new.drain(..) {
            append(frame, repeat, &Entry::Word(&word));
        }
    }
}

fn json(value: &impl Serialize, redactor: Option<&Redactor>) -> String {
    let mut json = serde_json::to_value(value).unwrap_or_default();
    if let Some(redactor) = redactor {
        hide(&mut json, redactor);
    }
    json.to_string()
}
