//! Digest against Apache httpd and httpbin, and signatures of AWS against moto.

#[cfg(feature = "sigv4")]
use fetch_all::auth::AwsCredential;
use fetch_all::auth::{LoginCredential, Secret};
use fetch_all::driver::{Adapter, Builder};
use fetch_all::{AuthProfile, LoginSchemes, Request};
use fetch_testbed::servers::{Program, RealServer, ServerTest};
use futures::StreamExt;

pub(crate) const TESTS: &[ServerTest] = &[
    ServerTest::new(
        "apache_asks_for_digest_once_for_a_hundred_requests",
        &[Program::Apache],
        apache_asks_once_for_a_hundred_requests,
    ),
    ServerTest::new(
        "apache_refuses_a_wrong_password_once",
        &[Program::Apache],
        apache_refuses_a_wrong_password_once,
    ),
    ServerTest::new(
        "httpbin_accepts_each_kind_of_digest",
        &[Program::Httpbin],
        httpbin_accepts_each_kind_of_digest,
    ),
    #[cfg(feature = "sigv4")]
    ServerTest::new(
        "moto_verifies_signatures",
        &[Program::Moto],
        moto_verifies_signatures,
    ),
];

/// Pages that Apache shows to alice, whose password is "open sesame".
fn apache() -> RealServer {
    let apache = RealServer::start(Program::Apache, 1, |place| {
        format!(
            "LoadModule authn_core_module {m}/mod_authn_core.so\nLoadModule authn_file_module {m}/mod_authn_file.so\n\
             LoadModule authz_user_module {m}/mod_authz_user.so\nLoadModule auth_digest_module {m}/mod_auth_digest.so\n\
             Listen 127.0.0.1:{}\n<Location />\nAuthType Digest\nAuthName files\nAuthDigestProvider file\n\
             AuthUserFile {}\nRequire valid-user\n</Location>",
            place.ports[0],
            place.file("www/users"),
            m = "/usr/lib/apache2/modules",
        )
    });
    let apache = apache.unwrap();
    // The hash of alice:files:open sesame.
    let users = "alice:files:c9b3abab011f7eaa3c2a4c640cf52592\n";
    apache.write_page("users", users).unwrap();
    apache.write_page("page", "hello").unwrap();
    apache
}

fn profile(server: &RealServer, schemes: LoginSchemes) -> AuthProfile {
    let scope = server.url("/").parse().unwrap();
    AuthProfile::new("pages").scope(scope).login(schemes)
}

fn login(password: &str) -> LoginCredential {
    LoginCredential::with_password("alice", Secret::new(password.to_owned()))
}

/// The statuses of these requests.
fn fetch<A: Adapter>(builder: Builder<A>, requests: impl IntoIterator<Item = Request>) -> Vec<u16> {
    let fetcher = builder.build().unwrap();
    let requests: Vec<_> = requests.into_iter().collect();
    smol::block_on(
        fetcher
            .fetch_all(requests)
            .map(|outcome| outcome.status().map_or(0, |status| status.as_u16()))
            .collect(),
    )
}

fn hundred<A: Adapter>(builder: Builder<A>) {
    let apache = apache();
    let builder = builder.auth(profile(&apache, LoginSchemes::DIGEST), login("open sesame"));
    let urls = (0..100).map(|n| apache.url(&format!("/page?n={n}&text=a%20b")));
    let statuses = fetch(builder, urls.map(|url| Request::get(url).unwrap()));
    assert_eq!(statuses, [200; 100]);
    let log = apache.access_log();
    assert_eq!(log.len(), 101, "{log:?}");
    let refused = log.iter().filter(|line| line.ends_with(" 401"));
    assert_eq!(refused.count(), 1);
}

fn apache_asks_once_for_a_hundred_requests() {
    hundred(fetch_all::smol::Fetcher::builder());
    #[cfg(feature = "tokio")]
    {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _entered = runtime.enter();
        hundred(fetch_all::tokio::Fetcher::builder());
    }
    #[cfg(feature = "async-std")]
    hundred(fetch_all::async_std::Fetcher::builder());
    #[cfg(feature = "isahc")]
    hundred(fetch_all::isahc::Fetcher::builder());
    #[cfg(feature = "surf")]
    hundred(fetch_all::surf::Fetcher::builder());
}

fn apache_refuses_a_wrong_password_once() {
    let apache = apache();
    let profile = profile(&apache, LoginSchemes::ANY);
    let tokens = fetch_all::TokenPolicy::default().fixed();
    let builder = fetch_all::smol::Fetcher::builder();
    let builder = builder.auth(profile.tokens(tokens), login("guessed"));
    let url = apache.url("/page");
    let statuses = fetch(builder, [Request::get(url).unwrap()]);
    assert_eq!((statuses, apache.access_log().len()), (vec![401], 2));
}

