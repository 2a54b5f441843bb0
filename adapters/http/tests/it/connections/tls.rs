use std::io::{Read, Write};
use std::sync::Arc;

use fetch_driver::{AttemptPhase, FailureKind, Transport};
use fetch_http::{HttpConfig, TlsOptions};
use fetch_testbed::{Certificate, Site};
use rustls::pki_types::pem::PemObject;
use smol::block_on;

use crate::client::{TestClient, client, client_with, failure, fetch, get, progress, read_body};
use crate::raw::RawServer;

fn site(certificate: Certificate) -> Site {
    Site::builder().tls(certificate).start().unwrap()
}

fn trusting(site: &Site) -> TestClient {
    let options = TlsOptions::new()
        .add_root_pem(site.ca_pem().unwrap().as_bytes())
        .unwrap();
    client_with(HttpConfig::new().tls(options))
}

#[test]
fn https_reuses_one_connection() {
    let site = site(Certificate::Good);
    let client = trusting(&site);
    for path in ["/get", "/bytes/200000", "/stream-bytes/9000", "/gzip"] {
        assert_eq!(block_on(fetch(&client, &site.url(path))).unwrap().0, 200);
    }
    assert_eq!(site.observed().connections, 1);
}

#[test]
fn large_bodies_arrive_unchanged() {
    let site = site(Certificate::Good);
    let client = trusting(&site);
    let length = 3_000_001;
    let fetched = block_on(fetch(&client, &site.url(&format!("/bytes/{length}"))));
    let expected: Vec<u8> = (0..length).map(fetch_testbed::byte_at).collect();
    assert!(fetched.unwrap().1 == expected);
}

#[test]
fn the_handshake_is_marked() {
    let site = site(Certificate::Good);
    let progress = progress();
    let sent = trusting(&site).send(get(&site.url("/get")), progress.clone());
    block_on(read_body(block_on(sent).unwrap().body)).unwrap();
    assert!(format!("{progress:?}").contains(&format!("{:?}", AttemptPhase::TlsDone)));
}

#[test]
fn untrusted_certificates_are_rejected_with_a_plain_reason() {
    for (certificate, words) in [
        (Certificate::Expired, "has expired"),
        (Certificate::WrongHost, "is for another name"),
    ] {
        let site = site(certificate);
        let error = block_on(fetch(&trusting(&site), &site.url("/get"))).unwrap_err();
        assert_eq!(error.kind(), FailureKind::Tls);
        assert!(error.to_string().contains(words), "{error}");
    }
    let site = site(Certificate::Good);
    let error = block_on(fetch(&client(), &site.url("/get"))).unwrap_err();
    assert_eq!(error.kind(), FailureKind::Tls);
    assert!(error.to_string().contains("trusted authority"), "{error}");
    assert_eq!(site.observed().requests, 0);
}

#[test]
fn the_versions_that_are_set_are_offered() {
    use fetch_driver::TlsVersion::{Tls12, Tls13};
    for (version, expected) in [
        (None, &[4, 3, 4, 3, 3][..]),
        (Some(Tls12), &[2, 3, 3]),
        (Some(Tls13), &[2, 3, 4]),
    ] {
        let (sender, hello) = std::sync::mpsc::channel();
        let server = RawServer::serve(move |_, mut stream| {
            let mut head = [0; 5];
            stream.read_exact(&mut head).unwrap();
            let mut hello = vec![0; u16::from_be_bytes([head[3], head[4]]).into()];
            stream.read_exact(&mut hello).unwrap();
            sender.send(hello).unwrap();
            // A fatal alert: protocol_version.
            let _ = stream.write_all(&[21, 3, 3, 0, 2, 2, 70]);
        });
        let options = TlsOptions::new().version(version);
        let client = client_with(HttpConfig::new().tls(options));
        let url = server.url("/").replace("http:", "https:");
        let error = block_on(fetch(&client, &url)).unwrap_err();
        assert_eq!(error.kind(), FailureKind::Tls);
        assert!(
            error.to_string().contains("no version of TLS in common"),
            "{error}"
        );
        // The extension supported_versions (RFC 8446, 4.2.1).
        let length = u8::try_from(expected.len()).unwrap();
        let extension = [&[0, 43, 0, length], expected].concat();
        let hello = hello.recv().unwrap();
        let has = hello.windows(extension.len()).any(|part| part == extension);
        assert!(has, "{version:?}: {hello:?}");
    }
}

#[test]
fn insecure_accepts_any_certificate() {
    for certificate in [
        Certificate::Good,
        Certificate::Expired,
        Certificate::WrongHost,
        Certificate::Version1,
    ] {
        let site = site(certificate);
        let client = client_with(HttpConfig::new().tls(TlsOptions::new().insecure(true)));
        assert_eq!(block_on(fetch(&client, &site.url("/get"))).unwrap().0, 200);
    }
}

