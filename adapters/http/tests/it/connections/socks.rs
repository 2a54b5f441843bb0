//! Requests through a SOCKS4, SOCKS4a or SOCKS5 proxy (RFC 1928, RFC 1929).

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use fetch_driver::FailureKind;
use fetch_testbed::Site;
use smol::block_on;

use super::proxy::{RequestLog, at, secure_site, splice, through, trusting};
use crate::client::{client_with, fetch};
use crate::raw::RawServer;

/// A SOCKS5 proxy that requires `login`, unless that is empty, and answers the first requests with
/// `refusals`. It records the bytes of each handshake.
pub(crate) fn socks_proxy(
    login: &'static [u8],
    refusals: &'static [u8],
) -> (RawServer, RequestLog<Vec<u8>>) {
    let log = RequestLog::default();
    let handshakes = log.clone();
    let proxy = RawServer::serve(move |number, mut stream| {
        let refusal = refusals.get(number).copied();
        let answered = serve_socks_handshake(&mut stream, &handshakes, login, refusal);
        if let Some(server) = answered {
            splice(stream, server);
        }
    });
    (proxy, log)
}

fn serve_socks_handshake(
    stream: &mut TcpStream,
    log: &RequestLog<Vec<u8>>,
    login: &[u8],
    refusal: Option<u8>,
) -> Option<TcpStream> {
    let mut received = Vec::new();
    let mut read = |stream: &mut TcpStream, n: usize| {
        let mut bytes = vec![0; n];
        stream.read_exact(&mut bytes).ok()?;
        received.extend_from_slice(&bytes);
        Some(bytes)
    };
    let methods = read(stream, 2)?[1];
    let methods = read(stream, methods.into())?;
    if login.is_empty() {
        stream.write_all(&[5, 0]).ok()?;
    } else if methods.contains(&2) {
        stream.write_all(&[5, 2]).ok()?;
        let good = read(stream, login.len())? == login;
        stream.write_all(&[1, u8::from(!good)]).ok()?;
        if !good {
            return None;
        }
    } else {
        stream.write_all(&[5, 0xff]).ok()?;
        return None;
    }
    let kind = read(stream, 4)?[3];
    let length = match kind {
        1 => 4,
        3 => read(stream, 1)?[0].into(),
        _ => 16,
    };
    read(stream, length)?;
    let port = read(stream, 2)?;
    // Logged before the answer, so that the test sees it after the response.
    log.lock().unwrap().push(received);
    let code = refusal.unwrap_or(0);
    stream.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
    let port = u16::from_be_bytes([port[0], port[1]]);
    (code == 0).then(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap())
}

#[test]
fn socks_handshakes_are_exact() {
    let login: &[u8] = b"\x01\x02me\x04hush";
    let site = Site::start().unwrap();
    let port = site.address().port();
    let port_bytes = port.to_be_bytes();
    let by_addr = |ip: [u8; 4]| [&[5, 1, 0, 1][..], &ip, &port_bytes].concat();
    let by_name = [&[5, 1, 0, 3, 9][..], b"name.test", &port_bytes].concat();
    let table = [
        ("socks5://", &b""[..], "127.0.0.1", by_addr([127, 0, 0, 1])),
        ("socks5h://", b"", "127.0.0.1", by_addr([127, 0, 0, 1])),
        ("socks5://", b"", "name.test", by_addr([127, 0, 0, 9])),
        ("socks5h://", b"", "name.test", by_name.clone()),
        ("socks5h://me:hush@", login, "name.test", by_name),
    ];
    for (scheme, login, host, request) in table {
        let (proxy, log) = socks_proxy(login, &[]);
        let config =
            through(&at(&proxy, scheme)).resolve("name.test", port, [[127, 0, 0, 9].into()]);
        let client = client_with(config);
        for _ in 0..2 {
            let url = format!("http://{host}:{port}/get");
            assert_eq!(block_on(fetch(&client, &url)).unwrap().0, 200);
        }
        let greeting: &[u8] = if login.is_empty() {
            &[5, 1, 0]
        } else {
            &[5, 2, 0, 2]
        };
        let expected = [greeting, login, &request].concat();
        assert_eq!(*log.lock().unwrap(), [expected], "{scheme} {host}");
    }
}

/// A SOCKS4 proxy that refuses the first requests with these codes, and records the bytes of each.
fn socks4_proxy(refusals: &'static [u8]) -> (RawServer, RequestLog<Vec<u8>>) {
    let log = RequestLog::default();
    let requests = log.clone();
    let proxy = RawServer::serve(move |number, mut stream| {
        let mut received = vec![0; 8];
        stream.read_exact(&mut received).unwrap();
        // A user name, and for SOCKS4a a host name; each ends with a zero.
        let is_name = received[4..7] == [0, 0, 0] && received[7] != 0;
        for _ in 0..1 + u8::from(is_name) {
            let mut byte = [1];
            while byte != [0] {
                stream.read_exact(&mut byte).unwrap();
                received.extend(byte);
            }
        }
        let port = u16::from_be_bytes([received[2], received[3]]);
        requests.lock().unwrap().push(received);
        let code = refusals.get(number).copied().unwrap_or(90);
        stream.write_all(&[0, code, 0, 0, 0, 0, 0, 0]).unwrap();
        if code == 90 {
            splice(
                stream,
                TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap(),
            );
        }
    });
    (proxy, log)
}

