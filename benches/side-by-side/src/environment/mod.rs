//! What the measurements run on: the server, the machine and its cores, the command, and the usage of
//! processes.

pub(crate) mod command;
pub(crate) mod machine;
pub(crate) mod pinning;
pub(crate) mod ports;
pub(crate) mod site;
pub(crate) mod usage;
