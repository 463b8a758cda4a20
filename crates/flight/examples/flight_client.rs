//! Puts a table onto a Flight server, asks what is there, reads it back, and asks SQL about it.
//!
//! `cargo run --release -p floe-flight --example flight_client -- grpc://127.0.0.1:8815 [TOKEN]`
//!
//! The server is `flight_server`, or any other that keeps the tables that it is given.

use std::error::Error;

use floe_flight::protocol::sql::CommandStatementQuery;
use floe_flight::*;
use futures_util::TryStreamExt;
use polars_core::prelude::*;
use prost::Message;
use prost_types::Any;
use tonic::Code;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let uri = args.next().ok_or("which server? grpc://HOST:PORT")?;
    let mut connector = FlightConnector::new(uri);
    if let Some(token) = args.next() {
        connector = connector.with_token(token);
    }
    let client = connector.connect().await?;

    let df = DataFrame::new(
        3,
        vec![
            Column::new("city".into(), ["Nuuk", "Longyearbyen", "Ushuaia"]),
            Column::new("latitude".into(), [64.2, 78.2, -54.8]),
        ],
    )?;
    let path = FlightDescriptor::of_path(["cities"]);
    let results: Vec<_> = client.put(path.clone(), df.clone()).await?.try_collect().await?;
    println!("put: {results:?}");

    for info in client.list("").await? {
        let names: Vec<_> = info.polars_schema()?.iter_names().map(ToString::to_string).collect();
        println!("there is: {} rows of {}", info.total_records, names.join(", "));
    }

    let back = client.read(path.clone()).await?;
    assert!(back.equals(&df), "what was put comes back");
    println!("read: {} rows", back.height());

    let echoed = client.exchange(path, df.clone()).await?.collect().await?;
    assert!(echoed.equals(&df), "the server sends back what it is given");
    println!("exchanged: {} rows", echoed.height());

    let query = "SELECT city FROM cities WHERE latitude > 0 ORDER BY latitude DESC";
    match client.read(sql(query)).await {
        Ok(north) => {
            println!("{query}: {north}");
            assert_eq!(north.height(), 2);
        },
        Err(error) if error.code() == Code::Unimplemented => println!("{query}: this server has no SQL"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// The descriptor of a query in Flight SQL.
fn sql(query: &str) -> FlightDescriptor {
    let command = CommandStatementQuery { query: query.to_owned(), transaction_id: None };
    let any = Any {
        type_url: "type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery".to_owned(),
        value: command.encode_to_vec(),
    };
    FlightDescriptor::of_command(any.encode_to_vec())
}
