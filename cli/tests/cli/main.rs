//! The built command against a real site on loopback.

mod bad_input;
mod bodies;
mod crowds;
mod curl;
mod formats;
mod input;
mod kills;
mod lists;
mod monitoring;
mod network;
mod options;
mod output;
mod plans;
mod policy;
mod records;
mod replay;
mod report;
mod retries;
mod robots;
mod setup;
mod simulate;
mod state;
mod stopping;
mod support;
mod threads;
mod view;
