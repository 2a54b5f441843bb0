//! The model of a site: its hosts, their behaviour and number of URLs.

use std::collections::BTreeSet;
use std::time::Duration;

use fetch_proto::EngineConfig;
use fetch_proto::testing::{Outage, ServerModel, Simulation};
use serde::Deserialize;
use toml::Spanned;

use super::server::{HostTable, OutageTable};
use crate::config::toml_file::TomlDocument;
use crate::exit::CliError;

/// The number of URLs of a host without the key `urls`.
const DEFAULT_URLS: u64 = 1000;

/// The most hosts. Each has a summary of up to 100 KiB.
const MAX_HOSTS: usize = 1000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelFile {
    seed: Option<u64>,
    default: Option<HostTable>,
    #[serde(default)]
    host: Vec<Spanned<HostTable>>,
    #[serde(default)]
    outage: Vec<OutageTable>,
}

/// A simulated site.
#[derive(Debug)]
pub(super) struct SiteModel {
    default: ServerModel,
    pub(super) hosts: Vec<SimulatedHost>,
    outages: Vec<Outage>,
    pub(super) seed: Option<u64>,
}

#[derive(Debug)]
pub(super) struct SimulatedHost {
    pub(super) name: String,
    outages: Vec<Outage>,
    server: ServerModel,
    pub(super) urls: u64,
}

impl SiteModel {
    /// Builds the model. `urls` and `hosts` override its numbers.
    ///
    /// # Errors
    ///
    /// If the model is not valid.
    pub(super) fn new(
        document: &TomlDocument,
        urls: Option<usize>,
        hosts: Option<usize>,
    ) -> Result<Self, CliError> {
        let file: ModelFile = document.parse()?;
        let mut model = Self {
            default: ServerModel::default(),
            hosts: Vec::new(),
            outages: outages(&file.outage, document)?,
            seed: file.seed,
        };
        if let Some(default) = &file.default {
            model.default = default_server(default, document)?;
        }
        for table in &file.host {
            model.add(table, hosts, document)?;
        }
        let mut names = BTreeSet::new();
        if let Some(twice) = model.hosts.iter().find(|host| !names.insert(&host.name)) {
            let tables = file.host.iter().rev();
            let mut named = tables.filter_map(|table| table.get_ref().name.as_ref());
            let named = named.find(|name| twice.name.ends_with(name.get_ref()));
            let span = named.map_or(0..0, Spanned::span);
            return Err(document.error_at(span, "duplicate host name: write another"));
        }
        if let Some(urls) = urls {
            model.distribute(urls as u64);
        }
        Ok(model)
    }

    fn add(
        &mut self,
        table: &Spanned<HostTable>,
        hosts: Option<usize>,
        document: &TomlDocument,
    ) -> Result<(), CliError> {
        let (span, table) = (table.span(), table.get_ref());
        let Some(name) = &table.name else {
            let why = "missing name: write name = \"shop.test\"";
            return Err(document.error_at(span, why));
        };
        let server = table.server(document)?;
        let outages = outages(&table.outage, document)?;
        let valid = url::Url::parse(&format!("http://{}/", name.get_ref()));
        if !valid.is_ok_and(|url| url.host_str() == Some(name.get_ref())) {
            let why = "not a host name: write one in lower case, without scheme and port";
            return Err(document.error_at(name.span(), why));
        }
        let own = table.hosts.as_ref().map(|hosts| *hosts.get_ref());
        let count = hosts.or(own).unwrap_or(1);
        let span = table.hosts.as_ref().map_or(span, Spanned::span);
        if count == 0 || count > MAX_HOSTS - self.hosts.len() {
            let why =
                format!("a model has from 1 to {MAX_HOSTS} hosts: write a number in this range");
            return Err(match hosts {
                Some(count) => CliError::usage(format!("--hosts {count}: {why}")),
                None => document.error_at(span, &why),
            });
        }
        let urls = table
            .urls
            .as_ref()
            .map_or(DEFAULT_URLS, |urls| u64::from(*urls.get_ref()));
        let shares = shares(urls, &vec![1; count]);
        for (number, urls) in (1..).zip(shares) {
            self.hosts.push(SimulatedHost {
                name: match count {
                    1 => name.get_ref().clone(),
                    _ => format!("{number}.{}", name.get_ref()),
                },
                outages: outages.clone(),
                server,
                urls,
            });
        }
        Ok(())
    }

