//! The answer of a token server: a token, or an error.

use std::time::{Duration, SystemTime};

use fetch_driver::{CredentialError, Response, parse_retry_after};
use fetch_proto::TokenUrl;
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use serde_json::Value;

use crate::secret::{Secret, seconds, wipe};

/// Errors that the same request would cause again (RFC 6749, 5.2), and what to check.
const FINAL_ERRORS: [(&str, &str); 5] = [
    (
        "invalid_client",
        "check the client's id, its secret or key, and the style; for a key, the clock too",
    ),
    (
        "invalid_grant",
        "the refresh token or the assertion is invalid, expired or used: get a new one",
    ),
    ("invalid_scope", "check the scope"),
    (
        "unauthorized_client",
        "allow the client this grant at the token server",
    ),
    (
        "unsupported_grant_type",
        "the token server does not have this grant",
    ),
];

/// The longest description of a server that is shown, in characters.
const MAX_DESCRIPTION: usize = 200;

/// What a token server has issued.
#[derive(Debug)]
pub(super) struct IssuedToken {
    pub(super) access_token: Secret,
    /// How long it is valid, if the server says so.
    pub(super) lifetime: Option<Duration>,
    /// The refresh token for the next request, if it is a new one.
    pub(super) refresh_token: Option<Secret>,
}

/// Reads an answer. Messages start with `url` and show none of `secrets`.
///
/// # Errors
///
/// If it has no token that can be sent by the scheme Bearer.
pub(super) fn read_answer(
    response: &Response,
    url: &TokenUrl,
    secrets: &[Secret],
) -> Result<IssuedToken, CredentialError> {
    let status = response.status.as_u16();
    let parsed = serde_json::from_slice::<Value>(&response.body);
    let mut json = parsed.unwrap_or_default();
    let answer = match issued_token(&json) {
        Some(issued) if status == 200 => Ok(issued),
        _ => Err(failure(response, &json, secrets)),
    };
    wipe(&mut json);
    let pause = || {
        let value = response.headers.get(RETRY_AFTER)?.to_str().ok()?;
        parse_retry_after(value, SystemTime::now())
    };
    answer.map_err(|(is_final, why)| {
        let why = format!("{url}: {why}");
        match (is_final, pause()) {
            (true, _) => CredentialError::refused(why),
            (false, None) => CredentialError::unavailable(why),
            (false, Some(pause)) => CredentialError::unavailable(why).retry_after(pause),
        }
    })
}

fn issued_token(json: &Value) -> Option<IssuedToken> {
    let text = |name: &str| json.get(name)?.as_str().filter(|text| !text.is_empty());
    let secret = |text: &str| Secret::new(text.to_owned());
    // Some servers leave it out, or write it in another case.
    let kind = text("token_type").unwrap_or("bearer");
    let token = text("access_token").filter(|_| kind.eq_ignore_ascii_case("bearer"))?;
    Some(IssuedToken {
        access_token: secret(token),
        lifetime: json.get("expires_in").and_then(seconds),
        refresh_token: text("refresh_token").map(secret),
    })
}

/// Whether the failure is final, and what happened.
fn failure(response: &Response, json: &Value, secrets: &[Secret]) -> (bool, String) {
    let status = response.status.as_u16();
    if let Some(code) = json.get("error").and_then(Value::as_str) {
        let known = |(name, _): &&(&str, &str)| is_code(code, name);
        let known = FINAL_ERRORS.iter().find(known);
        let described = json.get("error_description").and_then(Value::as_str);
        let text = match (known, described) {
            (Some((name, _)), Some(text)) => format!("{name} ({text})"),
            (None, Some(text)) => format!("{code} ({text})"),
            (_, None) => code.to_owned(),
        };
        let text = shown(&text, secrets);
        return match known.filter(|_| status < 500 && status != 429) {
            Some((_, fix)) => (true, format!("{text}: {fix}")),
            None => (false, format!("{text} (status {status})")),
        };
    }
    let why = if response.headers.contains_key(LOCATION) && (300..400).contains(&status) {
        format!("status {status} redirects, which token requests do not follow: correct the URL")
    } else if let Some(kind) = json.get("token_type").and_then(Value::as_str)
        && !kind.eq_ignore_ascii_case("bearer")
    {
        let kind = shown(kind, secrets);
        return (
            true,
            format!("issues tokens of the type {kind:?}: only Bearer is supported"),
        );
    } else {
        let media_type = response.headers.get(CONTENT_TYPE);
        let media_type = media_type.and_then(|value| value.to_str().ok());
        let media_type = shown(media_type.unwrap_or("no Content-Type"), secrets);
        format!("status {status} without a token ({media_type}): check the URL of the token server")
    };
    (false, why)
}

