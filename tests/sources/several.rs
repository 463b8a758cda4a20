//! Streams behind one another in one source.

use super::*;

/// One stream for each frame.
fn streams(frames: &[DataFrame], config: Config) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for df in frames {
        bytes.extend(config.write(df));
        ends.push(bytes.len());
    }
    (bytes, ends)
}

fn one_two_three() -> Vec<DataFrame> {
    vec![rows(0, 1), rows(1, 2), rows(3, 3)]
}

#[test]
fn every_stream_of_a_source_is_read() {
    let mut cases = Cases::new();
    // Also of other schemas, without rows, and in more than one window of batches.
    let other = DataFrame::new(3, vec![Column::new("flag".into(), [true, false, true])]).expect("a frame");
    let frames = vec![rows(0, 1), rows(1, 2), other, rows(0, 0), rows(3, 3_000), rows(7, 1)];
    for compression in codecs() {
        for batch in [2, 100_000] {
            let config = Config::stream().with_compression(compression).with_batch_rows(batch);
            let (bytes, _) = streams(&frames, config);
            every_source!(&bytes, |reader, name| cases.run(
                format!("{name}, {compression:?}, {batch} rows"),
                || {
                    let found = all(reader).expect("streams");
                    assert_eq!(found.len(), frames.len());
                    frames.iter().zip(&found).for_each(|(df, found)| assert_frames_equal(df, found));
                }
            ));
        }
    }
    cases.finish();
}

#[test]
fn options_hold_for_each_stream() {
    let (bytes, _) = streams(&one_two_three(), Config::stream().with_batch_rows(1));
    every_source!(&bytes, |reader, name| {
        let index = RowIndex { name: "n".into(), offset: 10 };
        let reader = reader.with_n_rows(Some(2)).with_row_index(Some(index)).with_projection(Some(vec![0]));
        let found = all(reader).expect("streams");
        let expected: Vec<DataFrame> = one_two_three()
            .iter()
            .map(|df| df.select(["i"]).expect("a column").head(Some(2)))
            .map(|df| df.with_row_index("n".into(), Some(10)).expect("a row index"))
            .collect();
        assert_eq!(found.len(), 3, "{name}");
        expected.iter().zip(&found).for_each(|(df, found)| assert_frames_equal(df, found));
    });
}

#[test]
fn no_stream_is_none() {
    every_source!(&[], |reader, name| assert!(all(reader).expect(name).is_empty()));
}

/// Bytes that nobody else can read are not dropped without a word.
#[test]
fn finish_says_that_more_follows() {
    let (bytes, ends) = streams(&one_two_three(), Config::stream());
    every_source!(&bytes, |reader, name| {
        let result = reader.finish();
        if name == "reader" || name == "lent file" {
            assert_frames_equal(&rows(0, 1), &result.expect(name));
        } else {
            let error = result.expect_err(name).to_string();
            let place = format!("at byte {}", ends[0]);
            assert!(error.contains("another stream follows") && error.contains("`next_stream`"), "{error}");
            assert!(error.contains(&place), "{name}: {error}");
        }
    });
    every_source!(&bytes, |reader, name| {
        let found = reader.with_trailing_data_allowed(true).finish();
        assert_frames_equal(&rows(0, 1), &found.expect(name));
    });
    // Enough rows are not the end.
    every_source!(&bytes, |reader, name| {
        assert_frames_equal(&rows(0, 1), &reader.with_n_rows(Some(1)).finish().expect(name));
    });
}

#[test]
fn finish_says_that_something_else_follows() {
    let (mut bytes, ends) = streams(&[rows(0, 4)], Config::stream());
    bytes.extend_from_slice(b"and what comes next");
    every_source!(&bytes, |reader, name| {
        let result = reader.finish();
        if ["from_bytes", "file", "buffered file"].contains(&name) {
            let error = result.expect_err(name).to_string();
            assert!(error.contains("bytes that are no Arrow IPC stream follow"), "{name}: {error}");
            assert!(error.contains(&format!("at byte {}", ends[0])), "{name}: {error}");
        } else {
            assert_frames_equal(&rows(0, 4), &result.expect(name));
        }
    });
    every_source!(&bytes, |reader, name| {
        let mut reader = reader;
        assert_frames_equal(&rows(0, 4), &reader.next_stream().expect(name).expect(name));
        let error = reader.next_stream().expect_err(name).to_string();
        assert!(error.contains("text") && error.contains(&format!("at byte {}", ends[0])), "{name}: {error}");
        assert!(reader.next_stream().is_err() && reader.batches().is_err() && reader.finish().is_err());
    });
}

/// Zeros and further end markers hold no rows: a buffer may be larger than what was written to it.
#[test]
fn padding_is_nothing() {
    let marker = [255, 255, 255, 255, 0, 0, 0, 0];
    let paddings: [&[u8]; 7] = [
        &[0],
        &[0; 3],
        &[0; 4],
        &[0; 4_097],
        &marker,
        &[marker, [0; 8]].concat(),
        &[0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0],
    ];
    let one = Config::stream().write(&rows(0, 5));
    let mut cases = Cases::new();
    for padding in paddings {
        let bytes = [&one, padding].concat();
        every_source!(&bytes, |reader, name| cases.run(format!("{name}, {} bytes", padding.len()), || {
            assert_frames_equal(&rows(0, 5), &reader.finish().expect("a stream"));
        }));
        every_source!(&bytes, |reader, name| cases.run(
            format!("{name}, {} bytes, next", padding.len()),
            || {
                assert_eq!(all(reader).expect("streams").len(), 1);
            }
        ));
        if padding.len() % 4 == 0 {
            let bytes = [&one, padding, &one, padding].concat();
            every_source!(&bytes, |reader, name| cases.run(
                format!("{name}, {} between", padding.len()),
                || {
                    assert_eq!(all(reader).expect("streams").len(), 2);
                }
            ));
        }
    }
    cases.finish();
}

