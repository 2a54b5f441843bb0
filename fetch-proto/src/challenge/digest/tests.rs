use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use md5::{Digest, Md5};

use super::*;

fn hash(which: DigestHash, bytes: &[u8]) -> String {
    let bytes: Vec<u8> = match which {
        DigestHash::Md5 => Md5::digest(bytes).to_vec(),
        DigestHash::Sha256 => ring(&ring::digest::SHA256, bytes),
        DigestHash::Sha512_256 => ring(&ring::digest::SHA512_256, bytes),
    };
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn ring(which: &'static ring::digest::Algorithm, bytes: &[u8]) -> Vec<u8> {
    ring::digest::digest(which, bytes).as_ref().to_vec()
}

fn challenge(parameters: &str) -> Option<DigestChallenge> {
    let found = AuthChallenge::parse_all([&*format!("Digest {parameters}")]);
    DigestChallenge::parse(found.first()?)
}

fn session(parameters: &str) -> DigestSession {
    DigestSession::new(challenge(parameters).expect("it can be answered"))
}

const REQUEST: DigestRequest<'_> = DigestRequest {
    body: b"body",
    client_nonce: "c",
    method: "GET",
    password: "p",
    target: "/",
    user: "u",
};

/// The parameter of an answer, without quotes.
fn parameter<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let parts = answer.strip_prefix("Digest ")?.split(", ");
    let mut values = parts.filter_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    values.next().map(|value| value.trim_matches('"'))
}

#[test]
fn the_examples_of_rfc_7616_are_answered_as_printed() {
    for (algorithm, response) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        (
            "SHA-256",
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
    ] {
        let mut session = session(
            &format!(
                r#"realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm},
               nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
               opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#
            )
            .replace("\n              ", ""),
        );
        let request = DigestRequest {
            client_nonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            password: "Circle of Life",
            target: "/dir/index.html",
            user: "Mufasa",
            ..REQUEST
        };
        let answer = session.authorize(&request, &hash);
        assert_eq!(parameter(&answer, "response"), Some(response));
        assert_eq!(parameter(&answer, "nc"), Some("00000001"));
        assert_eq!(parameter(&answer, "algorithm"), Some(algorithm));
        let opaque = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS";
        assert_eq!(parameter(&answer, "opaque"), Some(opaque));
    }
}

