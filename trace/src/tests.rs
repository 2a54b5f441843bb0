//! The promises of a trace: over random runs, and over what is no trace.

mod files;
mod runs;
mod site;
