//! `fetch-all simulate`: the real engine in virtual time, against a simulated site.

mod fields;
mod json;
mod list;
mod model;
mod plot;
mod report;
mod server;

use fetch_proto::testing::SimulationSummary;

use crate::args::command::{EXAMPLE_MODEL, SimulateArgs, SimulatedSiteArgs};
use crate::config::toml_file::TomlDocument;
use crate::exit::{CliError, ExitStatus};
use crate::output::target::{print_stdout, print_text};
use crate::plan;
use crate::plan::policy::file;
use list::SimulatedUrls;
use model::SiteModel;

/// The result of a simulation, and its inputs.
struct SimulationReport<'a> {
    /// Whether `--deadline` stopped it.
    is_cut: bool,
    is_example: bool,
    model: &'a SiteModel,
    seed: u64,
    source: &'a str,
    summary: &'a SimulationSummary,
}

/// Simulates, and prints the report.
///
/// # Errors
///
/// If the model or an option is wrong, or a file cannot be used.
pub(crate) fn run(args: SimulateArgs) -> Result<u8, CliError> {
    let (source, document) = load_model(&args.site)?;
    let is_example = args.site.model.is_none() && args.site.input_file.is_empty();
    let model = SiteModel::new(&document, args.site.urls, args.site.hosts)?;
    let mut urls = SimulatedUrls::new(&model, args.site.input_file)?;
    let seed = args.retry.seed.or(model.seed).unwrap_or(1);
    let deadline = args.timeouts.deadline.filter(|limit| !limit.is_zero());
    let policy = args.policy.policy.as_deref().map(file::read).transpose()?;
    let config = plan::engine_config(
        policy.as_ref(),
        args.explicit,
        args.limits,
        args.retry,
        args.timeouts,
    )?;
    let mut simulation = model.simulation(config, seed);
    if let Some(limit) = deadline {
        simulation = simulation.deadline(limit);
    }
    let summary = simulation.run(&mut urls);
    let is_cut = deadline.is_some_and(|limit| summary.took >= limit);
    let report = SimulationReport {
        is_cut,
        is_example,
        model: &model,
        seed,
        source: &source,
        summary: &summary,
    };
    if let Some(path) = &args.output.plot {
        plot::draw(path, &report)?;
    }
    match args.output.json {
        true => print_stdout(json::text(&report).map_err(CliError::internal)?.as_bytes())?,
        false => {
            let text = report::ReportText(&report, args.output.plot.as_deref());
            print_text(&text.to_string())?;
        }
    }
    let code = urls
        .exit_status()
        .or_else(|| is_cut.then_some(ExitStatus::Unfinished));
    Ok(code.map_or(0, |code| code as u8))
}

/// The text of the model, and its name in the report.
fn load_model(site: &SimulatedSiteArgs) -> Result<(String, TomlDocument), CliError> {
    Ok(match &site.model {
        Some(path) => {
            let name = crate::display::sanitize(path.as_os_str().as_encoded_bytes());
            (name, TomlDocument::read("--model", path)?)
        }
        None if !site.input_file.is_empty() => (
            "a list, without a model (10 to 100 ms, no errors),".to_owned(),
            TomlDocument::new("no model", ""),
        ),
        None => (
            "the built-in example".to_owned(),
            TomlDocument::new("built-in example", EXAMPLE_MODEL),
        ),
    })
}
