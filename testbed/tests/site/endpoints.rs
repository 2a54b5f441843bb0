//! Regular endpoints.

use std::io::Read;
use std::time::{Duration, Instant};

use fetch_testbed::{ENDPOINTS, Site, byte_at};

use crate::client::{BlockingClient, ClientResponse};

fn get(target: &str) -> ClientResponse {
    BlockingClient::new(&Site::start().unwrap()).get(target)
}

fn generated(length: u64) -> Vec<u8> {
    (0..length).map(byte_at).collect()
}

#[test]
fn the_index_lists_every_endpoint() {
    let page = String::from_utf8(get("/").body).unwrap();
    for endpoint in ENDPOINTS {
        assert!(page.contains(endpoint.path), "{}", endpoint.path);
        assert!(page.contains(endpoint.about), "{}", endpoint.about);
    }
}

#[test]
fn every_endpoint_listed_answers_its_example() {
    let site = Site::start().unwrap();
    for endpoint in ENDPOINTS {
        let wanted: &[u16] = match endpoint.example {
            // These never answer. They have separate tests.
            "/stall" | "/reset" | "/garbage" | "/empty-reply" => continue,
            "/status/404" => &[404],
            "/basic-auth/me/secret" | "/bearer/t0k3n" => &[401],
            _ => &[200, 302, 307, 429, 503],
        };
        let response = BlockingClient::new(&site)
            .exchange("HEAD", endpoint.example, "", b"")
            .unwrap();
        assert!(
            wanted.contains(&response.status),
            "{}: {}",
            endpoint.example,
            response.status
        );
    }
}

#[test]
fn an_unknown_path_is_404() {
    assert_eq!(get("/no/such").status, 404);
}

#[test]
fn the_echo_contains_method_url_headers_and_body() {
    let site = Site::start().unwrap();
    let mut client = BlockingClient::new(&site);
    let response = client
        .exchange(
            "POST",
            "/anything/x?a=b",
            "X-Two: 1\r\nx-two: 2\r\n",
            b"hello",
        )
        .unwrap();
    assert_eq!(response.header("content-type"), Some("application/json"));
    let echo = response.json();
    assert_eq!(echo["method"], "POST");
    assert_eq!(echo["url"], "http://demo/anything/x?a=b");
    assert_eq!(echo["headers"]["x-two"], "1, 2");
    assert_eq!(echo["headers"]["host"], "demo");
    assert_eq!(echo["body"], "hello");
}

#[test]
fn headers_returns_only_the_headers() {
    let site = Site::start().unwrap();
    let response = BlockingClient::new(&site)
        .exchange("GET", "/headers", "X-One: 1\r\n", b"")
        .unwrap();
    assert_eq!(
        response.json(),
        serde_json::json!({"host": "demo", "x-one": "1"})
    );
}

#[test]
fn status_returns_the_requested_status() {
    let site = Site::start().unwrap();
    let mut client = BlockingClient::new(&site);
    for status in [200, 204, 304, 404, 418, 429, 503, 999] {
        assert_eq!(client.get(&format!("/status/{status}")).status, status);
    }
}

#[test]
fn an_invalid_argument_is_400_with_the_reason() {
    let site = Site::start().unwrap();
    let mut client = BlockingClient::new(&site);
    for target in [
        "/status/100",
        "/status/x",
        "/delay/-1",
        "/delay/NaN",
        "/bytes/",
        "/bytes/-5",
        "/redirect-to",
        "/redirect-to?url=%0d%0a",
        "/redirect/1?status=7",
        "/retry-after/1?form=x",
        "/head-flood?bytes=999999999999",
        "/drip?duration=inf",
        "/basic-auth/me",
    ] {
        let response = client.get(target);
        assert_eq!(response.status, 400, "{target}");
        assert!(response.body.len() > 10, "{target}");
    }
}

#[test]
fn delay_delays_the_response() {
    let start = Instant::now();
    assert_eq!(get("/delay/0.05").json()["method"], "GET");
    assert!(start.elapsed() >= Duration::from_millis(50));
}

