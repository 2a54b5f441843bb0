//! Reads the calls of a trace.

mod dictionary;

use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use fetch_proto::{AttemptId, EngineConfig, FetchRequest, HeadSummary, Input, Timestamp};
use serde::Serialize;
use url::Url;

use self::dictionary::ReadDictionary;
use crate::call::TraceCall;
use crate::error::TraceError;
use crate::format::entry::{self, PolicySource, PollEntry, SubmitEntry, TraceEntry};
use crate::format::frame::{self, FrameRead, MAGIC, VERSION};
use crate::format::url_packing::UrlUnpacker;

/// How a trace ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "how")]
#[non_exhaustive]
pub enum TraceEnd {
    /// The recording was finished.
    Complete,
    /// The file is cut off: the process was killed, or the file was truncated. The part before is
    /// usable.
    Cut {
        /// Usable bytes at the start of the file.
        at: u64,
    },
    /// A part was changed, or was not written by a recorder. The part before is usable.
    Damaged {
        /// Usable bytes at the start of the file.
        at: u64,
    },
}

impl fmt::Display for TraceEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => f.write_str("complete"),
            Self::Cut { at } => write!(f, "cut off after {at} usable bytes"),
            Self::Damaged { at } => write!(f, "damaged after {at} usable bytes"),
        }
    }
}

/// A recorded call.
#[derive(Debug)]
pub(crate) struct RecordedCall {
    pub(crate) call: TraceCall,
    pub(crate) expected: Option<ExpectedOutput>,
    pub(crate) now: Timestamp,
    /// Whether the policy of the submitted request was selected by a secret: see
    /// [`PolicySource::Pinned`].
    pub(crate) pinned: bool,
}

/// The recorded output of a poll.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExpectedOutput {
    pub(crate) digest_byte: Option<u8>,
    pub(crate) kind: &'static str,
}

/// The next item of a trace.
#[derive(Debug)]
pub(crate) enum TraceItem {
    Call(Box<RecordedCall>),
    Digest(u64),
    End(TraceEnd),
}

/// Reads the entries of a file in order.
#[derive(Debug)]
pub(crate) struct TraceReader<R> {
    attempt: Option<AttemptId>,
    /// Content of the current frame. The part before `position` is read.
    buffer: Vec<u8>,
    position: usize,
    calls: u64,
    finished: bool,
    source: R,
    last_nanos: u64,
    last_kind: Option<&'static str>,
    /// Polls left to repeat, and the digest byte after the last.
    repeat: (u16, u8),
    last_tag: u64,
    url_unpacker: UrlUnpacker,
    usable: u64,
    dictionary: ReadDictionary,
}

impl<R: Read> TraceReader<R> {
    /// Reads the head of the file.
    pub(crate) fn open(mut from: R) -> Result<(Self, entry::TraceHead<EngineConfig>), TraceError> {
        let mut begin = [0; MAGIC.len() + 2];
        let got = frame::read_full(&mut from, &mut begin)?;
        let (magic, version) = begin.split_at(MAGIC.len());
        if got < begin.len() || magic != MAGIC {
            return Err(TraceError::NotATrace);
        }
        let version = u16::from_le_bytes([version[0], version[1]]);
        if version != VERSION {
            return Err(TraceError::Version(version));
        }
        let mut reader = Self {
            attempt: None,
            buffer: Vec::new(),
            position: 0,
            calls: 0,
            finished: false,
            source: from,
            last_nanos: 0,
            last_kind: None,
            repeat: (0, 0),
            last_tag: 0,
            url_unpacker: UrlUnpacker::default(),
            usable: begin.len() as u64,
            dictionary: ReadDictionary::default(),
        };
        let head: entry::TraceHead<EngineConfig> = match reader.read_frame()? {
            FrameRead::Frame => serde_json::from_slice(&reader.buffer).map_err(|error| {
                TraceError::Head(format!("{error}; it was written by a different version"))
            })?,
            FrameRead::End | FrameRead::Cut => {
                return Err(TraceError::Head("it is cut off".to_owned()));
            }
            FrameRead::Damaged => return Err(TraceError::Head("it is damaged".to_owned())),
        };
        reader.position = reader.buffer.len();
        reader.last_nanos = head.start;
        Ok((reader, head))
    }

    fn read_frame(&mut self) -> Result<FrameRead, TraceError> {
        let read = frame::read(&mut self.source, &mut self.buffer)?;
        self.position = 0;
        Ok(read)
    }

