//! The library in an application of one's own.

use std::io::Read;

use axum::Router;
use axum::routing::get;
use floe::lazy::IntoLazy;
use floe_serve::Catalog;

use crate::support::*;

#[path = "../../examples/embed.rs"]
mod example;

/// The example as it stands, in this process.
#[test]
fn the_example_answers() {
    let catalog = Catalog::builder().build().unwrap();
    let server = Server::of_router(catalog, example::app().unwrap());
    let late = server.get("/late?minutes=60").frame();
    assert_eq!(late.get_column_names(), ["flight", "delay"]);
    assert!(late.height() > 0);
    let tables = server.get("/data/api/tables").json();
    assert_eq!(tables["tables"][0]["name"], "flights");
    let page = server.get("/data");
    assert_eq!((page.status, page.header("location")), (307, Some("./data/index.html")));
    assert!(
        server
            .get("/data/index.html")
            .header("content-type")
            .is_some_and(|text| text.starts_with("text/html"))
    );
    let sql = sql_path("SELECT count(*) AS n FROM flights", "");
    assert_eq!(server.get(&format!("/data{sql}")).frame().height(), 1);
}

#[test]
fn a_response_of_ones_own_is_streamed_and_cancelled() {
    let gate = Gate::new();
    let lf = gate.table(numbers(2_000_000), 8);
    let app = Router::new().route("/numbers", get(move || floe_serve::ipc_stream_response(lf.clone())));
    let server = Server::of_router(Catalog::builder().build().unwrap(), app);
    let mut connection = server.open("GET", "/numbers", &[], b"");
    connection.read_exact(&mut [0; 100_000]).unwrap();
    drop(connection);
    gate.open();
    let again = server.get("/numbers");
    assert!(again.frame().equals(&numbers(2_000_000)));
}

/// On a runtime of one thread, where Polars itself would panic.
#[test]
fn one_thread_of_tokio_is_enough() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(async {
        let response = floe_serve::ipc_stream_response(numbers(200_000).lazy()).await;
        assert_eq!(response.status(), 200);
        axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap()
    });
    use floe::prelude::*;
    assert!(IpcStreamReader::from_bytes(answer.to_vec()).finish().unwrap().equals(&numbers(200_000)));
}