/// Wherever it is cut: whole streams, then an error; the end only where a message could end.
#[test]
fn a_cut_is_never_the_clean_end() {
    let frames = one_two_three();
    let (bytes, ends) = streams(&frames, Config::stream().with_batch_rows(1));
    let mut cases = Cases::new();
    for len in 0..bytes.len() {
        every_source!(&bytes[..len], |reader, name| cases.run(format!("{name}, {len} bytes"), || {
            let mut reader = reader.with_end_marker_required(true);
            let whole = ends.iter().filter(|end| **end <= len).count();
            for df in &frames[..whole] {
                assert_frames_equal(df, &reader.next_stream().expect("whole").expect("whole"));
            }
            let is_end = len == 0 || ends.contains(&len);
            match reader.next_stream() {
                Ok(None) => assert!(is_end, "a cut is taken for the end"),
                Ok(Some(df)) => panic!("{df:?} of a stream that is cut"),
                Err(error) => {
                    assert!(!is_end, "{error}");
                    let again = reader.next_stream().expect_err("it has failed").to_string();
                    assert!(again.contains(&error.to_string()), "{again} does not name {error}");
                },
            }
        }));
    }
    cases.finish();
}

#[test]
fn batches_of_each_stream() {
    let frames = one_two_three();
    let (bytes, _) = streams(&frames, Config::stream().with_batch_rows(1));
    every_source!(&bytes, |reader, name| {
        let mut reader = reader;
        for df in &frames {
            assert!(reader.advance().expect(name));
            assert_eq!(reader.schema().expect("a schema"), **df.schema());
            let batches: PolarsResult<Vec<DataFrame>> = reader.batches().expect("batches").collect();
            let whole = batches.expect(name).into_iter().reduce(|a, b| a.vstack(&b).expect("one schema"));
            assert_frames_equal(df, &whole.expect("rows"));
            assert!(reader.saw_end_marker());
        }
        assert!(!reader.advance().expect(name) && !reader.advance().expect(name));
    });
}

#[test]
fn the_rest_of_a_stream_is_passed_over() {
    let frames = one_two_three();
    let (bytes, _) = streams(&frames, Config::stream().with_batch_rows(1));
    every_source!(&bytes, |reader, name| {
        let mut reader = reader;
        assert_eq!(reader.schema().expect("a schema").len(), 2, "{name}: looked at, not taken");
        assert!(reader.advance().expect(name) && reader.advance().expect(name));
        let mut batches = reader.batches().expect("batches");
        assert_frames_equal(&rows(1, 1), &batches.next().expect("a batch").expect(name));
        assert_frames_equal(&rows(3, 3), &reader.next_stream().expect(name).expect(name));
        let error = batches.next().expect("an error").expect_err("another stream").to_string();
        assert!(error.contains("stream 2") && error.contains("stream 3"), "{error}");
        assert!(batches.next().is_none());
        assert!(reader.next_stream().expect(name).is_none());
    });
}

/// Not a byte behind the stream is asked for before the next one is.
#[test]
fn the_source_stands_behind_each_stream() {
    let (bytes, ends) = streams(&one_two_three(), Config::stream());
    let mut source = Cursor::new(&bytes);
    for end in &ends {
        let mut reader = IpcStreamReader::new(&mut source);
        assert!(reader.next_stream().expect("a stream").is_some());
        drop(reader);
        assert_eq!(source.position(), *end as u64);
    }
    let mut file = on_disk(&bytes);
    for end in &ends {
        let mut reader = IpcStreamReader::new(&mut file);
        assert!(reader.next_stream().expect("a stream").is_some());
        drop(reader);
        assert_eq!(file.stream_position().expect("a position"), *end as u64);
    }
}

/// Row limits and row indices go on from iterator to iterator, and to `finish`.
#[test]
fn rows_are_counted_on() {
    let df = rows(0, 100);
    let bytes = Config::stream().with_batch_rows(10).write(&df);
    let index = || Some(RowIndex { name: "n".into(), offset: 5 });
    let expected = df.with_row_index("n".into(), Some(5)).expect("a row index");
    let mut cases = Cases::new();
    for limit in [None, Some(0), Some(7), Some(20), Some(34), Some(99), Some(100), Some(1_000)] {
        for first in [0, 1, 3, 10] {
            for second in [0, 2, 20] {
                let expected = expected.head(Some(limit.unwrap_or(usize::MAX)));
                for rechunk in [true, false] {
                    every_source!(&bytes, |reader, name| cases.run(
                        format!("{name}, {limit:?}, {first} and {second}, rechunk {rechunk}"),
                        || {
                            let reader =
                                reader.with_n_rows(limit).with_row_index(index()).set_rechunk(rechunk);
                            let mut found = Vec::new();
                            for take in [first, second] {
                                let batches = reader.batches().expect("batches").take(take);
                                found.extend(batches.map(|batch| batch.expect("a batch")));
                            }
                            found.push(reader.finish().expect("the rest"));
                            let found = found.into_iter().reduce(|a, b| a.vstack(&b).expect("one schema"));
                            assert_frames_equal(&expected, &found.expect("frames"));
                        }
                    ));
                }
            }
        }
    }
    cases.finish();
}
