//! What a command prints: a secret in one line, or JSON.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::Value;
use zeroize::{Zeroize as _, Zeroizing};

/// The members that may have the secret.
const TOKENS: [&str; 4] = ["token", "access_token", "accessToken", "id_token"];

/// The members that may have the time of its end, as text.
const ENDS: [&str; 5] = [
    "expiration",
    "Expiration",
    "expiry",
    "token_expiry",
    "expirationTimestamp",
];

/// The secret in the output of a command, and how long it is still valid, if the output says so.
///
/// # Errors
///
/// If JSON has no secret, or its end has passed.
pub(super) fn secret_and_lifetime(
    text: &str,
) -> Result<(Zeroizing<String>, Option<Duration>), String> {
    let text = text.trim();
    if !text.starts_with('{') {
        return Ok((Zeroizing::new(text.to_owned()), None));
    }
    // The error of serde_json could quote the text.
    let json: Result<Value, _> = serde_json::from_str(text);
    let mut json = json.map_err(|_| "printed JSON that is not valid".to_owned())?;
    let found = from_json(&json, SystemTime::now());
    wipe(&mut json);
    found
}

fn from_json(
    json: &Value,
    now: SystemTime,
) -> Result<(Zeroizing<String>, Option<Duration>), String> {
    // Kubernetes' ExecCredential has both in `status`.
    let part = json.get("status").filter(|status| status.is_object());
    let part = part.unwrap_or(json);
    let token = TOKENS.iter().find_map(|name| part.get(name)?.as_str());
    let Some(token) = token else {
        return Err(format!(
            "printed JSON without a secret: print one of {}",
            TOKENS.join(", ")
        ));
    };
    let token = Zeroizing::new(token.to_owned());
    Ok((token, lifetime(part, now)?))
}

/// How long the members say that it is valid from `now` on.
pub(crate) fn lifetime(json: &Value, now: SystemTime) -> Result<Option<Duration>, String> {
    if let Some(seconds) = json.get("expires_in").and_then(seconds) {
        return Ok(Some(seconds));
    }
    let since_epoch = json.get("expires_on").and_then(seconds);
    let since_epoch = since_epoch.map(|seconds| SystemTime::UNIX_EPOCH.checked_add(seconds));
    let end = match since_epoch {
        Some(end) => Some(end.ok_or("printed an end that is out of range")?),
        None => {
            let text = ENDS.iter().find_map(|name| json.get(name)?.as_str());
            text.map(parse_time).transpose()?
        }
    };
    let Some(end) = end else { return Ok(None) };
    let rest = end.duration_since(now);
    rest.map(Some)
        .map_err(|_| "printed a secret that has expired: check the clock".to_owned())
}

fn parse_time(text: &str) -> Result<SystemTime, String> {
    let time: Timestamp = text.parse().map_err(|_| {
        "printed an end that is not a time of RFC 3339, such as 2026-01-31T10:00:00Z".to_owned()
    })?;
    Ok(time.into())
}

/// A number of seconds, which some programs print as text.
pub(crate) fn seconds(value: &Value) -> Option<Duration> {
    let number = value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse().ok())?;
    Duration::try_from_secs_f64(number).ok()
}

/// Overwrites all texts.
pub(crate) fn wipe(json: &mut Value) {
    match json {
        Value::String(text) => text.zeroize(),
        Value::Array(list) => list.iter_mut().for_each(wipe),
        Value::Object(map) => map.values_mut().for_each(wipe),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn parsed(json: &str) -> Result<(String, Option<Duration>), String> {
        // One hour before the ends below.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let json = serde_json::from_str(json).unwrap();
        from_json(&json, now).map(|(token, life)| (token.to_string(), life))
    }

    #[test]
    fn the_outputs_of_known_programs_are_understood() {
        for (json, lifetime) in [
            (r#"{"token": "t"}"#, None),
            (r#"{"access_token": "t", "expires_in": 3600}"#, Some(HOUR)),
            (r#"{"access_token": "t", "expires_in": "3600"}"#, Some(HOUR)),
            (
                r#"{"accessToken": "t", "expires_on": 1800003600}"#,
                Some(HOUR),
            ),
            (
                r#"{"access_token": "t", "token_expiry": "2027-01-15T09:00:00Z"}"#,
                Some(HOUR),
            ),
            (
                r#"{"kind": "ExecCredential", "status": {"token": "t", "expirationTimestamp": "2027-01-15T09:00:00Z"}}"#,
                Some(HOUR),
            ),
        ] {
            assert_eq!(parsed(json), Ok(("t".to_owned(), lifetime)), "{json}");
        }
    }

    #[test]
    fn json_without_a_usable_secret_is_refused_and_not_shown() {
        for (json, expected) in [
            (r#"{"password": "hunter2"}"#, "without a secret"),
            (
                r#"{"token": "hunter2", "expiry": "soon"}"#,
                "not a time of RFC 3339",
            ),
            (r#"{"token": "hunter2", "expires_on": 5}"#, "has expired"),
        ] {
            let error = parsed(json).unwrap_err();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let invalid = secret_and_lifetime(r#"{"token": "hunter2""#).unwrap_err();
        assert_eq!(invalid, "printed JSON that is not valid");
        let line = secret_and_lifetime(" hunter2\n").unwrap();
        assert_eq!((line.0.as_str(), line.1), ("hunter2", None));
    }
}
