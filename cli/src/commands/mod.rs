//! The subcommands, and the options `--demo`, `--dry-run` and `--generate`.

pub(crate) mod cache;
pub(crate) mod demo;
pub(crate) mod dry_run;
pub(crate) mod generate;
pub(crate) mod policy;
pub(crate) mod replay;
pub(crate) mod simulate;
pub(crate) mod state;
