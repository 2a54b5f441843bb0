//! `fetch-all cache verify`.

use fetch_driver::CacheFileError;

use crate::args::command::VerifyArgs;
use crate::commands::cache::{file_error, open};
use crate::display::plural;
use crate::exit::{CliError, ExitStatus};
use crate::output::target::print_text;

pub(super) fn run(args: &VerifyArgs) -> Result<u8, CliError> {
    let cache = open(&args.directory)?;
    let (mut whole, mut damaged) = (0, 0);
    for file in cache.files() {
        let file = file.map_err(|error| file_error(&args.directory, &error))?;
        let why = match cache.read(&file) {
            Ok(_) => {
                whole += 1;
                continue;
            }
            Err(error) if error.is_gone() => continue,
            Err(error @ CacheFileError::Damaged(_)) => error.to_string(),
            // A file that cannot be read is not removed: it may be whole.
            Err(error) => {
                return Err(CliError::file(format!("{}: {error}", file.path.display())));
            }
        };
        damaged += 1;
        if args.remove {
            let removed = cache.remove(&file);
            removed.map_err(|error| file_error(&file.path, &error))?;
        }
        print_text(&format!("{}: {why}\n", file.path.display()))?;
    }
    let whole = plural(whole, "response is whole", "responses are whole");
    let text = match (damaged, args.remove) {
        (0, _) => format!("{whole}, no damage\n"),
        (damaged, true) => {
            let files = plural(damaged, "damaged file was", "damaged files were");
            format!("{whole}, {files} removed\n")
        }
        (damaged, false) => {
            let files = plural(damaged, "file is damaged", "files are damaged");
            let directory = args.directory.display();
            format!("{whole}, {files}; to remove: `fetch-all cache verify --remove {directory}`\n")
        }
    };
    print_text(&text)?;
    match damaged == 0 || args.remove {
        true => Ok(0),
        false => Ok(ExitStatus::File as u8),
    }
}