#[test]
fn bytes_have_a_content_length_and_the_generated_content() {
    for length in [0, 1, 1_024, 32_768, 1_000_000] {
        let response = get(&format!("/bytes/{length}"));
        assert_eq!(
            response.header("content-length"),
            Some(length.to_string().as_str())
        );
        assert!(response.body == generated(length), "{length}");
    }
}

#[test]
fn stream_bytes_uses_the_requested_chunk_size() {
    let site = Site::start().unwrap();
    let mut client = BlockingClient::new(&site);
    client
        .send("GET", "/stream-bytes/2500?chunk=1000", "", b"")
        .unwrap();
    assert_eq!(client.read_head().unwrap().header("content-length"), None);
    let chunks: Vec<Vec<u8>> = (0..4).map(|_| client.read_chunk().unwrap()).collect();
    assert_eq!(
        chunks.iter().map(Vec::len).collect::<Vec<_>>(),
        [1_000, 1_000, 500, 0]
    );
    assert!(chunks.concat() == generated(2_500));
}

#[test]
fn a_slow_body_waits_before_each_chunk() {
    let start = Instant::now();
    assert_eq!(get("/slow-body?chunks=3&interval=0.02").body, generated(30));
    assert!(start.elapsed() >= Duration::from_millis(60));
}

#[test]
fn a_drip_spreads_its_bytes_over_the_duration() {
    let start = Instant::now();
    let response = get("/drip?bytes=7&duration=0.07");
    assert_eq!(response.header("content-length"), Some("7"));
    assert_eq!(response.body, generated(7));
    assert!(start.elapsed() >= Duration::from_millis(69));
}

#[test]
fn flaky_fails_the_requested_number_of_times_per_key() {
    let site = Site::start().unwrap();
    let mut client = BlockingClient::new(&site);
    let mut statuses = |target| [(); 4].map(|()| client.get(target).status);
    assert_eq!(statuses("/flaky/2?key=a"), [503, 503, 200, 200]);
    assert_eq!(statuses("/flaky/2?key=b"), [503, 503, 200, 200]);
    assert_eq!(statuses("/flaky/0"), [200; 4]);
}

#[test]
fn retry_after_asks_to_wait_once_per_key() {
    let site = Site::start().unwrap();
    let mut client = BlockingClient::new(&site);
    let first = client.get("/retry-after/3?key=a&status=429");
    assert_eq!(
        (first.status, first.header("retry-after")),
        (429, Some("3"))
    );
    let second = client.get("/retry-after/3?key=a&status=429");
    assert_eq!((second.status, second.header("retry-after")), (200, None));
    assert_eq!(client.get("/retry-after/3?key=b").status, 503);
}

#[test]
fn retry_after_can_name_a_date() {
    let response = get("/retry-after/100?form=date");
    let then = httpdate::parse_http_date(response.header("retry-after").unwrap()).unwrap();
    let wait = then.duration_since(std::time::SystemTime::now()).unwrap();
    assert!(wait <= Duration::from_secs(100) && wait > Duration::from_secs(10));
}

#[test]
fn a_chain_of_redirects_ends_at_get() {
    let site = Site::start().unwrap();
    let mut client = BlockingClient::new(&site);
    let mut target = "/redirect/3?status=307".to_owned();
    let mut seen = Vec::new();
    loop {
        let response = client.get(&target);
        let Some(next) = response.header("location") else {
            break;
        };
        assert_eq!(response.status, 307);
        seen.push(next.to_owned());
        target = next.to_owned();
    }
    assert_eq!(
        seen,
        ["/redirect/2?status=307", "/redirect/1?status=307", "/get"]
    );
}

#[test]
fn redirect_to_uses_the_requested_target() {
    let response = get("/redirect-to?url=http%3A%2F%2Fother%2Fpath&status=308");
    assert_eq!(
        (response.status, response.header("location")),
        (308, Some("http://other/path"))
    );
    let looped = get("/redirect-loop");
    assert_eq!(
        (looped.status, looped.header("location")),
        (302, Some("/redirect-loop"))
    );
}

