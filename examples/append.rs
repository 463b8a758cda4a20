//! Adding batches to a file that is there, and to a stream while somebody follows it.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use floe::prelude::*;
use floe::{Follow, FollowReader};
use polars_core::prelude::*;

fn main() -> PolarsResult<()> {
    let folder = std::env::temp_dir().join(format!("floe-append-example-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let done = file(&folder.join("readings.arrow")).and_then(|()| stream(&folder.join("readings.arrows")));
    std::fs::remove_dir_all(&folder)?;
    done
}

/// A file: the old one or the new one is there at every moment, and old batches keep their bytes.
fn file(path: &Path) -> PolarsResult<()> {
    let mut writer = IpcWriter::new(File::create(path)?).with_compression(Some(IpcCompression::LZ4));
    writer.finish(&mut readings(0)?)?;

    // A whole frame. Its stations are new: the dictionary grows.
    let mut writer = IpcWriter::append(path)?;
    writer.finish(&mut readings(1)?)?;
    println!("appended: {:?}", writer.summary());

    // Batches as they arrive. Nothing of them is visible before `finish`.
    let mut writer = IpcWriter::append(path)?.batched(readings(0)?.schema())?;
    for day in 2..5 {
        writer.write_batch(&readings(day)?)?;
    }
    assert_eq!(IpcReader::new(File::open(path)?).num_rows()?, 48);
    writer.finish()?;

    let reader = IpcReader::new(File::open(path)?);
    assert!(reader.get_batch(4)?.equals(&readings(4)?));
    let all = reader.finish()?;
    assert_eq!(all.height(), 5 * 24);
    println!("{}", all.tail(Some(3)));

    // A frame that does not fit is refused, and the error says why.
    let error = IpcWriter::append(path)?.finish(&mut readings(5)?.drop("value")?).expect_err("a column less");
    println!("refused: {error}");
    Ok(())
}

/// A stream, in place: who follows it sees the batches as they are written.
fn stream(path: &Path) -> PolarsResult<()> {
    // A writer that was killed: no end marker, and half a message.
    let mut writer = IpcStreamWriter::new(Vec::new()).batched(readings(0)?.schema())?;
    writer.write_batch(&readings(0)?)?;
    let whole = writer.summary().written_bytes;
    writer.write_batch(&readings(1)?)?;
    let mut bytes = writer.into_inner();
    bytes.truncate(usize::try_from(whole).expect("a small file") + 100);
    std::fs::write(path, bytes)?;

    let mut reader = FollowReader::open(path)?;
    let moment = Duration::from_millis(1);
    assert!(matches!(reader.next_batch(moment)?, Follow::Batch(df) if df.equals(&readings(0)?)));
    assert!(matches!(reader.next_batch(moment)?, Follow::NotYet));

    // The next writer goes on behind the last whole message.
    let mut writer = IpcStreamWriter::append(path)?.with_in_place(true).batched(readings(0)?.schema())?;
    writer.write_batch(&readings(1)?)?;
    assert!(matches!(reader.next_batch(moment)?, Follow::Batch(df) if df.equals(&readings(1)?)));
    writer.finish()?;
    assert!(matches!(reader.next_batch(moment)?, Follow::Ended));
    println!("followed to the end");
    Ok(())
}

fn readings(day: i32) -> PolarsResult<DataFrame> {
    let stations: Vec<String> = (0..24).map(|hour| format!("station {}", (hour + day) % 12 + day)).collect();
    let stations = Column::new("station".into(), stations);
    let stations = stations.cast(&DataType::from_categories(Categories::global()))?;
    let values: Vec<f64> = (0..24).map(|hour| f64::from(day) + f64::from(hour) / 24.).collect();
    DataFrame::new(24, vec![stations, Column::new("value".into(), values)])
}
