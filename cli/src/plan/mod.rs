//! What is to be done, as the options say it: checked before anything is begun.

mod body;
pub(crate) mod overlay;
pub(crate) mod policy_file;
mod reload;
mod request;
mod rules;
mod session;
mod settings;
mod state;

use std::fs::{self, File};
use std::io::IsTerminal;
use std::num::NonZeroU64;
use std::path::Path;
use std::time::Duration;

use clap::Parser;
use fetch_driver::Settings;

use crate::args::{CliArgs, Format};
use crate::commands::demo;
use crate::exit::CliError;
use crate::input::{self, RequestTemplate, UrlSource};
use crate::logging::{self, LogPolicy};
use crate::output::Target;
use crate::output::replace::Replaced;
use crate::output::write_out::WriteOut;
use crate::save::Store;
use crate::state::State;
use crate::ui::monitor::Opened;
use crate::ui::progress::View;
pub(crate) use reload::PolicyReload;
pub(crate) use session::CookieFile;
pub(crate) use settings::config;
use settings::{limit_connections, route, settings};

/// All that a run needs.
pub(crate) struct Plan {
    /// Where cookies go at the end.
    pub(crate) cookies: Option<CookieFile>,
    pub(crate) deadline: Option<Duration>,
    /// The site of `--demo`.
    /// Whether what is in the list twice is left out.
    pub(crate) dedupe: bool,
    pub(crate) demo: Option<fetch_testbed::Site>,
    pub(crate) fail: bool,
    pub(crate) feed: RequestTemplate,
    pub(crate) format: Format,
    /// Whether records have the response's header fields.
    pub(crate) headers: bool,
    pub(crate) log: LogPolicy,
    /// After how many failures to stop.
    pub(crate) max_errors: Option<NonZeroU64>,
    pub(crate) monitor: Opened,
    pub(crate) notes: Vec<String>,
    /// Where the recording goes.
    pub(crate) record: Option<File>,
    /// Where the page that tells of the run goes.
    pub(crate) report: Option<Replaced>,
    /// What the policy file is to be looked at for while it runs.
    pub(crate) reload: Option<PolicyReload>,
    /// The name that robots.txt knows this program by, if that is obeyed.
    pub(crate) robots: Option<String>,
    pub(crate) settings: Settings,
    pub(crate) silent: bool,
    pub(crate) sources: Vec<UrlSource>,
    pub(crate) state: Option<State>,
    /// Where bodies go, if they are looked at.
    pub(crate) store: Option<Store>,
    pub(crate) target: Target,
    pub(crate) total: Option<u64>,
    pub(crate) view: View,
    /// What is printed for each URL, beside its record.
    pub(crate) write_out: Option<WriteOut>,
}

impl Plan {
    /// The same, without what opens files to write to.
    ///
    /// # Errors
    ///
    /// As [`Plan::new`].
    pub(crate) fn dry(mut args: CliArgs) -> Result<Self, CliError> {
        args.output.output = None;
        args.output.record = None;
        args.state.state = None;
        args.monitoring.metrics_listen = None;
        args.monitoring.statsd = None;
        args.telling.report = None;
        args.telling.write_out = None;
        args.save = CliArgs::try_parse_from(["fetch-all"])
            .map_err(CliError::internal)?
            .save;
        Self::new(args)
    }

    /// Reads and opens what the options name.
    ///
    /// # Errors
    ///
    /// If options contradict each other or a file cannot be used.
    pub(crate) fn new(mut args: CliArgs) -> Result<Self, CliError> {
        let mut notes = Vec::new();
        let demo = args
            .input
            .demo
            .then(|| demo::start(&mut args))
            .transpose()?;
        let (demo, sources) = match demo {
            Some((site, source)) => (Some(site), vec![source]),
            None => (None, input::open(&args.input)?),
        };
        let mut feed = request::feed(&args)?;
        let mut settings = settings(&args)?;
        route(&args, &mut settings)?;
        let cookies = session::cookies(&args, &mut settings)?;
        feed.logins = session::logins(&args, &settings.headers)?;
        let reload = args
            .policy
            .policy
            .take()
            .map(|path| PolicyReload::new(path, &settings, &args));
        if let Some(reload) = &reload {
            settings.adopt(reload.config()?);
        }
        feed.rules = settings.rules.clone();
        limit_connections(settings.concurrency, &mut settings, &mut notes);
        let view = view(&args);
        let format = format(&args, view)?;
        let output = args
            .output
            .output
            .as_deref()
            .filter(|_| format != Format::None);
        check_overwrite(output, &args)?;
        let record = args.output.record.as_deref();
        check_overwrite(record, &args)?;
        if record.is_some() {
            // A recording is of one engine, and is finished when this thread is.
            settings.threads = 1;
        }
        check_overwrite(args.telling.report.as_deref(), &args)?;
        let report = args.telling.report.clone();
        let report = report.map(|path| Replaced::new("--report", path));
        let report = report.transpose()?;
        let write_out = write_out(&args)?;
        let (target, state) = state::open(&args, output, format, &feed, &mut notes)?;
        let store = args.save.is_asked_for().then(|| {
            let (method, headers) = (&feed.method, &settings.headers);
            Store::open(&args.save, method, headers)
        });
        Ok(Self {
            cookies,
            deadline: args.time.deadline.filter(|limit| !limit.is_zero()),
            fail: args.output.fail,
            feed,
            format,
            headers: args.telling.record_headers,
            log: log_policy(&args),
            max_errors: args.output.failures(),
            monitor: Opened::new(&args.monitoring)?,
            notes,
            record: record.map(create).transpose()?,
            reload,
            report,
            robots: request::robots(&args, &settings.headers),
            settings,
            silent: args.output.silent,
            sources,
            state,
            store: store.transpose()?,
            target,
            total: match demo {
                Some(_) => Some(demo::COUNT),
                None => input::known_total(&args.input),
            },
            view,
            dedupe: args.input.dedupe,
            demo,
            write_out,
        })
    }
}

