//! The output of arrow-rs, as floe reads it.

use super::from_arrow_types::{Pair, common, foreign, pair};
use super::*;

fn floe_reads_pairs(pairs: Vec<Pair>) {
    let mut cases = Cases::new();
    for Pair { name, arrow, polars } in pairs {
        let schema = ArrowSchema::new(vec![ArrowField::new(name, arrow.data_type().clone(), true)]);
        let batch = RecordBatch::try_new(Arc::new(schema.clone()), vec![arrow]).expect("a batch");
        // Twice the same, and a slice: offsets, runs and bits that do not start at 0.
        let batches = [batch.clone(), batch.slice(1, 2)];
        let mut expected = DataFrame::new(3, vec![polars.into_column()]).expect("a frame");
        expected.vstack_mut(&expected.slice(1, 2)).expect("one schema");
        for file in [false, true] {
            for (index, options) in arrow_options().into_iter().enumerate() {
                cases.run(format!("{name}, file {file}, options {index}"), || {
                    let write = || arrow_writes(file, options, &schema, &batches);
                    let bytes = match catch_unwind(AssertUnwindSafe(write)) {
                        Ok(bytes) => bytes,
                        Err(panic) => panic!("arrow-rs does not write it: {}", panic_text(panic.as_ref())),
                    };
                    for (way, read) in reads(file) {
                        let found = read(&bytes).unwrap_or_else(|error| panic!("{way}: {error}"));
                        assert_eq!(frames_differ(&expected, &found.expect("batches")), Ok(()), "{way}");
                    }
                });
            }
        }
    }
    cases.finish();
}

#[test]
fn floe_reads_common_types_of_arrow() {
    floe_reads_pairs(common());
}

#[test]
fn floe_reads_types_that_polars_lacks() {
    floe_reads_pairs(foreign());
}

#[test]
fn floe_reads_legacy_framing_and_old_metadata() {
    let array: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]));
    let schema = ArrowSchema::new(vec![ArrowField::new("a", ArrowType::Int32, true)]);
    let batch = RecordBatch::try_new(Arc::new(schema.clone()), vec![array]).expect("a batch");
    let df = DataFrame::new(3, vec![Column::new("a".into(), [Some(1i32), None, Some(3)])]).expect("a frame");
    for legacy in [false, true] {
        for file in [false, true] {
            let options =
                IpcWriteOptions::try_new(64, legacy, arrow_ipc::MetadataVersion::V4).expect("options");
            let bytes = arrow_writes(file, options, &schema, std::slice::from_ref(&batch));
            for (way, read) in reads(file) {
                let found = read(&bytes).unwrap_or_else(|error| panic!("{way}, legacy {legacy}: {error}"));
                assert_eq!(frames_differ(&df, &found.expect("batches")), Ok(()), "{way}, legacy {legacy}");
            }
        }
    }
}

#[test]
fn floe_reads_dictionaries_that_change() {
    let batch = |values: &[&str]| {
        let mut builder = StringDictionaryBuilder::<Int32Type>::new();
        // Deltas are only sent if the new dictionary starts with the old.
        for value in ["a", "b", "c", "d"].iter().take(values.len() + 1) {
            builder.append_value(value);
        }
        let array = builder.finish();
        let keys: Int32Array = values
            .iter()
            .map(|value| ["a", "b", "c", "d"].iter().position(|known| known == value))
            .map(|key| key.map(|key| i32::try_from(key).expect("small")))
            .collect();
        let array: ArrayRef = Arc::new(DictionaryArray::new(keys, Arc::clone(array.values())));
        let schema = ArrowSchema::new(vec![ArrowField::new("c", array.data_type().clone(), true)]);
        RecordBatch::try_new(Arc::new(schema), vec![array]).expect("a batch")
    };
    let batches = [batch(&["a"]), batch(&["c", "b"]), batch(&["d", "a", "d"])];
    let expected = ["a", "c", "b", "d", "a", "d"].map(Some);
    let expected =
        DataFrame::new(6, vec![global(&expected).with_name("c".into()).into_column()]).expect("a frame");
    let schema = batches[0].schema();
    for handling in [DictionaryHandling::Resend, DictionaryHandling::Delta] {
        for file in [false, true] {
            // A file of arrow-rs has to have one dictionary, or deltas.
            if file && handling == DictionaryHandling::Resend {
                continue;
            }
            let options = IpcWriteOptions::default().with_dictionary_handling(handling);
            let bytes = arrow_writes(file, options, &schema, &batches);
            for (way, read) in reads(file) {
                let found = read(&bytes).unwrap_or_else(|error| panic!("{way}, {handling:?}: {error}"));
                assert_eq!(frames_differ(&expected, &found.expect("batches")), Ok(()), "{way}, {handling:?}");
            }
        }
    }
}

