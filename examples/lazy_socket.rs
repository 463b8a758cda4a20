//! A query over TCP to another process, which uses its rows while the query runs.
//!
//! `cargo run --release --features lazy --example lazy_socket`
//!
//! Nobody holds the whole result: when the consumer is slow, the socket fills, the sink waits, and so does
//! the query.

use std::env;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use floe::lazy::*;
use floe::prelude::*;
use polars_core::prelude::*;

/// The result is ten times what a socket holds.
const ROWS: usize = 3_000_000;

fn main() -> PolarsResult<()> {
    match env::args().nth(1) {
        Some(address) => consume(TcpStream::connect(address)?),
        None => produce(),
    }
}

fn produce() -> PolarsResult<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let mut consumer = Command::new(env::current_exe()?).arg(address).spawn()?;
    let (socket, _) = listener.accept()?;

    // The consumer answers its first batch: how far is the query then?
    let sent = Arc::new(AtomicU64::new(0));
    let mut answers = socket.try_clone()?;
    let first_answer = thread::spawn({
        let sent = Arc::clone(&sent);
        move || answers.read_exact(&mut [0]).map(|()| sent.load(Ordering::Relaxed))
    });

    let numbers: Vec<i64> = (0..).take(ROWS).collect();
    let query = DataFrame::new(ROWS, vec![Column::new("n".into(), numbers)])?
        .lazy()
        .filter((col("n") % lit(10)).neq(lit(3)))
        .with_columns([(col("n") * col("n")).alias("square"), (col("n") * lit(2)).alias("double")]);
    let options = IpcSinkOptions::default()
        .with_record_batch_size(20_000)
        .with_progress(move |progress| sent.store(progress.rows, Ordering::Relaxed));
    let summary = query.sink_ipc_stream(Box::new(socket), options)?;
    println!("sent: {} rows in {} batches", summary.rows, summary.batches);

    let rows_then = first_answer.join().expect("no panic")?;
    println!("sent when the first batch was answered: {rows_then} rows");
    assert!(rows_then < summary.rows);
    assert!(consumer.wait()?.success());
    Ok(())
}

fn consume(mut socket: TcpStream) -> PolarsResult<()> {
    let mut answers = socket.try_clone()?;
    let mut rows = 0;
    let mut sum = 0;
    for batch in IpcStreamReader::new(&mut socket).batches()? {
        let batch = batch?;
        if rows == 0 {
            answers.write_all(b"!")?;
        }
        rows += batch.height();
        sum += batch.column("double")?.i64()?.sum().unwrap_or(0);
    }
    println!("received: {rows} rows, whose doubles add up to {sum}");
    // All numbers below 3,000,000 but those that end in 3.
    assert_eq!((rows, sum), (2_700_000, 2 * (4_499_998_500_000 - 449_999_400_000)));
    Ok(())
}
