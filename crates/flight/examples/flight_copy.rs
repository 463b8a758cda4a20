//! Copies all data sets of one Flight server to another, record batch by record batch.
//!
//! `cargo run --release -p floe-flight --example flight_copy -- grpc://127.0.0.1:8815 grpc://127.0.0.1:8816`
//!
//! Neither side is held in memory: when the target is slow, the source waits.

use std::error::Error;

use floe_flight::*;
use futures_util::TryStreamExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [source, target] = args.as_slice() else { return Err("from where, and to where?".into()) };
    let source = FlightClient::connect(source.as_str()).await?;
    let target = FlightClient::connect(target.as_str()).await?;
    for info in source.list("").await? {
        let Some(descriptor) = info.flight_descriptor else { continue };
        let ticket = info.endpoint.into_iter().find_map(|endpoint| endpoint.ticket);
        let mut frames = source.get(ticket.ok_or("a data set without a ticket")?).await?;
        let schema = frames.schema().await?;
        let results = target.put(descriptor.clone(), FrameStream::new(schema, frames)).await?;
        let results: Vec<_> = results.try_collect().await?;
        println!("{}: {results:?}", descriptor.path.join("/"));
    }
    Ok(())
}
