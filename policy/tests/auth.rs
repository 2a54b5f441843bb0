//! Profiles of authentication in policy files.

use fetch_policy::{AuthKind, AuthSettings, ClientSettings, GrantSettings, PolicyFile};
use fetch_proto::{LoginSchemes, Method};

fn parse(text: &str) -> PolicyFile {
    PolicyFile::parse("p.toml", text).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn wrong(text: &str) -> String {
    PolicyFile::parse("p.toml", text)
        .map(drop)
        .unwrap_err()
        .to_string()
}

const PROFILES: &str = r#"
[auth.admin]
kind = "basic"
origins = ["https://api.example/admin"]
username = "root"
password = "env:ADMIN_PASSWORD"
[auth.api]
kind = "bearer"
origins = ["https://api.example"]
token = "file:/run/token"
[[rule]]
match = "/public/"
auth = "none"
[[rule]]
match = "/reports/"
auth = "admin"
"#;

#[test]
fn the_profile_of_a_url_is_explained() {
    let file = parse(PROFILES);
    for (url, expected) in [
        (
            "https://api.example/admin/1",
            "authenticated by [auth.admin] (basic)",
        ),
        (
            "https://api.example/1",
            "authenticated by [auth.api] (bearer)",
        ),
        (
            "https://api.example/public/",
            "not authenticated: auth = \"none\"",
        ),
        (
            "https://api.example/reports/",
            "outside the origins of [auth.admin]",
        ),
        (
            "https://other.example/",
            "not authenticated: no profile has its origin",
        ),
    ] {
        let plan = file.explain(&Method::Get, &url.parse().unwrap()).unwrap();
        assert!(plan.to_string().contains(expected), "{url}: {plan}");
    }
    let plan = parse("").explain(&Method::Get, &"http://a.test/".parse().unwrap());
    assert!(!plan.unwrap().to_string().contains("authenticated"));
}

#[test]
fn a_profile_without_what_it_needs_is_refused_at_its_position() {
    for (text, expected) in [
        (
            "origins = ['http://a.test']",
            "missing field `kind`: \"basic\", \"bearer\", \"client_credentials\"",
        ),
        (
            "kind = 'bearer'\ntoken = 'env:A'",
            "missing field `origins`",
        ),
        (
            "kind = 'bearer'\norigins = []\ntoken = 'env:A'",
            "missing field `origins`",
        ),
        (
            "kind = 'bearer'\norigins = ['http://a.test']",
            "missing field `token`",
        ),
        (
            "kind = 'basic'\norigins = ['http://a.test']\npassword = 'env:P'",
            "missing field `username`",
        ),
        (
            "kind = 'bearer'\norigins = ['a.test']\ntoken = 'env:A'",
            "p.toml:3:12: 'a.test': not a URL",
        ),
        (
            "kind = 'bearer'\norigins = ['ftp://a.test']\ntoken = 'env:A'",
            "no request has the scheme \"ftp\"",
        ),
        (
            "kind = 'bearer'\norigins = ['http://u:p@a.test']\ntoken = 'env:A'",
            "no user name",
        ),
        (
            "kind = 'bearer'\norigins = ['http://a.test/?q']\ntoken = 'env:A'",
            "no query",
        ),
        (
            "kind = 'bearer'\nusername = 'a'",
            "no meaning for kind = \"bearer\"",
        ),
    ] {
        let error = wrong(&format!("[auth.a]\n{text}"));
        assert!(error.contains(expected), "{text}: {error}");
    }
    let unknown = wrong(
        "auth.api = { kind = 'bearer', origins = ['http://a.test'], token = 'env:A' }\ndefault.auth = 'apo'",
    );
    assert!(
        unknown.contains(
            "p.toml:2:16: 'apo': there is no profile of this name: did you mean \"api\"?"
        ),
        "{unknown}"
    );
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_shown() {
    let text = "[auth.a]\nkind = 'bearer'\norigins = ['http://a.test']\ntoken = 'hunter2'";
    let error = wrong(text);
    assert!(
        error.contains("p.toml:4:9: token = …: write where the secret is read from"),
        "{error}"
    );
    let findings = PolicyFile::check("p.toml", text);
    assert!(!findings.is_empty());
    let shown: String = findings
        .iter()
        .map(|one| format!("{error}{one}{one:?}"))
        .collect();
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn an_origin_that_another_profile_has_is_reported() {
    let text = "[auth.a]\nkind = 'bearer'\norigins = ['http://a.test']\ntoken = 'env:A'\n\
        [auth.b]\nkind = 'bearer'\norigins = ['http://a.test/']\ntoken = 'env:B'\n";
    let findings = parse(text).lint();
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0]
            .to_string()
            .contains("this origin matches nothing: [auth.a] has it too")
    );
    let chosen = format!("{text}[[rule]]\nmatch = '/b/'\nauth = 'b'");
    assert_eq!(parse(&chosen).lint(), []);
}

/// A profile whose tokens come from a token server.
fn oauth(kind: &str, keys: &str) -> String {
    format!(
        "[auth.a]\nkind = '{kind}'\norigins = ['http://a.test']\n\
         token_url = 'https://id.test/token'\n{keys}"
    )
}

#[test]
fn a_client_has_the_style_that_its_keys_ask_for() {
    let client = |keys: &str| {
        let file = parse(&oauth(
            "client_credentials",
            &format!("client_id = 'me'\n{keys}"),
        ));
        let AuthSettings { kind, .. } = file.auth_profiles().unwrap().remove(0);
        let places: Vec<_> = kind.secrets().map(|(key, _)| key).collect();
        let AuthKind::OAuth(oauth) = &kind else {
            panic!("{kind:?}")
        };
        let style = match &oauth.client {
            ClientSettings::Basic(_) => "basic",
            ClientSettings::Post(_) => "post",
            ClientSettings::PrivateKeyJwt(_) => "private_key_jwt",
            _ => "none",
        };
        assert_eq!(oauth.grant, GrantSettings::ClientCredentials);
        (style, places)
    };
    let secret = "client_secret = 'env:S'\n";
    assert_eq!(client(secret), ("basic", vec!["client_secret"]));
    let post = client(&format!("{secret}style = 'post'"));
    assert_eq!(post, ("post", vec!["client_secret"]));
    let key = client("style = 'private_key_jwt'\nkey = 'file:k.pem'");
    assert_eq!(key, ("private_key_jwt", vec!["key"]));
}

#[test]
fn a_profile_with_a_token_server_that_cannot_be_asked_is_refused() {
    for (kind, keys, expected) in [
        (
            "client_credentials",
            "client_secret = 'env:S'",
            "missing field `client_id`",
        ),
        (
            "client_credentials",
            "client_id = 'me'",
            "missing field `client_secret`",
        ),
        (
            "client_credentials",
            "client_id = 'me'\nstyle = 'private_key_jwt'",
            "missing field `key`",
        ),
        (
            "client_credentials",
            "client_id = 'me'\nclient_secret = 'env:S'\nkey = 'env:K'",
            "p.toml:7:7: 'env:K': this key is for assertions",
        ),
        (
            "client_credentials",
            "client_id = 'me'\nclient_secret = 'env:S'\nstyle = 'private_key_jwt'\nkey = 'env:K'",
            "has no client_secret",
        ),
        (
            "client_credentials",
            "client_id = 'me'\nissuer = 'a'",
            "no meaning for kind",
        ),
        (
            "refresh_token",
            "client_id = 'me'",
            "missing field `refresh_token`",
        ),
        ("jwt_bearer", "key = 'env:K'", "missing field `issuer`"),
        ("jwt_bearer", "issuer = 'a'", "missing field `key`"),
    ] {
        let error = wrong(&oauth(kind, keys));
        assert!(error.contains(expected), "{keys}: {error}");
    }
    let text = oauth("refresh_token", "refresh_token = 'env:R'").replace("https:", "http:");
    let error = wrong(&text);
    assert!(
        error.contains("p.toml:4:13") && error.contains("write https"),
        "{error}"
    );
    let error = wrong(&oauth("refresh_token", "refresh_token = 'hunter2'"));
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_digest_profile_is_sent_only_after_a_challenge() {
    let text = "[auth.a]\nkind = 'digest'\norigins = ['http://a.test']\nusername = 'a'\npassword = 'env:A'";
    let profile = parse(text).auth_profiles().unwrap().remove(0);
    assert_eq!(
        profile.profile().login_schemes(),
        Some(LoginSchemes::DIGEST)
    );
    assert_eq!(profile.kind.name(), "digest");
}

#[test]
fn keys_of_aws_are_given_once_and_whole() {
    let table =
        |keys: &str| format!("[auth.a]\nkind = 'sigv4'\norigins = ['http://a.test']\n{keys}");
    let error = wrong(&table("access_key = 'env:A'"));
    assert!(error.contains("missing field `secret_key`"), "{error}");
    let both = "credentials = 'exec:a'\naccess_key = 'env:A'\nsecret_key = 'env:B'";
    let error = wrong(&table(both));
    assert!(error.contains("it has all keys"), "{error}");
    let error = wrong(&table("access_key = 'env:A'\nsecret_key = 'hunter2'"));
    assert!(!error.contains("hunter2"), "{error}");
}
