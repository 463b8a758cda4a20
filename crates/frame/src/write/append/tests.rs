//! A process that dies at any step of an append.

use std::fs;
use std::path::{Path, PathBuf};

use polars_core::prelude::*;
use polars_io::{SerReader, SerWriter};

use super::AppendFile;
use crate::write::faults::stop_after;
use crate::write::{FrameWriter, WriteFormat};
use crate::{IpcReader, IpcStreamReader, IpcStreamWriter, IpcWriter};

fn frame(first: i64) -> DataFrame {
    let numbers: Vec<i64> = (first..first + 3000).collect();
    let texts: Vec<String> = numbers.iter().map(|n| format!("row {n}")).collect();
    let kinds: Vec<String> = numbers.iter().map(|n| format!("kind {}", n / 1000)).collect();
    let columns = vec![
        Column::new("n".into(), numbers),
        Column::new("text".into(), texts),
        Column::new("kind".into(), kinds).cast(&DataType::from_categories(Categories::global())).unwrap(),
    ];
    DataFrame::new(3000, columns).unwrap()
}

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("floe-append-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn read(path: &Path) -> PolarsResult<DataFrame> {
    let bytes = fs::read(path)?;
    if bytes.starts_with(b"ARROW1") {
        IpcReader::from_bytes(bytes).finish()
    } else {
        IpcStreamReader::from_bytes(bytes).finish()
    }
}

/// Runs an append that dies after each possible number of steps, from what is there before each time, until it does not.
/// Says in how many of them the old file was left, and the new one.
fn die_everywhere(
    path: &Path,
    append: impl Fn(&Path) -> PolarsResult<()>,
    check: impl Fn(u64, &[u8], &[u8]),
) -> (u64, u64) {
    let old = fs::read(path).unwrap();
    append(path).unwrap();
    let new = fs::read(path).unwrap();
    assert_ne!(old, new);
    let (mut kept, mut changed) = (0, 0);
    for steps in 0.. {
        fs::write(path, &old).unwrap();
        stop_after(Some(steps));
        let done = append(path);
        stop_after(None);
        let now = fs::read(path).unwrap();
        check(steps, &old, &now);
        *if now == new { &mut changed } else { &mut kept } += 1;
        if done.is_ok() {
            assert!(now == new, "the same bytes at every time");
            return (kept, changed);
        }
        // Leftovers do not stand in the way of the next one.
        if now == old {
            append(path).unwrap();
            assert!(fs::read(path).unwrap() == new, "{steps}");
        }
        assert!(steps < 1000, "it never ends");
    }
    unreachable!("the loop has no end")
}

fn added<F: WriteFormat>(writer: FrameWriter<AppendFile, F>, whole: bool) -> PolarsResult<()> {
    if whole {
        let mut writer = writer.with_record_batch_size(Some(1000));
        return writer.finish(&mut frame(3000));
    }
    let mut writer = writer.batched(frame(0).schema())?;
    writer.write_batch(&frame(3000).head(Some(1500)))?;
    writer.write_batch(&frame(4500).head(Some(1500)))?;
    writer.finish().map(drop)
}

#[test]
fn the_old_file_or_the_new_one() {
    let scratch = Scratch::new("file");
    let path = scratch.0.join("data.arrow");
    for whole in [true, false] {
        IpcWriter::new(fs::File::create(&path).unwrap()).finish(&mut frame(0)).unwrap();
        let check = |steps, old: &[u8], now: &[u8]| {
            let df = read(&path).unwrap();
            assert!(
                df.height() == 3000 && now == old || df.height() == 6000,
                "{steps} steps: {}",
                df.height()
            );
            assert!(df.head(Some(3000)).equals_missing(&frame(0)), "{steps}");
        };
        let (kept, changed) = die_everywhere(&path, |path| added(IpcWriter::append(path)?, whole), check);
        // At the least: create, copy, cut, a write for each message and the end, mode, sync, name.
        assert!(kept >= 8 && changed >= 1, "{kept} and {changed}");
        let all = read(&path).unwrap();
        assert!(all.slice(3000, 3000).equals_missing(&frame(3000)));
    }
}

#[test]
fn the_old_stream_or_the_new_one() {
    let scratch = Scratch::new("stream");
    let path = scratch.0.join("data.arrows");
    for whole in [true, false] {
        IpcStreamWriter::new(fs::File::create(&path).unwrap()).finish(&mut frame(0)).unwrap();
        let check = |steps, old: &[u8], now: &[u8]| {
            let df = read(&path).unwrap();
            assert!(
                df.height() == 3000 && now == old || df.height() == 6000,
                "{steps} steps: {}",
                df.height()
            );
        };
        let (kept, changed) =
            die_everywhere(&path, |path| added(IpcStreamWriter::append(path)?, whole), check);
        assert!(kept >= 8 && changed >= 1, "{kept} and {changed}");
    }
}

/// In place the old batches stay, and what was whole by then comes behind them.
#[test]
fn a_stream_in_place_keeps_its_batches() {
    let scratch = Scratch::new("place");
    let path = scratch.0.join("data.arrows");
    for whole in [true, false] {
        IpcStreamWriter::new(fs::File::create(&path).unwrap()).finish(&mut frame(0)).unwrap();
        let old_messages = fs::read(&path).unwrap().len() - 8;
        let check = |steps, old: &[u8], now: &[u8]| {
            assert!(now.starts_with(&old[..old_messages]), "{steps}");
            let mut rows = 0;
            for batch in IpcStreamReader::new(now).batches().unwrap() {
                let Ok(batch) = batch else { break };
                let first = i64::try_from(rows).unwrap();
                let n = batch.column("n").unwrap().get(0).unwrap().try_extract::<i64>().unwrap();
                assert_eq!(n, first, "{steps}");
                rows += batch.height();
            }
            assert!(rows >= 3000, "{steps}: {rows} rows");
            // It can be gone on with.
            let before = fs::read(&path).unwrap();
            IpcStreamWriter::append(&path).unwrap().with_in_place(true).finish(&mut frame(0)).unwrap();
            assert_eq!(read(&path).unwrap().height(), rows + 3000, "{steps}");
            fs::write(&path, before).unwrap();
        };
        let append = |path: &Path| added(IpcStreamWriter::append(path)?.with_in_place(true), whole);
        let (kept, changed) = die_everywhere(&path, append, check);
        assert!(kept >= 3 && changed >= 1, "{kept} and {changed}");
    }
}
