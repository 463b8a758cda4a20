//! Every layout within every other one: dictionaries, runs, unions, lists, list views, structs, three levels deep. The
//! result has to equal that of the same values where nothing is encoded.

mod bombs;
mod deltas;
mod shared_ids;
mod values;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{Field, Schema};
use floe::prelude::*;
use floe_tests::equal::frames_differ;
use polars_core::prelude::DataFrame;

use values::{DEEP, LEAVES, Layout, WRAPPERS, build, values_of};

/// Rows of each column.
const ROWS: usize = 7;

/// A stream of batches of one column; none if arrow-rs cannot write it.
fn stream(layout: &Layout, is_encoded: bool, cuts: &[usize]) -> Option<Vec<u8>> {
    let values = values_of(layout, ROWS, 1);
    let array = build(layout, &values, is_encoded);
    let field = Field::new("x", array.data_type().clone(), true).with_metadata(layout.metadata());
    let schema = Arc::new(Schema::new(vec![field]));
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &schema).ok()?;
    let mut start = 0;
    for end in cuts.iter().copied().chain([ROWS]) {
        let array = build(layout, &values[start..end], is_encoded);
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), vec![array]).ok()?).ok()?;
        start = end;
    }
    writer.finish().ok()?;
    drop(writer);
    Some(bytes)
}

fn read(bytes: &[u8]) -> Result<Vec<DataFrame>, String> {
    let whole = IpcStreamReader::from_bytes(bytes.to_vec()).finish().map_err(|e| e.to_string())?;
    let grown = IpcStreamReader::new(bytes).finish().map_err(|e| e.to_string())?;
    Ok(vec![whole, grown])
}

/// Reads both; what differs.
fn compare(layout: &Layout, cuts: &[usize]) -> Result<bool, String> {
    let (Some(encoded), Some(plain)) = (stream(layout, true, cuts), stream(layout, false, cuts)) else {
        return Ok(false);
    };
    let plain = read(&plain).map_err(|e| format!("plain: {e}"))?;
    for frame in read(&encoded)? {
        frames_differ(&plain[0], &frame)?;
    }
    frames_differ(&plain[0], &plain[1])?;
    Ok(true)
}

#[test]
fn every_layout_within_every_other_is_read() {
    let mut layouts: Vec<Layout> = LEAVES.iter().map(|leaf| Layout::Leaf(*leaf)).collect();
    let mut depth = layouts.clone();
    for level in 1..=3 {
        let inner = depth.iter().filter(|layout| level < 3 || layout.is_of(&DEEP));
        depth = inner
            .flat_map(|inner| WRAPPERS.iter().map(|wrap| Layout::Within(*wrap, Box::new(inner.clone()))))
            .collect();
        layouts.extend(depth.iter().cloned());
    }
    let (mut read, mut wrong, mut unwritten) = (0, Vec::new(), 0);
    for (i, layout) in layouts.iter().enumerate() {
        // One batch, or several that do not begin where runs do. Only dictionaries that stay as they are may be sent again.
        let cuts: &[usize] = if i % 3 == 0 { &[3, 4] } else { &[] };
        let compared = std::panic::catch_unwind(|| compare(layout, cuts));
        match compared {
            Ok(Ok(true)) => read += 1,
            Ok(Ok(false)) => unwritten += 1,
            Ok(Err(error)) => wrong.push(format!("{layout:?}: {error}")),
            Err(_) => wrong.push(format!("{layout:?}: a panic")),
        }
    }
    println!("{read} read, {unwritten} that arrow-rs does not write, {} wrong", wrong.len());
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        layouts.len(),
        wrong[..wrong.len().min(40)].join("\n")
    );
    assert!(unwritten * 4 < layouts.len(), "{unwritten} of {} are not written", layouts.len());
}
