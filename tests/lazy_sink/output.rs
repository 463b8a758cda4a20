//! The output of sinks.

use super::*;

#[test]
fn every_dtype_comes_back() {
    let mut cases = Cases::new();
    for (index, (name, dtype)) in dtypes().into_iter().enumerate() {
        // The registry of extensions decides what comes back: tests/roundtrip looks at those.
        if matches!(dtype, DataType::Extension(..)) {
            continue;
        }
        cases.run(name, || {
            let mut arbitrary = Arbitrary::new(index as u64);
            let columns = [("a".into(), dtype.clone()), ("b".into(), DataType::Int64)];
            let frames: Vec<_> = (0..3).map(|_| arbitrary.frame_of(&columns, 40)).collect();
            let mut expected = frames[0].clone();
            for df in &frames[1..] {
                expected.vstack_mut(df).expect("one schema");
            }
            for file in [false, true] {
                for level in [None, Some(CompatLevel::oldest()), Some(CompatLevel::newest())] {
                    for rows in [None, Some(7), Some(1000)] {
                        let mut options = IpcSinkOptions::default().with_record_batch_size(rows);
                        if let Some(level) = level {
                            options = options.with_compat_level(level);
                        }
                        let (bytes, summary) = sink(pieces(&frames), file, options).expect("bytes");
                        assert_eq!(summary.rows, 120);
                        let found = read(bytes, file).expect("a frame");
                        frames_differ(&expected, &found)
                            .unwrap_or_else(|e| panic!("file {file}, {level:?}, {rows:?}: {e}"));
                    }
                }
            }
        });
    }
    cases.finish();
}

#[test]
fn the_bytes_are_those_of_the_eager_writers() {
    let mut df = numbers(30_000);
    for compression in [None, Some(IpcCompression::LZ4), Some(IpcCompression::ZSTD(ZstdLevel::default()))] {
        let metadata: Arc<Metadata> = Arc::new([("made by".into(), "a test".into())].into());
        for (rows, statistics) in
            [(301, true), (7_000, false), (7_000, true), (30_000, false), (usize::MAX, true)]
        {
            let options = IpcSinkOptions::default()
                .with_compression(compression)
                .with_record_batch_size(rows)
                .with_statistics(statistics)
                .with_custom_schema_metadata(Arc::clone(&metadata));
            let mut eager = Vec::new();
            let mut writer = IpcWriter::new(&mut eager)
                .with_compression(compression)
                .with_record_batch_size(Some(rows))
                .with_canonical_views(true)
                .with_statistics(statistics);
            writer.set_custom_schema_metadata(Arc::clone(&metadata));
            writer.finish(&mut df).expect("bytes");
            let (bytes, summary) = sink(df.clone().lazy(), true, options.clone()).expect("bytes");
            assert!(bytes == eager, "{compression:?}, {rows} rows: the files differ");
            assert_eq!(summary.batches, 30_000usize.div_ceil(rows) as u64);

            let mut eager = Vec::new();
            let mut writer = IpcStreamWriter::new(&mut eager)
                .with_compression(compression)
                .with_record_batch_size(Some(rows))
                .with_canonical_views(true)
                .with_statistics(statistics);
            writer.set_custom_schema_metadata(Arc::clone(&metadata));
            writer.finish(&mut df).expect("bytes");
            let (bytes, _) = sink(df.clone().lazy(), false, options).expect("bytes");
            assert!(bytes == eager, "{compression:?}, {rows} rows: the streams differ");
        }
    }
}

#[test]
fn an_empty_result_is_a_valid_stream_and_file() {
    let none = || numbers(1000).lazy().filter(col("n").lt(lit(0)));
    for file in [false, true] {
        let (bytes, summary) = sink(none(), file, IpcSinkOptions::default()).expect("bytes");
        assert_eq!((summary.rows, summary.batches), (0, 0));
        let df = read(bytes, file).expect("a valid output");
        assert_frames_equal(&numbers(0), &df);
    }
    let mut batches = none().collect_ipc_batches(10).expect("a query");
    assert_eq!(**batches.schema(), **numbers(0).schema());
    assert!(batches.next().is_none());
}

