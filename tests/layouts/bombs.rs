//! Tiny inputs of which much would come: an error, at once, before anything of that is allocated.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::types::{Int8Type, Int16Type};
use arrow_array::{
    Array, ArrayRef, DictionaryArray, FixedSizeListArray, Int8Array, Int16Array, Int32Array, Int64Array,
    LargeBinaryArray, ListViewArray, RecordBatch, RunArray, UnionArray,
};
use arrow_buffer::ScalarBuffer;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::{DataType, Field, Schema, UnionFields};
use floe::prelude::*;
use polars_core::prelude::DataFrame;

/// A compressed stream of one column, which Polars keeps with its offsets if it can.
fn stream(array: ArrayRef) -> Vec<u8> {
    let field = Field::new("x", array.data_type().clone(), true);
    let field = field.with_metadata([("pl", "maintain_type")]);
    let schema = Arc::new(Schema::new(vec![field]));
    let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD));
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new_with_options(&mut bytes, &schema, options.expect("a codec"));
    let writer = writer.as_mut().expect("a writer");
    writer.write(&RecordBatch::try_new(schema, vec![array]).expect("a batch")).expect("written");
    writer.finish().expect("an end");
    bytes
}

/// By both ways: of bytes in memory, and as they come.
fn read(bytes: &[u8]) -> [Result<DataFrame, String>; 2] {
    let start = Instant::now();
    let results = [
        IpcStreamReader::from_bytes(bytes.to_vec()).finish().map_err(|e| e.to_string()),
        IpcStreamReader::new(bytes).finish().map_err(|e| e.to_string()),
    ];
    // A second is what it may take; the machine may have other things to do.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    results
}

fn wide(rows: usize, width: i32) -> ArrayRef {
    let values = Int64Array::from(vec![0; rows * usize::try_from(width).expect("a width")]);
    let item = Arc::new(Field::new("item", DataType::Int64, true));
    Arc::new(FixedSizeListArray::try_new(item, width, Arc::new(values), None).expect("lists"))
}

#[test]
fn values_that_are_repeated_too_often_are_an_error() {
    let rows = 1_000_000;
    let large: ArrayRef = Arc::new(LargeBinaryArray::from_vec(vec![&[0; 1 << 20]]));
    let keys = Int8Array::from(vec![0; rows]);
    let dictionary = |keys: &Int8Array, values: &ArrayRef| -> ArrayRef {
        Arc::new(
            DictionaryArray::<Int8Type>::try_new(keys.clone(), Arc::clone(values)).expect("a dictionary"),
        )
    };
    let nulls = Int8Array::new_null(rows);
    let ends = Int16Array::from(vec![i16::MAX]);
    let runs = RunArray::<Int16Type>::try_new(&ends, wide(1, 1 << 20).as_ref()).expect("runs");
    let views: ArrayRef = {
        let values: ArrayRef = Arc::new(Int64Array::from(vec![0; 1 << 20]));
        let item = Arc::new(Field::new("item", DataType::Int64, true));
        let (starts, sizes) = (vec![0; 100_000], vec![1 << 20; 100_000]);
        Arc::new(ListViewArray::try_new(item, starts.into(), sizes.into(), values, None).expect("views"))
    };
    let union: ArrayRef = {
        let (none, some): (ArrayRef, ArrayRef) = (wide(0, 1 << 28), Arc::new(Int32Array::from(vec![0])));
        let fields = [(0, Arc::new(Field::new("a", none.data_type().clone(), true)))].into_iter();
        let fields: UnionFields =
            fields.chain([(1, Arc::new(Field::new("b", DataType::Int32, true)))]).collect();
        let (ids, offsets) = (ScalarBuffer::from(vec![1i8; rows]), ScalarBuffer::from(vec![0i32; rows]));
        Arc::new(UnionArray::try_new(fields, ids, Some(offsets), vec![none, some]).expect("a union"))
    };
    let bombs: [(&str, ArrayRef); 6] = [
        ("a dictionary of one large binary", dictionary(&keys, &large)),
        ("a dictionary of wide lists", dictionary(&keys, &wide(1, 1 << 20))),
        ("a dictionary of wide lists that is empty", dictionary(&nulls, &wide(0, 1 << 30))),
        ("runs of a wide list", Arc::new(runs)),
        ("list views of all values", views),
        ("a union of wide lists that nothing selects", union),
    ];
    for (name, array) in bombs {
        let bytes = stream(array);
        assert!(bytes.len() < 1 << 20, "{name}: {} bytes", bytes.len());
        for result in read(&bytes) {
            let error = result.err().unwrap_or_else(|| panic!("{name} is read"));
            assert!(!error.is_empty());
        }
    }
}
