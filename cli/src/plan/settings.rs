//! The settings of the fetcher.

use std::fs;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::path::Path;

use clap::Parser;
use fetch_driver::{ClientIdentity, LocalAddress, Settings, TlsVersion, TrustedRoots};
use fetch_policy::PolicyFile;
use fetch_proto::EngineConfig;

use super::policy::PolicySources;
use super::request;
use super::{ca_directory, pins};
use crate::args::explicit::ExplicitOptions;
use crate::args::{CliArgs, LimitArgs, RetryArgs, TimeoutArgs};
use crate::config::redact;
use crate::exit::CliError;

/// File descriptors that are reserved for purposes other than connections: reactors, lists, outputs,
/// logs, name resolution. A quarter of a limit below 256, but at least [`MIN_SPARE_FILES`] and
/// [`FILES_PER_THREAD`].
const SPARE_FILES: u64 = 64;
const MIN_SPARE_FILES: u64 = 6;

/// The descriptors of a thread's reactor.
const FILES_PER_THREAD: u64 = 2;

/// A thread more is used for this many descriptors.
const FILES_FOR_THREAD: u64 = 16;

/// The descriptors in use that are assumed where they cannot be counted.
const USUAL_FILES: u64 = 8;

/// The only version of TLS to use, if the options exclude another one.
fn tls_version(args: &CliArgs) -> Result<Option<TlsVersion>, CliError> {
    match (args.network.tls_v1_3, args.network.tls_max) {
        (true, Some(TlsVersion::Tls12)) => Err(CliError::usage(
            "--tlsv1.3 and --tls-max 1.2 exclude each other: write one of them",
        )),
        (true, _) => Ok(Some(TlsVersion::Tls13)),
        (false, max) => Ok(max.filter(|max| *max == TlsVersion::Tls12)),
    }
}

/// The settings of threads, header fields, decoding and trusted certificates. The engine's
/// configuration comes from the [`PolicySources`].
pub(super) fn new(args: &CliArgs) -> Result<Settings, CliError> {
    let mut settings = Settings::default();
    settings.threads = args.threads.threads.unwrap_or_else(cores);
    request::set_headers(args, &mut settings)?;
    for path in &args.network.cacert {
        let pem = fs::read(path).map_err(|error| {
            CliError::file(format!(
                "--cacert {}: cannot be read: {error}",
                path.display()
            ))
        })?;
        settings.tls.ca_certificates.push(pem);
    }
    for directory in &args.network.capath {
        let certificates = ca_directory::read(directory)?;
        settings.tls.ca_certificates.extend(certificates);
    }
    settings.tls.trusted_roots = TrustedRoots::PlatformOrBuiltIn;
    settings.tls.version = tls_version(args)?;
    // A WARC file has bodies as received.
    settings.decode = !args.request.no_compressed && args.save.warc.is_none();
    settings.tls.insecure = args.network.insecure;
    if let Some(limit) = args.upload.expect100_timeout {
        settings.expect_timeout = limit;
    }
    if let Some(pins) = &args.network.pinnedpubkey {
        settings.tls.pinned_keys = pins::pinned_keys(pins)?;
    }
    settings.seed = args.retry.seed;
    let entries = args.network.resolve.iter();
    settings.route.resolve = entries
        .map(|e| (e.host.clone(), e.port, e.addresses.clone()))
        .collect();
    Ok(settings)
}

/// Sets how servers are reached: proxies, protocol version, client certificate.
pub(super) fn set_route(args: &CliArgs, settings: &mut Settings) -> Result<(), CliError> {
    let route = &args.route;
    settings.route.connect_to.clone_from(&route.connect_to);
    settings.http2 = route.http2();
    settings.route.address_family = route.address_family();
    settings.route.local_address = route.interface.clone();
    if let Some(local) = &route.interface {
        check_local(local)?;
    }
    settings.route.proxy_tunnel = route.proxytunnel;
    for field in &route.proxy_header {
        if let Some(value) = &field.value {
            settings
                .route
                .proxy_headers
                .append(field.name.clone(), value.clone());
        }
    }
    settings.route.proxy = route
        .proxies()
        .map_err(|error| CliError::usage(error.to_string()))?;
    settings.route.private_addresses = !args.network.no_private_addresses;
    if args.network.no_private_addresses && !settings.route.proxy.is_empty() {
        return Err(CliError::usage(
            "--no-private-addresses: a proxy looks names up itself, so addresses cannot be checked: \
             remove --proxy and the variables http_proxy, https_proxy and all_proxy"
                .to_owned(),
        ));
    }
    settings.route.unix_socket.clone_from(&route.unix_socket);
    if let Some(path) = &route.cert {
        let read = |option: &str, path: &Path| {
            fs::read(path).map_err(|error| {
                let file = redact("cert", &path.to_string_lossy());
                CliError::file(format!("{option} {file}: cannot be read: {error}"))
            })
        };
        settings.tls.client_certificate = Some(ClientIdentity {
            cert_pem: read("--cert", path)?,
            key_pem: match &route.key {
                Some(key) => read("--key", key)?,
                None => read("--cert", path)?,
            },
        });
    }
    Ok(())
}

