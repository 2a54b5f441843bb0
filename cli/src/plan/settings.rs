//! What the fetcher is built with.

use std::fs;
use std::num::NonZeroUsize;

use clap::Parser;
use fetch_driver::{Identity, Settings};
use fetch_proto::Config;

use super::reload::PolicyReload;
use super::{request, rules};
use crate::args::given::ExplicitOptions;
use crate::args::{CliArgs, LimitOptions, PolicyOptions, RetryOptions, TimeoutOptions};
use crate::exit::CliError;

/// Descriptors that are needed for other things than connections.
const SPARE_FILES: u64 = 64;

pub(super) fn settings(args: &CliArgs) -> Result<Settings, CliError> {
    let mut settings = Settings::default();
    settings.concurrency = args.speed.concurrency;
    settings.threads = args.parallel.threads.unwrap_or_else(cores);
    settings.rules = rules::rules(args)?;
    request::headers(args, &mut settings.headers)?;
    for path in &args.net.cacert {
        let pem = fs::read(path).map_err(|error| {
            CliError::file(format!(
                "--cacert {}: cannot be read: {error}",
                path.display()
            ))
        })?;
        settings.ca_certificates.push(pem);
    }
    // An archive has bodies as they came.
    settings.decode = !args.request.no_compressed && args.save.warc.is_none();
    settings.host_rate = args.speed.host_rate;
    settings.insecure = args.net.insecure;
    settings.per_host = Some(args.speed.per_host);
    settings.rate = args.speed.rate;
    settings.seed = args.retry.seed;
    let entries = args.net.resolve.iter();
    settings.resolve = entries
        .map(|e| (e.host.clone(), e.port, e.addresses.clone()))
        .collect();
    Ok(settings)
}

/// The way to servers: for what opens connections alone.
pub(super) fn route(args: &CliArgs, settings: &mut Settings) -> Result<(), CliError> {
    let route = &args.route;
    settings.connect_to.clone_from(&route.connect_to);
    settings.http2 = route.http2();
    settings.proxy = route
        .proxies()
        .map_err(|error| CliError::usage(error.to_string()))?;
    settings.unix_socket.clone_from(&route.unix_socket);
    if let Some(path) = &route.cert {
        let read = |option: &str, path: &std::path::Path| {
            fs::read(path).map_err(|error| {
                CliError::file(format!(
                    "{option} {}: cannot be read: {error}",
                    path.display()
                ))
            })
        };
        settings.client_certificate = Some(Identity {
            cert_pem: read("--cert", path)?,
            key_pem: match &route.key {
                Some(key) => read("--key", key)?,
                None => read("--cert", path)?,
            },
        });
    }
    Ok(())
}

/// The engine's limits and rules as these options say, the others being at their defaults: for what
/// opens no connection.
///
/// # Errors
///
/// If options contradict each other.
pub(crate) fn config(
    policy: &PolicyOptions,
    given: ExplicitOptions,
    speed: LimitOptions,
    retry: RetryOptions,
    time: TimeoutOptions,
) -> Result<Config, CliError> {
    let defaults = CliArgs::try_parse_from(["fetch-all"]).map_err(CliError::internal)?;
    let args = CliArgs {
        given,
        speed,
        retry,
        time,
        ..defaults
    };
    let settings = settings(&args)?;
    match &policy.policy {
        Some(path) => PolicyReload::new(path.clone(), &settings, &args).config(),
        None => Ok(settings.engine_config()),
    }
}

/// The cores that this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// No more connections than this process may have files open.
pub(super) fn limit_connections(
    concurrency: usize,
    settings: &mut Settings,
    notes: &mut Vec<String>,
) {
    let files = match fetch_smol::raise_fd_limit() {
        Ok(files) => files,
        Err(error) => {
            notes.push(format!("the limit on open files cannot be raised: {error}"));
            1024
        }
    };
    let room = usize::try_from(files.saturating_sub(SPARE_FILES.min(files / 4)))
        .unwrap_or(usize::MAX)
        .max(1);
    if concurrency > room {
        notes.push(format!(
            "-j {concurrency} becomes {room}: this process may have {files} files open; \
             raise the limit with ulimit -n"
        ));
    }
    settings.concurrency = concurrency.min(room);
    settings.max_connections = (settings.connection_limit() > room).then_some(room);
}
