//! `--state`: the record of completed requests, from which a later run resumes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use fetch_state::{
    JournalCut, OutputError, OutputRepair, State, StateError, StateLedger, StateWriter,
};

use crate::display::{plural, sanitize};
use crate::exit::CliError;
use crate::outcome::saved_body::ArchiveEnds;
use crate::output::format::RecordFormat;
use crate::output::target::OutputTarget;
use crate::save::{ArchiveResume, BodyStore, SaveResume};

/// The run that a state is opened for.
pub(crate) struct StateOptions {
    pub(crate) directory: PathBuf,
    pub(crate) format: RecordFormat,
    pub(crate) output: Option<PathBuf>,
    /// The properties that all requests share, by name.
    pub(crate) request: BTreeMap<String, String>,
    pub(crate) retry_failed: bool,
    /// The archives of bodies.
    pub(crate) tar: Option<PathBuf>,
    pub(crate) warc: Option<PathBuf>,
}

/// The part of a state for threads other than the writing thread.
#[derive(Clone)]
pub(crate) struct StateView {
    pub(crate) directory: PathBuf,
    pub(crate) ledger: Arc<StateLedger>,
}

/// An open state.
pub(crate) struct ResumeState {
    /// The bodies that must be durable before their records.
    pub(crate) archives: Option<Arc<BodyStore>>,
    pub(crate) writer: StateWriter,
    pub(crate) view: StateView,
    pub(crate) notes: Vec<String>,
    /// The indexes of the archives among [`fetch_state::StateOptions::archives`].
    tar: Option<usize>,
    warc: Option<usize>,
    /// Where the archives of this run continue.
    pub(crate) resume: SaveResume,
}

impl ResumeState {
    /// Opens or creates the state and its output.
    ///
    /// # Errors
    ///
    /// If one of them cannot be used, or belongs to another kind of run.
    pub(crate) fn open(options: StateOptions) -> Result<(Self, OutputTarget), CliError> {
        check_appendable(options.format)?;
        let (directory, output) = (options.directory.clone(), options.output.clone());
        let output = output.as_deref();
        let shown = output.map(OutputTarget::display_name).unwrap_or_default();
        // A pipe or a device cannot be continued.
        let is_special = |path: &PathBuf| path.metadata().is_ok_and(|meta| !meta.is_file());
        let warc_path = options.warc.filter(|path| !is_special(path));
        let archives: Vec<_> = options.tar.iter().chain(&warc_path).cloned().collect();
        let tar = options.tar.is_some().then_some(0);
        let warc = warc_path.is_some().then(|| archives.len() - 1);
        let state = State::open(&fetch_state::StateOptions {
            directory: options.directory,
            output: options.output,
            format: format_name(options.format),
            request: options.request,
            retry_failed: options.retry_failed,
            archives,
        });
        let state = state.map_err(|error| open_error(&directory, &shown, &error))?;
        let target = match (state.output, output) {
            (Some(file), Some(_)) => OutputTarget::File(shown.clone(), file),
            (_, path) => OutputTarget::open(path)?,
        };
        let note = state
            .repair
            .map(|repair| format!("--output {shown}: {}", repair_note(repair)));
        let cut = state
            .journal_cut
            .map(|cut| format!("--state {}: {}", directory.display(), cut_note(&cut)));
        let ledger = state.ledger;
        let retry_failed = options.retry_failed;
        let resume = |index: Option<usize>| {
            index.map(|index| ArchiveResume {
                bodies: state.bodies.clone(),
                end: state.archive_ends[index],
            })
        };
        let resume = SaveResume {
            tar: resume(tar),
            warc: resume(warc),
            bodies: state.bodies.clone(),
            ledger: ledger.clone(),
            retry_failed,
        };
        Ok((
            Self {
                archives: None,
                writer: state.writer,
                view: StateView { directory, ledger },
                notes: cut.into_iter().chain(note).collect(),
                tar,
                warc,
                resume,
            },
            target,
        ))
    }
}

impl ResumeState {
    /// Sets the ends of the archives after the bodies of the last records.
    pub(crate) fn set_archive_ends(&mut self, ends: &ArchiveEnds) {
        for (archive, end) in [(self.tar, ends.tar), (self.warc, ends.warc)] {
            if let (Some(archive), Some(end)) = (archive, end) {
                self.writer.set_archive_end(archive, end);
            }
        }
    }
}

/// The error of a state that cannot be used.
pub(crate) fn state_error(directory: &Path, error: &std::io::Error, what: &str) -> CliError {
    let hint = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            ": make room, then run the same command again".to_owned()
        }
        std::io::ErrorKind::InvalidData => repair_hint(directory),
        _ => String::new(),
    };
    CliError::file(format!(
        "--state {}: {what}: {error}{hint}",
        directory.display()
    ))
}

