//! Names of parameters and header fields whose values are secret.

/// Names that are secret as a whole.
const SECRET_NAMES: [&str; 11] = [
    "authcode",
    "code",
    "code_verifier",
    "key",
    "key-pair-id",
    "pass",
    "pin",
    "samlart",
    "samlrequest",
    "samlresponse",
    "sso",
];

/// Words that make a name secret: `session` hides `session_id` and `phpSession`.
const SECRET_WORDS: [&str; 21] = [
    "assertion",
    "auth",
    "authorization",
    "authkey",
    "cookie",
    "credentials",
    "csrf",
    "hmac",
    "jwt",
    "otp",
    "passcode",
    "passphrase",
    "passwort",
    "pwd",
    "session",
    "sid",
    "sig",
    "ticket",
    "totp",
    "verifier",
    "xsrf",
];

/// Ends of words that make a name secret: `token` hides `csrfmiddlewaretoken`, too.
const SECRET_ENDS: [&str; 14] = [
    "accesskey",
    "accesskeyid",
    "apikey",
    "authkey",
    "credential",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "secretkey",
    "sessid",
    "sessionid",
    "signature",
    "token",
];

/// Words before `key` that make it a secret one.
const KEYS: [&str; 22] = [
    "access",
    "account",
    "admin",
    "api",
    "app",
    "application",
    "auth",
    "client",
    "consumer",
    "encryption",
    "functions",
    "license",
    "master",
    "private",
    "secret",
    "service",
    "shared",
    "signing",
    "ssh",
    "storage",
    "subscription",
    "user",
];

/// Words before `token` that make it a position in a list: it authorizes nothing, and the pages of a list
/// differ only in it.
const POSITIONS: [&str; 17] = [
    "continuation",
    "continue",
    "cursor",
    "delta",
    "next",
    "offset",
    "page",
    "pagination",
    "paging",
    "prev",
    "previous",
    "scroll",
    "skip",
    "start",
    "starting",
    "sync",
    "watermark",
];

/// Parts of the names of header fields that are secret.
const SECRET_FIELD_PARTS: [&str; 11] = [
    "auth",
    "cookie",
    "credential",
    "csrf",
    "jwt",
    "key",
    "passw",
    "secret",
    "session",
    "token",
    "xsrf",
];

/// Whether a parameter of a query, a form or a path with this name has a secret value, such as a
/// password, a token or a signature. Case is ignored.
///
/// A name is secret by its words, so that new names of the same kind are, too.
///
/// ```
/// use fetch_proto::is_secret_parameter;
/// assert!(is_secret_parameter("Api_Key") && is_secret_parameter("userAccessToken"));
/// assert!(!is_secret_parameter("monkey") && !is_secret_parameter("max_tokens"));
/// ```
#[must_use]
pub fn is_secret_parameter(name: &str) -> bool {
    let is_one = |name: &str, list: &[&str]| list.iter().any(|one| name.eq_ignore_ascii_case(one));
    if is_one(name, &SECRET_NAMES) {
        return true;
    }
    let mut before = "";
    words(name).any(|word| {
        let bare = word.trim_end_matches(|c: char| c.is_ascii_digit());
        let is_secret = is_one(bare, &SECRET_WORDS)
            || SECRET_ENDS.iter().any(|end| has_end(bare, end)) && !is_position(before, bare)
            || bare.eq_ignore_ascii_case("key") && is_one(before, &KEYS);
        before = word;
        is_secret
    })
}

/// Whether `page token`, or `pagetoken` as one word, is a position in a list.
fn is_position(before: &str, word: &str) -> bool {
    let at = word.len().saturating_sub("token".len());
    let Some((start, end)) = word.split_at_checked(at) else {
        return false;
    };
    let position = if start.is_empty() { before } else { start };
    let mut positions = POSITIONS.iter();
    end.eq_ignore_ascii_case("token") && positions.any(|one| one.eq_ignore_ascii_case(position))
}

/// Whether the value of a header field with this name is not to be shown or archived. Case is ignored.
///
/// ```
/// use fetch_proto::is_secret_field;
/// assert!(is_secret_field("X-Api-Key") && !is_secret_field("Accept"));
/// ```
#[must_use]
pub fn is_secret_field(name: &str) -> bool {
    let has = |part: &&str| {
        let mut windows = name.as_bytes().windows(part.len());
        windows.any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
    };
    SECRET_FIELD_PARTS.iter().any(has) || is_secret_parameter(name)
}

/// The words of `snake_case`, `kebab-case` and `camelCase`.
fn words(name: &str) -> impl Iterator<Item = &str> {
    let mut rest = name;
    core::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
        let mut last = ' ';
        let end = rest.char_indices().find_map(|(at, c)| {
            let is_end = !c.is_alphanumeric() || last.is_lowercase() && c.is_uppercase();
            last = c;
            is_end.then_some(at)
        });
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

fn has_end(word: &str, end: &str) -> bool {
    let start = word.len().checked_sub(end.len());
    let last = start.and_then(|start| word.as_bytes().get(start..));
    last.is_some_and(|last| last.eq_ignore_ascii_case(end.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_secret_by_its_words() {
        for name in [
            "access_token",
            "accessToken",
            "ACCESSTOKEN",
            "api-key",
            "apiKey",
            "auth_code",
            "awsaccesskeyid",
            "bot_token2",
            "client_secret",
            "code",
            "csrfmiddlewaretoken",
            "id_token",
            "Jwt",
            "jsessionid",
            "key",
            "oauth_verifier",
            "ocp-apim-subscription-key",
            "passwd",
            "PHPSESSID",
            "page_access_token",
            "private_token",
            "pwd",
            "secretAccessKey",
            "session",
            "session_id",
            "sid",
            "sig",
            "user[password]",
            "X-Amz-Credential",
            "X-Amz-Security-Token",
            "X-Amz-Signature",
            "X-Goog-Signature",
        ] {
            assert!(is_secret_parameter(name), "{name}");
            assert!(
                is_secret_parameter(&name.to_ascii_uppercase())
                    || name.contains(char::is_uppercase),
                "{name}"
            );
            assert!(
                is_secret_field(name) || ["code", "pwd", "sid", "sig"].contains(&name),
                "{name}"
            );
        }
        for name in [
            "",
            "author",
            "barcode",
            "design",
            "encode",
            "keyword",
            "$skiptoken",
            "continuation-token",
            "max_tokens",
            "monkey",
            "nextPageToken",
            "page",
            "page_token",
            "pagetoken",
            "syncToken",
            "passage",
            "pinned",
            "postcode",
            "primary_key",
            "q",
            "sort_key",
            "tokenize",
            "x",
        ] {
            assert!(!is_secret_parameter(name), "{name}");
        }
    }

    #[test]
    fn a_field_is_secret_by_a_part_of_its_name() {
        for name in [
            "Authorization",
            "Cookie",
            "DPoP-Key",
            "Proxy-Authorization",
            "Set-Cookie2",
            "X-Apikey",
            "X-CSRFToken",
            "X-Hub-Signature-256",
            "X-Vault-Token",
        ] {
            assert!(is_secret_field(name), "{name}");
        }
        for name in [
            "Accept",
            "Content-Type",
            "ETag",
            "Host",
            "Keep-Alive",
            "Location",
            "Server",
        ] {
            assert!(!is_secret_field(name), "{name}");
        }
    }
}