#[test]
fn socks4_requests_are_exact() {
    let site = Site::start().unwrap();
    let port = site.address().port();
    let request = |rest: &[u8]| [&[4, 1][..], &port.to_be_bytes(), rest].concat();
    let table = [
        ("socks4://", "127.0.0.1", request(&[127, 0, 0, 1, 0])),
        ("socks4a://me@", "127.0.0.1", request(b"\x7f\0\0\x01me\0")),
        ("socks4://me@", "name.test", request(b"\x7f\0\0\x09me\0")),
        (
            "socks4a://",
            "name.test",
            request(b"\0\0\0\x01\0name.test\0"),
        ),
        (
            "socks4a://me@",
            "name.test",
            request(b"\0\0\0\x01me\0name.test\0"),
        ),
    ];
    for (scheme, host, expected) in table {
        let (proxy, log) = socks4_proxy(&[]);
        // A name's IPv6 addresses are left out.
        let addresses = ["::1".parse().unwrap(), [127, 0, 0, 9].into()];
        let config = through(&at(&proxy, scheme)).resolve("name.test", port, addresses);
        let client = client_with(config);
        let url = format!("http://{host}:{port}/get");
        assert_eq!(block_on(fetch(&client, &url)).unwrap().0, 200);
        assert_eq!(*log.lock().unwrap(), [expected], "{scheme} {host}");
    }
}

#[test]
fn socks4_errors_are_reported() {
    let table = [
        (
            91,
            "http://127.0.0.1:9/",
            FailureKind::Connect,
            "could not connect",
        ),
        (
            93,
            "http://127.0.0.1:9/",
            FailureKind::ProxyRefused,
            "by ident",
        ),
        (
            90,
            "http://[::1]:9/",
            FailureKind::Unsupported,
            "no IPv6 addresses",
        ),
    ];
    for (code, url, kind, words) in table {
        let (proxy, _) = socks4_proxy(match code {
            91 => &[91],
            _ => &[93],
        });
        let client = client_with(through(&at(&proxy, "socks4://me@")));
        let error = block_on(fetch(&client, url)).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn https_goes_through_socks() {
    let (proxy, _) = socks_proxy(b"", &[]);
    let site = secure_site();
    for scheme in ["socks5://", "socks5h://"] {
        let client = trusting(through(&at(&proxy, scheme)), &site);
        assert_eq!(block_on(fetch(&client, &site.url("/get"))).unwrap().0, 200);
    }
    assert_eq!(proxy.connections(), 2);
}

#[test]
fn socks_errors_are_reported() {
    let (strict, _) = socks_proxy(b"\x01\x02me\x04hush", &[]);
    let (refusing, _) = socks_proxy(b"", &[5, 2]);
    let other = RawServer::serve(|_, mut stream| {
        let _ = stream.read(&mut [0; 9]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let mute = RawServer::serve(|_, mut stream| drop(stream.read(&mut [0; 9])));
    let table = [
        (
            at(&strict, "socks5://me:evil@"),
            "did not accept the user name",
        ),
        (
            at(&strict, "socks5://"),
            "asks for a user name and password",
        ),
        (at(&refusing, "socks5://"), "Connection refused"),
        (at(&refusing, "socks5://"), "not allowed by ruleset"),
        (at(&other, "socks5://"), "is it a SOCKS proxy?"),
        (at(&mute, "socks5://"), "inside the SOCKS handshake"),
    ];
    for (url, words) in table {
        let error =
            block_on(fetch(&client_with(through(&url)), "http://127.0.0.1:9/")).unwrap_err();
        let kind = match words.contains("user name") {
            true => FailureKind::ProxyRefused,
            false => FailureKind::Connect,
        };
        assert_eq!(error.kind(), kind);
        let text = error.to_string();
        assert!(text.contains("socks5://127.0.0.1:"), "{text}");
        assert!(text.contains(words) && !text.contains("evil"), "{text}");
    }
}

#[test]
fn socks_tries_every_address_of_the_target() {
    let site = Site::start().unwrap();
    let port = site.address().port();
    // "Host unreachable" to the first.
    let (proxy, log) = socks_proxy(b"", &[4]);
    let addresses = [[127, 0, 0, 8].into(), [127, 0, 0, 9].into()];
    let config = through(&at(&proxy, "socks5://")).resolve("name.test", port, addresses);
    let url = format!("http://name.test:{port}/get");
    assert_eq!(block_on(fetch(&client_with(config), &url)).unwrap().0, 200);
    let asked: Vec<_> = log.lock().unwrap().iter().map(|bytes| bytes[10]).collect();
    assert_eq!(asked, [8, 9]);
}
