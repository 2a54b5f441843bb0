//! The built command against a real site on loopback.

mod support;

mod bodies {
    mod continued;
    mod downloads;
    pub(crate) mod saved;
}

mod lists {
    mod bad_input;
    mod input;
    mod rows;
    mod tables;
}

mod options {
    mod command_line;
    mod curl;
    mod plans;
    mod policy;
    mod setup;
    mod typing;
}

mod people {
    mod hostile_text;
    pub(crate) mod monitoring;
    mod report;
    #[cfg(unix)]
    pub(crate) mod terminal;
    mod view;
}

mod records {
    mod counts;
    mod exitcodes;
    mod fields;
    mod formats;
    mod output;
    mod write_out;
}

mod requests {
    mod cache;
    mod cache_command;
    mod cookies;
    mod network;
    mod profiles;
    mod redirects;
    mod robots;
    mod routes;
    mod secrets;
    mod tokens;
    mod uploads;
}

mod scheduling {
    mod crowds;
    mod floods;
    mod outages;
    mod retries;
    mod stopping;
    mod threads;
}

mod simulation {
    mod replay;
    mod simulate;
}

mod state {
    mod kills;
    mod repair;
    pub(crate) mod resumed;
}
