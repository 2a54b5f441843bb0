//! Bounds the frames that bring no response any further: PRIORITY, PING, SETTINGS, empty DATA and
//! the like. The HTTP/2 implementation accepts any number of them.

use std::time::Instant;

use crate::flood::FramingOverhead;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const PADDED: u8 = 8;

/// The length of a frame's header.
const HEADER: usize = 9;

/// What a frame without data counts, besides its payload, as bytes of framing: it takes as much time
/// as some hundred bytes. About a thousand are always allowed.
const CONTROL_FRAME: u64 = 256;

/// What a WINDOW_UPDATE counts. Uploads in small pieces bring many of them.
const WINDOW_UPDATE_FRAME: u64 = 32;

/// What HEADERS count, because their fields are decoded. Some hundred informational responses are allowed, as
/// over HTTP/1.1.
const HEADERS_FRAME: u64 = 512;

/// What each request counts as content, so that any number of responses without a body, and of
/// cancelled requests, is allowed on a connection.
const REQUEST: u64 = 2 * 1024;

/// What each second counts as content: some frames to see whether the other side is alive.
const BYTES_PER_MILLISECOND: u64 = 1;

/// The name of frames that HTTP/2 does not have.
const UNKNOWN: &str = "unknown frames";

/// Reads the headers of the frames in a stream of bytes.
#[derive(Debug)]
pub(super) struct FrameMeter {
    /// The header of the current frame, and the length of its padding.
    header: [u8; HEADER + 1],
    header_len: usize,
    overhead: FramingOverhead,
    /// Bytes to skip up to the next frame.
    payload_left: u64,
    /// Until when time was counted.
    time_counted: Instant,
    requests_counted: u64,
}

/// There were too many frames without data. Names the last one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct FrameFlood(pub(super) &'static str);

impl FrameFlood {
    /// Whether these may be no frames at all, but the bytes of another protocol.
    pub(super) fn is_unknown(self) -> bool {
        self.0 == UNKNOWN
    }
}

impl FrameMeter {
    pub(super) fn new() -> Self {
        Self {
            header: [0; HEADER + 1],
            header_len: 0,
            overhead: FramingOverhead::default(),
            payload_left: 0,
            time_counted: Instant::now(),
            requests_counted: 0,
        }
    }

    /// Counts bytes sent to the server, which it may acknowledge.
    pub(super) fn add_written(&mut self, bytes: usize) {
        self.overhead.add_content(bytes as u64 / 2);
    }

    /// Counts the frames in the next bytes from the server. `requests` is the number of requests sent
    /// so far.
    pub(super) fn read(&mut self, mut bytes: &[u8], requests: u64) -> Result<(), FrameFlood> {
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let skipped = usize::try_from(self.payload_left).unwrap_or(usize::MAX);
                let skipped = skipped.min(bytes.len());
                self.payload_left -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            let wanted = self.header_end() - self.header_len;
            let (header, rest) = bytes.split_at(wanted.min(bytes.len()));
            self.header[self.header_len..][..header.len()].copy_from_slice(header);
            self.header_len += header.len();
            bytes = rest;
            if self.header_len == self.header_end() {
                self.count_frame(requests)?;
            }
        }
        Ok(())
    }

    /// The length of the frame's header, with the length of the padding if there is one.
    fn header_end(&self) -> usize {
        let [a, b, c, kind, flags, ..] = self.header;
        let is_padded = self.header_len >= HEADER && kind == DATA && flags & PADDED != 0;
        match is_padded && [a, b, c] != [0; 3] {
            true => HEADER + 1,
            false => HEADER,
        }
    }

    fn count_frame(&mut self, requests: u64) -> Result<(), FrameFlood> {
        let [a, b, c, kind, ..] = self.header;
        let length = u64::from(u32::from_be_bytes([0, a, b, c]));
        let after_header = self.header_len - HEADER;
        let padding = match after_header {
            0 => 0,
            _ => 1 + u64::from(self.header[HEADER]),
        };
        self.payload_left = length - after_header as u64;
        self.header_len = 0;
        let framing = match kind {
            DATA if length > padding => {
                self.overhead.add_content(length - padding);
                HEADER as u64 + padding
            }
            WINDOW_UPDATE => WINDOW_UPDATE_FRAME + length,
            // Their size has a limit.
            HEADERS => HEADERS_FRAME + length / 16,
            CONTINUATION => CONTROL_FRAME + length / 16,
            _ => CONTROL_FRAME + length,
        };
        self.overhead.add_framing(framing);
        if !self.overhead.is_flood() {
            return Ok(());
        }
        self.count_time_and_requests(requests);
        match self.overhead.is_flood() {
            true => Err(FrameFlood(frame_name(kind))),
            false => Ok(()),
        }
    }

    fn count_time_and_requests(&mut self, requests: u64) {
        let new = requests.saturating_sub(self.requests_counted);
        self.requests_counted = requests;
        let now = Instant::now();
        let time = now.saturating_duration_since(self.time_counted).as_millis() as u64;
        if time > 0 {
            self.time_counted = now;
        }
        let content = new * REQUEST + time * BYTES_PER_MILLISECOND;
        self.overhead.add_content(content);
    }
}