#[test]
fn compressed_bodies_inflate_to_the_echo() {
    type Inflate = fn(&[u8]) -> Vec<u8>;
    let codings: [(&str, &str, Inflate); 4] = [
        ("/gzip", "gzip", |body| {
            read_all(flate2::read::GzDecoder::new(body))
        }),
        ("/deflate", "deflate", |body| {
            read_all(flate2::read::ZlibDecoder::new(body))
        }),
        ("/brotli", "br", |body| {
            read_all(brotli::Decompressor::new(body, 4_096))
        }),
        ("/zstd", "zstd", |body| zstd::decode_all(body).unwrap()),
    ];
    for (target, coding, inflate) in codings {
        let mut response = get(target);
        assert_eq!(response.header("content-encoding"), Some(coding));
        response.body = inflate(&response.body);
        assert_eq!(response.json()["url"], format!("http://demo{target}"));
    }
}

fn read_all(mut reader: impl Read) -> Vec<u8> {
    let mut out = Vec::new();
    reader.read_to_end(&mut out).unwrap();
    out
}

#[test]
fn a_gzip_bomb_is_small_and_inflates_to_its_size() {
    let response = get("/gzip-bomb/3");
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    assert!(response.body.len() < 10_000);
    assert_eq!(
        read_all(flate2::read::GzDecoder::new(&response.body[..])).len(),
        3 << 20
    );
}

#[test]
fn a_head_flood_has_the_requested_length() {
    let response = get("/head-flood?bytes=100000");
    let length: usize = response.headers.iter().map(|(_, value)| value.len()).sum();
    assert!((100_000..101_000).contains(&length));
}

#[test]
fn basic_auth_requires_the_credentials_in_the_path() {
    let site = Site::start().unwrap();
    let mut client = BlockingClient::new(&site);
    let refused = client.get("/basic-auth/me/s%20t");
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.header("www-authenticate"),
        Some("Basic realm=\"testbed\"")
    );
    // The base64 of `me:s t`.
    let right = "Authorization: Basic bWU6cyB0\r\n";
    assert_eq!(
        client
            .exchange("GET", "/basic-auth/me/s%20t", right, b"")
            .unwrap()
            .status,
        200
    );
    assert_eq!(
        client
            .exchange("GET", "/basic-auth/me/other", right, b"")
            .unwrap()
            .status,
        401
    );
}

#[test]
fn close_announces_the_end_of_the_connection() {
    let site = Site::start().unwrap();
    let mut client = BlockingClient::new(&site);
    assert_eq!(client.get("/close").header("connection"), Some("close"));
    assert_eq!(client.read_rest().0, b"");
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let site = Site::start().unwrap();
    let mut client = BlockingClient::new(&site);
    for target in [
        "/bytes/5",
        "/bytes/1000000",
        "/get",
        "/status/404",
        "/reset-body",
        "/endless",
    ] {
        client.exchange("HEAD", target, "", b"").unwrap();
    }
    let head = client.exchange("HEAD", "/bytes/1000000", "", b"").unwrap();
    assert_eq!(head.header("content-length"), Some("1000000"));
    assert_eq!(client.get("/bytes/2").body, generated(2));
    assert_eq!(site.observed().connections, 1);
}

#[test]
fn mixed_pages_are_deterministic_except_for_the_first_failure() {
    let site = Site::start().unwrap();
    let mut client = BlockingClient::new(&site);
    let mut pass = || -> Vec<u16> {
        (0..100)
            .map(|n| client.get(&format!("/mixed/{n}?seed=3")).status)
            .collect()
    };
    let (first, second, third) = (pass(), pass(), pass());
    assert!(first.contains(&404) && first.contains(&302) && first.contains(&503));
    assert!(!second.contains(&503));
    assert_eq!(second, third);
}
