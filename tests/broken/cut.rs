//! Bytes that stop too early, and footers that say other than what is there.

use super::*;

#[test]
fn a_stream_cut_anywhere() {
    let mut cases = Cases::new();
    for (name, df, compression) in small_inputs() {
        let bytes = Config::stream().with_compression(compression).with_batch_rows(4).write(&df);
        let (ends, whole) = ends(&bytes);
        assert_eq!(whole, bytes.len(), "bytes behind the end marker");
        for cut in 0..=bytes.len() {
            cases.run(format!("{name}, {compression:?}, cut at {cut} of {whole}"), || {
                cut_stream(&df, &bytes, cut, &ends);
            });
        }
    }
    cases.finish();
}

fn cut_stream(df: &DataFrame, bytes: &[u8], cut: usize, ends: &[(usize, usize)]) {
    let (expected, between) = batches_before(ends, cut);
    let whole = cut == bytes.len();
    let good = between || whole;
    let part = &bytes[..cut];

    let reader = IpcStreamReader::new(part);
    let outcome = drain(reader.batches());
    assert_prefix(df, &outcome.batches, expected);
    assert_eq!(outcome.error.is_none(), good, "{:?}", outcome.error);
    assert_eq!(reader.saw_end_marker(), whole, "the end marker");

    let reader = IpcStreamReader::from_bytes(part.to_vec());
    let outcome = drain(reader.batches());
    assert_prefix(df, &outcome.batches, expected);
    assert_eq!(outcome.error.is_none(), good, "from_bytes: {:?}", outcome.error);
    assert_eq!(reader.saw_end_marker(), whole, "the end marker, from_bytes");

    let rows = outcome.batches.iter().map(DataFrame::height).sum();
    for (name, read) in reads(false) {
        match read(part) {
            Ok(found) => {
                assert!(good, "{name} takes it for whole");
                if let Some(found) = found {
                    assert_frames_equal(&df.slice(0, rows), &found);
                }
            },
            Err(error) => assert!(!good, "{name}: {error}"),
        }
    }

    let reader = IpcStreamReader::new(part).with_end_marker_required(true);
    let outcome = drain(reader.batches());
    assert_prefix(df, &outcome.batches, expected);
    assert_eq!(outcome.error.is_none(), whole, "with the end marker required: {:?}", outcome.error);
    let finished = IpcStreamReader::new(part).with_end_marker_required(true).finish();
    assert_eq!(finished.is_ok(), whole, "with the end marker required");
    let finished = IpcStreamReader::from_bytes(part.to_vec()).with_end_marker_required(true).finish();
    assert_eq!(finished.is_ok(), whole, "with the end marker required, from_bytes");
}

#[test]
fn stray_bytes_are_not_an_end() {
    let (_, df) = small_frames().remove(0);
    let bytes = Config::stream().with_batch_rows(4).write(&df);
    let (messages, whole) = messages(&bytes);
    let last = messages[messages.len() - 1].end;
    for stray in 1..=3 {
        for byte in [0, 0xFF, b'x'] {
            let mut bytes = bytes[..last].to_vec();
            bytes.extend(std::iter::repeat_n(byte, stray));
            let outcome = drain(IpcStreamReader::new(bytes.as_slice()).batches());
            assert_prefix(&df, &outcome.batches, messages.len() - 1);
            assert!(outcome.error.is_some(), "{stray} stray bytes are taken for an end");
            assert!(IpcStreamReader::new(bytes.as_slice()).finish().is_err());
            assert!(IpcStreamReader::from_bytes(bytes).finish().is_err());
        }
    }
    assert_eq!(whole, bytes.len());
}

#[test]
fn a_file_cut_anywhere() {
    let mut cases = Cases::new();
    for (name, df, compression) in small_inputs() {
        let bytes = Config::file().with_compression(compression).with_batch_rows(4).write(&df);
        for cut in 0..bytes.len() {
            cases.run(format!("{name}, {compression:?}, cut at {cut} of {}", bytes.len()), || {
                let part = &bytes[..cut];
                for (name, read) in reads(true) {
                    assert!(read(part).is_err(), "{name} takes it for whole");
                }
                assert!(IpcReader::new(Cursor::new(part)).num_rows().is_err(), "num_rows");
                assert!(IpcReader::new(Cursor::new(part)).schema().is_err(), "schema");
                assert!(IpcReader::new(Cursor::new(part)).get_batch(0).is_err(), "get_batch");
            });
        }
    }
    cases.finish();
}

#[test]
fn what_is_whole_of_a_cut_file_is_recovered() {
    let mut cases = Cases::new();
    for (name, df) in small_frames() {
        for compression in [None, Some(IpcCompression::LZ4)] {
            let bytes = Config::file().with_compression(compression).with_batch_rows(4).write(&df);
            let (ends, marked) = ends(&bytes[8..]);
            for cut in 0..=bytes.len() {
                cases.run(format!("{name}, {compression:?}, cut at {cut} of {}", bytes.len()), || {
                    let recovered = IpcReader::recover(Cursor::new(&bytes[..cut]));
                    if cut < 8 + ends[0].0 {
                        assert!(recovered.is_err(), "there is no schema");
                        return;
                    }
                    let recovered = recovered.expect("a schema, at least");
                    let (batches, _) = batches_before(&ends, cut - 8);
                    assert_eq!(recovered.batches, batches);
                    assert_frames_equal(&df.head(Some(4 * batches)), &recovered.df);
                    if cut - 8 < marked {
                        // A dictionary without a batch behind it is of no use.
                        let used = ends.iter().find(|(_, up_to)| *up_to == batches).expect("the schema").0;
                        assert_eq!(recovered.leftover_bytes, u64::try_from(cut - 8 - used).expect("small"));
                    } else {
                        assert_eq!(recovered.batches, 3);
                    }
                    if cut == bytes.len() {
                        assert_eq!(recovered.leftover_bytes, 0);
                    }
                });
            }
        }
    }
    cases.finish();
}

/// Every number of a block in the footer, changed: offset, metadata length, body length.
#[test]
fn a_footer_that_disagrees_with_its_bodies() {
    let mut cases = Cases::new();
    for (name, df) in small_frames() {
        let bytes = Config::file().with_batch_rows(4).write(&df);
        let footer = footer(&bytes);
        let (messages, _) = messages(&bytes[8..]);
        let blocks = messages.iter().filter(|message| message.kind != Kind::Schema);
        for message in blocks {
            let offset = i64::try_from(message.start + 8).expect("small");
            let metadata = i64::try_from(message.body - message.start).expect("small");
            let body = i64::try_from(message.end - message.body).expect("small");
            let block = [offset.to_le_bytes(), metadata.to_le_bytes(), body.to_le_bytes()].concat();
            let at = bytes[footer.clone()].windows(24).position(|window| window == block).expect("a block");
            for (field, value) in [(0, offset), (8, metadata), (16, body)] {
                for other in
                    [value - 64, value - 8, value + 8, value + 64, 0, -1, i64::MAX, i64::MIN, 1 << 30]
                {
                    if other == value {
                        continue;
                    }
                    let mut bytes = bytes.clone();
                    bytes[footer.start + at + field..][..8].copy_from_slice(&other.to_le_bytes());
                    cases.run(
                        format!("{name}, {:?}, field {field}: {value} -> {other}", message.kind),
                        || {
                            for (way, read) in reads(true) {
                                assert!(read(&bytes).is_err(), "{way} takes it");
                            }
                        },
                    );
                }
            }
        }
    }
    cases.finish();
}