/// What to do about damage.
fn repair_hint(directory: &Path) -> String {
    let name = directory.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "-_./+=@%,".contains(c);
    let name = match name.chars().all(is_plain) {
        true => name,
        false => format!("'{}'", name.replace('\'', r"'\''")),
    };
    format!(
        ": nothing was changed; run `fetch-all state repair {name}`, which keeps all that is valid"
    )
}

/// The error of a state or an output that cannot be opened.
fn open_error(directory: &Path, output: &str, error: &StateError) -> CliError {
    let directory_name = directory.display();
    match error {
        StateError::Read(error) => state_error(directory, error, "cannot be used"),
        StateError::Write(error) => state_error(directory, error, "cannot be written"),
        StateError::OtherRequest(_) => {
            CliError::usage(format!("--state {directory_name}: {error}"))
        }
        StateError::OtherFiles(name) => {
            let name = sanitize(name.as_encoded_bytes()).into();
            let error = StateError::OtherFiles(name);
            CliError::file(format!("--state {directory_name}: {error}"))
        }
        StateError::InvalidManifest(_) => CliError::file(format!(
            "--state {directory_name}: {error}{}",
            repair_hint(directory)
        )),
        StateError::Output(error) => {
            CliError::file(format!("--output {output}: {}", output_error(error)))
        }
        error => CliError::file(format!("--state {directory_name}: {error}")),
    }
}

/// The text of the error in terms of options.
fn output_error(error: &OutputError) -> String {
    match error {
        OutputError::NotEmpty => {
            "is not empty and not part of --state: use another file, or remove it".into()
        }
        OutputError::OtherFormat { before, now } => {
            format!("has records of --format {before} by --state, not {now}: use another file")
        }
        OutputError::Missing => {
            "is missing, and by --state it has records: restore it, or use a new file".into()
        }
        OutputError::Shorter { length, durable } => format!(
            "is shorter ({length} bytes) than it was ({durable} by --state): restore it, or use \
             another file and another --state"
        ),
        error => error.to_string(),
    }
}

fn cut_note(cut: &JournalCut) -> String {
    let bytes = plural(cut.length, "byte", "bytes");
    let JournalCut { file, offset, .. } = cut;
    format!(
        "removed {bytes} at the end of {file}, an incomplete block at byte {offset} that the last run \
         left; its URLs are fetched again"
    )
}

fn repair_note(repair: OutputRepair) -> String {
    match repair {
        OutputRepair::RemovedUncommitted(bytes) => format!(
            "removed {} not committed when the last run stopped; their URLs are fetched again",
            plural(bytes, "byte", "bytes")
        ),
        OutputRepair::DroppedDamaged(requests) => format!(
            "its end was damaged; {} fetched again",
            plural(requests, "URL is", "URLs are")
        ),
    }
}

/// Checks that records can be appended to a file that was truncated after any of them.
fn check_appendable(format: RecordFormat) -> Result<(), CliError> {
    match format {
        RecordFormat::Csv | RecordFormat::Jsonl | RecordFormat::Text | RecordFormat::None => Ok(()),
        RecordFormat::Har | RecordFormat::Parquet => Err(CliError::usage(format!(
            "--state: --format {} cannot be resumed: use jsonl or csv",
            format_name(format)
        ))),
    }
}

fn format_name(format: RecordFormat) -> String {
    let value = format.to_possible_value();
    value.map_or(String::new(), |value| value.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn errors_about_the_output_name_the_options() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let open = |output: &str, format| {
            let options = StateOptions {
                directory: path("state"),
                format,
                output: Some(path(output)),
                request: BTreeMap::new(),
                retry_failed: false,
                tar: None,
                warc: None,
            };
            ResumeState::open(options).map(|(state, _)| state.notes)
        };
        let message = |output, format| open(output, format).unwrap_err().message;
        open("out", RecordFormat::Jsonl).unwrap();
        let error = message("out", RecordFormat::Text);
        let expected = "out: has records of --format jsonl by --state, not text: use another file";
        assert!(
            error.starts_with("--output ") && error.ends_with(expected),
            "{error}"
        );
        fs::write(path("foreign"), "precious").unwrap();
        let error = message("foreign", RecordFormat::Jsonl);
        assert!(
            error.contains("is not empty and not part of --state"),
            "{error}"
        );
        let error = message("out", RecordFormat::Har);
        assert!(error.contains("--format har cannot be resumed"), "{error}");
        fs::write(path("out"), "not committed").unwrap();
        let notes = open("out", RecordFormat::Jsonl).unwrap();
        let expected = "removed 13 bytes not committed when the last run stopped";
        assert!(notes[0].contains(expected), "{}", notes[0]);
        let error = output_error(&OutputError::Missing);
        assert!(error.contains("is missing, and by --state"), "{error}");
    }
}
