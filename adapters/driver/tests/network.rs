//! Cookies, proxies and Unix sockets as settings of a fetcher, over real sockets.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use fetch_driver::{
    Backoff, FailureKind, IncomingResponse, Policy, Request, TransportError, TransportOverride,
    transport_fn,
};
use fetch_smol::{Builder, Fetcher};
use fetch_testbed::Site;
use smol::block_on;

/// Answers each request's head with the result of `answer`, one request per connection.
fn serve(answer: impl Fn(&str) -> String + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            converse(stream, &answer);
        }
    });
    port
}

fn converse(mut stream: impl Read + Write, answer: impl Fn(&str) -> String) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let answer = answer(std::str::from_utf8(&head).unwrap());
    let _ = stream.write_all(answer.as_bytes());
}

/// A response with these header fields, and the request's cookies as its body.
fn echo(status: u16, fields: &str, head: &str) -> String {
    let mut lines = head.lines();
    let cookies = lines.find_map(|line| line.strip_prefix("cookie: "));
    let body = cookies.unwrap_or("none");
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\n{fields}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// A server that sets cookies at some paths and returns the received cookies at the others. Its names
/// are `a.test` and `b.test`.
fn cookie_site() -> u16 {
    serve(|head| {
        let (target, host) = (head.split(' ').nth(1).unwrap(), head.to_lowercase());
        let port = host.split("host: ").nth(1).unwrap();
        let port = port.lines().next().unwrap().split(':').nth(1).unwrap();
        match target {
            "/login" => echo(
                302,
                "Set-Cookie: id=7; Path=/\r\nSet-Cookie: deep=1; Path=/deep\r\nLocation: /echo\r\n",
                head,
            ),
            "/away" => {
                let location = format!("Location: http://b.test:{port}/echo\r\n");
                let set = "Set-Cookie: a=1; Path=/\r\nSet-Cookie: s=1; Path=/; Secure\r\n";
                echo(302, &format!("{set}{location}"), head)
            }
            "/retry" if !host.contains("cookie:") => {
                echo(503, "Set-Cookie: seen=503; Path=/retry\r\n", head)
            }
            "/logout" => echo(200, "Set-Cookie: id=; Path=/; Max-Age=0\r\n", head),
            _ => echo(200, "", head),
        }
    })
}

fn builder(port: u16) -> Builder {
    let policy = Policy::default().backoff(Backoff::default().base(Duration::ZERO));
    let mut builder = Fetcher::builder().policy(policy);
    for name in ["a.test", "b.test"] {
        builder = builder.resolve(name, port, [Ipv4Addr::LOCALHOST.into()]);
    }
    builder
}

fn text(fetcher: &Fetcher, request: Request) -> String {
    let response = block_on(fetcher.get(request)).unwrap();
    String::from_utf8(response.body.to_vec()).unwrap()
}

fn get(host: &str, port: u16, path: &str) -> Request {
    Request::get(format!("http://{host}:{port}{path}")).unwrap()
}

#[test]
fn a_cookie_set_by_a_redirect_is_sent_at_the_next_hop_and_later() {
    let port = cookie_site();
    let fetcher = builder(port).cookies(true).build().unwrap();
    assert_eq!(text(&fetcher, get("a.test", port, "/login")), "id=7");
    assert_eq!(
        text(&fetcher, get("a.test", port, "/deep/x")),
        "deep=1; id=7"
    );
    assert_eq!(text(&fetcher, get("a.test", port, "/logout")), "id=7");
    assert_eq!(text(&fetcher, get("a.test", port, "/echo")), "none");
}

#[test]
fn cookies_do_not_leak_to_another_host() {
    let port = cookie_site();
    let fetcher = builder(port).cookies(true).build().unwrap();
    // The caller's `Cookie` field is not sent to b.test either.
    let away = || {
        get("a.test", port, "/away")
            .header("cookie", "own=1")
            .unwrap()
    };
    assert_eq!(text(&fetcher, away()), "none");
    assert_eq!(text(&fetcher, get("b.test", port, "/echo")), "none");
    let here = get("a.test", port, "/echo")
        .header("cookie", "own=1")
        .unwrap();
    assert_eq!(text(&fetcher, here), "own=1; a=1");
}

#[test]
fn a_redirect_to_another_host_gets_that_hosts_cookies() {
    let port = cookie_site();
    let fetcher = builder(port).cookies(true).build().unwrap();
    assert_eq!(text(&fetcher, get("b.test", port, "/login")), "id=7");
    assert_eq!(text(&fetcher, get("a.test", port, "/away")), "id=7");
}

#[test]
fn a_retry_sends_the_cookies_that_the_failed_attempt_set() {
    let port = cookie_site();
    let fetcher = builder(port).cookies(true).build().unwrap();
    assert_eq!(text(&fetcher, get("a.test", port, "/retry")), "seen=503");
}

#[test]
fn cookies_are_off_by_default() {
    let port = cookie_site();
    let fetcher = builder(port).build().unwrap();
    assert_eq!(text(&fetcher, get("a.test", port, "/login")), "none");
}

#[test]
fn the_attempt_timeout_applies_to_a_proxy_that_hangs() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    for scheme in ["http", "socks5h"] {
        let limit = Policy::default().attempts(1);
        let limit = limit.attempt_timeout(Duration::from_millis(50));
        let fetcher = Fetcher::builder()
            .rules(fetch_driver::PolicyRules::from_policy(limit))
            .proxy(&format!("{scheme}://{addr}"))
            .build()
            .unwrap();
        let error = block_on(fetcher.get("https://a.test/")).unwrap_err();
        assert_eq!(error.kind().as_str(), "timeout", "{error}");
    }
}

