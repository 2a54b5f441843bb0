//! Writes a trace.

mod append;
mod dictionary;

use std::io::{self, Write};
use std::time::Duration;

use fetch_proto::{
    AttemptId, Engine, EngineConfig, EngineOutput, FetchId, FetchRequest, HeadSummary, Input,
    InputEffect, PolicyRules, RejectedRequest, Timestamp,
};

pub(crate) use self::append::output_kind;
use self::append::{RepeatedPoll, append, poll_entry};
use self::dictionary::WriteDictionary;
use crate::call::TraceCall;
use crate::format::digest::AnswerDigest;
use crate::format::entry::{self, PolicySource, PollEntry, SubmitEntry, TraceEntry};
use crate::format::frame::{FrameBuffer, MAGIC, VERSION};
use crate::format::url_packing::UrlPacker;
use crate::redact::{UrlRedactor, redact_json};

/// Size at which a frame is written, in bytes.
const FRAME_TARGET: usize = 32 << 10;
/// Age at which a frame is written: the most that a killed process loses.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// Writes the calls of an engine and a digest of its answers.
///
/// [`RecordedEngine`](crate::RecordedEngine) uses it. It buffers a frame and writes it with the
/// first call after which it has 32 KiB or is a second old. A drop finishes the trace and ignores
/// write errors.
#[derive(Debug)]
pub struct TraceRecorder<W: Write> {
    /// Attempt of the last input.
    attempt: Option<AttemptId>,
    calls: u64,
    digest: AnswerDigest,
    frame: FrameBuffer,
    frame_start: Timestamp,
    last_nanos: u64,
    url_packer: UrlPacker,
    redactor: UrlRedactor,
    repeat: Option<RepeatedPoll>,
    /// The engine's rules.
    rules: PolicyRules,
    /// The rules as recorded, if they differ from `rules` because secrets were removed.
    stored_rules: Option<PolicyRules>,
    last_tag: u64,
    /// `None` after an error and after `finish`.
    writer: Option<W>,
    dictionary: WriteDictionary,
}

impl<W: Write> TraceRecorder<W> {
    /// Starts the trace of an engine that was created with the same arguments.
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
    /// If writing fails.
    pub fn new(writer: W, config: &EngineConfig, seed: u64, now: Timestamp) -> io::Result<Self> {
        let number = Engine::new(EngineConfig::default(), seed, now).number();
        Self::with_engine_number(writer, config, seed, now, number)
    }

    pub(crate) fn with_engine_number(
        mut writer: W,
        config: &EngineConfig,
        seed: u64,
        now: Timestamp,
        engine_number: u16,
    ) -> io::Result<Self> {
        let redactor = UrlRedactor::default();
        let mut stored_config = serde_json::to_value(config)?;
        let rules = config.rules.clone();
        let stored_rules = redact_json(&mut stored_config, &redactor)
            .then(|| serde_json::from_value::<EngineConfig>(stored_config.clone()))
            .transpose()?
            .map(|config| config.rules.clone());
        writer.write_all(&MAGIC)?;
        writer.write_all(&VERSION.to_le_bytes())?;
        let head = entry::TraceHead {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            engine_number,
            seed,
            start: now.as_nanos(),
            config: stored_config,
        };
        let mut frame = FrameBuffer::new(FRAME_TARGET + FRAME_TARGET / 8);
        serde_json::to_writer(frame.content(), &head)?;
        frame.write(&mut writer)?;
        Ok(Self {
            attempt: None,
            calls: 0,
            digest: AnswerDigest::default(),
            frame,
            frame_start: now,
            last_nanos: now.as_nanos(),
            url_packer: UrlPacker::default(),
            redactor,
            repeat: None,
            rules,
            stored_rules,
            last_tag: 0,
            writer: Some(writer),
            dictionary: WriteDictionary::default(),
        })
    }

    /// Ends the trace and returns the writer.
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
    /// If the last frame cannot be written, or a write failed before.
    pub fn finish(mut self) -> io::Result<W> {
        self.write_end()?;
        self.writer
            .take()
            .ok_or_else(|| io::Error::other("the recording failed before"))
    }

