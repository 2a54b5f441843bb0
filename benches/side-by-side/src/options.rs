//! The options, and the parts of the program that they lead to.

use std::ffi::OsString;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::allocations::Counter;
use crate::case::{Case, RUNTIMES, Way};
use crate::client::Client;
use crate::ports::Ports;
use crate::{client, command, compare, cores, docs, machine, scale, site, usage};

/// Measures fetch-all beside other clients, all on one site on loopback.
#[derive(Debug, Parser)]
#[command(name = "fetch-side-by-side", version)]
struct Options {
    #[command(subcommand)]
    part: Option<Part>,

    /// Two rounds, and a tenth of the requests
    #[arg(long)]
    quick: bool,

    /// How often each client runs in each case [default: 5, with --quick 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,

    /// Only this case; repeatable [default: all]
    #[arg(long, value_name = "NAME", value_parser = case_names())]
    case: Vec<String>,

    /// Only this client, besides the case's first, with which all are compared; repeatable [default:
    /// all]
    #[arg(long, value_name = "NAME")]
    client: Vec<Client>,

    /// Write the tables into docs/benchmarks.md, too, and the adapters' costs into README.md's table
    /// of runtimes, in place of what is there
    #[arg(long)]
    write_docs: bool,
}

/// The processes that the program starts of itself.
#[derive(Debug, Subcommand)]
#[command(hide = true)]
enum Part {
    /// Serves the site until the end of its input
    #[command(hide = true)]
    Serve,
    /// Runs one client on one case and prints its usage
    #[command(hide = true)]
    Client {
        client: Client,
        case: String,
        requests: usize,
        base: Ports,
    },
    /// Runs a command and prints its usage
    #[command(hide = true)]
    Watch { command: Vec<OsString> },
}

fn case_names() -> clap::builder::PossibleValuesParser {
    Case::ALL
        .iter()
        .map(|case| case.name)
        .chain([cores::NAME, Case::COMMAND.name, scale::NAME])
        .collect::<Vec<_>>()
        .into()
}

/// Does what the command line asks for.
pub(crate) fn run() -> Result<()> {
    let options = Options::parse();
    match &options.part {
        None => measure(&options),
        Some(Part::Serve) => site::serve(),
        Some(Part::Client {
            client,
            case,
            requests,
            base,
        }) => {
            let case = Case::find(case)
                .context("no such case")?
                .with_requests(*requests);
            client::run(*client, &case, base)
        }
        Some(Part::Watch { command }) => usage::watch(command),
    }
}

fn measure(options: &Options) -> Result<()> {
    let rounds = options.rounds.unwrap_or(if options.quick { 2 } else { 5 });
    let wanted = |name: &str| options.case.is_empty() || options.case.iter().any(|c| c == name);
    options.tell("machine", &machine::describe()?)?;
    let cases = Case::ALL.iter().chain([&Case::COMMAND]);
    let cases: Vec<_> = cases.filter(|case| wanted(case.name)).collect();
    if wanted(Case::COMMAND.name) || wanted(scale::NAME) {
        command::build()?;
    }
    compare_all(options, &cases, rounds)?;
    if wanted(cores::NAME) {
        options.tell(cores::NAME, &cores::run(options.quick, rounds)?)?;
    }
    if wanted(scale::NAME) {
        let curve = scale::run(options.quick, options.write_docs)?;
        options.tell(scale::NAME, &curve)?;
    }
    Ok(())
}

/// Measures clients side by side, case after case.
fn compare_all(options: &Options, cases: &[&Case], rounds: u16) -> Result<()> {
    if cases.is_empty() {
        return Ok(());
    }
    let counter = Counter::build()?;
    for case in cases {
        if case.way != Way::Plain && !site::has_nginx() {
            eprintln!("{}: left out, since only nginx serves it", case.name);
            continue;
        }
        let divisor = if options.quick { 10 } else { 1 };
        let case = case.with_requests(case.requests / divisor);
        let runs = compare::run(&case, &options.clients(&case), rounds, &counter)?;
        options.tell(case.name, &runs.table())?;
        if case.name == RUNTIMES && options.write_docs {
            docs::write_costs(&runs.costs())?;
        }
    }
    Ok(())
}

impl Options {
    /// Those of a case that are to run; the first always is.
    fn clients(&self, case: &Case) -> Vec<Client> {
        let listed = |c: &Client| self.client.is_empty() || self.client.contains(c);
        let clients = case.here().enumerate();
        let clients = clients.filter(|(place, client)| *place == 0 || listed(client));
        clients.map(|(_, client)| client).collect()
    }

    /// Prints a table, and writes it where it is to stand.
    fn tell(&self, name: &str, text: &str) -> Result<()> {
        println!("\n{text}");
        if self.write_docs {
            docs::write(name, text)
        } else {
            Ok(())
        }
    }
}