/// Whether the member `error` is this code. Some servers add an explanation to it.
fn is_code(error: &str, code: &str) -> bool {
    let rest = error.trim_start().strip_prefix(code);
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// A text of the server, as it is shown.
fn shown(text: &str, secrets: &[Secret]) -> String {
    let has_secret = |secret: &Secret| text.contains(secret.expose());
    if secrets.iter().any(has_secret) {
        return "a text that has a secret".to_owned();
    }
    let printable = text.chars().filter(|c| !c.is_control());
    printable.take(MAX_DESCRIPTION).collect()
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn answer(status: u16, body: &str) -> Result<IssuedToken, String> {
        let response = Response::new(StatusCode::from_u16(status).unwrap(), body.to_owned());
        let secrets = [Secret::new("hunter2".to_owned())];
        read_answer(
            &response,
            &"https://id.test/token".parse().unwrap(),
            &secrets,
        )
        .map_err(|error| {
            // The kind of failure is visible from outside in its Debug form only.
            let kind = match format!("{error:?}").contains("Refused") {
                true => "final",
                false => "transient",
            };
            format!("{kind}: {error}")
        })
    }

    #[test]
    fn an_end_may_be_missing_or_a_text() {
        for (member, lifetime) in [
            ("", None),
            (r#", "expires_in": 3600"#, Some(3600)),
            (r#", "expires_in": "3600""#, Some(3600)),
            (r#", "expires_in": null"#, None),
            (r#", "expires_in": "never""#, None),
            (r#", "expires_in": -1"#, None),
        ] {
            let body = format!(r#"{{"access_token": "t", "token_type": "BEARER"{member}}}"#);
            let issued = answer(200, &body).unwrap();
            assert_eq!(issued.access_token.expose(), "t");
            assert_eq!(
                issued.lifetime.map(|life| life.as_secs()),
                lifetime,
                "{body}"
            );
        }
    }

    #[test]
    fn refusals_are_final_and_other_failures_pass() {
        for (status, body, expected) in [
            (
                401,
                r#"{"error": "invalid_client"}"#,
                "final: https://id.test/token: invalid_client: check",
            ),
            (
                400,
                r#"{"error": "invalid_grant: Token is expired"}"#,
                "final: https://id.test/token: invalid_grant",
            ),
            (
                200,
                r#"{"error": "invalid_grant", "error_description": "used"}"#,
                "final: https://id.test/token: invalid_grant (used)",
            ),
            (500, r#"{"error": "invalid_client"}"#, "transient"),
            (400, r#"{"error": "invalid_client_metadata"}"#, "transient"),
            (
                400,
                r#"{"error": "slow_down"}"#,
                "transient: https://id.test/token: slow_down (status 400)",
            ),
            (503, r#"{"error": "server_error"}"#, "transient"),
            (
                200,
                r#"{"access_token": "t", "token_type": "mac"}"#,
                "final: https://id.test/token: issues tokens of the type \"mac\"",
            ),
            (
                200,
                "<html>",
                "transient: https://id.test/token: status 200 without a token",
            ),
            (200, "", "transient"),
            (200, r#"{"access_token": 5}"#, "transient"),
            (400, r#"{"error": 7}"#, "transient"),
        ] {
            let error = answer(status, body).unwrap_err();
            assert!(error.starts_with(expected), "{status} {body}: {error}");
        }
    }

    #[test]
    fn a_description_is_shown_without_secrets() {
        let body = r#"{"error": "invalid_client", "error_description": "not hunter2"}"#;
        assert!(!answer(401, body).unwrap_err().contains("hunter2"));
        let long = format!(
            r#"{{"error": "other", "error_description": "a\u0007{}"}}"#,
            "b".repeat(9_000)
        );
        let error = answer(400, &long).unwrap_err();
        assert!(error.len() < 300 && !error.contains('\u{7}'), "{error}");
    }
}