    /// Records a request before it is submitted.
    pub(crate) fn record_submit(&mut self, request: &FetchRequest, now: Timestamp) {
        let url = self.redactor.redact_url(request.url.as_str());
        let template = self.dictionary.template_ref(request, &self.redactor);
        let changed = url != request.url.as_str() || self.stored_rules.is_some();
        let pinned = match &request.policy {
            None if changed => self.pinned_policy(request, &url),
            _ => None,
        };
        let policy = request.policy.as_ref().or(pinned.as_ref());
        let policy = policy.map(|policy| self.dictionary.policy_ref(policy, &self.redactor));
        let tag = request.tag.wrapping_sub(self.last_tag) as i64;
        self.last_tag = request.tag;
        let url = url.into_owned();
        let url = self.url_packer.pack(&url);
        self.dictionary.write_new(&mut self.frame, &mut self.repeat);
        let delta = take_delta(&mut self.last_nanos, now);
        let submit = SubmitEntry {
            delta,
            template: template.as_text_ref(),
            policy: match &policy {
                None => PolicySource::Rules,
                Some(policy) if pinned.is_some() => PolicySource::Pinned(policy.as_text_ref()),
                Some(policy) => PolicySource::Own(policy.as_text_ref()),
            },
            tag,
            url,
        };
        append(
            &mut self.frame,
            &mut self.repeat,
            &TraceEntry::Submit(submit),
        );
    }

    /// Records the result of `submit`.
    pub(crate) fn record_submit_result(
        &mut self,
        result: &Result<FetchId, RejectedRequest>,
        now: Timestamp,
    ) -> io::Result<()> {
        self.digest.add_submitted(result);
        self.complete_call(now)
    }

    /// The policy that the engine's rules select, if the rules in the file select another one for the
    /// redacted URL.
    fn pinned_policy(
        &self,
        request: &FetchRequest,
        url: &str,
    ) -> Option<std::sync::Arc<fetch_proto::Policy>> {
        let policy = self.rules.policy(&request.method, &request.url);
        let rules = self.stored_rules.as_ref().unwrap_or(&self.rules);
        let same =
            url::Url::parse(url).is_ok_and(|url| rules.policy(&request.method, &url) == policy);
        (!same).then(|| policy.clone())
    }

    /// Records an input before it is handled.
    pub(crate) fn record_input(&mut self, id: AttemptId, input: &Input, now: Timestamp) {
        if self.attempt != Some(id) {
            self.attempt = Some(id);
            self.append(&TraceEntry::Attempt(id));
        }
        let elapsed = |this: &mut Self| take_delta(&mut this.last_nanos, now);
        let entry = match input {
            Input::Body { bytes } => TraceEntry::Body(elapsed(self), *bytes),
            Input::End(Ok(())) => TraceEntry::End(elapsed(self)),
            Input::End(Err(failure)) => {
                let index = self.dictionary.failure_index(*failure);
                self.dictionary.write_new(&mut self.frame, &mut self.repeat);
                TraceEntry::Failed(elapsed(self), index)
            }
            Input::Head(head) if *head == HeadSummary::status(head.status) => {
                TraceEntry::Head(elapsed(self), head.status)
            }
            Input::Head(head) => return self.record_head(head, now),
            Input::Mark(phase, at) => {
                let index = self.dictionary.phase_index(*phase);
                self.dictionary.write_new(&mut self.frame, &mut self.repeat);
                let ago = now.as_nanos().wrapping_sub(at.as_nanos()) as i64;
                TraceEntry::Mark(elapsed(self), index, ago)
            }
            Input::Paused => TraceEntry::Paused(elapsed(self)),
            Input::Resumed => TraceEntry::Resumed(elapsed(self)),
            _ => return self.record_call(&TraceCall::Handle(id, input.clone()), now),
        };
        self.append(&entry);
    }

    /// Records a response head with fields.
    fn record_head(&mut self, head: &HeadSummary, now: Timestamp) {
        let location = head.location.as_deref();
        let location = location.map(|location| self.redactor.redact_location(location));
        let parts = |wait: Duration| (wait.as_secs(), wait.subsec_nanos());
        let (asked, pause) = (head.retry_after.map(parts), head.pause.map(parts));
        let delta = take_delta(&mut self.last_nanos, now);
        let location = location.as_deref();
        let entry = match head.verdict {
            None => TraceEntry::HeadWithFields(delta, head.status, location, asked, pause),
            Some(verdict) => TraceEntry::HeadWithVerdict(delta, head.status, asked, pause, verdict),
        };
        append(&mut self.frame, &mut self.repeat, &entry);
    }

