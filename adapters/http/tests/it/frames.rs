//! An HTTP/2 server, written frame by frame, that refuses and goes away on request.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::raw::Raw;

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;
const END_STREAM_AND_HEADERS: u8 = 5;
const REFUSED_STREAM: u32 = 7;

/// What is said to a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Said {
    Answer,
    /// That this one and all after it are left aside. Those before are answered, then it ends.
    GoAway,
    /// Nothing, until the connection goes away, three requests are waiting, or no more come.
    Later,
    Refuse,
}

/// Takes `streams` requests at once on each connection, and says to request number 0, 1, … on
/// connection number 0, 1, … what `say` says.
pub(crate) fn server(
    streams: u32,
    say: impl Fn(usize, usize) -> Said + Send + Sync + 'static,
) -> Raw {
    Raw::serve(move |connection, stream| {
        // Whatever goes wrong, the client has closed the connection.
        let _ = serve(stream, streams, |request| say(connection, request));
    })
}

fn serve(mut stream: TcpStream, streams: u32, say: impl Fn(usize) -> Said) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.read_exact(&mut [0; 24])?;
    let max_concurrent_streams = [&[0, 3][..], &streams.to_be_bytes()].concat();
    frame(&mut stream, SETTINGS, 0, 0, &max_concurrent_streams)?;
    let (mut number, mut last, mut gone) = (0, 0, false);
    let mut later = Vec::new();
    loop {
        // A pause: nothing more is to come before there is an answer.
        stream.set_read_timeout(Some(Duration::from_millis(20)))?;
        if let Err(error) = stream.peek(&mut [0]) {
            if error.kind() != ErrorKind::WouldBlock {
                return Err(error);
            }
            for id in later.drain(..) {
                answer(&mut stream, id)?;
            }
            continue;
        }
        stream.set_read_timeout(None)?;
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let (kind, flags) = (head[3], head[4]);
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload)?;
        match kind {
            SETTINGS if flags & ACK == 0 => frame(&mut stream, SETTINGS, ACK, 0, &[])?,
            PING if flags & ACK == 0 => frame(&mut stream, PING, ACK, 0, &payload)?,
            HEADERS if !gone => {
                match say(number) {
                    Said::Answer => answer(&mut stream, id)?,
                    Said::Later => later.push(id),
                    Said::Refuse => {
                        let why = REFUSED_STREAM.to_be_bytes();
                        frame(&mut stream, RST_STREAM, 0, id, &why)?;
                    }
                    Said::GoAway => {
                        gone = true;
                        let payload = [u32::to_be_bytes(last), [0; 4]].concat();
                        frame(&mut stream, GOAWAY, 0, 0, &payload)?;
                    }
                }
                number += 1;
                last = id;
            }
            _ => {}
        }
        if gone || later.len() > 3 {
            for id in later.drain(..) {
                answer(&mut stream, id)?;
            }
        }
    }
}

fn answer(stream: &mut TcpStream, id: u32) -> std::io::Result<()> {
    // `:status: 200`, from HPACK's static table.
    frame(stream, HEADERS, END_STREAM_AND_HEADERS, id, &[0x88])
}

fn frame(
    stream: &mut TcpStream,
    kind: u8,
    flags: u8,
    id: u32,
    payload: &[u8],
) -> std::io::Result<()> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &id.to_be_bytes()].concat();
    stream.write_all(&[&head, payload].concat())
}