/// Checks that this machine has the address or interface, as far as that can be found out.
fn check_local(local: &LocalAddress) -> Result<(), CliError> {
    let missing = match local {
        LocalAddress::Address(ip) => TcpListener::bind((*ip, 0))
            .err()
            .map(|error| error.to_string()),
        LocalAddress::Interface(name) => {
            let devices = Path::new("/sys/class/net");
            let is_known = !name.is_empty() && devices.join(name).exists();
            (devices.exists() && !is_known).then(|| "no such interface".to_owned())
        }
        _ => None,
    };
    missing.map_or(Ok(()), |why| {
        Err(CliError::usage(format!(
            "--interface {local}: {why}: write an IP address or an interface of this machine"
        )))
    })
}

/// The engine's configuration from these options alone, for commands that open no connection.
///
/// # Errors
///
/// If options contradict each other.
pub(crate) fn engine_config(
    file: Option<&PolicyFile>,
    explicit: ExplicitOptions,
    limits: LimitArgs,
    retry: RetryArgs,
    timeouts: TimeoutArgs,
) -> Result<EngineConfig, CliError> {
    let defaults = CliArgs::try_parse_from(["fetch-all"]).map_err(CliError::internal)?;
    let args = CliArgs {
        explicit,
        limits,
        retry,
        timeouts,
        ..defaults
    };
    PolicySources::new(&args)?.config(file)
}

/// The number of cores that this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// The number of file descriptors in use.
fn open_files() -> u64 {
    let listed = fs::read_dir("/proc/self/fd").or_else(|_| fs::read_dir("/dev/fd"));
    listed.map_or(USUAL_FILES, |files| files.count() as u64)
}

/// How many connections have a descriptor, and a second one for the body's file if bodies are saved. At
/// least 1. `saved`: how many archives are written, if bodies are saved.
fn connection_room(limit: u64, in_use: u64, threads: usize, saved: Option<u64>) -> usize {
    let least = MIN_SPARE_FILES + FILES_PER_THREAD * threads as u64;
    let spare = SPARE_FILES.min(limit / 4).max(least);
    // The file of one complete body, and those of archives.
    let (files, per_connection) = saved.map_or((0, 1), |archives| (1 + archives, 2));
    let free = limit.saturating_sub(in_use + files + spare);
    usize::try_from(free / per_connection)
        .unwrap_or(usize::MAX)
        .max(1)
}

/// Limits connections to the number of files that this process may open. `saved`: how many archives
/// are written, if bodies are saved.
pub(super) fn limit_connections(
    settings: &mut Settings,
    saved: Option<u64>,
    warnings: &mut Vec<String>,
) {
    let concurrency = settings.config.concurrency_limit();
    let files = match fetch_smol::raise_fd_limit() {
        Ok(files) => files,
        Err(error) => {
            warnings.push(format!("the limit on open files cannot be raised: {error}"));
            1024
        }
    };
    let threads = usize::try_from(files / FILES_FOR_THREAD).unwrap_or(usize::MAX);
    settings.threads = settings.threads.min(threads.max(1));
    let room = connection_room(files, open_files(), settings.threads, saved);
    if concurrency > room {
        warnings.push(format!(
            "-j {concurrency} is reduced to {room}: this process may have {files} files open; \
             raise the limit with ulimit -n"
        ));
    }
    settings.update_config(|config| config.concurrency(concurrency.min(room)));
    settings.pool.max_connections = (settings.connection_limit() > room).then_some(room);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_to_what_is_open_and_to_files() {
        let room = |limit, saved| connection_room(limit, 4, 1, saved);
        assert_eq!((room(20, None), room(20, Some(0))), (8, 3));
        assert_eq!(room(20, Some(2)), 2);
        assert_eq!((room(10, None), room(1_024, None)), (1, 956));
        assert_eq!(connection_room(64, 4, 8, None), 38);
    }
}