    /// Records the result of `cancel` or `handle`.
    pub(crate) fn record_handled(
        &mut self,
        handled: InputEffect,
        now: Timestamp,
    ) -> io::Result<()> {
        self.digest.add_handled(handled);
        self.complete_call(now)
    }

    /// Records a poll and its output.
    pub(crate) fn record_poll(&mut self, output: &EngineOutput, now: Timestamp) -> io::Result<()> {
        self.digest.add_output(output, Some(&self.redactor));
        let digest_byte = self.digest.low_byte();
        let (name, entry) = poll_entry(output);
        if let Some(repeat) = &mut self.repeat
            && repeat.at == now
            && repeat.name == name
            && repeat.count < u16::MAX
        {
            repeat.count += 1;
            repeat.digest_byte = digest_byte;
        } else {
            let delta = take_delta(&mut self.last_nanos, now);
            self.append(&entry(PollEntry { delta, digest_byte }));
            self.repeat = Some(RepeatedPoll {
                at: now,
                digest_byte,
                count: 0,
                name,
            });
        }
        self.complete_call(now)
    }

    /// Records a call whose answer is not in the digest, before it is made.
    pub(crate) fn record_plain_call(&mut self, call: &TraceCall, now: Timestamp) -> io::Result<()> {
        self.record_call(call, now);
        self.complete_call(now)
    }

    /// Records a call without a time argument, at the time of the previous call.
    pub(crate) fn record_timeless_call(&mut self, call: &TraceCall) -> io::Result<()> {
        self.record_plain_call(call, Timestamp::from_nanos(self.last_nanos))
    }

    /// Records a call before it is made. [`record_handled`](Self::record_handled) completes it.
    pub(crate) fn record_call(&mut self, call: &TraceCall, now: Timestamp) {
        match call {
            TraceCall::Cancel(id) => {
                let entry = TraceEntry::Cancel(take_delta(&mut self.last_nanos, now), *id);
                self.append(&entry);
            }
            TraceCall::Close => {
                let entry = TraceEntry::Close(take_delta(&mut self.last_nanos, now));
                self.append(&entry);
            }
            TraceCall::PauseStarts => self.append(&TraceEntry::PauseStarts),
            TraceCall::ResumeStarts => self.append(&TraceEntry::ResumeStarts),
            other => {
                let mut json = serde_json::to_value(other).unwrap_or_default();
                let is_redacted = redact_json(&mut json, &self.redactor);
                if let TraceCall::SetConfig(config) = other {
                    self.rules = config.rules.clone();
                    self.stored_rules = is_redacted.then(|| configured_rules(&json)).flatten();
                }
                let delta = take_delta(&mut self.last_nanos, now);
                self.append(&TraceEntry::Call(delta, &json.to_string()));
            }
        }
    }

    fn append(&mut self, entry: &TraceEntry<'_>) {
        append(&mut self.frame, &mut self.repeat, entry);
    }

    /// Counts a call that is recorded with its answer, and writes the frame if it is due.
    fn complete_call(&mut self, now: Timestamp) -> io::Result<()> {
        self.calls += 1;
        let age = now.saturating_since(self.frame_start);
        if self.frame.len() < FRAME_TARGET && age < FLUSH_INTERVAL {
            return Ok(());
        }
        self.frame_start = now;
        self.write_frame()
    }

    fn write_frame(&mut self) -> io::Result<()> {
        let digest = self.digest.sum().to_le_bytes();
        self.append(&TraceEntry::Digest(digest));
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        let written = self.frame.write(writer);
        if written.is_err() {
            self.writer = None;
        }
        written
    }

    fn write_end(&mut self) -> io::Result<()> {
        let finish = TraceEntry::Finish(self.calls);
        self.append(&finish);
        self.write_frame()
    }
}

impl<W: Write> Drop for TraceRecorder<W> {
    fn drop(&mut self) {
        if self.writer.is_some() {
            // An error cannot be reported from a drop.
            let _ = self.write_end();
        }
    }
}

/// Returns the nanoseconds since the last entry and moves `last` to `now`.
fn take_delta(last: &mut u64, now: Timestamp) -> i64 {
    let now = now.as_nanos();
    now.wrapping_sub(std::mem::replace(last, now)) as i64
}

/// The rules in the recorded form of [`TraceCall::SetConfig`].
fn configured_rules(call: &serde_json::Value) -> Option<PolicyRules> {
    match serde_json::from_value(call.clone()) {
        Ok(TraceCall::SetConfig(config)) => Some(config.rules.clone()),
        _ => None,
    }
}
