//! The outputs of a run: records, bodies, state, recording, report.

use std::collections::BTreeMap;
use std::fs;
use std::io::IsTerminal;
use std::path::Path;

use fetch_driver::Settings;
use ring::digest;

use crate::args::CliArgs;
use crate::display::{plural, sanitize};
use crate::exit::CliError;
use crate::input::RequestTemplate;
use crate::output::OutputTarget;
use crate::output::format::RecordFormat;
use crate::output::replace::AtomicFile;
use crate::output::target::{ObservedFile, check_stdout};
use crate::output::write_out::WriteOut;
use crate::save::{self, BodyStore, ContinueAt, SaveOptions};
use crate::state::{ResumeState, StateOptions, state_error};
use crate::ui::progress::ProgressView;

/// The hexadecimal digits of a body's digest that the state shows: enough to distinguish bodies.
const DIGEST_DIGITS: usize = 16;

/// The open files of a run, and how they are written.
pub(crate) struct OutputPlan {
    pub(crate) format: RecordFormat,
    /// Whether cells of CSV are no formulas.
    pub(crate) is_csv_safe: bool,
    /// Whether records have the response's header fields.
    pub(crate) record_headers: bool,
    /// Whether records have the response's body.
    pub(crate) record_bodies: bool,
    /// The file of `--record`.
    pub(crate) recording: Option<ObservedFile>,
    /// The HTML page of `--report`.
    pub(crate) report: Option<AtomicFile>,
    pub(crate) state: Option<ResumeState>,
    /// Where bodies are saved or digested.
    pub(crate) store: BodyStore,
    pub(crate) target: OutputTarget,
    /// The format of `-w`, printed for each URL besides its record.
    pub(crate) write_out: Option<WriteOut>,
}

impl OutputPlan {
    /// Opens the files. None of them may be an input file.
    pub(super) fn new(
        args: &CliArgs,
        view: ProgressView,
        template: &RequestTemplate,
        settings: &Settings,
        warnings: &mut Vec<String>,
    ) -> Result<Self, CliError> {
        let format = format(args, view)?;
        if args.output.csv_safe && format != RecordFormat::Csv {
            return Err(CliError::usage(
                "--csv-safe: the records are not CSV: write --format csv, or -o FILE.csv",
            ));
        }
        let records = args.output.output.as_deref();
        let records = records.filter(|_| format != RecordFormat::None);
        let recording = args.output.record.as_deref();
        for path in [records, recording, args.report.report.as_deref()] {
            check_overwrite(path, args)?;
        }
        let report = args.report.report.clone();
        let report = report.map(|path| AtomicFile::new("--report", path));
        let report = report.transpose()?;
        let write_out = write_out(args, warnings)?;
        let on_stdout = records.is_none_or(|path| path.as_os_str() == "-");
        if (on_stdout && format != RecordFormat::None) || write_out.is_some() {
            check_stdout()?;
        }
        let (target, state) = open(args, records, format, template, warnings)?;
        let resume = state.as_ref().map(|state| &state.resume);
        let continues = args
            .save
            .continue_at
            .filter(|_| args.upload.upload_file.is_empty());
        let store = match args.save.is_asked_for() || continues == Some(ContinueAt::Length) {
            true => {
                let options = SaveOptions {
                    all_statuses: args.output.fail_with_body,
                    continues: continues
                        .filter(|at| *at == ContinueAt::Length || args.save.directory().is_some()),
                    ..args
                        .save
                        .options(args.report.body_recording(), settings.connection_limit())
                };
                let headers = &settings.headers;
                BodyStore::open(&options, &template.method, headers, resume, warnings)?
            }
            false => BodyStore::checks_only(&template.method, args.report.body_recording()),
        };
        Ok(Self {
            format,
            is_csv_safe: args.output.csv_safe,
            record_headers: args.report.record_headers,
            record_bodies: args.report.record_body.is_some(),
            store,
            recording: recording
                .map(|path| ObservedFile::create("--record", path))
                .transpose()?,
            report,
            state,
            target,
            write_out,
        })
    }
}