#[test]
fn each_form_of_the_hash_is_computed_by_rfc_7616() {
    // Computed apart from this crate.
    let cases = [
        (
            r#"qop="auth", algorithm=MD5-sess"#,
            "6e4aac8b22e97762f88ccd0d5ccf5b1d",
        ),
        (
            r#"qop="auth", algorithm=sha-256-SESS"#,
            "ea348c3992b38a8ab656b8bcd3589ab596820515773c2a4605013c6216e0f070",
        ),
        ("algorithm=MD5", "f23121ca97143c6b358da620220c83b4"),
        (
            "algorithm=SHA-256",
            "2543a936f96e723ee8500e9f9b02c068e91d314c4170b419da234eb029965532",
        ),
    ];
    for (parameters, response) in cases {
        let mut session = session(&format!(r#"realm="r", nonce="n", {parameters}"#));
        let answer = session.authorize(&REQUEST, &hash);
        assert_eq!(
            parameter(&answer, "response"),
            Some(response),
            "{parameters}"
        );
    }
}

#[test]
fn the_body_is_hashed_only_where_the_server_accepts_nothing_else() {
    for (algorithm, response) in [
        ("MD5", "d64879484302d5c0ee4591f57ae0a74a"),
        (
            "SHA-256",
            "758f7dc77b93b4a76024943a894056880b59f764078dba722c46b988b7eb5dd6",
        ),
    ] {
        let parameters = format!(r#"realm="r", nonce="n", qop="auth-int", algorithm={algorithm}"#);
        let mut session = session(&parameters);
        assert!(session.challenge().hashes_body());
        let request = DigestRequest {
            method: "POST",
            ..REQUEST
        };
        let _first = session.authorize(&request, &hash);
        let second = session.authorize(&request, &hash);
        assert_eq!(parameter(&second, "response"), Some(response));
        assert_eq!(parameter(&second, "nc"), Some("00000002"));
    }
    assert!(
        !session(r#"realm="r", nonce="n", qop="auth-int,auth""#)
            .challenge()
            .hashes_body()
    );
}

#[test]
fn the_name_is_hashed_or_encoded_as_the_server_asks() {
    let name = |parameters: &str| {
        let mut session = session(&format!(
            r#"realm="api@example.org", nonce="n", {parameters}"#
        ));
        let request = DigestRequest {
            user: "Jäsøn Doe",
            ..REQUEST
        };
        let answer = session.authorize(&request, &hash);
        let plain = parameter(&answer, "username").map(String::from);
        (
            plain,
            parameter(&answer, "username*").map(String::from),
            answer.contains("userhash=true"),
        )
    };
    // The hash is that of RFC 7616's erratum 4897.
    let hashed = "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b";
    let by_hash = name("userhash=true, charset=UTF-8, algorithm=SHA-512-256");
    assert_eq!(by_hash, (Some(hashed.into()), None, true));
    let encoded = "UTF-8''J%C3%A4s%C3%B8n%20Doe";
    assert_eq!(name("charset=UTF-8"), (None, Some(encoded.into()), false));
    assert_eq!(
        name("algorithm=MD5"),
        (Some("Jäsøn Doe".into()), None, false)
    );
}

#[test]
fn quotes_and_backslashes_are_escaped_in_the_answer() {
    let mut session = session(r#"realm="a \"b\" \\", nonce="n""#);
    let request = DigestRequest {
        user: r#"x"y"#,
        ..REQUEST
    };
    let answer = session.authorize(&request, &hash);
    assert!(
        answer.starts_with(r#"Digest username="x\"y", realm="a \"b\" \\", nonce="n", "#),
        "{answer}"
    );
}

#[test]
fn the_count_is_that_of_the_nonce() {
    let mut session = session(r#"realm="r", nonce="n", qop="auth""#);
    let count = |session: &mut DigestSession| {
        let answer = session.authorize(&REQUEST, &hash);
        parameter(&answer, "nc").map(String::from)
    };
    assert_eq!(count(&mut session).as_deref(), Some("00000001"));
    assert_eq!(count(&mut session).as_deref(), Some("00000002"));
    session.use_next_nonce(r#"nextnonce="n", rspauth="x""#);
    assert_eq!(
        count(&mut session).as_deref(),
        Some("00000003"),
        "the same nonce"
    );
    session.use_next_nonce(r#"rspauth="x", nextnonce="m""#);
    assert_eq!(session.nonce(), "m");
    assert_eq!(count(&mut session).as_deref(), Some("00000001"));
    session.use_next_nonce("rspauth=\"x");
    assert_eq!(session.nonce(), "m", "a malformed field changes nothing");
}

#[test]
fn challenges_that_cannot_be_answered_are_refused() {
    let cases = [
        r#"nonce="n""#,
        r#"realm="r""#,
        r#"realm="r", nonce="n", algorithm=SHA-1"#,
        r#"realm="r", nonce="n", algorithm=SHA-512"#,
        r#"realm="r", nonce="n", qop="token""#,
    ];
    for parameters in cases {
        assert_eq!(challenge(parameters), None, "{parameters}");
    }
    assert!(challenge(r#"realm="", nonce="n", qop="token,auth""#).is_some());
    let basic = AuthChallenge::parse_all([r#"Basic realm="r", nonce="n""#]);
    assert_eq!(DigestChallenge::parse(&basic[0]), None);
}

#[test]
fn debug_shows_no_password() {
    let request = DigestRequest {
        password: "secret",
        user: "me",
        ..REQUEST
    };
    assert_eq!(
        format!("{request:?}"),
        r#"DigestRequest { method: "GET", target: "/", .. }"#
    );
}
