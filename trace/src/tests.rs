//! The promises of a trace: over random runs, and over what is no trace.

mod damaged_files;
mod random_runs;
mod random_site;