    /// Scales the numbers of URLs, so that all hosts together have `urls`.
    fn distribute(&mut self, urls: u64) {
        let weights: Vec<_> = self.hosts.iter().map(|host| host.urls).collect();
        for (host, urls) in self.hosts.iter_mut().zip(shares(urls, &weights)) {
            host.urls = urls;
        }
    }

    /// Makes a simulation of the site.
    pub(super) fn simulation(&self, config: EngineConfig, seed: u64) -> Simulation {
        let mut simulation = Simulation::new(config, seed).everywhere(self.default);
        for host in &self.hosts {
            simulation = simulation.host(&host.name, host.server);
            for outage in &host.outages {
                simulation = simulation.outage(&host.name, *outage);
            }
        }
        let outages = self.outages.iter();
        outages.fold(simulation, |simulation, outage| {
            simulation.outage_everywhere(*outage)
        })
    }

    /// The periods with an outage at any host.
    pub(super) fn outages(&self) -> BTreeSet<(Duration, Duration)> {
        let own = self.hosts.iter().flat_map(|host| &host.outages);
        let all = own.chain(&self.outages);
        all.map(|outage| (outage.from, outage.until)).collect()
    }
}

fn outages(tables: &[OutageTable], document: &TomlDocument) -> Result<Vec<Outage>, CliError> {
    tables.iter().map(|table| table.outage(document)).collect()
}

/// Reads `[default]`, which describes behaviour only.
fn default_server(table: &HostTable, document: &TomlDocument) -> Result<ServerModel, CliError> {
    let name = table.name.as_ref().map(Spanned::span);
    let urls = table.urls.as_ref().map(Spanned::span);
    let hosts = table.hosts.as_ref().map(Spanned::span);
    if let Some(span) = name.or(urls).or(hosts) {
        let why =
            "[default] is for hosts that occur only in a list: remove this key, or write [[host]]";
        return Err(document.error_at(span, why));
    }
    if let Some(outage) = table.outage.first() {
        let why = "[default] has no outage: write [[outage]], which affects all hosts, or [[host]]";
        return Err(document.error_at(outage.span(), why));
    }
    table.server(document)
}

/// Divides `total` by weight into whole shares that add up to it.
fn shares(total: u64, weights: &[u64]) -> Vec<u64> {
    let sum: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let mut so_far = 0;
    let mut given = 0;
    let share = |weight: &u64| {
        so_far += u128::from(*weight);
        let until = u128::from(total) * so_far / sum.max(1);
        let share = until - given;
        given = until;
        share as u64
    };
    weights.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_in_proportion_and_add_up() {
        assert_eq!(shares(10, &[1, 1, 1]), [3, 3, 4]);
        assert_eq!(shares(1_000_000, &[12, 5, 3]), [600_000, 250_000, 150_000]);
        assert_eq!(shares(7, &[]), [0; 0]);
        assert_eq!(shares(7, &[0]), [0]);
    }

    #[test]
    fn the_built_in_example_is_valid() {
        let document = TomlDocument::new("example", crate::args::command::EXAMPLE_MODEL);
        let model = SiteModel::new(&document, Some(100), Some(2)).unwrap();
        assert_eq!(model.hosts.len(), 6);
        assert_eq!(model.hosts.iter().map(|host| host.urls).sum::<u64>(), 100);
        assert_eq!(model.hosts[0].name, "1.cdn.test");
        assert_eq!(model.outages().len(), 1);
    }
}