/// A type that Polars cannot hold is an error that names the column, and projecting it away reads the rest.
#[test]
fn what_polars_cannot_hold_is_refused_by_name() {
    let large: ArrayRef = Arc::new(
        Decimal256Array::from(vec![i256::MAX, i256::from_i128(1)])
            .with_precision_and_scale(76, 0)
            .expect("decimals"),
    );
    let small: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let schema = ArrowSchema::new(vec![
        ArrowField::new("too large", large.data_type().clone(), true),
        ArrowField::new("a", ArrowType::Int32, true),
    ]);
    let batch = RecordBatch::try_new(Arc::new(schema.clone()), vec![large, small]).expect("a batch");
    let expected = DataFrame::new(2, vec![Column::new("a".into(), [1i32, 2])]).expect("a frame");
    for file in [false, true] {
        let bytes = arrow_writes(file, IpcWriteOptions::default(), &schema, std::slice::from_ref(&batch));
        for (way, read) in reads(file) {
            let error = read(&bytes).expect_err("too large").to_string();
            assert!(error.contains("too large"), "{way}: {error}");
        }
        let columns = Some(vec!["a".to_owned()]);
        let found = if file {
            IpcReader::new(Cursor::new(&bytes)).with_columns(columns).finish()
        } else {
            IpcStreamReader::new(bytes.as_slice()).with_columns(columns).finish()
        };
        assert_frames_equal(&expected, &found.expect("the rest"));
    }
}

#[test]
fn columns_of_one_name_are_told_apart() {
    let array = |value: i32| -> ArrayRef { Arc::new(Int32Array::from(vec![value])) };
    let field = || ArrowField::new("a", ArrowType::Int32, true);
    let schema = ArrowSchema::new(vec![field(), field(), field()]);
    let batch =
        RecordBatch::try_new(Arc::new(schema.clone()), vec![array(1), array(2), array(3)]).expect("a batch");
    for file in [false, true] {
        let bytes = arrow_writes(file, IpcWriteOptions::default(), &schema, std::slice::from_ref(&batch));
        for (way, read) in reads(file) {
            let found = read(&bytes).unwrap_or_else(|error| panic!("{way}: {error}")).expect("batches");
            assert_eq!(found.get_column_names(), ["a", "a_duplicated_0", "a_duplicated_1"], "{way}");
        }
    }
}

#[test]
fn lists_with_offsets_that_start_late() {
    let values: ArrayRef = Arc::new(Int32Array::from(vec![0, 1, 2, 3, 4, 5]));
    let field = Arc::new(ArrowField::new("item", ArrowType::Int32, true));
    let list = ListArray::new(field, OffsetBuffer::new(vec![2, 3, 3, 5].into()), values, None);
    let expected = lists(
        &DataType::Int32,
        vec![
            Some(series([2i32])),
            Some(Series::new_empty("".into(), &DataType::Int32)),
            Some(series([3i32, 4])),
        ],
    );
    floe_reads_pairs(vec![pair("late", list, expected)]);
}

#[test]
fn runs_of_every_index_width() {
    fn runs<T: arrow_array::types::RunEndIndexType>() -> RunArray<T>
    where
        T::Native: TryFrom<i16>,
        <T::Native as TryFrom<i16>>::Error: std::fmt::Debug,
    {
        let ends: arrow_array::PrimitiveArray<T> =
            [2i16, 3].into_iter().map(|end| Some(T::Native::try_from(end).expect("small"))).collect();
        RunArray::try_new(&ends, &StringArray::from(vec![Some("x"), None])).expect("runs")
    }
    let expected = || series([Some("x"), Some("x"), None]);
    floe_reads_pairs(vec![
        pair("i16", runs::<Int16Type>(), expected()),
        pair("i32", runs::<Int32Type>(), expected()),
        pair("i64", runs::<Int64Type>(), expected()),
    ]);
}
