//! The seed of the API: a DataFrame to an Arrow IPC stream, with metadata, and back.

use std::fs::File;
use std::sync::Arc;

use floe::prelude::*;
use polars_core::prelude::*;

fn main() -> PolarsResult<()> {
    let days = Column::new("days".into(), [0, 1, 2, 3, 4]);
    let temperatures = Column::new("temp".into(), [22.1, 19.9, 7., 2., 3.]);
    let mut df = DataFrame::new(5, vec![days, temperatures])?;

    let path = std::env::temp_dir().join(format!("floe-write-stream-{}.arrows", std::process::id()));
    let mut file = File::create(&path)?;

    let mut writer = IpcStreamWriter::new(&mut file);
    let custom_metadata = [("first_name".into(), "John".into()), ("last_name".into(), "Doe".into())];
    writer.set_custom_schema_metadata(Arc::new(custom_metadata.into_iter().collect()));
    writer.finish(&mut df)?;
    println!("wrote {:?}", writer.summary());

    let mut reader = IpcStreamReader::new(File::open(&path)?);
    let metadata = reader.custom_metadata()?.expect("what was set");
    assert_eq!(metadata.get("first_name").map(PlSmallStr::as_str), Some("John"));
    let read = reader.finish()?;
    assert!(read.equals(&df));
    println!("{read}");

    std::fs::remove_file(&path)?;
    Ok(())
}
