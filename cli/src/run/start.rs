//! The start of a run: builds everything, then runs the main loop on this thread.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use fetch_driver::Settings;
use fetch_logging::LoggingPolicy;
use fetch_smol::{Builder, Fetcher, Smol};
use http::header::REFERER;
use smol::Executor;

use super::ActiveRun;
use super::body_saver::BodySaver;
use super::outcomes::RunOutcomes;
use crate::config::SetOptions;
use crate::exit::CliError;
use crate::input::backlog::{HostBacklog, HostLimits};
use crate::input::{ListReader, RequestStream, SharedProgress};
use crate::output::format;
use crate::output::record::RecordBuilder;
use crate::output::target::ObservedFile;
use crate::output::write_out::WriteOut;
use crate::output::{OutputEncoding, OutputTarget, RecordWriter};
use crate::plan::{self, RunPlan};
use crate::robots::{AdmittedRequests, RobotsContext, RobotsRedirects, SharedCache};
use crate::save::BodyStore;
use crate::state::ResumeState;
use crate::ui::eta::EtaEstimator;
use crate::ui::host_waits::HostWaits;
use crate::ui::long_downloads::LongDownloads;
use crate::ui::progress::{ClearOnDrop, ConsoleWriter, ProgressDisplay, ProgressView};
use crate::ui::screen;
use crate::ui::signals;
use crate::writer::{OutputOptions, OutputThread};

/// Runs the plan and returns the exit code.
///
/// # Errors
///
/// If something cannot be started, or the records cannot be written.
pub(crate) fn run(mut plan: RunPlan, options: SetOptions) -> Result<u8, CliError> {
    let signals = signals::listen(screen::restore).map_err(CliError::internal)?;
    let progress = ProgressDisplay::new(plan.console.view, &signals);
    let _cleared = ClearOnDrop(progress.clone());
    let logging = LoggingPolicy::new(plan.console.log.clone());
    let logging = logging.console(ConsoleWriter(progress.clone()));
    logging.init().map_err(|error| plan::log_error(&error))?;
    let print_message = message_printer(&progress, plan.console.silent);
    plan.console
        .warnings
        .iter()
        .for_each(|warning| print_message(warning));
    // Started before the fetcher, so that no metric of the fetcher is lost.
    let monitor = plan.console.monitor.start(&print_message)?;
    let executor = Arc::new(Executor::new());
    let own = Smol::on(&executor);
    // Several threads have their own executors, and this thread only waits for them.
    let has_threads = plan.client.settings.threads > 1;
    let adapter = match has_threads {
        true => Smol::default(),
        false => own,
    };
    let epoch = SystemTime::now();
    let recorded = plan.output.recording.as_ref().map(ObservedFile::status);
    let fetcher = build_fetcher(
        adapter.clone(),
        &plan.client.settings,
        plan.output.recording.take(),
    )?;

    let robots_cache = SharedCache::default();
    if let Some(agent) = plan.input.robots.clone() {
        let mut settings = plan.client.settings.clone();
        settings.threads = 1;
        let files = build_fetcher(Smol::on(&executor), &settings, None)?;
        let redirects = Arc::new(RobotsRedirects::new(agent, robots_cache.clone(), files));
        plan.input.template.redirect_check = Some(redirects);
    }

    let (method, body) = (
        plan.input.template.method.as_str(),
        plan.input.template.payload.identity(),
    );
    let builder = RecordBuilder::new(epoch, method, body, plan.output.record_headers);
    let referer = plan.client.settings.headers.get(REFERER);
    let referer = referer.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let builder = builder.with_referer(referer);
    let builder = Arc::new(builder.with_bodies(plan.output.record_bodies));
    let store = Arc::new(plan.output.store);
    let state_view = plan.output.state.as_ref().map(|state| state.view.clone());
    let (output, writer) = OutputSetup {
        encoding: OutputEncoding {
            encoder: format::encoder(plan.output.format, plan.is_demo, plan.output.is_csv_safe),
            has_state: state_view.is_some(),
            builder: builder.clone(),
        },
        progress: progress.has_bar().then(|| progress.clone()),
        state: plan.output.state.take(),
        store: store.clone(),
        target: plan.output.target,
        write_out: plan.output.write_out.take(),
    }
    .start()?;
    let has_display = plan.console.view != ProgressView::None;
    let has_backlog = has_display || !plan.console.silent || plan.output.report.is_some();
    let shared = Arc::new(SharedProgress::new(has_backlog.then(HostBacklog::default)));
    let reader = ListReader {
        payload: None,
        template: plan.input.template,
        ledger: state_view.as_ref().map(|view| view.ledger.clone()),
        max_errors: plan.stop.max_errors,
        duplicates: plan.input.dedupe.then(Default::default),
        shared: shared.clone(),
        store: store.clone(),
        writer: writer.clone(),
        print: print_message,
        seq: 0,
        is_done: None,
    };
    let requests = RequestStream::new(
        reader
            .start(plan.input.list.sources)
            .map_err(CliError::internal)?,
    );
    let gatekeeper = plan.input.robots.map(|agent| RobotsContext {
        agent,
        cache: robots_cache,
        executor: executor.clone(),
        fetcher: fetcher.clone(),
        shared: shared.clone(),
        writer: writer.clone(),
    });
    let mut fetches = fetcher.fetch_stream(AdmittedRequests::new(requests, gatekeeper));
    if let Some(total) = plan.input.list.total {
        fetches = fetches.with_total(total);
    }
    let mut run = ActiveRun {
        outcomes: RunOutcomes::new(
            shared,
            writer,
            plan.stop.fail,
            store.has_files(),
            state_view,
        )
        .with_cache(plan.client.settings.cache.clone())
        .with_files(plan.heads, plan.etag),
        cache: plan.client.settings.cache.clone(),
        cookies: plan.client.cookies,
        deadline: plan.stop.deadline,
        epoch,
        eta: EtaEstimator::new(HostLimits::new(&plan.client.settings.config)),
        fetcher,
        hsts: plan.client.hsts,
        host_waits: HostWaits::default(),
        body_saver: Some(BodySaver::new(store, builder, plan.stop.fail)),
        long_downloads: LongDownloads::default(),
        max_errors: plan.stop.max_errors,
        monitor,
        options,
        painted: Duration::ZERO,
        progress,
        reload: plan.client.reload,
        report: plan.output.report,
        signals,
        silent: plan.console.silent,
        started: Instant::now(),
        stopping: false,
        total: plan.input.list.total,
        waiting_hosts: Vec::new(),
    };
    let end = match has_threads {
        true => smol::block_on(executor.run(run.drive(&mut fetches))),
        false => adapter.run(run.drive(&mut fetches)),
    };
    let code = run.finish(end, fetches, output, plan.is_demo)?;
    // The recording ends when its driver is dropped.
    drop((adapter, executor));
    recorded.map_or(Ok(()), |recorded| recorded.check())?;
    Ok(code)
}

