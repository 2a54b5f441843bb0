use super::*;

#[test]
fn keep_alive_limits_the_idle_time_with_a_margin() {
    let parameters = |value: &'static str| {
        let (name, value) = ("keep-alive", value.as_bytes());
        keep_alive_parameters(Fields(&[httparse::Header { name, value }]))
    };
    let seconds = |seconds| Some(Duration::from_secs_f64(seconds));
    for (value, limit, is_last) in [
        ("timeout=5", seconds(4.0), false),
        ("timeout=5, max=100", seconds(4.0), false),
        ("max=0, Timeout = \"75\"", seconds(74.0), true),
        ("timeout=1", seconds(0.5), false),
        ("timeout=2", seconds(1.0), false),
        ("timeout=0", seconds(0.0), true),
        ("timeout=x, max=-1, 300", None, false),
        ("timeout=18446744073709551616", None, false),
    ] {
        assert_eq!(parameters(value), (limit, is_last), "{value}");
    }
    assert_eq!(keep_alive_parameters(Fields(&[])), (None, false));
}

const GET: HeadParser = HeadParser {
    has_continue: false,
    informational: 0,
    is_head_request: false,
    max_head: 1_000,
    size: 0,
};

fn head(text: &str) -> Result<ResponseHead, HeadError> {
    let mut unread = BytesMut::new();
    { GET }
        .parse(text.as_bytes(), &mut unread)
        .map(|head| head.expect(text))
}

#[test]
fn a_head_is_parsed_for_every_split_of_the_input() {
    let text = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n\
        HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nEmpty:\r\nContent-Length: 3\r\n\r\nabcHTTP";
    for step in 1..=text.len() {
        let (mut unread, mut found) = (BytesMut::new(), None);
        for received in text.chunks(step) {
            match &found {
                None => found = { GET }.parse(received, &mut unread).unwrap(),
                Some(_) => unread.extend_from_slice(received),
            }
        }
        let head = found.unwrap();
        let values: Vec<_> = head.headers.get_all("x-a").iter().collect();
        assert_eq!(values, ["1", "2"]);
        assert_eq!(head.headers["empty"], "");
        assert_eq!(
            (head.framing, head.keep_alive),
            (BodyFraming::Length(3), true)
        );
        assert_eq!(unread, "abcHTTP", "{step}");
    }
}

#[test]
fn framing_and_keep_alive_follow_rfc_9112() {
    use BodyFraming::{Chunked, Length, UntilClose};
    for (head_text, framing, keep_alive) in [
        ("HTTP/1.1 200\r\n\r\n", UntilClose, false),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
            Length(5),
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: x, Close\r\n\r\n",
            Length(5),
            false,
        ),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
            Length(5),
            false,
        ),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n\r\n",
            Length(5),
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n",
            Chunked,
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
            Chunked,
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            UntilClose,
            false,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n",
            Chunked,
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            Chunked,
            false,
        ),
        (
            "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n",
            Length(0),
            true,
        ),
        (
            "HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n",
            Length(0),
            true,
        ),
    ] {
        let head = head(head_text).unwrap();
        assert_eq!(
            (head.framing, head.keep_alive),
            (framing, keep_alive),
            "{head_text}"
        );
    }
}

#[test]
fn endless_informational_heads_are_a_flood() {
    let one = b"HTTP/1.1 103 Early\r\n\r\n";
    for at_once in [1, 7, 1_000] {
        let (mut parser, mut unread) = (GET, BytesMut::new());
        let mut heads = 0;
        let error = loop {
            heads += at_once;
            if let Err(error) = parser.parse(&one.repeat(at_once), &mut unread) {
                break error;
            }
        };
        assert!(matches!(error, HeadError::Flood), "{error:?}");
        assert!((256..=1_000).contains(&heads));
    }
}

#[test]
fn a_response_to_head_has_no_body() {
    let text = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let mut parser = HeadParser {
        is_head_request: true,
        ..GET
    };
    let head = parser.parse(text, &mut BytesMut::new()).unwrap().unwrap();
    assert_eq!(head.framing, BodyFraming::Length(0));
}

#[test]
fn invalid_heads_are_rejected() {
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : space\r\n\r\n",
        "HTTP/1.1 200 OK\r\n X: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
    ] {
        assert!(matches!(head(text), Err(HeadError::Syntax(_))), "{text}");
    }
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n";
    assert!(matches!(head(text), Err(HeadError::BodyTooLarge(_))));
}