#[test]
fn a_server_without_tls_and_one_that_hangs_up_fail_differently() {
    let plain = RawServer::serve(|_, mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let url = plain.url("/").replace("http:", "https:");
    let error = block_on(fetch(&client(), &url)).unwrap_err();
    assert_eq!(error.kind(), FailureKind::Tls);
    assert!(error.to_string().contains("not TLS"), "{error}");
    let silent = RawServer::serve(|_, stream| drop(stream));
    let url = silent.url("/").replace("http:", "https:");
    assert_eq!(block_on(failure(&client(), &url)), FailureKind::Connect);
}

#[test]
fn a_body_truncated_without_close_notify_is_an_io_failure() {
    let site = site(Certificate::Good);
    for path in ["/truncate", "/reset-body"] {
        assert_eq!(
            block_on(failure(&trusting(&site), &site.url(path))),
            FailureKind::Io,
            "{path}"
        );
    }
}

#[test]
fn only_the_callers_authorities_are_trusted_without_the_built_in_ones() {
    let site = site(Certificate::Good);
    let own = || TlsOptions::new().only_extra_roots(true);
    let trusting = own()
        .add_root_pem(site.ca_pem().unwrap().as_bytes())
        .unwrap();
    let client = client_with(HttpConfig::new().tls(trusting));
    assert_eq!(block_on(fetch(&client, &site.url("/get"))).unwrap().0, 200);
    let client = client_with(HttpConfig::new().tls(own()));
    let failed = block_on(failure(&client, &site.url("/get")));
    assert_eq!(failed, FailureKind::Tls);
}

#[test]
fn a_configuration_of_rustls_is_used_as_it_is() {
    let site = site(Certificate::Good);
    let mut roots = rustls::RootCertStore::empty();
    let pem = site.ca_pem().unwrap().as_bytes();
    for certificate in rustls::pki_types::CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.unwrap()).unwrap();
    }
    for (roots, trusts) in [(roots, true), (rustls::RootCertStore::empty(), false)] {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let options = TlsOptions::new().client_config(Arc::new(config));
        let client = client_with(HttpConfig::new().tls(options));
        assert_eq!(block_on(fetch(&client, &site.url("/get"))).is_ok(), trusts);
    }
}

/// The variable is read when the configuration is built, so this process starts itself with it.
#[test]
fn secrets_of_connections_are_written_if_asked_for() {
    const NAME: &str = "connections::tls::secrets_of_connections_are_written_if_asked_for";
    if std::env::var_os("SSLKEYLOGFILE").is_some() {
        let site = site(Certificate::Good);
        let options = TlsOptions::new().insecure(true).key_log(true);
        let client = client_with(HttpConfig::new().tls(options));
        block_on(fetch(&client, &site.url("/get"))).unwrap();
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("keys");
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    let output = child.args(["--exact", NAME]).env("SSLKEYLOGFILE", &log);
    assert!(output.output().unwrap().status.success());
    let secrets = std::fs::read_to_string(log).unwrap();
    assert!(secrets.contains("CLIENT_TRAFFIC_SECRET_0 "), "{secrets}");
}

/// The variables are those of a whole process, so this process starts itself with them.
#[cfg(target_os = "linux")]
#[test]
fn the_authorities_of_the_system_are_trusted_and_without_any_there_is_an_error() {
    const NAME: &str = "connections::tls::\
                        the_authorities_of_the_system_are_trusted_and_without_any_there_is_an_error";
    let mut settings = fetch_driver::Settings::default();
    settings.tls.trusted_roots = fetch_driver::TrustedRoots::Platform;
    if let Ok(url) = std::env::var("TEST_SITE") {
        let client = client_with(HttpConfig::from_settings(&settings).unwrap());
        assert_eq!(block_on(fetch(&client, &url)).unwrap().0, 200);
        // Another fetcher trusts an authority that is added, too.
        settings.shared_state = fetch_driver::SharedState::default();
        let other = site(Certificate::Good);
        let pem = other.ca_pem().unwrap().into();
        settings.tls.ca_certificates.push(pem);
        let client = client_with(HttpConfig::from_settings(&settings).unwrap());
        for url in [url, other.url("/get")] {
            assert_eq!(block_on(fetch(&client, &url)).unwrap().0, 200);
        }
        return;
    }
    if std::env::var_os("TEST_NO_SITE").is_some() {
        let error = HttpConfig::from_settings(&settings).unwrap_err();
        assert!(error.to_string().starts_with("trusted_roots: "), "{error}");
        return;
    }
    let site = site(Certificate::Good);
    let directory = tempfile::tempdir().unwrap();
    let roots = directory.path().join("roots.pem");
    std::fs::write(&roots, site.ca_pem().unwrap()).unwrap();
    let run = |roots: &std::path::Path, (name, value): (&str, &str)| {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", NAME]).env(name, value);
        child
            .env("SSL_CERT_FILE", roots)
            .env("SSL_CERT_DIR", "/none");
        let output = child.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    run(&roots, ("TEST_SITE", &site.url("/get")));
    run("/none".as_ref(), ("TEST_NO_SITE", "1"));
}
