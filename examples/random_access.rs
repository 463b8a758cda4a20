//! Any batch of a file, without reading the others.

use std::fs::File;

use floe::prelude::*;
use polars_core::prelude::*;

fn main() -> PolarsResult<()> {
    let f0 = Column::new("f0".into(), [1i64, 2, 3, 4]);
    let f1 = Column::new("f1".into(), [Some("foo"), Some("bar"), Some("baz"), None]);
    let f2 = Column::new("f2".into(), [Some(true), None, Some(false), Some(true)]);
    let df = DataFrame::new(4, vec![f0, f1, f2])?;

    let path = std::env::temp_dir().join(format!("floe-random-access-{}.arrow", std::process::id()));
    let mut writer = IpcWriter::new(File::create(&path)?).batched(df.schema())?;
    for _ in 0..5 {
        writer.write_batch(&df)?;
    }
    writer.finish()?;

    // From the headers alone: no body is touched.
    let reader = IpcReader::new(File::open(&path)?);
    assert_eq!(reader.num_record_batches()?, 5);
    assert_eq!(reader.num_rows()?, 20);

    // The bytes of one batch are read, in any order.
    for i in [3, 0, 4] {
        assert!(reader.get_batch(i)?.equals_missing(&df));
    }
    println!("batch 3 of 5:\n{}", reader.get_batch(3)?);
    let error = reader.get_batch(5).expect_err("there are five");
    println!("batch 5: {error}");

    // Of two columns, in the order asked for.
    let columns = Some(vec!["f2".to_owned(), "f0".to_owned()]);
    let reader = IpcReader::new(File::open(&path)?).with_columns(columns);
    assert!(reader.get_batch(1)?.equals_missing(&df.select(["f2", "f0"])?));

    // From bytes: uncompressed buffers become columns without being copied.
    let reader = IpcReader::from_bytes(std::fs::read(&path)?);
    assert!(reader.get_batch(2)?.equals_missing(&df));

    std::fs::remove_file(&path)?;
    Ok(())
}