#[test]
fn what_does_not_begin_with_a_status_line_is_not_http() {
    for text in [
        "HTTP/1.1 99 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "SSH-2.0\r\n\r\n",
    ] {
        assert!(matches!(head(text), Err(HeadError::NotHttp(_))), "{text}");
    }
}

#[test]
fn a_status_line_with_a_nul_is_http_with_a_fault() {
    for text in [
        "HTTP/1.1 200 OK\0\r\n\r\n",
        "HTTP/1.1 200\0OK\r\nX: y\r\n\r\n",
    ] {
        assert!(matches!(head(text), Err(HeadError::Syntax(_))), "{text:?}");
    }
    assert!(matches!(head("\0\0\0\r\n\r\n"), Err(HeadError::NotHttp(_))));
}

#[test]
fn a_folded_value_is_one_line() {
    let text = "HTTP/1.1 200 OK\r\nX: a \r\n \t b\r\n\tc\r\nEmpty: \r\n \r\nY: z\r\n\r\n";
    let head = head(text).unwrap();
    assert_eq!(head.headers["x"], "a b c");
    assert_eq!(
        (&head.headers["empty"], &head.headers["y"]),
        (&"".parse().unwrap(), &"z".parse().unwrap())
    );
}

/// What a strict map has of the fields that httparse accepts in `text`.
fn parsed_at_once(text: &[u8]) -> Option<HeaderMap> {
    let mut fields = [httparse::EMPTY_HEADER; FEW_FIELDS];
    let mut parsed = httparse::Response::new(&mut fields);
    let mut config = httparse::ParserConfig::default();
    config.allow_obsolete_multiline_headers_in_responses(true);
    config.parse_response(&mut parsed, text).ok()?;
    field_map(parsed.headers).ok()
}

proptest::proptest! {
    #[test]
    fn lines_become_the_map_of_the_fields_that_were_parsed(
        fields in "([!-~]{1,3}:[\\t -~\u{80}-\u{ff}]{0,4}\r?\n){0,5}",
    ) {
        let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        if let Ok(head) = head(&text) {
            proptest::prop_assert_eq!(Some(head.headers.into_map()), parsed_at_once(text.as_bytes()));
        }
    }
}

#[test]
fn the_number_of_fields_is_bounded_by_bytes_only() {
    let parser = HeadParser {
        max_head: 300 * 1024,
        ..GET
    };
    let text = |count: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(count));
    let parse = |count| { parser }.parse(text(count).as_bytes(), &mut BytesMut::new());
    for count in [99, 100, 101, 5_000] {
        assert_eq!(
            parse(count)
                .unwrap()
                .unwrap()
                .headers
                .get_all("a")
                .iter()
                .count(),
            count
        );
    }
    // More than a map of fields can have.
    assert!(matches!(parse(40_000), Err(HeadError::TooLarge)));
}

#[cfg(feature = "gzip")]
#[test]
fn transfer_codings_are_known_or_refused() {
    let codings = |value: &str| {
        head(&format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: {value}\r\n\r\n"
        ))
        .map(|head| head.transfer_codings)
    };
    for (value, expected) in [
        ("chunked", &[][..]),
        ("identity, chunked", &[]),
        ("chunked\r\nTransfer-Encoding: chunked", &[]),
        ("gzip, chunked", &[ContentCoding::Gzip]),
        ("X-GZIP ,, Chunked", &[ContentCoding::Gzip]),
        ("deflate", &[ContentCoding::Deflate]),
    ] {
        assert_eq!(codings(value).unwrap(), expected, "{value}");
    }
    for value in [
        "lzw",
        "lzw, chunked",
        "chunked, gzip",
        "gzip;q=1, chunked",
        "gzip, gzip, gzip, chunked",
    ] {
        assert!(
            matches!(codings(value), Err(HeadError::Coding(_))),
            "{value}"
        );
    }
}

#[test]
fn heads_over_the_limit_are_rejected_whole_or_in_pieces() {
    let (long, many) = ("x".repeat(1_000), "A: b\r\n".repeat(170));
    for fields in [
        format!("X: {long}\r\n\r\n"),
        format!("X: {long}"),
        format!("{many}\r\n"),
    ] {
        let text = format!("HTTP/1.1 200 OK\r\n{fields}");
        let parsed = { GET }.parse(text.as_bytes(), &mut BytesMut::new());
        assert!(matches!(parsed, Err(HeadError::TooLarge)), "{parsed:?}");
        // The same, byte by byte.
        let mut unread = BytesMut::new();
        let mut bytes = text.as_bytes().chunks(1);
        assert!(bytes.any(|byte| { GET }.parse(byte, &mut unread).is_err()));
    }
}
