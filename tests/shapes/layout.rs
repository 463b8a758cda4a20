//! The counters, and where the bytes of a message lie.

use super::*;

#[test]
fn the_summary_counts_what_is_written() {
    let values: Vec<i64> = (0..1000).collect();
    let df = frame(vec![Column::new("a".into(), values)]);
    let mut cases = Cases::new();
    for compression in codecs() {
        for parallel in [false, true] {
            cases.run(format!("stream, {compression:?}, parallel {parallel}"), || {
                let mut bytes = Vec::new();
                let mut writer = IpcStreamWriter::new(&mut bytes)
                    .with_compression(compression)
                    .with_parallel(parallel)
                    .with_record_batch_size(Some(300));
                writer.finish(&mut df.clone()).expect("bytes");
                let summary = writer.summary();
                assert_summary(summary, &Config::stream(), &bytes);
                assert_eq!((summary.rows, summary.batches, summary.raw_bytes), (1000, 4, 8000));
            });
            cases.run(format!("file, {compression:?}, parallel {parallel}"), || {
                let mut bytes = Vec::new();
                let mut writer = IpcWriter::new(&mut bytes)
                    .with_compression(compression)
                    .with_parallel(parallel)
                    .with_record_batch_size(Some(300));
                writer.finish(&mut df.clone()).expect("bytes");
                let summary = writer.summary();
                assert_summary(summary, &Config::file(), &bytes);
                assert_eq!((summary.rows, summary.batches, summary.raw_bytes), (1000, 4, 8000));
            });
        }
    }
    for seed in 0..60 {
        let mut arbitrary = Arbitrary::new(seed);
        let df = arbitrary.frame();
        let schema = df.schema();
        cases.run(format!("seed {seed}"), || {
            let mut writer = IpcStreamWriter::new(Vec::new()).batched(schema).expect("a writer");
            writer.write_batch(&df).expect("bytes");
            writer.write_batch(&df).expect("bytes");
            let summary = writer.finish().expect("bytes");
            assert_eq!(summary.rows, 2 * u64::try_from(df.height()).expect("small"));
            assert_summary(summary, &Config::stream(), &writer.into_inner());
            let mut writer = IpcWriter::new(Vec::new()).batched(schema).expect("a writer");
            writer.write_batch(&df).expect("bytes");
            writer.write_batch(&df).expect("bytes");
            let summary = writer.finish().expect("bytes");
            assert_summary(summary, &Config::file(), &writer.into_inner());
        });
    }
    cases.finish();
}

#[track_caller]
fn assert_summary(summary: WriteSummary, config: &Config, bytes: &[u8]) {
    let messages = messages_of(config, bytes);
    let rows = batch_rows(&messages);
    assert_eq!(i64::try_from(summary.rows).expect("small"), rows.iter().sum::<i64>(), "rows");
    assert_eq!(summary.batches, u64::try_from(rows.len()).expect("small"), "batches");
    let count = dictionaries(&messages).len();
    assert_eq!(summary.dictionaries, u64::try_from(count).expect("small"), "dictionaries");
    assert_eq!(summary.written_bytes, u64::try_from(bytes.len()).expect("small"), "written bytes");
}

// --- Layout ---

#[test]
fn bodies_are_aligned_and_padding_is_zero() {
    let mut cases = Cases::new();
    for seed in 0..200 {
        let mut arbitrary = Arbitrary::new(6_000_000 + seed);
        let df = arbitrary.frame();
        let config = Config::any(arbitrary.rng());
        cases.run(format!("seed {seed}, {config:?}"), || {
            let bytes = config.write(&df);
            let start = if config.file { 8 } else { 0 };
            for message in messages_of(&config, &bytes) {
                check_body(&bytes[start..], start, &message);
            }
        });
    }
    cases.finish();
}

fn check_body(stream: &[u8], start: usize, message: &Message) {
    let body = &stream[message.body..message.end];
    if !body.is_empty() {
        assert_eq!((message.body + start) % 64, 0, "a body at {}", message.body + start);
    }
    let header = root_as_message(&stream[message.start + 8..message.body]).expect("a message");
    let batch = match message.kind {
        Kind::Schema => return assert!(body.is_empty(), "a schema with a body"),
        Kind::Batch(_) => header.header_as_record_batch(),
        Kind::Dictionary { .. } => header.header_as_dictionary_batch().and_then(|header| header.data()),
    };
    let mut end = 0;
    for buffer in batch.and_then(|batch| batch.buffers()).expect("buffers") {
        let offset = usize::try_from(buffer.offset()).expect("an offset");
        let length = usize::try_from(buffer.length()).expect("a length");
        assert_eq!(offset % 64, 0, "a buffer at {offset}");
        assert!(offset >= end, "buffers overlap");
        assert!(body[end..offset].iter().all(|&byte| byte == 0), "padding that is not zero");
        end = offset + length;
    }
    assert!(body[end..].iter().all(|&byte| byte == 0), "padding that is not zero");
    assert_eq!(body.len() % 64, 0, "a body of {} bytes", body.len());
}

#[test]
fn a_file_is_also_a_stream() {
    let mut cases = Cases::new();
    for seed in 0..150 {
        let mut arbitrary = Arbitrary::new(7_000_000 + seed);
        let df = arbitrary.frame();
        let config = Config { file: true, ..Config::any(arbitrary.rng()) };
        cases.run(format!("seed {seed}, {config:?}"), || {
            let bytes = config.write(&df);
            assert_eq!(&bytes[..8], b"ARROW1\0\0");
            let mut reader = IpcStreamReader::new(&bytes[8..]).with_end_marker_required(true);
            let schema = reader.schema().expect("a schema");
            assert_eq!(schema, **df.schema());
            let whole = concat(reader.batches().expect("batches")).expect("batches");
            assert!(reader.saw_end_marker());
            if let Some(whole) = whole {
                assert_eq!(frames_differ(&df, &whole), Ok(()));
            }
            let messages = messages_of(&config, &bytes);
            let is_batch = |message: &&Message| matches!(message.kind, Kind::Batch(_));
            let dictionaries = messages.iter().skip_while(|message| !is_batch(message));
            assert!(
                !dictionaries.into_iter().any(|message| !is_batch(&message)),
                "a dictionary behind a batch"
            );
        });
    }
    cases.finish();
}
