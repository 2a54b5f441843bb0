//! DNS over HTTPS and over TLS, against name servers on loopback.

use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::{Bytes, BytesMut};
use fetch_driver::{DnsResolver, ErrorKind, FailureKind, FetchError};
use fetch_hickory::HickoryResolver;
use fetch_hickory::hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use fetch_hickory::hickory_resolver::proto::rr::rdata::{A, AAAA};
use fetch_hickory::hickory_resolver::proto::rr::{RData, Record, RecordType};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A name server that knows `site.test` and no other name, with the number of its answers.
struct NameServer {
    address: SocketAddr,
    answers: Arc<AtomicUsize>,
    https: bool,
    trust: ClientConfig,
    _runtime: tokio::runtime::Runtime,
}

impl NameServer {
    /// Speaks DNS over HTTPS or over TLS.
    fn start(https: bool) -> Self {
        let identity = rcgen::generate_simple_self_signed(["dns.test".to_owned()]).unwrap();
        let certificate = identity.cert.der().clone();
        let key = identity.signing_key.serialize_der().try_into().unwrap();
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let protocol: &[u8] = if https { b"h2" } else { b"dot" };
        config.alpn_protocols = vec![protocol.to_vec()];
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let trust = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let answers = Arc::new(AtomicUsize::new(0));
        runtime.spawn(serve(
            listener,
            TlsAcceptor::from(Arc::new(config)),
            https,
            answers.clone(),
        ));
        Self {
            address,
            answers,
            https,
            trust,
            _runtime: runtime,
        }
    }
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, https: bool, answers: Arc<AtomicUsize>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, answers) = (tls.clone(), answers.clone());
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else {
                return;
            };
            match https {
                true => drop(serve_https(stream, answers).await),
                false => drop(serve_tls(stream, answers).await),
            }
        });
    }
}

async fn serve_https(
    stream: TlsStream<TcpStream>,
    answers: Arc<AtomicUsize>,
) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(stream).await?;
    while let Some(accepted) = connection.accept().await {
        let (request, mut respond) = accepted?;
        assert_eq!(request.uri().path(), "/dns-query");
        let answers = answers.clone();
        tokio::spawn(async move {
            let mut body = request.into_body();
            let mut query = BytesMut::new();
            while let Some(Ok(chunk)) = poll_fn(|cx| body.poll_data(cx)).await {
                query.extend_from_slice(&chunk);
            }
            let head = http::Response::builder().header("content-type", "application/dns-message");
            let mut stream = respond
                .send_response(head.body(()).unwrap(), false)
                .unwrap();
            stream.send_data(answer(&query, &answers), true).unwrap();
        });
    }
    Ok(())
}

async fn serve_tls(
    mut stream: TlsStream<TcpStream>,
    answers: Arc<AtomicUsize>,
) -> std::io::Result<()> {
    loop {
        let mut query = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut query).await?;
        let answer = answer(&query, &answers);
        stream.write_u16(answer.len().try_into().unwrap()).await?;
        stream.write_all(&answer).await?;
        stream.flush().await?;
    }
}

fn answer(query: &[u8], answers: &AtomicUsize) -> Bytes {
    answers.fetch_add(1, SeqCst);
    let mut message = Message::from_vec(query).unwrap();
    let query = message.queries[0].clone();
    message.metadata.message_type = MessageType::Response;
    if !query.name().to_ascii().starts_with("site.test") {
        message.metadata.response_code = ResponseCode::NXDomain;
    } else {
        let data = match query.query_type() {
            RecordType::AAAA => {
                RData::AAAA(AAAA::from("::1".parse::<std::net::Ipv6Addr>().unwrap()))
            }
            _ => RData::A(A::new(127, 0, 0, 1)),
        };
        message.add_answer(Record::from_rdata(query.name().clone(), 60, data));
    }
    message.to_vec().unwrap().into()
}

/// A resolver that asks this server, whose name it expects to be `name`.
fn resolver(server: &NameServer, name: &str) -> HickoryResolver {
    let (servers, trust) = ([server.address], Some(server.trust.clone()));
    let resolver = match server.https {
        true => HickoryResolver::https(servers, name, trust),
        false => HickoryResolver::tls(servers, name, trust),
    };
    resolver.unwrap()
}

/// Servers of both kinds, each with a resolver.
fn resolvers() -> [(NameServer, HickoryResolver); 2] {
    [true, false].map(|https| {
        let server = NameServer::start(https);
        let resolver = resolver(&server, "dns.test");
        (server, resolver)
    })
}

#[test]
fn a_name_is_looked_up_over_https_and_over_tls() {
    let site = fetch_testbed::Site::start().unwrap();
    for (server, resolver) in resolvers() {
        let fetcher = fetch_smol::Fetcher::builder().resolver(resolver);
        let fetcher = fetcher.build().unwrap();
        let url = format!("http://site.test:{}/get", site.address().port());
        let response = smol::block_on(fetcher.get(url)).unwrap();
        assert_eq!(response.status, 200);
        // One for each family of addresses.
        assert_eq!(server.answers.load(SeqCst), 2);
    }
}

#[test]
fn addresses_of_both_families_are_found() {
    for (_server, resolver) in resolvers() {
        let mut found = smol::block_on(resolver.resolve("site.test")).unwrap();
        found.sort();
        assert_eq!(
            found,
            ["127.0.0.1", "::1"].map(|ip| ip.parse::<IpAddr>().unwrap())
        );
    }
}

#[test]
fn a_name_that_does_not_exist_is_not_looked_up_again() {
    for (_server, resolver) in resolvers() {
        let fetcher = fetch_smol::Fetcher::builder().resolver(resolver);
        let fetcher = fetcher.build().unwrap();
        let outcome = smol::block_on(fetcher.fetch("http://none.test/"));
        let kind = outcome.error().unwrap().kind();
        let expected = FetchError::Failed(FailureKind::UnknownHost);
        assert_eq!(kind, ErrorKind::Fetch(expected));
        assert_eq!(outcome.attempts.len(), 1);
    }
}

#[test]
fn a_server_with_another_name_is_not_asked() {
    for https in [true, false] {
        let server = NameServer::start(https);
        let resolver = resolver(&server, "other.test");
        assert!(smol::block_on(resolver.resolve("site.test")).is_err());
        assert_eq!(server.answers.load(SeqCst), 0);
    }
}
