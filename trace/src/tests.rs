//! Random runs replay identically, damaged files are detected, and the history of a URL has its reasons.

mod damaged_files;
mod golden_file;
mod history;
mod random_runs;
mod random_site;
