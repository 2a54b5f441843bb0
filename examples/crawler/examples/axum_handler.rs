//! A handler of axum that fetches. All requests to the handler share one fetcher, so that its limits, its
//! connections and what it knows about hosts hold for all of them together.
//!
//! `cargo run -p fetch-example-crawler --example axum_handler`

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use fetch_all::tokio::Fetcher;
use fetch_example_crawler::api::Api;
use http::StatusCode;

/// What handlers share.
#[derive(Clone)]
struct Shop {
    api: String,
    fetcher: Fetcher,
}

/// The price of an item. If the API fails, 502 with the reason.
async fn price(
    State(shop): State<Shop>,
    Path(id): Path<u32>,
) -> Result<String, (StatusCode, String)> {
    let url = format!("{}/items/{id}", shop.api);
    let response = shop.fetcher.get(url).await;
    let response = response.and_then(fetch_all::Response::error_for_status);
    match response {
        Ok(response) => Ok(response.text().into_owned()),
        Err(error) => Err((StatusCode::BAD_GATEWAY, error.to_string())),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let api = Api::start().await?;
    let fetcher = Fetcher::builder().per_host(4).build()?;
    let shop = Shop {
        api: api.url().to_owned(),
        fetcher: fetcher.clone(),
    };
    let routes = Router::new()
        .route("/price/{id}", get(price))
        .with_state(shop);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/price", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, routes).await });

    let (found, broken) = futures::join!(
        fetcher.get(format!("{url}/4")),
        reqwest::get(format!("{url}/13"))
    );
    println!("{}", found?.text());
    println!("{}", broken?.text().await?);
    Ok(())
}
