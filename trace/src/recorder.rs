//! Writing a trace.

mod dictionary;
mod entries;

use std::io::{self, Write};
use std::time::Duration;

use fetch_proto::{
    AttemptId, EngineConfig, EngineOutput, FetchId, FetchRequest, HeadSummary, Input, InputEffect,
    PolicyRules, RejectedRequest, Timestamp,
};

use self::dictionary::WriteDictionary;
pub(crate) use self::entries::name;
use self::entries::{RepeatedPoll, append, kind};
use crate::call::TraceCall;
use crate::digest::AnswerDigest;
use crate::entry::{self, Entry, PolicySource, PollEntry, SubmitEntry};
use crate::frame::{Frame, MAGIC, VERSION};
use crate::redact::{Redactor, redact_json};
use crate::urls::UrlPacker;

/// A frame is written when it is so large.
const FRAME_TARGET: usize = 32 << 10;
/// Or when so much time has passed since its first entry: what a killed process loses.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// Writes what an engine is told and, as a digest, what it says.
///
/// Made for [`RecordedEngine`](crate::RecordedEngine), which calls it at the right moments. It holds at most one
/// frame of 32 KiB, and writes it when it is full or a second old. Dropping it ends the trace in
/// order, as far as that can be written.
#[derive(Debug)]
pub struct TraceRecorder<W: Write> {
    /// The attempt that the last input was of.
    attempt: Option<AttemptId>,
    calls: u64,
    digest: AnswerDigest,
    frame: Frame,
    frame_began: Timestamp,
    last: u64,
    packer: UrlPacker,
    redactor: Redactor,
    repeat: Option<RepeatedPoll>,
    /// The rules that the engine has.
    rules: PolicyRules,
    /// The rules in the file, if secrets were taken out of them.
    stored: Option<PolicyRules>,
    tag: u64,
    /// `None` after it failed or was given back.
    to: Option<W>,
    words: WriteDictionary,
}

impl<W: Write> TraceRecorder<W> {
    /// Begins a trace of an engine made with the same arguments.
    ///
    /// ```
    /// use fetch_proto::{EngineConfig, Timestamp};
    /// use fetch_trace::TraceRecorder;
    ///
    /// let recorder = TraceRecorder::new(Vec::new(), &EngineConfig::default(), 7, Timestamp::START)?;
    /// assert!(recorder.finish()?.starts_with(b"\x89FETCH"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If `to` cannot be written.
    pub fn new(mut to: W, config: &EngineConfig, seed: u64, now: Timestamp) -> io::Result<Self> {
        let redactor = Redactor::default();
        let mut stored = serde_json::to_value(config)?;
        let rules = config.rules_ref().clone();
        let stored_rules = redact_json(&mut stored, &redactor)
            .then(|| serde_json::from_value::<EngineConfig>(stored.clone()))
            .transpose()?
            .map(|config| config.rules_ref().clone());
        to.write_all(&MAGIC)?;
        to.write_all(&VERSION.to_le_bytes())?;
        let head = entry::TraceHead {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seed,
            start: now.as_nanos(),
            config: stored,
        };
        let mut frame = Frame::new(FRAME_TARGET + FRAME_TARGET / 8);
        serde_json::to_writer(frame.content(), &head)?;
        frame.write(&mut to)?;
        Ok(Self {
            attempt: None,
            calls: 0,
            digest: AnswerDigest::default(),
            frame,
            frame_began: now,
            last: now.as_nanos(),
            packer: UrlPacker::default(),
            redactor,
            repeat: None,
            rules,
            stored: stored_rules,
            tag: 0,
            to: Some(to),
            words: WriteDictionary::default(),
        })
    }

