//! Random runs replay identically, and damaged files are detected.

mod damaged_files;
mod random_runs;
mod random_site;