#[test]
fn invalid_settings_are_reported_when_building() {
    let table: [(Builder, &str); 5] = [
        (Fetcher::builder().proxy("ftp://u:hush@p"), "proxy: "),
        (Fetcher::builder().no_proxy("10.0.0.0/99"), "no_proxy: "),
        (Fetcher::builder().connect_to("a:b"), "connect_to: "),
        (
            Fetcher::builder().proxy("p.test").unix_socket("/tmp/x"),
            "unix_socket: ",
        ),
        (
            Fetcher::builder().proxy("socks5://only-a-name@p"),
            "proxy: SOCKS5",
        ),
    ];
    for (builder, start) in table {
        let error = builder.build().unwrap_err().to_string();
        assert!(
            error.starts_with(start) && !error.contains("hush"),
            "{error}"
        );
    }
}

#[test]
fn no_proxy_applies_to_a_proxy_set_before_or_after() {
    let site = Site::start().unwrap();
    let dead = "http://127.0.0.1:1";
    for builder in [
        Fetcher::builder().proxy(dead).no_proxy("127.0.0.1"),
        Fetcher::builder().no_proxy("127.0.0.1").proxy(dead),
    ] {
        let fetcher = builder.build().unwrap();
        assert_eq!(block_on(fetcher.get(site.url("/get"))).unwrap().status, 200);
    }
}

#[cfg(unix)]
#[test]
fn a_unix_socket_serves_every_url() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            converse(stream, |head| {
                let host = head.lines().find(|line| line.starts_with("host: "));
                echo(200, "", &host.unwrap().replace("host", "cookie"))
            });
        }
    });
    let fetcher = Fetcher::builder().unix_socket(&path).build().unwrap();
    for host in ["a.test", "b.test"] {
        let url = format!("http://{host}/x");
        let response = block_on(fetcher.get(url)).unwrap();
        assert_eq!(response.body, host);
    }
}

