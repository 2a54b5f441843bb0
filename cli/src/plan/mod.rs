//! The plan of a run, from the options: they are checked, and their files opened, before it starts.
//!
//! A [`RunPlan`] has one part per concern. Each part reads its own options, and owns what it opens.

pub(crate) mod auth;
mod ca_directory;
mod cache;
mod client;
mod console;
mod hsts;
mod input;
mod login;
mod output;
mod pins;
pub(crate) mod policy;
mod request;
mod session;
mod settings;
mod stop;

use crate::args::CliArgs;
use crate::exit::CliError;
use crate::input::UrlList;
use crate::output::etag_file::EtagFile;
use crate::output::head_dump::HeadDump;
use crate::save::ContinueAt;
pub(crate) use client::ClientPlan;
pub(crate) use console::{ConsolePlan, log_error};
pub(crate) use hsts::{HstsFile, hsts_hosts};
pub(crate) use input::InputPlan;
pub(crate) use output::OutputPlan;
pub(crate) use policy::PolicyReload;
pub(crate) use session::CookieFile;
pub(crate) use settings::engine_config;
pub(crate) use stop::StopConditions;

/// Everything that a run needs.
pub(crate) struct RunPlan {
    pub(crate) client: ClientPlan,
    pub(crate) console: ConsolePlan,
    /// The file of `--dump-header`.
    /// The file of `--etag-save`.
    pub(crate) etag: Option<EtagFile>,
    pub(crate) heads: Option<HeadDump>,
    pub(crate) input: InputPlan,
    /// Whether this is `--demo`, whose failures are expected.
    pub(crate) is_demo: bool,
    pub(crate) output: OutputPlan,
    pub(crate) stop: StopConditions,
}

impl RunPlan {
    /// Checks the options, and opens the files and sockets that they name.
    ///
    /// # Errors
    ///
    /// If options contradict each other or a file cannot be used.
    pub(crate) fn new(args: &CliArgs, list: UrlList) -> Result<Self, CliError> {
        let mut warnings = Vec::new();
        let client = ClientPlan::new(args, &mut warnings)?;
        check_offset(args, &list)?;
        let etag = etag_file(args, &list)?;
        let heads = head_dump(args, &list)?;
        let input = InputPlan::new(args, list, &client.settings)?;
        let view = console::view(args);
        let settings = &client.settings;
        let output = OutputPlan::new(args, view, &input.template, settings, &mut warnings)?;
        Ok(Self {
            client,
            etag,
            heads,
            console: ConsolePlan::new(args, view, warnings)?,
            input,
            is_demo: args.input.demo,
            output,
            stop: StopConditions::new(args),
        })
    }
}

/// # Errors
///
/// If `-C` has an offset, and there are several URLs.
fn check_offset(args: &CliArgs, list: &UrlList) -> Result<(), CliError> {
    match args.save.continue_at {
        Some(ContinueAt::Offset(offset)) if list.total != Some(1) => Err(CliError::usage(format!(
            "-C {offset}: one offset cannot fit the files of several URLs: write -C -, which finds the \
                 offset of each file, or --range {offset}- for a part of each body"
        ))),
        _ => Ok(()),
    }
}

/// The file of `--etag-save`, which has room for one URL only.
fn etag_file(args: &CliArgs, list: &UrlList) -> Result<Option<EtagFile>, CliError> {
    let condition = &args.condition;
    if list.total != Some(1) && (condition.etag_save.is_some() || condition.etag_compare.is_some())
    {
        return Err(CliError::usage(
            "--etag-save and --etag-compare are for a single URL: write --cache DIR, which validates all URLs",
        ));
    }
    let path = condition.etag_save.as_deref();
    path.map(EtagFile::new).transpose()
}

/// The file of `--dump-header`, which has room for one URL only.
fn head_dump(args: &CliArgs, list: &UrlList) -> Result<Option<HeadDump>, CliError> {
    let Some(path) = &args.report.dump_header else {
        return Ok(None);
    };
    if list.total != Some(1) {
        return Err(CliError::usage(
            "-D FILE is for a single URL: write --record-headers, which adds the header fields to each \
             record",
        ));
    }
    let output = &args.output;
    let records_in_file = output
        .output
        .as_ref()
        .is_some_and(|path| path.as_os_str() != "-");
    HeadDump::new(path, records_in_file || output.out_null).map(Some)
}

/// Everything that `--dry-run` needs. It fetches nothing and writes no file.
pub(crate) struct DryRunPlan {
    pub(crate) client: ClientPlan,
    pub(crate) input: InputPlan,
    pub(crate) silent: bool,
    pub(crate) stop: StopConditions,
}

impl DryRunPlan {
    /// # Errors
    ///
    /// If options contradict each other or a file cannot be read.
    pub(crate) fn new(args: &CliArgs, list: UrlList) -> Result<Self, CliError> {
        let client = ClientPlan::new(args, &mut Vec::new())?;
        Ok(Self {
            input: InputPlan::new(args, list, &client.settings)?,
            client,
            silent: args.output.silent,
            stop: StopConditions::new(args),
        })
    }
}

#[cfg(test)]
mod tests;
