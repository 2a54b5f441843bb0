//! The command line, and the measurements that it selects.

use std::ffi::OsString;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::cases::case::BenchmarkCase;
use crate::cases::client_kind::ClientKind;
use crate::cases::load_kind::LoadKind;
use crate::clients;
use crate::environment::ports::SitePorts;
use crate::environment::{command, machine, site, usage};
use crate::measure::allocations::AllocationCounter;
use crate::measure::{comparison, core_scaling, floods, list_scaling};
use crate::report::docs;

/// Measures fetch-all beside other clients, on one server on loopback.
#[derive(Debug, Parser)]
#[command(name = "fetch-side-by-side", version)]
struct BenchmarkOptions {
    #[command(subcommand)]
    internal: Option<InternalCommand>,

    /// Two rounds, and a tenth of the requests
    #[arg(long)]
    quick: bool,

    /// How often each client runs in each case [default: 5, with --quick 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,

    /// Only this case; repeatable [default: all]
    #[arg(long, value_name = "NAME", value_parser = case_names())]
    case: Vec<String>,

    /// Only this client, and the first of the case, with which all are compared; repeatable
    /// [default: all]
    #[arg(long, value_name = "NAME")]
    client: Vec<ClientKind>,

    /// Also write the tables into docs/benchmarks.md, in place of the old ones
    #[arg(long)]
    write_docs: bool,
}

/// Subcommands for processes that the program starts itself.
#[derive(Debug, Subcommand)]
#[command(hide = true)]
enum InternalCommand {
    /// Runs the server until the end of standard input
    #[command(hide = true)]
    Serve,
    /// Runs one client on one case and prints its usage
    #[command(hide = true)]
    Client {
        client: ClientKind,
        case: String,
        requests: usize,
        ports: SitePorts,
    },
    /// Runs a command and prints its usage
    #[command(hide = true)]
    Watch { command: Vec<OsString> },
}

fn case_names() -> clap::builder::PossibleValuesParser {
    BenchmarkCase::ALL
        .iter()
        .map(|case| case.name)
        .chain([
            core_scaling::NAME,
            BenchmarkCase::COMMAND.name,
            floods::NAME,
            list_scaling::NAME,
        ])
        .collect::<Vec<_>>()
        .into()
}

/// Runs the measurements that the command line selects.
pub(crate) fn run() -> Result<()> {
    let options = BenchmarkOptions::parse();
    match &options.internal {
        None => measure(&options),
        Some(InternalCommand::Serve) => site::serve(),
        Some(InternalCommand::Client {
            client,
            case,
            requests,
            ports,
        }) => {
            let case = BenchmarkCase::find(case)
                .context("unknown case")?
                .with_requests(*requests);
            clients::run_client(*client, &case, ports)
        }
        Some(InternalCommand::Watch { command }) => usage::run_measured(command),
    }
}

fn measure(options: &BenchmarkOptions) -> Result<()> {
    let rounds = options.rounds.unwrap_or(if options.quick { 2 } else { 5 });
    let is_selected =
        |name: &str| options.case.is_empty() || options.case.iter().any(|c| c == name);
    options.report("machine", &machine::describe_machine()?)?;
    let cases = BenchmarkCase::ALL.iter().chain([&BenchmarkCase::COMMAND]);
    let cases: Vec<_> = cases.filter(|case| is_selected(case.name)).collect();
    if is_selected(BenchmarkCase::COMMAND.name) || is_selected(list_scaling::NAME) {
        command::build_command()?;
    }
    compare_all(options, &cases, rounds)?;
    if is_selected(core_scaling::NAME) {
        options.report(
            core_scaling::NAME,
            &core_scaling::estimate(options.quick, rounds)?,
        )?;
    }
    if is_selected(floods::NAME) {
        options.report(floods::NAME, &floods::measure_floods(rounds)?)?;
    }
    if is_selected(list_scaling::NAME) {
        let table = list_scaling::measure_lists(options.quick, options.write_docs)?;
        options.report(list_scaling::NAME, &table)?;
    }
    Ok(())
}

/// Measures clients side by side, case after case.
fn compare_all(options: &BenchmarkOptions, cases: &[&BenchmarkCase], rounds: u16) -> Result<()> {
    if cases.is_empty() {
        return Ok(());
    }
    let counter = AllocationCounter::build()?;
    for case in cases {
        if case.kind != LoadKind::Plain && !site::has_nginx() {
            eprintln!("{}: skipped, because it needs nginx", case.name);
            continue;
        }
        let divisor = if options.quick { 10 } else { 1 };
        let case = case.with_requests(case.requests / divisor);
        let result = comparison::compare_clients(&case, &options.clients(&case), rounds, &counter)?;
        options.report(case.name, &result.to_table())?;
    }
    Ok(())
}

impl BenchmarkOptions {
    /// The selected clients of a case. The first is always included.
    fn clients(&self, case: &BenchmarkCase) -> Vec<ClientKind> {
        let is_selected = |c: &ClientKind| self.client.is_empty() || self.client.contains(c);
        let clients = case.supported_clients();
        let clients = clients
            .filter(|client| clients::is_installed(*client))
            .enumerate();
        let clients = clients.filter(|(index, client)| *index == 0 || is_selected(client));
        clients.map(|(_, client)| client).collect()
    }

    /// Prints a table and, with `--write-docs`, writes it into the document.
    fn report(&self, name: &str, text: &str) -> Result<()> {
        println!("\n{text}");
        if self.write_docs {
            docs::write_section(name, text)
        } else {
            Ok(())
        }
    }
}
