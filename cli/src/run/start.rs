//! The beginning: everything is made, and then driven on this thread.

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use fetch_driver::Settings;
use fetch_smol::{Builder, Fetcher, Smol};
use smol::Executor;

use super::Run;
use super::batch::Batch;
use super::body_saver::Keeper;
use crate::exit::CliError;
use crate::input::backlog::{HostBacklog, HostLimits};
use crate::input::{ListReader, RequestStream, SharedProgress};
use crate::output::format;
use crate::output::record::Recorder;
use crate::output::write_out::WriteOut;
use crate::output::{Form, Output, Target, Writer, Written};
use crate::plan::{self, Plan};
use crate::robots::{AdmittedRequests, RobotsContext};
use crate::save::Store;
use crate::state::State;
use crate::ui::eta::Eta;
use crate::ui::progress::{Cleared, Console, Progress, View};
use crate::ui::screen;
use crate::ui::signals;

/// Runs the plan and says what to exit with.
///
/// # Errors
///
/// If something cannot be started, or the records cannot be written.
pub(crate) fn run(mut plan: Plan) -> Result<u8, CliError> {
    let signals = signals::listen(screen::restore).map_err(CliError::internal)?;
    let progress = Progress::new(plan.view, &signals);
    let _cleared = Cleared(progress.clone());
    let console = Box::new(Console(progress.clone()));
    let logging = plan.log.install_with(console);
    logging.map_err(|error| plan::log_stop(&error))?;
    // Whether decisions are worth telling, the log knows only now.
    plan.settings.events = Settings::default().events;
    let tell = teller(&progress, plan.silent);
    plan.notes.iter().for_each(|note| tell(note));
    // Before the fetcher, which measures from its beginning.
    let monitor = plan.monitor.start(&tell)?;
    let executor = Arc::new(Executor::new());
    let own = Smol::on(&executor);
    // Several threads have executors of their own, and this one just waits for them.
    let adapter = match plan.settings.threads > 1 {
        true => Smol::default(),
        false => own,
    };
    let epoch = SystemTime::now();
    let fetcher = fetcher(adapter.clone(), &plan.settings, plan.record.take())?;

    let (method, body) = (plan.feed.method.as_str(), &plan.feed.body);
    let recorder = Arc::new(Recorder::new(epoch, method, body, plan.headers));
    let store = plan.store.take().map(Arc::new);
    let kept = plan.state.as_ref().map(|state| state.kept.clone());
    let (output, writer) = Outputs {
        form: Form {
            encoder: format::encoder(plan.format, plan.demo.is_some()),
            kept: kept.is_some(),
            recorder: recorder.clone(),
        },
        progress: progress.is_shown().then(|| progress.clone()),
        state: plan.state.take(),
        store: store.clone(),
        target: plan.target,
        write_out: plan.write_out.take(),
    }
    .start()?;
    let watched = plan.view != View::None;
    let shared = Arc::new(SharedProgress::new(watched.then(HostBacklog::default)));
    let reader = ListReader {
        feed: plan.feed,
        ledger: kept.as_ref().map(|kept| kept.ledger.clone()),
        max_errors: plan.max_errors,
        seen: plan.dedupe.then(Default::default),
        shared: shared.clone(),
        store: store.clone(),
        writer: writer.clone(),
        tell,
        seq: 0,
    };
    let requests = RequestStream::new(reader.start(plan.sources).map_err(CliError::internal)?);
    let gatekeeper = plan.robots.map(|agent| RobotsContext {
        agent,
        executor: executor.clone(),
        fetcher: fetcher.clone(),
        rules: plan.settings.rules.clone(),
        shared: shared.clone(),
        writer: writer.clone(),
    });
    let mut outcomes = fetcher.fetch_stream(AdmittedRequests::new(requests, gatekeeper));
    if let Some(total) = plan.total {
        outcomes = outcomes.with_total(total);
    }
    let mut run = Run {
        batch: Batch::new(shared, writer, plan.fail, kept),
        cookies: plan.cookies,
        deadline: plan.deadline,
        epoch,
        eta: Eta::new(HostLimits::of(&plan.settings.engine_config())),
        fetcher,
        keeper: store.map(|store| Keeper::new(store, recorder, plan.fail)),
        max_errors: plan.max_errors,
        monitor,
        painted: Duration::ZERO,
        progress,
        reload: plan.reload,
        report: plan.report,
        signals,
        silent: plan.silent,
        started: Instant::now(),
        stopping: false,
        total: plan.total,
    };
    let end = adapter.block_on(executor.run(run.drive(&mut outcomes)));
    run.finish(end, outcomes, output, plan.demo.is_some())
}

fn teller(progress: &Progress, silent: bool) -> Box<dyn Fn(&str) + Send> {
    let progress = progress.clone();
    Box::new(move |message| {
        if !silent {
            progress.tell(message);
        }
    })
}

fn fetcher(adapter: Smol, settings: &Settings, record: Option<File>) -> Result<Fetcher, CliError> {
    let settings = settings.clone();
    let mut builder = Builder::new(adapter).settings(|all| *all = settings);
    if let Some(file) = record {
        builder = builder.record(file);
    }
    builder
        .build()
        .map_err(|error| CliError::usage(error.to_string()))
}

/// Where records go, and what `-w` prints.
struct Outputs {
    form: Form,
    /// The bar that lines would run into.
    progress: Option<Progress>,
    state: Option<State>,
    store: Option<Arc<Store>>,
    target: Target,
    write_out: Option<WriteOut>,
}

impl Outputs {
    fn start(mut self) -> Result<(Output, Writer), CliError> {
        if let Some(state) = &mut self.state {
            state.archives = self.store;
        }
        let recorder = self.form.recorder.clone();
        let records = Output::start(Written {
            form: self.form,
            progress: self.progress.clone(),
            state: self.state,
            target: self.target,
        });
        let (output, writer) = records.map_err(CliError::internal)?;
        let Some(write_out) = self.write_out else {
            return Ok((output, writer));
        };
        let lines = Output::start(Written {
            form: Form {
                encoder: Box::new(write_out),
                kept: false,
                recorder,
            },
            progress: self.progress,
            state: None,
            target: Target::Stdout,
        });
        let lines = lines.map_err(CliError::internal)?;
        Ok((output.and(lines.0), writer.and(lines.1)))
    }
}
