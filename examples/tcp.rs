//! Frames over a TCP socket: several streams, one after another, on one connection.
//!
//! A socket cannot seek, and what follows a stream on it belongs to the next one. So a reader has
//! to stop exactly behind the end marker, without looking further.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use floe::prelude::*;
use polars_core::prelude::*;

fn main() -> PolarsResult<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let sender = thread::spawn(move || send(TcpStream::connect(address)?));

    let (mut socket, _) = listener.accept()?;
    // A stream, as one frame.
    let cities = IpcStreamReader::new(&mut socket).finish()?;
    assert!(cities.equals(&self::cities()?));
    println!("{cities}");

    // Then another, with other columns, batch by batch.
    let reader = IpcStreamReader::new(socket);
    let mut rows = 0;
    for batch in reader.batches()? {
        rows += batch?.height();
    }
    assert_eq!(rows, 100_000);
    println!("{rows} measurements");

    // The socket comes back, and what stands behind the streams is still in it.
    let mut socket = reader.into_inner();
    let mut rest = String::new();
    socket.read_to_string(&mut rest)?;
    assert_eq!(rest, "that is all");

    sender.join().expect("the sender does not panic")
}

fn send(mut socket: TcpStream) -> PolarsResult<()> {
    IpcStreamWriter::new(&mut socket).finish(&mut cities()?)?;
    IpcStreamWriter::new(&mut socket)
        .with_compression(Some(IpcCompression::LZ4))
        .with_record_batch_size(Some(10_000))
        .finish(&mut measurements()?)?;
    socket.write_all(b"that is all")?;
    Ok(())
}

fn cities() -> PolarsResult<DataFrame> {
    let names = Column::new("city".into(), ["Nuuk", "Longyearbyen", "Ushuaia"]);
    let latitudes = Column::new("latitude".into(), [64.2, 78.2, -54.8]);
    DataFrame::new(3, vec![names, latitudes])
}

fn measurements() -> PolarsResult<DataFrame> {
    let times: Vec<i64> = (0..100_000).collect();
    let values: Vec<f64> = (0..100_000).map(|i| f64::from(i).sin()).collect();
    DataFrame::new(100_000, vec![Column::new("time".into(), times), Column::new("value".into(), values)])
}