fn frame_name(kind: u8) -> &'static str {
    match kind {
        DATA => "DATA",
        HEADERS => "HEADERS",
        2 => "PRIORITY",
        3 => "RST_STREAM",
        4 => "SETTINGS",
        5 => "PUSH_PROMISE",
        6 => "PING",
        7 => "GOAWAY",
        WINDOW_UPDATE => "WINDOW_UPDATE",
        CONTINUATION => "CONTINUATION",
        _ => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u32).to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    /// How many of these frames are accepted, of at most `max`, in pieces of `step` bytes.
    fn accepted(frame: &[u8], max: usize, step: usize) -> usize {
        let mut meter = FrameMeter::new();
        // Time must not count in a test.
        meter.time_counted += std::time::Duration::from_secs(3_600);
        (0..max)
            .position(|_| {
                frame
                    .chunks(step)
                    .any(|piece| meter.read(piece, 0).is_err())
            })
            .unwrap_or(max)
    }

    #[test]
    fn frames_without_data_are_a_flood_for_every_split_of_the_input() {
        let padding_only = [&[15][..], &[0; 15]].concat();
        for (kind, flags, payload) in [
            (DATA, 0, &[][..]),
            (DATA, PADDED, &padding_only),
            (2, 0, &[0; 5]),
            (3, 0, &[0; 4]),
            (4, 0, &[]),
            (4, 0, &[0; 6]),
            (6, 0, &[0; 8]),
            (WINDOW_UPDATE, 0, &[0, 0, 0, 1]),
            (HEADERS, 4, &[0x88]),
            (CONTINUATION, 0, &[]),
            (0xbe, 0, &[0; 100]),
        ] {
            let frame = frame(kind, flags, payload);
            let counts: Vec<_> = [1, 3, 9, 10, 1_000]
                .map(|step| accepted(&frame, 100_000, step))
                .to_vec();
            assert!((500..25_000).contains(&counts[0]), "{kind}: {counts:?}");
            assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
        }
    }

    #[test]
    fn data_in_any_pieces_and_with_padding_is_no_flood() {
        let padded = [&[9][..], &[0; 109]].concat();
        for (flags, payload) in [(0, &[0; 5][..]), (0, &[0; 16_384]), (PADDED, &padded)] {
            let frame = frame(DATA, flags, payload);
            assert_eq!(accepted(&frame, 100_000, 1_000), 100_000);
        }
    }

    #[test]
    fn requests_uploads_and_time_allow_frames() {
        let mut meter = FrameMeter::new();
        // An early hint, the head, a frame of trailers and a PING for each.
        let head = frame(HEADERS, 5, &[0x88; 300]);
        let response = [head.repeat(3), frame(6, 0, &[0; 8])].concat();
        for request in 1..=100_000 {
            assert_eq!(meter.read(&response, request), Ok(()));
        }
        let mut meter = FrameMeter::new();
        let window_updates = frame(WINDOW_UPDATE, 0, &[0, 0, 1, 0]).repeat(2);
        for _ in 0..100_000 {
            meter.add_written(HEADER + 100);
            assert_eq!(meter.read(&window_updates, 1), Ok(()));
        }
        let mut meter = FrameMeter::new();
        for _ in 0..100_000 {
            let past = std::time::Duration::from_secs(1);
            meter.time_counted = meter
                .time_counted
                .checked_sub(past)
                .unwrap_or(meter.time_counted);
            assert_eq!(meter.read(&frame(6, 0, &[0; 8]), 1), Ok(()));
        }
    }

    #[test]
    fn a_flood_names_its_frame() {
        let mut meter = FrameMeter::new();
        let error = meter.read(&frame(2, 0, &[0; 5]).repeat(10_000), 1);
        assert_eq!(error, Err(FrameFlood("PRIORITY")));
        assert!(error.is_err_and(|flood| !flood.is_unknown()));
    }

    #[test]
    fn an_answer_of_http1_is_no_frame_of_http2() {
        let error = FrameMeter::new().read(b"HTTP/1.1 400 Bad Request\r\n\r\n", 1);
        assert!(error.is_err_and(FrameFlood::is_unknown));
    }
}
