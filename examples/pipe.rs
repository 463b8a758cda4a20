//! A filter between two pipes, as a process of its own.
//!
//! This program starts itself again as a child, sends it a stream on its standard input and reads
//! the stream that the child writes to its standard output. Neither side ever holds more than a
//! few batches.

use std::env;
use std::io;
use std::process::{Command, Stdio};
use std::thread;

use floe::prelude::*;
use polars_core::prelude::*;

const BATCHES: i64 = 20;
const ROWS: i64 = 5_000;

fn main() -> PolarsResult<()> {
    if env::args().nth(1).as_deref() == Some("child") { child() } else { parent() }
}

/// Standard input to standard output, a batch at a time: the even numbers.
fn child() -> PolarsResult<()> {
    let mut reader = IpcStreamReader::new(io::stdin());
    let schema = reader.schema()?;
    let mut writer = IpcStreamWriter::new(io::stdout()).batched(&schema)?;
    for batch in reader.batches()? {
        let batch = batch?;
        let even: BooleanChunked = batch.column("n")?.i64()?.iter().map(|n| n.map(|n| n % 2 == 0)).collect();
        writer.write_batch(&batch.filter(&even)?)?;
    }
    writer.finish()?;
    Ok(())
}

fn parent() -> PolarsResult<()> {
    let mut child = Command::new(env::current_exe()?)
        .arg("child")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let input = child.stdin.take().expect("piped");
    let output = child.stdout.take().expect("piped");

    // Written on a thread of its own: a pipe holds some kilobytes, then it waits for its reader.
    let sender = thread::spawn(move || -> PolarsResult<WriteSummary> {
        let mut writer = IpcStreamWriter::new(input).batched(frame(0)?.schema())?;
        for i in 0..BATCHES {
            writer.write_batch(&frame(i * ROWS)?)?;
        }
        writer.finish()
    });

    let (mut rows, mut sum) = (0, 0);
    for batch in IpcStreamReader::new(output).batches()? {
        let batch = batch?;
        rows += batch.height();
        sum += batch.column("n")?.i64()?.iter().flatten().sum::<i64>();
    }
    let sent = sender.join().expect("the sender does not panic")?;
    assert!(child.wait()?.success());

    assert_eq!(sent.rows, 100_000);
    assert_eq!(rows, 50_000);
    assert_eq!(sum, (0..BATCHES * ROWS).step_by(2).sum::<i64>());
    println!("{} rows went into the pipe, {rows} came back; their sum is {sum}", sent.rows);
    Ok(())
}

fn frame(first: i64) -> PolarsResult<DataFrame> {
    let numbers: Vec<i64> = (first..first + ROWS).collect();
    let texts: Vec<String> = numbers.iter().map(|n| format!("number {n}")).collect();
    DataFrame::new(numbers.len(), vec![Column::new("n".into(), numbers), Column::new("text".into(), texts)])
}
