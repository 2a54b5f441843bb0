//! What the measurements run on: the server, the machine, the cores, and the command.

pub(crate) mod command;
pub(crate) mod machine;
pub(crate) mod pinning;
pub(crate) mod ports;
pub(crate) mod site;
