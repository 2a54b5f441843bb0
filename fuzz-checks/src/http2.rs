//! Responses of HTTP/2, from frames that a server may send in any order.

use arbitrary::{Arbitrary, Unstructured};
use fetch_driver::Http2Mode;
use fetch_http::{HttpConfig, HttpTransport};
use http::Method;

use crate::peer::{Awaited, Script, ScriptRuntime, exchange};

const URL: &str = "http://192.0.2.1/";

/// The most frames of a script.
const MAX_FRAMES: usize = 64;

/// A frame, as a server in good order or out of order sends it.
#[derive(Arbitrary, Clone, Debug)]
enum Frame {
    /// The beginning of the response, of this status.
    Head { status: u8, is_end: bool },
    /// Content of the response.
    Data { bytes: Vec<u8>, is_end: bool },
    /// `PING`, which is answered.
    Ping([u8; 8]),
    /// More room for what the client sends.
    Window(u8),
    /// Any type, flags, stream and payload.
    Any {
        kind: u8,
        flags: u8,
        stream: u8,
        payload: Vec<u8>,
    },
    /// Bytes that need not be a frame.
    Raw(Vec<u8>),
}

/// The input is decoded into frames.
///
/// - The exchange ends, in a number of turns that its bytes explain.
/// - The body is no longer than the frames, and is theirs if all are in order.
/// - However the bytes are split, a response in order is read.
pub fn check_http2(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let choice = u8::arbitrary(&mut input).unwrap_or_default();
    let mut frames = Vec::new();
    while frames.len() < MAX_FRAMES && !input.is_empty() {
        frames.extend(Frame::arbitrary(&mut input));
    }
    let mut script = Script::new(&frame(4, 0, 0, &[]));
    script.pause = Some((script.bytes.len(), Awaited::H2Head));
    for frame in &frames {
        frame.write(&mut script.bytes);
    }
    let runtime = ScriptRuntime::new([script.clone().in_pieces(choice)]);
    let config = HttpConfig::new()
        .http2(Http2Mode::PriorKnowledge)
        .decode(false);
    let transport = HttpTransport::new(runtime.clone(), config);
    let answer = runtime.run(exchange(&transport, Method::GET, URL, u64::MAX));
    if let Some((status, body)) = in_order(&frames) {
        let answer = answer.expect("a response in order");
        assert_eq!((answer.status.as_u16(), &answer.body), (status, &body));
        assert!(answer.is_complete());
    } else if let Ok(answer) = answer {
        assert!(answer.body.len() <= script.bytes.len());
    }
}

/// Status and body of a response in order: one head, then content, until the end of the stream.
fn in_order(frames: &[Frame]) -> Option<(u16, Vec<u8>)> {
    let mut status = None;
    let mut body = Vec::new();
    let mut has_ended = false;
    for frame in frames {
        let is_end = match frame {
            // An error of the connection behind the response may end the response, too.
            Frame::Head { .. } | Frame::Data { .. } if has_ended => return None,
            Frame::Head {
                status: code,
                is_end,
            } if status.is_none() => {
                status = Some(final_status(*code));
                *is_end
            }
            Frame::Data { bytes, is_end } if status.is_some() => {
                body.extend_from_slice(bytes);
                *is_end
            }
            Frame::Ping(_) | Frame::Window(1..) => false,
            _ => return None,
        };
        has_ended |= is_end;
    }
    status.filter(|_| has_ended).map(|status| (status, body))
}

/// A status of a final response that may have content.
fn final_status(code: u8) -> u16 {
    [200, 400, 404, 500][usize::from(code) % 4]
}

impl Frame {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend(match self {
            Self::Head { status, is_end } => {
                // `:status` by its entry of HPACK's static table.
                let entry = [8, 12, 13, 14][usize::from(*status) % 4];
                frame(1, 4 | u8::from(*is_end), 1, &[0x80 | entry])
            }
            Self::Data { bytes, is_end } => frame(0, u8::from(*is_end), 1, bytes),
            Self::Ping(bytes) => frame(6, 0, 0, bytes),
            Self::Window(more) => frame(8, 0, 0, &[0, 0, 0, *more]),
            Self::Any {
                kind,
                flags,
                stream,
                payload,
            } => frame(kind % 12, *flags, stream % 5, payload),
            Self::Raw(bytes) => bytes.clone(),
        });
    }
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let head = [
        length[1], length[2], length[3], kind, flags, 0, 0, 0, stream,
    ];
    [&head, payload].concat()
}