    /// Returns the next call, the next digest, or the end.
    pub(crate) fn next_item(&mut self) -> Result<TraceItem, TraceError> {
        if self.repeat.0 > 0 {
            return Ok(self.repeat_poll());
        }
        loop {
            if self.position == self.buffer.len() {
                if self.position > 0 {
                    self.usable += (self.buffer.len() + frame::HEAD_LEN) as u64;
                    self.buffer.clear();
                    self.position = 0;
                }
                let at = self.usable;
                match self.read_frame()? {
                    FrameRead::Frame if self.finished => {
                        return Ok(TraceItem::End(TraceEnd::Damaged { at }));
                    }
                    FrameRead::Frame => continue,
                    FrameRead::End if self.finished => {
                        return Ok(TraceItem::End(TraceEnd::Complete));
                    }
                    FrameRead::End | FrameRead::Cut => {
                        return Ok(TraceItem::End(TraceEnd::Cut { at }));
                    }
                    FrameRead::Damaged => return Ok(TraceItem::End(TraceEnd::Damaged { at })),
                }
            }
            match self.take_entry() {
                Some(Some(item)) => return Ok(item),
                Some(None) => {}
                // The frame is intact, but no recorder writes this content.
                None => return Ok(TraceItem::End(TraceEnd::Damaged { at: self.usable })),
            }
        }
    }

    /// Reads one entry. `Some(None)` if it is not an item by itself, `None` if it is invalid.
    fn take_entry(&mut self) -> Option<Option<TraceItem>> {
        let buffer = std::mem::take(&mut self.buffer);
        let taken = postcard::take_from_bytes::<TraceEntry<'_>>(&buffer[self.position..]).ok();
        let item = taken.and_then(|(entry, rest)| {
            self.position = buffer.len() - rest.len();
            self.interpret_entry(&entry)
        });
        self.buffer = buffer;
        item
    }

    fn interpret_entry(&mut self, entry: &TraceEntry<'_>) -> Option<Option<TraceItem>> {
        match entry {
            TraceEntry::DictionaryText(text) => self.dictionary.add(text),
            TraceEntry::Attempt(id) => self.attempt = Some(*id),
            TraceEntry::Repeat(count, digest_byte) => {
                self.last_kind.filter(|_| *count > 0)?;
                self.repeat = (*count, *digest_byte);
                return Some(Some(self.repeat_poll()));
            }
            TraceEntry::Digest(digest) => {
                return Some(Some(TraceItem::Digest(u64::from_le_bytes(*digest))));
            }
            TraceEntry::Finish(calls) => {
                self.finished = *calls == self.calls;
                return self.finished.then_some(None);
            }
            entry => return self.decode_call(entry).map(Some),
        }
        Some(None)
    }

    /// Returns the call of an entry.
    fn decode_call(&mut self, entry: &TraceEntry<'_>) -> Option<TraceItem> {
        if let Some((kind, polled)) = poll_entry(entry) {
            let now = self.advance(polled.delta);
            self.last_kind = Some(kind);
            let expected = ExpectedOutput {
                digest_byte: Some(polled.digest_byte),
                kind,
            };
            return Some(self.count_call(TraceCall::Poll, Some(expected), now, false));
        }
        let (delta, call) = match entry {
            TraceEntry::Cancel(delta, id) => (*delta, TraceCall::Cancel(*id)),
            TraceEntry::Close(delta) => (*delta, TraceCall::Close),
            TraceEntry::PauseStarts => (0, TraceCall::PauseStarts),
            TraceEntry::ResumeStarts => (0, TraceCall::ResumeStarts),
            TraceEntry::Submit(submit) => (
                submit.delta,
                TraceCall::Submit(self.decode_request(submit)?),
            ),
            TraceEntry::Call(delta, json) => (*delta, serde_json::from_str(json).ok()?),
            input => {
                let (delta, input) = self.decode_input(input)?;
                (delta, TraceCall::Handle(self.attempt?, input))
            }
        };
        let now = self.advance(delta);
        self.last_kind = None;
        let pinned = matches!(
            entry,
            TraceEntry::Submit(SubmitEntry {
                policy: PolicySource::Pinned(_),
                ..
            })
        );
        Some(self.count_call(call, None, now, pinned))
    }

