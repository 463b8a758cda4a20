//! Arrow IPC files given to the stream reader, and either format to `read_ipc`.

use floe_tests::arbitrary::{Arbitrary, dtypes};
use floe_tests::messages::{footer, messages};

use super::*;

fn both(rechunk: bool, bytes: &[u8]) -> DataFrame {
    IpcReader::from_bytes(bytes.to_vec()).set_rechunk(rechunk).finish().expect("a file")
}

#[test]
fn a_file_of_every_dtype_is_read_as_a_stream() {
    let mut cases = Cases::new();
    for (i, (name, dtype)) in dtypes().into_iter().enumerate() {
        let df = Arbitrary::new(5_100 + i as u64).frame_of(&[("a".into(), dtype)], 50);
        for compression in [None, Some(IpcCompression::LZ4)] {
            let bytes = Config::file().with_compression(compression).with_batch_rows(20).write(&df);
            every_source!(&bytes, |reader, source| cases.run(
                format!("{name}, {compression:?}, {source}"),
                || {
                    let rechunk = i % 2 == 0;
                    assert_frames_equal(
                        &both(rechunk, &bytes),
                        &reader.set_rechunk(rechunk).finish().expect("a file"),
                    );
                }
            ));
        }
    }
    cases.finish();
}

#[test]
fn a_file_has_one_stream_and_is_read_to_its_end() {
    let df = rows(0, 100);
    let bytes = Config::file().with_batch_rows(30).write(&df);
    every_source!(&bytes, |reader, name| {
        let found = all(reader).expect(name);
        assert_eq!(found.len(), 1);
        assert_frames_equal(&df, &found[0]);
    });
    every_source!(&bytes, |reader, name| {
        assert_eq!(reader.batches().expect("batches").filter(Result::is_ok).count(), 4, "{name}");
        assert!(reader.saw_end_marker());
    });
    every_source!(&bytes, |reader, name| {
        assert_frames_equal(&df.head(Some(40)), &reader.with_n_rows(Some(40)).finish().expect(name));
    });
    let mut source = Cursor::new(&bytes);
    assert_frames_equal(&df, &IpcStreamReader::new(&mut source).finish().expect("a file"));
    assert_eq!(source.position(), bytes.len() as u64);
    // Behind a stream, too.
    let stream = Config::stream().write(&rows(7, 3));
    every_source!(&[stream.as_slice(), &bytes].concat(), |reader, name| {
        let found = all(reader).expect(name);
        assert_eq!(found.iter().map(DataFrame::height).collect::<Vec<_>>(), [3, 100]);
    });
}

/// A stream that is cut off is not whole, even if all batches are there.
#[test]
fn a_file_cut_anywhere_is_an_error() {
    let bytes = Config::file().with_batch_rows(3).write(&rows(0, 7));
    let mut cases = Cases::new();
    for len in 1..bytes.len() {
        every_source!(&bytes[..len], |reader, name| cases.run(format!("{name}, {len} bytes"), || {
            let error = reader.finish().expect_err("it is cut").to_string();
            assert!(!error.contains("exceeds the limit"), "{error}");
        }));
    }
    cases.finish();
}

#[test]
fn what_only_the_footer_knows_is_said() {
    let df = rows(0, 9);
    let good = Config::file().with_batch_rows(3).write(&df);
    // The blocks of the first two batches change places in the footer.
    let place = |i: usize| {
        let offset = (messages(&good[8..]).0[i].start as u64 + 8).to_le_bytes();
        let footer = footer(&good);
        footer.start + good[footer].windows(8).position(|word| word == offset).expect("a block")
    };
    let mut swapped = good.clone();
    let (first, second) = (place(1), place(2));
    swapped[first..first + 24].copy_from_slice(&good[second..second + 24]);
    swapped[second..second + 24].copy_from_slice(&good[first..first + 24]);
    let by_footer = rows(3, 3).vstack(&rows(0, 3)).and_then(|df| df.vstack(&rows(6, 3))).expect("frames");
    assert_frames_equal(&by_footer, &both(true, &swapped));
    // The footer leaves the last batch out.
    let mut fewer = good.clone();
    assert_eq!(fewer[first - 4..first], [3, 0, 0, 0]);
    fewer[first - 4] = 2;
    assert_frames_equal(&rows(0, 6), &both(true, &fewer));
    // As by Polars' streaming sink: the schema message has neither marker nor length.
    let schema = messages(&good[8..]).0[0];
    let mut unframed = good.clone();
    unframed.copy_within(8 + 8..8 + schema.end, 8);
    unframed[schema.end..schema.end + 8].fill(0);
    assert_frames_equal(&df, &both(true, &unframed));
    for bytes in [&swapped, &fewer, &unframed] {
        every_source!(bytes, |reader, name| {
            let error = reader.finish().expect_err(name).to_string();
            assert!(error.contains("Arrow IPC file") && error.contains("`IpcReader`"), "{name}: {error}");
            assert!(!error.contains("exceeds the limit"), "{name}: {error}");
        });
    }
}

#[test]
fn dictionaries_behind_their_batches_are_said() {
    let dtype =
        DataType::from_categories(Categories::new("behind".into(), "".into(), CategoricalPhysical::U32));
    let df = Arbitrary::new(5_200).frame_of(&[("c".into(), dtype)], 40);
    let mut writer = IpcWriter::new(Vec::new()).batched(df.schema()).expect("a writer");
    writer.write_batch(&df).and_then(|()| writer.finish()).expect("bytes");
    let bytes = writer.into_inner();
    assert_frames_equal(&df, &both(true, &bytes));
    every_source!(&bytes, |reader, name| {
        let error = reader.finish().expect_err(name).to_string();
        assert!(
            error.contains("dictionaries lie behind") && error.contains("`IpcReader`"),
            "{name}: {error}"
        );
    });
}

#[test]
fn either_format_is_read_by_its_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let df = rows(0, 50);
    for (name, config) in [("file", Config::file()), ("stream", Config::stream())] {
        std::fs::write(path(name), config.with_batch_rows(20).write(&df)).expect("written");
        assert_frames_equal(&df, &read_ipc(path(name)).expect("readable"));
    }
    let stream = Config::stream().write(&df);
    std::fs::write(path("two"), [stream.as_slice(), &stream].concat()).expect("written");
    std::fs::write(path("parquet"), b"PAR1\x15\x04\x15\x10").expect("written");
    for (name, says) in [("two", "next_stream"), ("parquet", "a Parquet file"), ("absent", "No such file")] {
        let error = read_ipc(path(name)).expect_err(name);
        let text = error.to_string();
        assert!(text.contains(says) && text.contains(&path(name).display().to_string()), "{text}");
        if name == "absent" {
            assert!(
                matches!(&error, PolarsError::IO { error, .. } if error.kind() == io::ErrorKind::NotFound)
            );
        }
    }
    assert!(read_ipc(folder.path()).is_err(), "a folder");
}
