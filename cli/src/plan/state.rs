//! The state that is kept, if one is.

use std::collections::BTreeMap;
use std::path::Path;

use ring::digest;

use crate::args::{CliArgs, Format};
use crate::exit::CliError;
use crate::input::RequestTemplate;
use crate::output::Target;
use crate::state::{State, Wanted};

/// So many digits of a body's digest are enough to tell two apart.
const DIGITS: usize = 8;

/// Opens the output, and the state with it.
pub(crate) fn open(
    args: &CliArgs,
    output: Option<&Path>,
    format: Format,
    feed: &RequestTemplate,
    notes: &mut Vec<String>,
) -> Result<(Target, Option<State>), CliError> {
    let Some(directory) = &args.state.state else {
        return Ok((Target::open(output)?, None));
    };
    let (mut state, target) = State::open(&Wanted {
        directory: directory.clone(),
        format,
        output: output.map(Path::to_owned),
        request: request(feed),
        retry_failed: args.state.retry_failed,
    })?;
    notes.append(&mut state.notes);
    Ok((target, Some(state)))
}

/// What all requests of a run have, and ids depend on.
fn request(feed: &RequestTemplate) -> BTreeMap<String, String> {
    let digest = digest::digest(&digest::SHA256, &feed.body);
    let digest = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    let body = match feed.body.len() {
        0 => "none".to_owned(),
        length => format!(
            "{length} bytes (sha256:{}…)",
            digest.take(DIGITS).collect::<String>()
        ),
    };
    let method = feed.method.as_str().to_owned();
    BTreeMap::from([("body".to_owned(), body), ("method".to_owned(), method)])
}
