//! The output of floe, as arrow-rs sees it.

use super::*;

/// floe -> arrow-rs -> floe: the values of arrow-rs cannot be other than floe's.
#[test]
fn through_arrow_and_back() {
    let mut cases = Cases::new();
    for (seed, (name, dtype)) in (200..).zip(dtypes()) {
        if ARROW_CANNOT_READ.contains(&name) {
            continue;
        }
        let df = Arbitrary::new(seed).frame_of(&[("column".into(), dtype)], 40);
        for config in configs() {
            cases.run(format!("{name}, {config:?}"), || {
                let (schema, batches) = arrow_reads(config.file, &config.write(&df));
                assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), df.height());
                for file in [false, true] {
                    for options in arrow_options() {
                        let bytes = arrow_writes(file, options, &schema, &batches);
                        for (way, read) in reads(file) {
                            let found = read(&bytes).unwrap_or_else(|error| panic!("{way}: {error}"));
                            assert_eq!(frames_differ(&df, &found.expect("batches")), Ok(()), "{way}");
                        }
                    }
                }
            });
        }
    }
    cases.finish();
}

/// Columns that are large enough for LZ4 blocks of floe's own making, of each kind of them.
#[test]
fn others_read_lz4_of_large_columns() {
    let rows = 150_000;
    let mut state = 1u64;
    let mut below = |n: i64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(state >> 33).expect("31 bits") % n
    };
    let mut ints = |n: i64| (0..rows).map(|_| below(n)).collect::<Vec<i64>>();
    let (hundreds, millions, seconds) = (ints(1_000), ints(1_000_000), ints(1_000_000));
    let texts: Vec<Option<String>> =
        millions.iter().map(|i| (i % 10 > 0).then(|| format!("https://example.com/{i}"))).collect();
    let scaled: Vec<Option<i128>> = millions.iter().map(|i| Some(i128::from(*i) * 1_000_003)).collect();
    let times = (0..).zip(&seconds).map(|(i, more): (i64, &i64)| i * 1_000_000 + more).collect::<Vec<_>>();
    let df = DataFrame::new(
        hundreds.len(),
        vec![
            Column::new("hundreds".into(), hundreds),
            Column::new(
                "nulls".into(),
                millions.iter().map(|i| (i % 7 > 0).then_some(*i)).collect::<Vec<_>>(),
            ),
            Column::new("millions".into(), millions),
            Column::new("steps".into(), (0..rows).collect::<Vec<i64>>()),
            Column::new("times".into(), times)
                .cast(&DataType::Datetime(TimeUnit::Microseconds, None))
                .expect("times"),
            Column::new("texts".into(), texts),
            decimals(&scaled, 20, 2).with_name("decimals".into()).into(),
        ],
    )
    .expect("a frame");
    others_read(&df, |compression| compression == IpcCompression::LZ4);
}

/// Columns that are large enough to be several ZSTD frames.
#[test]
fn others_read_zstd_of_large_columns() {
    let all: String = (0..300_000).map(|i| (i % 4_099).to_string()).collect();
    let texts: Vec<&str> = (0..9).filter_map(|row| all.get(row..)).collect();
    assert!(texts.iter().map(|text| text.len()).sum::<usize>() > 8 << 20);
    let columns = vec![Column::new("texts".into(), texts)];
    let df = DataFrame::new(9, columns).expect("a frame");
    others_read(&df, |compression| matches!(compression, IpcCompression::ZSTD(_)));
}

/// Polars, arrow-rs and floe read what floe makes of `df` with these codecs.
fn others_read(df: &DataFrame, with: impl Fn(IpcCompression) -> bool) {
    for config in configs().into_iter().filter(|config| config.compression.is_some_and(&with)) {
        let bytes = config.write(df);
        assert_frames_equal(df, &polars_reads(config.file, &bytes).expect("Polars reads it"));
        let (schema, batches) = arrow_reads(config.file, &bytes);
        let again = arrow_writes(config.file, IpcWriteOptions::default(), &schema, &batches);
        for (way, read) in reads(config.file) {
            let found = read(&bytes).unwrap_or_else(|error| panic!("{way}: {error}"));
            assert_eq!(frames_differ(df, &found.expect("batches")), Ok(()), "{way}");
        }
        assert_frames_equal(df, &polars_reads(config.file, &again).expect("what arrow-rs read"));
    }
}

