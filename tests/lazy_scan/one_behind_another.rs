//! Streams that lie one behind another in one source.

use floe::lazy::scan_ipc;

use super::*;

fn numbers(range: std::ops::Range<i64>) -> DataFrame {
    let text: Vec<String> = range.clone().map(|i| format!("text of the row {i}")).collect();
    let n = Column::new("n".into(), range.collect::<Vec<_>>());
    DataFrame::new(n.len(), vec![n, Column::new("t".into(), text)]).unwrap()
}

fn stacked(frames: &[DataFrame]) -> DataFrame {
    frames[1..].iter().fold(frames[0].clone(), |all, df| all.vstack(df).unwrap())
}

#[test]
fn all_streams_are_scanned() {
    let frames = [numbers(0..10), numbers(10..11), numbers(0..0), numbers(11..500), numbers(500..502)];
    let bytes: Vec<u8> = frames.iter().flat_map(|df| stream(df, 7)).collect();
    let all = stacked(&frames);
    let folder = tempfile::tempdir().unwrap();
    let path = put(folder.path(), "all.arrows", &bytes);
    for lf in [
        scan_ipc_stream(bytes.clone(), IpcScanOptions::default()).unwrap(),
        scan_ipc_stream(&path, IpcScanOptions::default()).unwrap(),
        scan_ipc(&path, IpcScanOptions::default()).unwrap(),
    ] {
        assert_same(&both(&lf).unwrap(), &all);
        for (offset, length) in [(0, 5), (8, 5), (9, 2), (10, 1), (11, 3), (490, 30), (500, 1)] {
            assert_same(
                &both(&lf.clone().slice(offset, length)).unwrap(),
                &all.slice(offset, length as usize),
            );
        }
        let late = |lf: LazyFrame| lf.filter(col("n").gt(lit(499))).select([col("t")]);
        assert_same(&both(&late(lf.clone())).unwrap(), &late(all.clone().lazy()).collect().unwrap());
        let count = both(&lf.select([len()])).unwrap();
        assert_eq!(count.column("len").unwrap().get(0).unwrap().extract::<usize>(), Some(502));
    }
    let index = IpcIndex::open(&path, IpcLimits::default()).unwrap();
    assert_eq!((index.num_rows(), index.num_record_batches()), (502, 2 + 1 + 70 + 1));
    assert_same(&index.read(1..4, &[0, 1], true).unwrap(), &all.slice(7, 11));
    // The last one may end without a marker, as a stream by itself.
    let lf = scan_ipc_stream(bytes[..bytes.len() - 8].to_vec(), IpcScanOptions::default()).unwrap();
    assert_same(&both(&lf).unwrap(), &all);
}

/// A frame of a categorical column, whose dictionary is another each time.
fn tags(names: &Arc<Categories>, values: &[&str]) -> DataFrame {
    let tags = Series::new("tag".into(), values).cast(&DataType::from_categories(Arc::clone(names))).unwrap();
    DataFrame::new(values.len(), vec![tags.into_column()]).unwrap()
}

#[test]
fn dictionaries_are_those_of_their_stream() {
    let names = Categories::new("one behind another".into(), "".into(), CategoricalPhysical::U32);
    let frames: Vec<DataFrame> =
        [&["a", "b", "a", "c"][..], &["z", "z"], &[], &["b", "a", "x", "b", "y"], &["q"]]
            .iter()
            .map(|values| tags(&names, values))
            .collect();
    let mut bytes = Vec::new();
    for (i, df) in frames.iter().enumerate() {
        // Deltas extend the dictionary of their own stream.
        let mut writer =
            IpcStreamWriter::new(&mut bytes).with_dictionary_deltas(i % 2 == 0).batched(df.schema()).unwrap();
        for row in 0..i64::try_from(df.height()).unwrap() {
            writer.write_batch(&df.slice(row, 1)).unwrap();
        }
        writer.finish().unwrap();
    }
    let all = stacked(&frames);
    let lf = scan_ipc_stream(bytes.clone(), IpcScanOptions::default()).unwrap();
    assert_same(&both(&lf).unwrap(), &all);
    let index = IpcIndex::from_bytes(bytes, IpcLimits::default()).unwrap();
    // From the last batch to the first, and each range: earlier reads do not show.
    for start in (0..all.height()).rev() {
        for end in start..=all.height() {
            let found = index.read(start..end, &[0], false).unwrap();
            assert_same(&found, &all.slice(i64::try_from(start).unwrap(), end - start));
        }
    }
}