    /// Ends the trace and gives the writer back.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # use fetch_trace::{TraceRecorder, replay};
    /// let recorder = TraceRecorder::new(Vec::new(), &EngineConfig::default(), 7, Timestamp::START)?;
    /// let file = recorder.finish()?;
    /// assert!(replay(&file[..]).unwrap().is_identical());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the rest cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.end()?;
        self.to
            .take()
            .ok_or_else(|| io::Error::other("the recording failed before"))
    }

    /// Notes that a request is about to be submitted.
    pub(crate) fn submit(&mut self, request: &FetchRequest, now: Timestamp) {
        let url = self.redactor.url(request.url.as_str());
        let shape = self.words.shape(request, &self.redactor);
        let changed = url != request.url.as_str() || self.stored.is_some();
        let pinned = match &request.policy {
            None if changed => self.pinned(request, &url),
            _ => None,
        };
        let policy = request.policy.as_ref().or(pinned.as_ref());
        let policy = policy.map(|policy| self.words.policy(policy, &self.redactor));
        let tag = request.tag.wrapping_sub(self.tag) as i64;
        self.tag = request.tag;
        let url = url.into_owned();
        let url = self.packer.pack(&url);
        self.words.write_new(&mut self.frame, &mut self.repeat);
        let delta = delta(&mut self.last, now);
        let submit = SubmitEntry {
            delta,
            shape: shape.text(),
            policy: match &policy {
                None => PolicySource::Rules,
                Some(policy) if pinned.is_some() => PolicySource::Pinned(policy.text()),
                Some(policy) => PolicySource::Own(policy.text()),
            },
            tag,
            url,
        };
        append(&mut self.frame, &mut self.repeat, &Entry::Submit(submit));
    }

    /// Notes how the engine took it.
    pub(crate) fn submitted(
        &mut self,
        result: &Result<FetchId, RejectedRequest>,
        now: Timestamp,
    ) -> io::Result<()> {
        self.digest.submitted(result);
        self.called(now)
    }

    /// The policy that the engine's rules choose, where those in the file would choose another for
    /// the redacted URL.
    fn pinned(
        &self,
        request: &FetchRequest,
        url: &str,
    ) -> Option<std::sync::Arc<fetch_proto::Policy>> {
        let policy = self.rules.policy(&request.method, &request.url);
        let rules = self.stored.as_ref().unwrap_or(&self.rules);
        let same =
            url::Url::parse(url).is_ok_and(|url| rules.policy(&request.method, &url) == policy);
        (!same).then(|| policy.clone())
    }

    /// Notes an input that is about to be handled.
    pub(crate) fn handle(&mut self, id: AttemptId, input: &Input, now: Timestamp) {
        if self.attempt != Some(id) {
            self.attempt = Some(id);
            self.append(&Entry::For(id));
        }
        let t = |this: &mut Self| delta(&mut this.last, now);
        let entry = match input {
            Input::Body { bytes } => Entry::Body(t(self), *bytes),
            Input::End(Ok(())) => Entry::End(t(self)),
            Input::End(Err(failure)) => {
                let word = self.words.failure(*failure);
                self.words.write_new(&mut self.frame, &mut self.repeat);
                Entry::Failed(t(self), word)
            }
            Input::Head(head) if *head == HeadSummary::status(head.status) => {
                Entry::Head(t(self), head.status)
            }
            Input::Head(head) => return self.head(head, now),
            Input::Mark(phase, at) => {
                let word = self.words.phase(*phase);
                self.words.write_new(&mut self.frame, &mut self.repeat);
                let ago = now.as_nanos().wrapping_sub(at.as_nanos()) as i64;
                Entry::Mark(t(self), word, ago)
            }
            Input::Paused => Entry::Paused(t(self)),
            Input::Resumed => Entry::Resumed(t(self)),
            _ => return self.call(&TraceCall::Handle(id, input.clone()), now),
        };
        self.append(&entry);
    }

    /// A head with its fields.
    fn head(&mut self, head: &HeadSummary, now: Timestamp) {
        let location = head.location.as_deref();
        let location = location.map(|location| self.redactor.location(location));
        let parts = |wait: Duration| (wait.as_secs(), wait.subsec_nanos());
        let (asked, pause) = (head.retry_after.map(parts), head.pause.map(parts));
        let delta = delta(&mut self.last, now);
        let entry = Entry::HeadWith(delta, head.status, location.as_deref(), asked, pause);
        append(&mut self.frame, &mut self.repeat, &entry);
    }

    /// Notes whether `cancel` or `handle` was of use.
    pub(crate) fn handled(&mut self, handled: InputEffect, now: Timestamp) -> io::Result<()> {
        self.digest.handled(handled);
        self.called(now)
    }

    /// Notes a poll and what it said.
    pub(crate) fn poll(&mut self, output: &EngineOutput, now: Timestamp) -> io::Result<()> {
        self.digest.output(output, Some(&self.redactor));
        let check = self.digest.check();
        let (name, kind) = kind(output);
        if let Some(repeat) = &mut self.repeat
            && repeat.at == now
            && repeat.name == name
            && repeat.count < u16::MAX
        {
            repeat.count += 1;
            repeat.check = check;
        } else {
            let delta = delta(&mut self.last, now);
            self.append(&kind(PollEntry { delta, check }));
            self.repeat = Some(RepeatedPoll {
                at: now,
                check,
                count: 0,
                name,
            });
        }
        self.called(now)
    }

    /// Notes a call without an answer, about to be made.
    pub(crate) fn plain(&mut self, call: &TraceCall, now: Timestamp) -> io::Result<()> {
        self.call(call, now);
        self.called(now)
    }

    /// Notes a call that has no time: it is that of the call before.
    pub(crate) fn timeless(&mut self, call: &TraceCall) -> io::Result<()> {
        self.plain(call, Timestamp::from_nanos(self.last))
    }

    /// Notes a call about to be made whose answer comes to [`handled`](Self::handled).
    pub(crate) fn call(&mut self, call: &TraceCall, now: Timestamp) {
        match call {
            TraceCall::Cancel(id) => {
                let entry = Entry::Cancel(delta(&mut self.last, now), *id);
                self.append(&entry);
            }
            TraceCall::Close => {
                let entry = Entry::Close(delta(&mut self.last, now));
                self.append(&entry);
            }
            TraceCall::Hold => self.append(&Entry::Hold),
            TraceCall::Release => self.append(&Entry::Release),
            other => {
                let mut json = serde_json::to_value(other).unwrap_or_default();
                redact_json(&mut json, &self.redactor);
                let delta = delta(&mut self.last, now);
                self.append(&Entry::Call(delta, &json.to_string()));
            }
        }
    }

    fn append(&mut self, entry: &Entry<'_>) {
        append(&mut self.frame, &mut self.repeat, entry);
    }

    /// A call is noted with its answer: a good moment to write.
    fn called(&mut self, now: Timestamp) -> io::Result<()> {
        self.calls += 1;
        let age = now.saturating_since(self.frame_began);
        if self.frame.len() < FRAME_TARGET && age < FLUSH_INTERVAL {
            return Ok(());
        }
        self.frame_began = now;
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        let digest = self.digest.sum().to_le_bytes();
        self.append(&Entry::Digest(digest));
        let Some(to) = &mut self.to else {
            return Ok(());
        };
        let written = self.frame.write(to);
        if written.is_err() {
            self.to = None;
        }
        written
    }

    fn end(&mut self) -> io::Result<()> {
        let finish = Entry::Finish(self.calls);
        self.append(&finish);
        self.write()
    }
}

impl<W: Write> Drop for TraceRecorder<W> {
    fn drop(&mut self) {
        if self.to.is_some() {
            // Nobody is left to tell.
            let _ = self.end();
        }
    }
}

/// The time since the last entry.
fn delta(last: &mut u64, now: Timestamp) -> i64 {
    let now = now.as_nanos();
    now.wrapping_sub(std::mem::replace(last, now)) as i64
}