fn view(args: &CliArgs) -> View {
    match args.output.quiet || args.output.silent || args.output.no_progress {
        true => View::None,
        false => View::suited(args.view.tui, args.view.progress_interval),
    }
}

fn format(args: &CliArgs, view: View) -> Result<Format, CliError> {
    let output = &args.output;
    let file = output
        .output
        .as_deref()
        .filter(|path| path.as_os_str() != "-");
    let prints = args.telling.write_out.is_some();
    if prints && file.is_none() && output.output.is_some() {
        return Err(CliError::usage(
            "-w and -o -: both would be on stdout: write -o FILE",
        ));
    }
    let on_screen = view == View::Screen && file.is_none() && std::io::stdout().is_terminal();
    let wanted = output.format.is_some_and(|format| format != Format::None);
    if on_screen && (prints || wanted || output.output.is_some()) {
        return Err(CliError::usage(
            "--tui: what is printed would run into the screen: write -o FILE, or redirect stdout",
        ));
    }
    Ok(match output.format {
        Some(Format::Parquet) if file.is_none() => {
            return Err(CliError::usage(
                "--format parquet: it needs a file: write -o FILE.parquet",
            ));
        }
        Some(format) if prints && file.is_none() && format != Format::None => {
            return Err(CliError::usage(
                "--format and -w: -w takes stdout: write -o FILE as well",
            ));
        }
        Some(format) => format,
        None if on_screen || output.out_null || (prints && file.is_none()) => Format::None,
        None if output.output.is_some() => Format::Jsonl,
        None if args.input.demo || std::io::stdout().is_terminal() => Format::Text,
        None => Format::Jsonl,
    })
}

fn write_out(args: &CliArgs) -> Result<Option<WriteOut>, CliError> {
    let listed = args.input.takes_stdin();
    let format = args.telling.write_out.as_deref();
    format
        .map(|format| WriteOut::load(format, listed))
        .transpose()
}

/// The console has errors alone unless asked for more: failures are in the records and the summary.
fn log_policy(args: &CliArgs) -> LogPolicy {
    let (log, output) = (&args.log, &args.output);
    let by_count = match log.verbose {
        0 => None,
        1 => Some("info"),
        2 => Some("debug"),
        _ => Some("trace"),
    };
    let option = log
        .log_level
        .clone()
        .or_else(|| by_count.map(str::to_owned));
    let from_user = option.is_some()
        || std::env::var(logging::LEVEL_VARIABLE).is_ok_and(|level| !level.trim().is_empty());
    let level = match from_user || log.log_file.is_some() {
        true => logging::level_or_env(option),
        false => "error".to_owned(),
    };
    LogPolicy {
        level,
        console: !output.silent && !output.quiet && (log.log_file.is_none() || log.verbose > 0),
        file: log.log_file.clone(),
        format: log.log_format,
        ..LogPolicy::default()
    }
}

/// The file of `--record`.
fn create(path: &Path) -> Result<File, CliError> {
    File::create(path).map_err(|error| {
        CliError::file(format!(
            "--record {}: cannot be written: {error}",
            path.display()
        ))
    })
}

/// Records must not destroy the list they come from.
fn check_overwrite(output: Option<&Path>, args: &CliArgs) -> Result<(), CliError> {
    let real = |path: &Path| fs::canonicalize(path).ok();
    let Some(output) = output.and_then(real) else {
        return Ok(());
    };
    let urls = args
        .input
        .url
        .iter()
        .filter_map(|url| Some(Path::new(url.strip_prefix('@')?)));
    let files = args.input.input_file.iter().map(|path| path.as_path());
    match files
        .chain(urls)
        .find(|path| real(path).as_ref() == Some(&output))
    {
        Some(path) => Err(CliError::usage(format!(
            "--input-file {} would be overwritten and lost: write another file",
            path.display()
        ))),
        None => Ok(()),
    }
}

/// What the log's own error comes to.
pub(crate) fn log_stop(error: &anyhow::Error) -> CliError {
    let message = format!("{error:#}");
    match message.starts_with("bad log filter") {
        true => CliError::usage(format!("--log-level: {message}")),
        false => CliError::file(format!("--log-file: {message}")),
    }
}
