//! What proxies answer, before the server behind them does.

use fetch_driver::{FailureKind, Proxy, ProxyRules};
use fetch_http::{HttpConfig, HttpTransport};
use http::Method;

use crate::peer::{Answer, Awaited, Script, ScriptRuntime, exchange};

const URL: &str = "http://192.0.2.1/";

/// An answer in order of a SOCKS5 proxy without a login, and the server's response.
const SOCKS: &[u8] = b"\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x04\xd2";
const CONNECTED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// The first byte chooses how the bytes arrive; the others are what a proxy answers to CONNECT, and what the
/// server sends behind the first head.
///
/// - The exchange ends, in a number of turns that its bytes explain.
/// - However the bytes are split, the result is the same.
/// - Without a status line of the proxy, there is no response.
pub fn check_connect_answer(input: &[u8]) {
    const PROXY: &str = "http://192.0.2.9:3128";
    let Some((choice, bytes)) = input.split_first() else {
        return;
    };
    let script = tunnel(bytes);
    let head = script.pause.map(|(end, _)| &bytes[..end]);
    let whole = fetch(script.clone(), PROXY);
    let pieces = fetch(script.in_pieces(*choice), PROXY);
    if let Some(head) = head
        && !head.windows(2).any(|window| window == b"\n\n")
        // A line may end with LF alone.
        && head.windows(3).position(|window| window == b"\n\r\n") == Some(head.len() - 3)
    {
        assert_eq!(whole, pieces, "the result depends on how the bytes arrive");
    }
    if whole.is_ok() {
        let line = bytes.trim_ascii_start();
        assert!(line.starts_with(b"HTTP/1."), "{}", line.escape_ascii());
    }
    let script = tunnel(&[CONNECTED, RESPONSE].concat()).in_pieces(*choice);
    let answer = fetch(script, PROXY).expect("an answer in order");
    assert_eq!(answer.body, b"ok");
}

/// A proxy that waits after its head, as one that connects to a server does.
fn tunnel(bytes: &[u8]) -> Script {
    let mut script = Script::new(bytes);
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    script.pause = end.map(|end| (end + 4, Awaited::Bytes));
    script
}

/// The same of a SOCKS5 proxy. Without its version and a success, there is no response.
pub fn check_socks_answer(input: &[u8]) {
    const PROXY: &str = "socks5://192.0.2.9:1080";
    let Some((choice, bytes)) = input.split_first() else {
        return;
    };
    let whole = fetch(Script::new(bytes), PROXY);
    let pieces = fetch(Script::new(bytes).in_pieces(*choice), PROXY);
    assert_eq!(whole, pieces, "the result depends on how the bytes arrive");
    if whole.is_ok() {
        assert_eq!(bytes[..4], [5, 0, 5, 0]);
    }
    let script = Script::new(&[SOCKS, RESPONSE].concat()).in_pieces(*choice);
    let answer = fetch(script, PROXY).expect("an answer in order");
    assert_eq!(answer.body, b"ok");
}

fn fetch(script: Script, proxy: &str) -> Result<Answer, FailureKind> {
    let runtime = ScriptRuntime::new([script]);
    let proxy = Proxy::parse(proxy).expect("the checks have valid proxies");
    let config = HttpConfig::new()
        .proxy(ProxyRules::new().all(proxy))
        .proxy_tunnel(true);
    let transport = HttpTransport::new(runtime.clone(), config);
    runtime.run(exchange(&transport, Method::GET, URL, u64::MAX))
}