fn message_printer(progress: &ProgressDisplay, silent: bool) -> Box<dyn Fn(&str) + Send> {
    let progress = progress.clone();
    Box::new(move |message| {
        if !silent {
            progress.print_message(message);
        }
    })
}

fn build_fetcher(
    adapter: Smol,
    settings: &Settings,
    record: Option<ObservedFile>,
) -> Result<Fetcher, CliError> {
    let settings = settings.clone();
    let mut builder = Builder::new(adapter).settings(|all| *all = settings);
    if let Some(file) = record {
        builder = builder.record(file);
    }
    builder
        .build()
        .map_err(|error| CliError::usage(error.to_string()))
}

/// The outputs of records and of `-w`.
struct OutputSetup {
    encoding: OutputEncoding,
    /// A bar on the same terminal.
    progress: Option<ProgressDisplay>,
    state: Option<ResumeState>,
    store: Arc<BodyStore>,
    target: OutputTarget,
    write_out: Option<WriteOut>,
}

impl OutputSetup {
    fn start(mut self) -> Result<(OutputThread, RecordWriter), CliError> {
        if let Some(state) = &mut self.state {
            state.archives = Some(self.store);
        }
        let builder = self.encoding.builder.clone();
        let lines = self.write_out.map(|write_out| {
            OutputThread::start(OutputOptions {
                after: None,
                encoding: OutputEncoding {
                    encoder: Box::new(write_out),
                    has_state: false,
                    builder,
                },
                progress: self.progress.clone(),
                state: None,
                target: OutputTarget::Stdout,
            })
        });
        let lines = lines.transpose().map_err(CliError::internal)?;
        let records = OutputThread::start(OutputOptions {
            after: lines.as_ref().map(|(thread, _)| thread.queue.clone()),
            encoding: self.encoding,
            progress: self.progress,
            state: self.state,
            target: self.target,
        });
        let (output, writer) = records.map_err(CliError::internal)?;
        Ok(match lines {
            Some(lines) => (output.and(lines.0), writer.and(lines.1)),
            None => (output, writer),
        })
    }
}