/// The format of a file of records by the ending of its name, without which it is JSONL.
///
/// # Errors
///
/// If the ending is of no such format: with curl, `-o page.html` is the file of a body.
fn format_of_name(path: &Path) -> Result<RecordFormat, CliError> {
    let ending = path
        .extension()
        .map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    match ending.as_deref() {
        None | Some("json" | "jsonl" | "log" | "ndjson" | "txt") => Ok(RecordFormat::Jsonl),
        Some("csv") => Ok(RecordFormat::Csv),
        Some("har") => Ok(RecordFormat::Har),
        Some("parquet") => Ok(RecordFormat::Parquet),
        Some(_) => {
            let path = sanitize(path.as_os_str().as_encoded_bytes());
            Err(CliError::usage(format!(
                "-o {path}: write -O or --output-dir DIR to save bodies; -o is for records: a name such \
                 as records.jsonl, or any name with --format jsonl"
            )))
        }
    }
}

/// The format of records. Fails if two outputs would mix on stdout or on the screen.
fn format(args: &CliArgs, view: ProgressView) -> Result<RecordFormat, CliError> {
    let output = &args.output;
    let file = output
        .output
        .as_deref()
        .filter(|path| path.as_os_str() != "-");
    let prints = args.report.write_out.is_some();
    if prints && file.is_none() && output.output.is_some() {
        return Err(CliError::usage(
            "-w and -o -: both write to stdout: write -o FILE",
        ));
    }
    let on_screen =
        view == ProgressView::Screen && file.is_none() && std::io::stdout().is_terminal();
    let wanted = output
        .format
        .is_some_and(|format| format != RecordFormat::None);
    if on_screen && (prints || wanted || output.output.is_some()) {
        return Err(CliError::usage(
            "--tui: output on stdout would overwrite the screen: write -o FILE, or redirect stdout",
        ));
    }
    let records_bodies = args.report.record_body.is_some();
    if let Some(RecordFormat::None | RecordFormat::Text) = output.format
        && records_bodies
        && !prints
    {
        return Err(CliError::usage(
            "--record-body: this format has no bodies: use --format jsonl, csv, parquet or har",
        ));
    }
    Ok(match output.format {
        Some(RecordFormat::Parquet) if file.is_none() => {
            return Err(CliError::usage(
                "--format parquet needs a file: write -o FILE.parquet",
            ));
        }
        Some(format) if prints && file.is_none() && format != RecordFormat::None => {
            return Err(CliError::usage(
                "--format and -w: -w writes to stdout: write -o FILE as well",
            ));
        }
        Some(format) => format,
        None if on_screen || output.out_null || (prints && file.is_none()) => RecordFormat::None,
        None if output.output.is_some() => file.map_or(Ok(RecordFormat::Jsonl), format_of_name)?,
        None if records_bodies => RecordFormat::Jsonl,
        None if args.input.demo || std::io::stdout().is_terminal() => RecordFormat::Text,
        None => RecordFormat::Jsonl,
    })
}

fn write_out(args: &CliArgs, warnings: &mut Vec<String>) -> Result<Option<WriteOut>, CliError> {
    let list_on_stdin = args.input.takes_stdin();
    let format = args.report.write_out.as_deref();
    format
        .map(|format| WriteOut::load(format, list_on_stdin, warnings))
        .transpose()
}