/// The values themselves, as arrow-rs sees them.
#[test]
fn arrow_sees_the_values() {
    let df = DataFrame::new(
        3,
        vec![
            Column::new("i".into(), [Some(1i64), None, Some(-3)]),
            Column::new("s".into(), [Some("a"), None, Some("a rather long string")]),
            Column::new("b".into(), [Some(true), None, Some(false)]),
            Column::new("f".into(), [Some(1.5f64), None, Some(-0.0)]),
        ],
    )
    .expect("a frame");
    for config in configs() {
        let (_, batches) = arrow_reads(config.file, &config.write(&df));
        assert_eq!(batches.len(), 1);
        let batch = &batches[0];
        assert_eq!(batch.column(0).as_ref(), &Int64Array::from(vec![Some(1), None, Some(-3)]));
        let texts = vec![Some("a"), None, Some("a rather long string")];
        if config.newest {
            assert_eq!(batch.column(1).as_ref(), &arrow_array::StringViewArray::from(texts));
        } else {
            assert_eq!(batch.column(1).as_ref(), &LargeStringArray::from(texts));
        }
        assert_eq!(batch.column(2).as_ref(), &BooleanArray::from(vec![Some(true), None, Some(false)]));
        assert_eq!(batch.column(3).as_ref(), &Float64Array::from(vec![Some(1.5), None, Some(-0.0)]));
    }
}

/// Growing categories, which floe sends as replacements, as deltas, or behind the batches of a file.
#[test]
fn others_read_growing_dictionaries() {
    let categories = Categories::new("peers".into(), "".into(), CategoricalPhysical::U32);
    let dtype = DataType::from_categories(categories);
    let batches = [&["a", "b"][..], &["c", "a"], &["d", "b", "e"]].map(|values| {
        let column = Series::new("c".into(), values).cast(&dtype).expect("categories").into_column();
        DataFrame::new_infer_height(vec![column]).expect("a frame")
    });
    let texts = |batches: &[RecordBatch]| -> Vec<Vec<String>> {
        let text = |batch: &RecordBatch| {
            let column = batch.column(0).as_any();
            let keys =
                column.downcast_ref::<DictionaryArray<arrow_array::types::UInt32Type>>().expect("keys");
            let text = |row| {
                let key = usize::try_from(keys.keys().value(row)).expect("small");
                arrow_text(keys.values(), key)
            };
            (0..batch.num_rows()).map(text).collect()
        };
        batches.iter().map(text).collect()
    };
    let expected = [vec!["a", "b"], vec!["c", "a"], vec!["d", "b", "e"]];
    for config in [Config::stream(), Config::file()] {
        let bytes = config.write_batches(&batches);
        assert_eq!(texts(&arrow_reads(config.file, &bytes).1), expected, "{config:?}");
        let mut whole = batches[0].clone();
        whole.vstack_mut(&batches[1]).expect("one schema").vstack_mut(&batches[2]).expect("one schema");
        assert_frames_equal(&whole, &polars_reads(config.file, &bytes).expect("Polars reads it"));
    }
    let mut writer = IpcStreamWriter::new(Vec::new())
        .with_dictionary_deltas(true)
        .batched(batches[0].schema())
        .expect("a writer");
    batches.iter().for_each(|batch| writer.write_batch(batch).expect("bytes"));
    writer.finish().expect("bytes");
    assert_eq!(texts(&arrow_reads(false, &writer.into_inner()).1), expected, "deltas");
}

fn arrow_text(array: &ArrayRef, row: usize) -> String {
    if let Some(array) = array.as_any().downcast_ref::<arrow_array::StringViewArray>() {
        return array.value(row).to_owned();
    }
    array.as_any().downcast_ref::<LargeStringArray>().expect("strings").value(row).to_owned()
}
