//! The fields of `-H`, with those of `-H @FILE`.

use crate::args::values::{HeaderOption, HeaderSource, header};
use crate::display::sanitize;
use crate::exit::CliError;

/// All fields in their order. A file has one per line; empty lines are ignored.
///
/// # Errors
///
/// If a file cannot be read, or has a line that is no field.
pub(super) fn fields(sources: &[HeaderSource]) -> Result<Vec<HeaderOption>, CliError> {
    let mut fields = Vec::new();
    for source in sources {
        let path = match source {
            HeaderSource::Field(field) => {
                fields.push(field.clone());
                continue;
            }
            HeaderSource::File(path) => path,
        };
        let name = sanitize(path.as_os_str().as_encoded_bytes());
        let text = match path.as_os_str() == "-" {
            true => std::io::read_to_string(std::io::stdin()),
            false => std::fs::read_to_string(path),
        };
        let text = text.map_err(|error| {
            CliError::file(format!(
                "--header @{name}: cannot be read: {error}: check the name of the file"
            ))
        })?;
        for (at, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            // A line may be a secret, so that only its name is shown.
            let shown = line.split([':', ';']).next().unwrap_or_default();
            let shown = sanitize(shown.as_bytes());
            let field = header(line).map_err(|why| {
                CliError::usage(format!(
                    "--header @{name}: line {}: '{shown}': {why}",
                    at + 1
                ))
            })?;
            fields.push(field);
        }
    }
    Ok(fields)
}