fn httpbin_accepts_each_kind_of_digest() {
    let httpbin = RealServer::start(Program::Httpbin, 1, |_| String::new()).unwrap();
    for path in [
        "/digest-auth/auth/alice/secret/MD5/never",
        "/digest-auth/auth/alice/secret/SHA-256/never",
        "/digest-auth/auth-int/alice/secret/SHA-256/never",
        "/digest-auth/auth/alice/secret/MD5/1",
        "/basic-auth/alice/secret",
        "/hidden-basic-auth/alice/secret",
    ] {
        let expected = if path.starts_with("/hidden") {
            404
        } else {
            200
        };
        let builder = fetch_all::smol::Fetcher::builder();
        let builder = builder.auth(profile(&httpbin, LoginSchemes::ANY), login("secret"));
        let urls = [httpbin.url(path), httpbin.url(path)];
        let statuses = fetch(builder, urls.map(|url| Request::get(url).unwrap()));
        assert_eq!(statuses, [expected; 2], "{path}");
    }
}

/// Sends a request with these keys for a service. Returns the status and the body.
#[cfg(feature = "sigv4")]
fn signed(
    server: &RealServer,
    (key, secret_key): (&str, &str),
    service: &str,
    request: Request,
) -> (u16, String) {
    let secret = |text: &str| Secret::new(text.to_owned());
    let keys = AwsCredential::with_keys(secret(key), secret(secret_key));
    let scope = server.url("/").parse().unwrap();
    let profile = AuthProfile::new("aws").scope(scope);
    let builder = fetch_all::smol::Fetcher::builder();
    let fetcher = builder
        .auth(profile, keys.service(service))
        .build()
        .unwrap();
    let outcome = smol::block_on(fetcher.fetch(request));
    let status = outcome.status().map_or(0, |status| status.as_u16());
    let body = outcome
        .response()
        .map(|response| response.text().into_owned());
    (status, body.unwrap_or_default())
}

#[cfg(feature = "sigv4")]
fn moto_verifies_signatures() {
    let moto = RealServer::start(Program::Moto, 1, |_| String::new()).unwrap();
    let iam = |form: &str| {
        let request = Request::post(moto.url("/")).unwrap().body(form.to_owned());
        let form_type = "application/x-www-form-urlencoded".parse().unwrap();
        let headers = [(http::header::CONTENT_TYPE, form_type)]
            .into_iter()
            .collect();
        let request = request.headers(headers);
        let (status, body) = signed(&moto, ("AKIDANY", "any"), "iam", request);
        assert_eq!(status, 200, "{body}");
        body
    };
    iam("Version=2010-05-08&Action=CreateUser&UserName=alice");
    iam(
        "Version=2010-05-08&Action=PutUserPolicy&UserName=alice&PolicyName=all&PolicyDocument=\
         %7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C\
         %22Action%22%3A%22*%22%2C%22Resource%22%3A%22*%22%7D%7D",
    );
    let created = iam("Version=2010-05-08&Action=CreateAccessKey&UserName=alice");
    let member = |name: &str| {
        let (_, rest) = created.split_once(&format!("<{name}>")).unwrap();
        rest.split('<').next().unwrap().to_owned()
    };
    let (key, secret_key) = (member("AccessKeyId"), member("SecretAccessKey"));
    // From now on, it verifies signatures.
    let strict = Request::post(moto.url("/moto-api/reset-auth"))
        .unwrap()
        .body("0");
    let strict = smol::block_on(
        fetch_all::smol::Fetcher::builder()
            .build()
            .unwrap()
            .fetch(strict),
    );
    assert_eq!(strict.status().unwrap(), 200);
    let s3 = |keys, request| signed(&moto, keys, "s3", request).0;
    let keys = (&*key, &*secret_key);
    let put = |path: &str| Request::put(moto.url(path)).unwrap();
    let get = |path: &str| Request::get(moto.url(path)).unwrap();
    assert_eq!(s3(keys, put("/bucket")), 200);
    // moto verifies the path as it is sent; AWS decodes it first.
    for path in [
        "/bucket/plain",
        "/bucket/a%20b/c%2Bd%3De%3Af%40g",
        "/bucket/%C3%A4~%21",
    ] {
        assert_eq!(s3(keys, put(path).body("hello")), 200, "{path}");
        assert_eq!(
            signed(&moto, keys, "s3", get(path)),
            (200, "hello".into()),
            "{path}"
        );
    }
    assert_eq!(s3(keys, get("/bucket?prefix=a%20b%2F&list-type=2")), 200);
    assert_eq!(s3((&key, "another"), get("/bucket/plain")), 403);
    assert_eq!(s3(("AKIDANY", "any"), get("/bucket/plain")), 403);
}