#[test]
fn a_path_sent_as_it_is_does_not_share_another_response() {
    let site = Site::builder().record(true).start().unwrap();
    let fetcher = Fetcher::builder().share(true).build().unwrap();
    let url = site.url("/delay/../get");
    let as_is = Request::get(&url).unwrap().with_path_as_is().unwrap();
    block_on(async {
        let both = futures_lite::future::zip(fetcher.get(as_is), fetcher.get(url.as_str()));
        let (as_is, normal) = both.await;
        assert_eq!(
            (as_is.is_ok(), normal.unwrap().status.as_u16()),
            (true, 200)
        );
    });
    assert_eq!((site.hits("/delay/../get"), site.hits("/get")), (1, 1));
}

#[test]
fn a_client_that_normalises_paths_rejects_path_as_is() {
    type Body = fetch_smol::stream::Empty<Result<bytes::Bytes, TransportError>>;
    let send = |_, _| async {
        Err::<IncomingResponse<Body>, _>(TransportError::new(FailureKind::Io, "sent"))
    };
    let adapter = TransportOverride::new(fetch_smol::Smol::default(), transport_fn(send));
    let fetcher = fetch_driver::Builder::new(adapter).build().unwrap();
    let request = Request::get("http://a.test/b/../c").unwrap();
    let error = block_on(fetcher.get(request.with_path_as_is().unwrap())).unwrap_err();
    assert!(
        error.to_string().contains("cannot send one as it is"),
        "{error}"
    );
}

/// A server that returns each request's `Authorization`, with these fields, until `broken` is set.
fn user_site(fields: &'static str, broken: Arc<AtomicBool>) -> u16 {
    serve(move |head| {
        if broken.load(Ordering::SeqCst) {
            return "HTTP/1.1 503 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned();
        }
        let user = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("authorization").then_some(value)
        });
        let body = user.unwrap_or("nobody");
        let length = body.len();
        format!(
            "HTTP/1.1 200 OK\r\n{fields}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    })
}

/// The body that each of these users gets from a server that fails after it has answered alice.
fn after_alice(fields: &'static str, later: &[&str]) -> Vec<Option<String>> {
    let broken = Arc::new(AtomicBool::new(false));
    let port = user_site(fields, broken.clone());
    let policy = Policy::default()
        .attempts(1)
        .fallback(fetch_proto::Fallback::value());
    let fetcher = Fetcher::builder().policy(policy).stale(10).build().unwrap();
    let fetch = |user: &str| {
        let request = Request::get(format!("http://127.0.0.1:{port}/")).unwrap();
        let request = request.header("Authorization", user).unwrap();
        let outcome = block_on(fetcher.fetch(request));
        let response = outcome
            .response()
            .filter(|response| response.status.is_success());
        response.map(|response| String::from_utf8(response.body.to_vec()).unwrap())
    };
    assert_eq!(fetch("alice").as_deref(), Some("alice"));
    broken.store(true, Ordering::SeqCst);
    later.iter().map(|user| fetch(user)).collect()
}

#[test]
fn a_stored_response_never_reaches_another_user() {
    let same = Some("alice".to_owned());
    assert_eq!(after_alice("", &["bob", "alice"]), [None, same]);
    let private = "Cache-Control: private, no-store\r\n";
    assert_eq!(after_alice(private, &["bob", "alice"]), [None, None]);
}

#[test]
fn a_stored_response_never_reaches_another_user_of_the_url() {
    let broken = Arc::new(AtomicBool::new(false));
    let port = user_site("", broken.clone());
    let policy = Policy::default()
        .attempts(1)
        .fallback(fetch_proto::Fallback::value());
    let fetcher = Fetcher::builder().policy(policy).stale(10).build().unwrap();
    let is_answered = |user: &str| {
        let outcome = block_on(fetcher.fetch(format!("http://{user}@127.0.0.1:{port}/")));
        outcome.is_success()
    };
    assert!(is_answered("alice:x"));
    broken.store(true, Ordering::SeqCst);
    assert!(!is_answered("bob:y") && !is_answered("alice:y") && is_answered("alice:x"));
}
