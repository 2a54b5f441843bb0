//! The built command against a real site on loopback.

mod bad_input;
mod bodies;
mod continued;
mod crowds;
mod curl;
mod exitcodes;
mod floods;
mod formats;
mod input;
mod kills;
mod lists;
mod monitoring;
mod network;
mod options;
mod outages;
mod output;
mod plans;
mod policy;
mod records;
mod redirects;
mod replay;
mod report;
mod retries;
mod robots;
mod rows;
mod setup;
mod simulate;
mod state;
mod stopping;
mod support;
#[cfg(unix)]
mod terminal;
mod threads;
mod typing;
mod view;
mod write_out;
