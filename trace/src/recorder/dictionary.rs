//! Writes recurring values once, in JSON, and refers to them by index.

use std::sync::{Arc, LazyLock};

use fetch_proto::{AttemptPhase, FailureKind, FetchRequest, Policy};
use serde::Serialize;
use url::Url;

use super::append::{RepeatedPoll, append};
use crate::format::entry::{TextRef, TraceEntry};
use crate::format::frame::FrameBuffer;
use crate::redact::{UrlRedactor, redact_json};

/// Most request templates, and most policies, in the dictionary. Others are written inline each time.
const MAX_ENTRIES: usize = 256;

/// URL of a request template.
static PLACEHOLDER_URL: LazyLock<Arc<Url>> =
    LazyLock::new(|| Arc::new(Url::parse("http://template.invalid/").expect("it is a URL")));

/// Index of each text written so far, by value.
#[derive(Debug, Default)]
pub(super) struct WriteDictionary {
    count: u32,
    failures: Vec<(FailureKind, u32)>,
    /// Texts that have an index and are not yet written.
    unwritten: Vec<String>,
    phases: Vec<(AttemptPhase, u32)>,
    policies: Vec<(Arc<Policy>, u32)>,
    templates: Vec<(FetchRequest, u32)>,
}

/// A reference to a text, or the text.
#[derive(Debug)]
pub(super) enum DictionaryRef {
    Index(u32),
    Inline(String),
}

impl DictionaryRef {
    pub(super) fn as_text_ref(&self) -> TextRef<'_> {
        match self {
            Self::Index(index) => TextRef::Index(*index),
            Self::Inline(text) => TextRef::Inline(text),
        }
    }
}

impl WriteDictionary {
    pub(super) fn failure_index(&mut self, failure: FailureKind) -> u32 {
        if let Some((_, index)) = self.failures.iter().find(|(known, _)| *known == failure) {
            return *index;
        }
        let index = self.add(to_json(&failure, None));
        self.failures.push((failure, index));
        index
    }

    pub(super) fn phase_index(&mut self, phase: AttemptPhase) -> u32 {
        if let Some((_, index)) = self.phases.iter().find(|(known, _)| *known == phase) {
            return *index;
        }
        let index = self.add(to_json(&phase, None));
        self.phases.push((phase, index));
        index
    }

    pub(super) fn policy_ref(
        &mut self,
        policy: &Arc<Policy>,
        redactor: &UrlRedactor,
    ) -> DictionaryRef {
        let known = |(known, _): &&(Arc<Policy>, u32)| Arc::ptr_eq(known, policy);
        if let Some((_, index)) = self.policies.iter().rev().find(known) {
            return DictionaryRef::Index(*index);
        }
        let text = to_json(policy, Some(redactor));
        if self.policies.len() == MAX_ENTRIES {
            return DictionaryRef::Inline(text);
        }
        let index = self.add(text);
        self.policies.push((policy.clone(), index));
        DictionaryRef::Index(index)
    }

    /// Returns the request without URL, tag and policy.
    pub(super) fn template_ref(
        &mut self,
        request: &FetchRequest,
        redactor: &UrlRedactor,
    ) -> DictionaryRef {
        let template = request
            .clone()
            .policy(None)
            .tag(0)
            .url(PLACEHOLDER_URL.clone());
        if let Some((_, index)) = self
            .templates
            .iter()
            .rev()
            .find(|(known, _)| *known == template)
        {
            return DictionaryRef::Index(*index);
        }
        let text = to_json(&template, Some(redactor));
        if self.templates.len() == MAX_ENTRIES {
            return DictionaryRef::Inline(text);
        }
        let index = self.add(text);
        self.templates.push((template, index));
        DictionaryRef::Index(index)
    }

    fn add(&mut self, text: String) -> u32 {
        self.unwritten.push(text);
        self.count += 1;
        self.count - 1
    }

    /// Writes the new texts. Must precede the entry that refers to them.
    pub(super) fn write_new(&mut self, frame: &mut FrameBuffer, repeat: &mut Option<RepeatedPoll>) {
        for text in self.unwritten.drain(..) {
            append(frame, repeat, &TraceEntry::DictionaryText(&text));
        }
    }
}

fn to_json(value: &impl Serialize, redactor: Option<&UrlRedactor>) -> String {
    let mut json = serde_json::to_value(value).unwrap_or_default();
    if let Some(redactor) = redactor {
        redact_json(&mut json, redactor);
    }
    json.to_string()
}