#[test]
fn batches_have_the_rows_asked_for() {
    let small: Vec<_> = (0..50).map(|i| numbers(i * 7)).collect();
    let rows: usize = small.iter().map(DataFrame::height).sum();
    for size in [1000, 1, 333, rows, rows + 1] {
        let options = IpcSinkOptions::default().with_record_batch_size(size);
        let (bytes, _) = sink(pieces(&small), false, options).expect("bytes");
        let heights = heights(&bytes);
        let (last, before) = heights.split_last().expect("batches");
        assert!(before.iter().all(|height| *height == size), "{size}: {heights:?}");
        assert_eq!(*last, if rows.is_multiple_of(size) { size } else { rows % size });
        let batches = pieces(&small).collect_ipc_batches(size).expect("a query");
        let found: Vec<_> = batches.map(|batch| batch.expect("a batch").height()).collect();
        assert_eq!(found, heights);
    }
    // Without a size: many small frames become one batch, and large ones are cut in equal ones.
    let (bytes, _) = sink(pieces(&small), false, IpcSinkOptions::default()).expect("bytes");
    assert_eq!(heights(&bytes), [rows]);
    let options = IpcSinkOptions::default().with_record_batch_size(None);
    let (bytes, _) = sink(numbers(1_000_000).lazy(), false, options).expect("bytes");
    let heights = heights(&bytes);
    assert_eq!(heights, [100_000; 10]);
}

#[test]
fn the_order_is_kept_unless_asked_not_to() {
    let df = numbers(400_000);
    for keep in [true, false] {
        let query = df.clone().lazy().filter((col("n") % lit(3)).neq(lit(0)));
        let options = IpcSinkOptions::default().with_maintain_order(keep);
        let (bytes, _) = sink(query.clone(), true, options).expect("bytes");
        let found = read(bytes, true).expect("a frame");
        let found =
            if keep { found } else { found.sort(["n"], SortMultipleOptions::default()).expect("rows") };
        assert_frames_equal(&query.collect().expect("a frame"), &found);
    }
}

#[test]
fn categories_that_grow_come_back() {
    let dtype =
        DataType::from_categories(Categories::new("grows".into(), "".into(), CategoricalPhysical::U32));
    let frames: Vec<_> = (0..6)
        .map(|i| {
            let text: Vec<_> = (0..1000).map(|row| format!("category {}", row % (20 * (i + 1)))).collect();
            let column = Column::new("c".into(), text).cast(&dtype).expect("categories");
            DataFrame::new(1000, vec![column]).expect("a frame")
        })
        .collect();
    let mut expected = frames[0].clone();
    for df in &frames[1..] {
        expected.vstack_mut(df).expect("one schema");
    }
    for file in [false, true] {
        let options = IpcSinkOptions::default().with_record_batch_size(900);
        let (bytes, summary) = sink(pieces(&frames), file, options).expect("bytes");
        assert!(summary.dictionaries >= 1);
        assert_frames_equal(&expected, &read(bytes, file).expect("a frame"));
    }
}

#[test]
fn targets_are_paths_of_every_kind_and_writers() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("größe.arrow");
    let lf = || numbers(10).lazy();
    let options = IpcSinkOptions::default;
    let text = path.to_str().expect("UTF-8");
    lf().sink_ipc_file(text, options()).expect("a file");
    lf().sink_ipc_file(text.to_owned(), options()).expect("a file");
    lf().sink_ipc_file(path.as_path(), options()).expect("a file");
    lf().sink_ipc_file(&path, options()).expect("a file");
    lf().sink_ipc_file(path.clone(), options()).expect("a file");
    assert_frames_equal(&numbers(10), &read(fs::read(&path).expect("a file"), true).expect("a frame"));
    assert_eq!(names(folder.path()), ["größe.arrow"]);
    lf().sink_ipc_stream(Box::new(Memory::default()) as Box<dyn Write + Send + Sync>, options())
        .expect("bytes");
    lf().sink_ipc_stream(Box::new(Memory::default()), options()).expect("bytes");
    lf().sink_ipc_stream(folder.path().join("x.arrows"), options()).expect("a stream");
    assert_eq!(names(folder.path()), ["größe.arrow", "x.arrows"]);
}

#[test]
fn progress_goes_up_to_the_summary() {
    let seen: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let options = IpcSinkOptions::default().with_record_batch_size(10_000).with_progress({
        let seen = Arc::clone(&seen);
        move |progress| seen.lock().expect("no panic").push(progress)
    });
    let (_, summary) = sink(numbers(95_000).lazy(), true, options).expect("bytes");
    let seen = seen.lock().expect("no panic");
    assert!(!seen.is_empty());
    for pair in seen.windows(2) {
        assert!(
            pair[0].rows < pair[1].rows && pair[0].batches < pair[1].batches && pair[0].bytes < pair[1].bytes
        );
    }
    let last = seen.last().expect("progress");
    assert_eq!((last.rows, last.batches), (95_000, 10));
    assert_eq!((summary.rows, summary.batches), (95_000, 10));
    assert!(last.bytes > 95_000 * 8 && last.bytes < summary.written_bytes);
}