    fn count_call(
        &mut self,
        call: TraceCall,
        expected: Option<ExpectedOutput>,
        now: Timestamp,
        pinned: bool,
    ) -> TraceItem {
        self.calls += 1;
        TraceItem::Call(Box::new(RecordedCall {
            call,
            expected,
            now,
            pinned,
        }))
    }

    /// Returns one of the repeated polls.
    fn repeat_poll(&mut self) -> TraceItem {
        self.repeat.0 -= 1;
        let digest_byte = (self.repeat.0 == 0).then_some(self.repeat.1);
        let kind = self.last_kind.unwrap_or("other");
        let now = Timestamp::from_nanos(self.last_nanos);
        self.count_call(
            TraceCall::Poll,
            Some(ExpectedOutput { digest_byte, kind }),
            now,
            false,
        )
    }

    fn advance(&mut self, delta: i64) -> Timestamp {
        self.last_nanos = self.last_nanos.wrapping_add_signed(delta);
        Timestamp::from_nanos(self.last_nanos)
    }

    fn decode_input(&self, entry: &TraceEntry<'_>) -> Option<(i64, Input)> {
        Some(match entry {
            TraceEntry::Body(delta, bytes) => (*delta, Input::Body { bytes: *bytes }),
            TraceEntry::End(delta) => (*delta, Input::End(Ok(()))),
            TraceEntry::Failed(delta, index) => {
                (*delta, Input::End(Err(self.dictionary.read(*index)?)))
            }
            TraceEntry::Head(delta, status) => (*delta, Input::Head(HeadSummary::status(*status))),
            TraceEntry::HeadWithFields(delta, status, location, asked, pause) => {
                let head = HeadSummary::status(*status)
                    .location(location.map(Into::into))
                    .pause(decode_duration(*pause)?)
                    .retry_after(decode_duration(*asked)?);
                (*delta, Input::Head(head))
            }
            TraceEntry::HeadWithVerdict(delta, status, asked, pause, verdict) => {
                let head = HeadSummary::status(*status)
                    .pause(decode_duration(*pause)?)
                    .retry_after(decode_duration(*asked)?)
                    .verdict(*verdict);
                (*delta, Input::Head(head))
            }
            TraceEntry::Mark(delta, index, ago) => {
                let now = self.last_nanos.wrapping_add_signed(*delta);
                let at = now.wrapping_sub(*ago as u64);
                let phase = self.dictionary.read(*index)?;
                (*delta, Input::Mark(phase, Timestamp::from_nanos(at)))
            }
            TraceEntry::Paused(delta) => (*delta, Input::Paused),
            TraceEntry::Resumed(delta) => (*delta, Input::Resumed),
            _ => return None,
        })
    }

    fn decode_request(&mut self, submit: &SubmitEntry<'_>) -> Option<FetchRequest> {
        let url = Url::parse(self.url_unpacker.unpack(&submit.url)?).ok()?;
        let policy = match &submit.policy {
            PolicySource::Rules => None,
            PolicySource::Own(policy) | PolicySource::Pinned(policy) => {
                Some(self.dictionary.policy(policy)?)
            }
        };
        let template = self.dictionary.template(&submit.template)?;
        self.last_tag = self.last_tag.wrapping_add_signed(submit.tag);
        Some(
            template
                .policy(policy)
                .tag(self.last_tag)
                .url(Arc::new(url)),
        )
    }
}

/// Returns a duration of seconds and nanoseconds; `None` if it is invalid.
fn decode_duration(parts: Option<(u64, u32)>) -> Option<Option<Duration>> {
    match parts {
        Some((_, 1_000_000_000..)) => None,
        parts => Some(parts.map(|(seconds, nanos)| Duration::new(seconds, nanos))),
    }
}

/// Returns the output kind and the content of a poll entry.
fn poll_entry<'a>(entry: &'a TraceEntry<'_>) -> Option<(&'static str, &'a PollEntry)> {
    Some(match entry {
        TraceEntry::Abort(polled) => ("abort", polled),
        TraceEntry::Accept(polled) => ("accept", polled),
        TraceEntry::Discard(polled) => ("discard", polled),
        TraceEntry::Done(polled) => ("done", polled),
        TraceEntry::Event(polled) => ("event", polled),
        TraceEntry::Idle(polled) => ("idle", polled),
        TraceEntry::Start(polled) => ("start", polled),
        TraceEntry::OtherOutput(polled) => ("other", polled),
        _ => return None,
    })
}
