//! Following a stream that another thread, or another process, is writing to a file.

use std::fs::File;
use std::path::Path;
use std::thread;
use std::time::Duration;

use floe::prelude::*;
use floe::{Follow, FollowReader};
use polars_core::prelude::*;

const BATCHES: i32 = 20;

fn main() -> PolarsResult<()> {
    let path = std::env::temp_dir().join(format!("floe-follow-example-{}.arrows", std::process::id()));
    let done = run(&path);
    let _ = std::fs::remove_file(&path);
    done
}

fn run(path: &Path) -> PolarsResult<()> {
    // The file has to be there; it may be empty.
    let file = File::create(path)?;
    let writer = thread::spawn(move || write(file));

    let mut reader = FollowReader::open(path)?
        .with_columns(Some(vec!["value".to_owned()]))
        .with_idle_timeout(Some(Duration::from_secs(30)));
    let mut rows = 0;
    let mut waits = 0;
    loop {
        match reader.next_batch(Duration::from_millis(5))? {
            Follow::Batch(df) => rows += df.height(),
            // Time to do something else.
            Follow::NotYet => waits += 1,
            Follow::Ended => break,
            Follow::Replaced => reader.reopen()?,
            // Nothing has come for long. Is the writer dead? Then this says whether the stream is cut off.
            Follow::Idle => reader.complete(),
            other => println!("{other:?}"),
        }
    }
    println!("{rows} rows; nothing had come {waits} times");
    assert_eq!(rows, 20_000);
    writer.join().expect("the writer does not panic")
}

fn write(file: File) -> PolarsResult<()> {
    let mut writer = IpcStreamWriter::new(file).batched(measurements(0)?.schema())?;
    for batch in 0..BATCHES {
        writer.write_batch(&measurements(batch)?)?;
        thread::sleep(Duration::from_millis(3));
    }
    writer.finish()?;
    Ok(())
}

fn measurements(batch: i32) -> PolarsResult<DataFrame> {
    let times: Vec<i32> = (batch * 1000..(batch + 1) * 1000).collect();
    let values: Vec<f64> = times.iter().map(|time| f64::from(*time).sin()).collect();
    DataFrame::new(1000, vec![Column::new("time".into(), times), Column::new("value".into(), values)])
}