/// Opens the file of records, and with `--state` the state.
fn open(
    args: &CliArgs,
    output: Option<&Path>,
    format: RecordFormat,
    template: &RequestTemplate,
    warnings: &mut Vec<String>,
) -> Result<(OutputTarget, Option<ResumeState>), CliError> {
    let Some(directory) = &args.state.state else {
        return Ok((OutputTarget::open(output)?, None));
    };
    let (mut state, target) = ResumeState::open(StateOptions {
        directory: directory.clone(),
        format,
        output: output.map(Path::to_owned),
        request: request_summary(template),
        retry_failed: args.state.retry_failed,
        tar: args.save.tar.clone(),
        warc: args.save.warc.clone(),
    })?;
    warnings.append(&mut state.notes);
    let removed = save::remove_uncommitted(&state.resume.bodies, args.save.directory());
    let removed = removed.map_err(|error| {
        let what = "files of bodies without a record cannot be removed";
        state_error(directory, &error, what)
    })?;
    if removed > 0 {
        warnings.push(format!(
            "--output-dir: removed {} without a record; their URLs are fetched again",
            plural(removed, "file", "files")
        ));
    }
    Ok((target, Some(state)))
}

/// The method and body of all requests, on which record ids depend.
fn request_summary(template: &RequestTemplate) -> BTreeMap<String, String> {
    let digest = digest::digest(&digest::SHA256, template.payload.identity());
    let digest: String = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut body = template.payload.describe();
    if !template.payload.is_empty() {
        body += &format!(" (sha256:{}…)", &digest[..DIGEST_DIGITS]);
    }
    let method = template.method.as_str().to_owned();
    BTreeMap::from([("body".to_owned(), body), ("method".to_owned(), method)])
}

/// An output must not overwrite an input file.
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn args(options: &[&str]) -> CliArgs {
        CliArgs::try_parse_from(["fetch-all"].iter().chain(options)).unwrap()
    }

    fn format_of(options: &[&str]) -> Result<RecordFormat, String> {
        format(&args(options), ProgressView::None).map_err(|error| error.message)
    }

    #[test]
    fn records_of_a_file_are_jsonl_unless_a_format_is_given() {
        assert_eq!(format_of(&["-o", "x"]), Ok(RecordFormat::Jsonl));
        assert_eq!(
            format_of(&["-o", "x", "--format", "csv"]),
            Ok(RecordFormat::Csv)
        );
        assert_eq!(format_of(&["--out-null"]), Ok(RecordFormat::None));
        assert_eq!(format_of(&["--demo"]), Ok(RecordFormat::Text));
    }

    #[test]
    fn bodies_are_recorded_in_formats_that_can_hold_them() {
        let body = ["--record-body", "json"];
        assert_eq!(format_of(&body), Ok(RecordFormat::Jsonl));
        let on_stdout = [&body[..], &["-w", "%{body}"]].concat();
        assert_eq!(format_of(&on_stdout), Ok(RecordFormat::None));
        for format in ["text", "none"] {
            let options = [&body[..], &["--format", format]].concat();
            assert!(format_of(&options).unwrap_err().contains("has no bodies"));
        }
    }

    #[test]
    fn two_outputs_on_stdout_are_refused() {
        assert_eq!(format_of(&["-w", "%{url}"]), Ok(RecordFormat::None));
        for options in [
            &["-w", "%{url}", "-o", "-"][..],
            &["-w", "%{url}", "--format", "csv"],
            &["--format", "parquet"],
            &["--format", "parquet", "-o", "-"],
        ] {
            let error = format_of(options).unwrap_err();
            assert!(error.contains("write -o FILE"), "{options:?}: {error}");
        }
    }

    #[test]
    fn an_input_file_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let list = directory.path().join("urls.txt");
        fs::write(&list, "").unwrap();
        let name = list.to_str().unwrap();
        for options in [&["-i", name][..], &["--url", &format!("@{name}")]] {
            assert!(check_overwrite(Some(&list), &args(options)).is_err());
        }
        assert!(check_overwrite(Some(&list), &args(&[])).is_ok());
    }

    #[test]
    fn the_request_summary_has_the_method_and_a_short_digest() {
        let template = super::super::request::template(&args(&["-d", "a=1"])).unwrap();
        let summary = request_summary(&template);
        assert_eq!(summary["method"], "POST");
        assert_eq!(summary["body"], "3 bytes (sha256:c22fea5d7428e5cf…)");
    }
}
