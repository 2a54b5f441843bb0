//! An API with faults, on a free port of loopback.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Deserialize;

use crate::model::{Item, Page};

/// Items on each of three pages.
const PAGE: u32 = 10;
/// The number of items.
pub const ITEMS: u32 = 3 * PAGE;
/// The first request for it gets 429, with `Retry-After: 1`.
pub const THROTTLED: u32 = 5;
/// All requests for it get 500.
pub const BROKEN: u32 = 13;

/// The API. It ends with the runtime that it was started on.
#[derive(Debug)]
pub struct Api {
    requests: Requests,
    url: String,
}

type Requests = Arc<Mutex<Vec<(u32, Instant)>>>;

impl Api {
    /// Starts it in the current runtime of tokio.
    ///
    /// # Errors
    ///
    /// If no port is free.
    pub async fn start() -> io::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let requests = Requests::default();
        let routes = Router::new()
            .route("/items", get(list))
            .route("/items/{id}", get(item))
            .with_state(requests.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(Self { requests, url })
    }

    /// Its URL, without a path.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// When this item was requested.
    #[must_use]
    pub fn requests(&self, id: u32) -> Vec<Instant> {
        let requests = self.requests.lock();
        let requests = requests.unwrap_or_else(PoisonError::into_inner);
        let of_item = requests.iter().filter(|(of, _)| *of == id);
        of_item.map(|(_, at)| *at).collect()
    }
}

#[derive(Deserialize)]
struct ListQuery {
    page: u32,
}

async fn list(Query(query): Query<ListQuery>) -> Json<Page> {
    let first = (query.page - 1) * PAGE;
    let next = first + PAGE;
    Json(Page {
        ids: (first..next).collect(),
        next: (next < ITEMS).then(|| format!("/items?page={}", query.page + 1)),
    })
}

async fn item(Path(id): Path<u32>, State(requests): State<Requests>) -> Response {
    let is_first = {
        let mut requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = requests.iter().all(|(of, _)| *of != id);
        requests.push((id, Instant::now()));
        is_first
    };
    match id {
        BROKEN => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        THROTTLED if is_first => {
            (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "1")]).into_response()
        }
        _ if is_first && id % 7 == 3 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        _ => Json(Item {
            id,
            price: id * 100,
        })
        .into_response(),
    }
}