#[test]
fn streams_written_differently_go_together() {
    let names = Categories::new("written differently".into(), "".into(), CategoricalPhysical::U32);
    let df = tags(&names, &["a", "b"]).hstack(&[Column::new("t".into(), ["x", "y"])]).unwrap();
    let mut bytes = stream(&df, 1);
    for (level, compression) in
        [(CompatLevel::newest(), None), (CompatLevel::oldest(), Some(IpcCompression::LZ4))]
    {
        let mut more = Vec::new();
        let mut writer = IpcStreamWriter::new(&mut more)
            .with_compat_level(level)
            .with_compression(compression)
            .with_record_batch_size(Some(1));
        let metadata = Metadata::from([("of".into(), "the stream".into())]);
        writer.set_custom_schema_metadata(Arc::new(metadata));
        writer.finish(&mut df.clone()).unwrap();
        bytes.extend(more);
    }
    let lf = scan_ipc_stream(bytes, IpcScanOptions::default()).unwrap();
    assert_same(&both(&lf).unwrap(), &stacked(&[df.clone(), df.clone(), df]));
}

#[test]
fn statistics_are_those_of_their_stream() {
    let frames = [numbers(0..100), numbers(100..200), numbers(200..300)];
    let mut bytes = Vec::new();
    for df in &frames {
        IpcStreamWriter::new(&mut bytes)
            .with_statistics(true)
            .with_record_batch_size(Some(50))
            .finish(&mut df.clone())
            .unwrap();
    }
    let late = |lf: LazyFrame| lf.filter(col("n").gt(lit(249)));
    let (options, counter) = counted();
    let lf = scan_ipc_stream(bytes.clone(), options.with_predicate(col("n").gt(lit(249)))).unwrap();
    let (found, read) = read_by(&counter, || both(&lf).unwrap());
    assert_same(&found, &late(stacked(&frames).lazy()).collect().unwrap());
    assert!(
        read < bytes.len() as u64,
        "{read} of {} bytes by two engines, for one batch of six",
        bytes.len()
    );
}

#[test]
fn what_follows_must_be_a_stream_of_the_same_columns() {
    let first = stream(&numbers(0..3), 2);
    let at = first.len();
    let followed = |more: &[u8]| {
        let bytes = [first.as_slice(), more].concat();
        error(scan_ipc_stream(bytes, IpcScanOptions::default()))
    };
    for more in [&[0; 4][..], &[0; 64], &[0xff; 3]] {
        let message = followed(more);
        assert!(message.contains(&format!("byte {at}")), "{message}");
    }
    for more in [&b"x"[..], b"garbage, and more than a head of it", b"ARROW1\0\0", b"PAR1\x15\x04"] {
        let message = followed(more);
        assert!(message.contains(&format!("{} bytes follow", more.len())), "{message}");
        assert!(message.contains(&format!("byte {at}")), "{message}");
    }
    // Cut off within its schema, or its first batch.
    let second = stream(&numbers(3..5), 2);
    for cut in [4, 8, 100, second.len() - 30] {
        let message = followed(&second[..cut]);
        assert!(message.contains("stream 2") && message.contains(&format!("byte {at}")), "{message}");
    }
    // An end marker of a stream that never began.
    let message = followed(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    assert!(message.contains("stream 2") && message.contains("schema"), "{message}");

    let renamed = numbers(0..1).lazy().rename(["n"], ["m"], true).collect().unwrap();
    let message = followed(&stream(&renamed, 1));
    for part in ["\"n\" in stream 1", "\"m\" in stream 2", &format!("byte {at}")] {
        assert!(message.contains(part), "{message}");
    }
    let other = numbers(0..1).lazy().with_column(col("n").cast(DataType::Int32)).collect().unwrap();
    let message = followed(&stream(&other, 1));
    for part in ["column \"n\" is i64 in stream 1, and i32 in stream 2", &format!("byte {at}")] {
        assert!(message.contains(part), "{message}");
    }
    let more = numbers(0..1).hstack(&[Column::new("b".into(), [true])]).unwrap();
    let message = followed(&stream(&more, 1));
    assert!(message.contains("column 2 is missing in stream 1, and \"b\" in stream 2"), "{message}");
    let message = followed(&stream(&numbers(0..1).select(["n"]).unwrap(), 1));
    assert!(message.contains("column 1 is \"t\" in stream 1, and missing in stream 2"), "{message}");
}

#[test]
fn mutations_behind_the_first_stream_never_panic() {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    let mut random = StdRng::seed_from_u64(3);
    let names = Categories::new("mutated behind".into(), "".into(), CategoricalPhysical::U32);
    let first = stream(&tags(&names, &["a", "b"]), 1);
    let whole = [first.clone(), stream(&tags(&names, &["c", "a"]), 1)].concat();
    for _ in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(first.len()..bytes.len());
            bytes[at] = random.random();
        }
        bytes.truncate(random.random_range(first.len()..=bytes.len()));
        if let Ok(lf) = scan_ipc_stream(bytes, IpcScanOptions::default()) {
            let _ = lf.collect();
        }
    }
}
