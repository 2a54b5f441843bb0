//! What the API sends, and what a crawl results in.

use serde::{Deserialize, Serialize};

/// A page of the list of items.
#[derive(Debug, Deserialize, Serialize)]
pub struct Page {
    /// The items on it.
    pub ids: Vec<u32>,
    /// The path of the next page.
    pub next: Option<String>,
}

/// An item.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Item {
    /// Its number.
    pub id: u32,
    /// Its price in cents.
    pub price: u32,
}

/// The result of a crawl.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// The items that were fetched.
    pub items: Vec<Item>,
    /// The items that could not be fetched, each with the reason.
    pub failed: Vec<(u32, String)>,
}
