//! Streams that are handed over in pieces: whatever the pieces, what comes of them is what a reader reads.

use floe::prelude::*;
use floe::{ErrorKind, StreamDecoder, error_kind};
use floe_tests::arbitrary::{Arbitrary, dtypes};
use floe_tests::config::Config;
use floe_tests::equal::assert_frames_equal;
use floe_tests::messages::messages;
use polars_core::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Pushes pieces of the sizes that `size` says, to the end.
fn decode(
    bytes: &[u8],
    mut size: impl FnMut() -> usize,
    mut decoder: StreamDecoder,
) -> PolarsResult<Vec<DataFrame>> {
    let mut frames = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(size().min(rest.len()));
        rest = behind;
        frames.extend(decoder.push(piece.to_vec())?);
    }
    decoder.finish()?;
    assert_eq!(decoder.buffered_bytes(), 0);
    Ok(frames)
}

/// The batches that a reader reads.
fn read(bytes: &[u8]) -> PolarsResult<Vec<DataFrame>> {
    IpcStreamReader::new(bytes).batches()?.collect()
}

fn assert_same(frames: &[DataFrame], expected: &[DataFrame], what: &str) {
    assert_eq!(frames.len(), expected.len(), "{what}");
    for (frame, expected) in frames.iter().zip(expected) {
        assert_frames_equal(frame, expected);
    }
}

fn stream(df: &DataFrame, rows: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    IpcStreamWriter::new(&mut bytes).with_record_batch_size(Some(rows)).finish(&mut df.clone()).unwrap();
    bytes
}

fn small() -> DataFrame {
    let columns = vec![
        Column::new("a".into(), [1i64, 2, 3, 4, 5]),
        Column::new(
            "s".into(),
            [Some("x"), None, Some("a longer text than fits in a view"), Some(""), Some("é")],
        ),
    ];
    DataFrame::new(5, columns).unwrap()
}

#[test]
fn any_pieces_of_any_dtype_are_what_a_reader_reads() {
    let mut random = StdRng::seed_from_u64(21);
    for (i, (name, dtype)) in dtypes().into_iter().enumerate() {
        let mut arbitrary = Arbitrary::new(4_000 + i as u64);
        let df = arbitrary.frame_of(&[("a".into(), dtype.clone()), ("b".into(), dtype)], 40);
        let compression =
            [None, Some(IpcCompression::LZ4), Some(IpcCompression::ZSTD(Default::default()))][i % 3];
        let config = Config::stream().with_compression(compression).with_batch_rows(16);
        let bytes = Config { newest: i % 2 == 0, ..config }.write(&df);
        let expected = read(&bytes).unwrap();
        assert_same(&decode(&bytes, || 1, StreamDecoder::new()).unwrap(), &expected, name);
        assert_same(&decode(&bytes, || usize::MAX, StreamDecoder::new()).unwrap(), &expected, name);
        for most in [9, 100, 4_000] {
            let size = || random.random_range(1..=most);
            assert_same(&decode(&bytes, size, StreamDecoder::new()).unwrap(), &expected, name);
        }
    }
}

#[test]
fn deltas_and_replaced_dictionaries_come_as_they_are_sent() {
    for deltas in [true, false] {
        let categories =
            DataType::from_categories(Categories::random(PlSmallStr::EMPTY, CategoricalPhysical::U32));
        let batch = |i: usize| {
            let texts = [format!("a{i}"), "b".to_owned()];
            DataFrame::new(2, vec![Column::new("c".into(), texts).cast(&categories).unwrap()]).unwrap()
        };
        let mut bytes = Vec::new();
        let writer = IpcStreamWriter::new(&mut bytes).with_dictionary_deltas(deltas);
        let mut writer = writer.batched(batch(0).schema()).unwrap();
        (0..5).for_each(|i| writer.write_batch(&batch(i)).unwrap());
        writer.finish().unwrap();
        let texts = |df: &DataFrame| df.columns()[0].cast(&DataType::String).unwrap();
        for size in [1, 7, 64, 1_000] {
            let frames = decode(&bytes, || size, StreamDecoder::new()).unwrap();
            assert_eq!(frames.len(), 5);
            assert!(frames.iter().enumerate().all(|(i, frame)| texts(frame) == texts(&batch(i))));
        }
    }
}

#[test]
fn a_frame_comes_with_the_last_byte_of_its_message() {
    let bytes = stream(&small(), 2);
    let (all, end) = messages(&bytes);
    let mut decoder = StreamDecoder::new();
    let mut complete = Vec::new();
    for (at, byte) in bytes.iter().enumerate() {
        let frames = decoder.push(vec![*byte]).unwrap();
        complete.extend(frames.iter().map(|frame| (at + 1, frame.height())));
        assert_eq!(decoder.schema().unwrap().is_some(), at + 1 >= all[0].end, "byte {at}");
        assert_eq!(decoder.saw_end_marker(), at + 1 == end, "byte {at}");
    }
    let batches: Vec<(usize, usize)> = all[1..].iter().map(|m| m.end).zip([2, 2, 1]).collect();
    assert_eq!(complete, batches);
}

#[test]
fn truncated_is_told_from_ended() {
    let bytes = stream(&small(), 2);
    let (all, end) = messages(&bytes);
    let between: Vec<usize> = all.iter().map(|message| message.end).collect();
    for len in 1..=end {
        for size in [1, 50] {
            let found = decode(&bytes[..len], || size, StreamDecoder::new());
            if between.contains(&len) || len == end {
                let rows: usize = found.unwrap().iter().map(DataFrame::height).sum();
                assert_eq!(rows, IpcStreamReader::new(&bytes[..len]).finish().unwrap().height());
                let strict = StreamDecoder::new().with_end_marker_required(true);
                assert_eq!(decode(&bytes[..len], || size, strict).is_ok(), len == end);
            } else {
                let error = found.unwrap_err();
                let kind = error_kind(&error);
                assert!(matches!(kind, Some(ErrorKind::Truncated { .. })), "{len} bytes: {error}");
            }
        }
    }
    let error = StreamDecoder::new().finish().unwrap_err().to_string();
    assert!(error.contains("empty"), "{error}");
}

#[test]
fn several_streams_follow_one_another() {
    let mut bytes = Vec::new();
    let heights = [5, 1, 3];
    for rows in heights {
        bytes.extend(stream(&small().slice(0, rows), 2));
        bytes.extend([0; 16]);
    }
    for size in [1, 13, 200, 10_000] {
        let mut decoder = StreamDecoder::new();
        let mut streams = vec![0];
        for piece in bytes.chunks(size) {
            let mut frames = decoder.push(piece.to_vec()).unwrap();
            loop {
                *streams.last_mut().unwrap() += frames.iter().map(DataFrame::height).sum::<usize>();
                let Some(next) = decoder.next_stream().unwrap() else { break };
                frames = next;
                streams.push(0);
            }
        }
        decoder.finish().unwrap();
        assert_eq!(streams, heights, "pieces of {size}");
    }
    // A caller that does not go on gets an error.
    let error = decode(&bytes, || 100, StreamDecoder::new()).unwrap_err().to_string();
    assert!(error.contains("another stream follows"), "{error}");
    let mut decoder = StreamDecoder::new().with_trailing_data_allowed(true);
    assert_eq!(decoder.push(bytes.clone()).unwrap().len(), 3);
    decoder.finish().unwrap();
    let mut other = stream(&small(), 5);
    other.extend(b"HTTP/1.1 200 OK");
    let mut decoder = StreamDecoder::new();
    decoder.push(other).unwrap();
    let error = decoder.next_stream().unwrap_err().to_string();
    assert!(error.contains("behind the end of a stream"), "{error}");
}

#[test]
fn a_file_is_a_stream_whose_footer_is_checked() {
    let mut bytes = Vec::new();
    IpcWriter::new(&mut bytes).with_record_batch_size(Some(2)).finish(&mut small()).unwrap();
    for size in [1, 30, 10_000] {
        let frames = decode(&bytes, || size, StreamDecoder::new()).unwrap();
        assert_eq!(frames.iter().map(DataFrame::height).collect::<Vec<_>>(), [2, 2, 1]);
        let error = decode(&bytes[..bytes.len() - 4], || size, StreamDecoder::new()).unwrap_err().to_string();
        assert!(error.contains("footer"), "{error}");
    }
}

#[test]
fn columns_rows_and_limits_are_those_of_the_readers() {
    let bytes = stream(&small(), 2);
    let decoder = StreamDecoder::new().with_columns(Some(vec!["s".into()])).with_n_rows(Some(3));
    let decoder = decoder.with_row_index(Some(polars_io::RowIndex { name: "i".into(), offset: 10 }));
    let frames = decode(&bytes, || 11, decoder).unwrap();
    let reader =
        IpcStreamReader::new(bytes.as_slice()).with_columns(Some(vec!["s".into()])).with_n_rows(Some(3));
    let reader = reader.with_row_index(Some(polars_io::RowIndex { name: "i".into(), offset: 10 }));
    let expected: Vec<DataFrame> = reader.batches().unwrap().collect::<PolarsResult<_>>().unwrap();
    assert_same(&frames, &expected, "three rows");

    let decoder = StreamDecoder::new().with_columns(Some(vec!["nobody".into()]));
    assert!(decode(&bytes, || 11, decoder).unwrap_err().to_string().contains("\"nobody\""));
    let limits = IpcLimits { max_metadata_bytes: 16, ..IpcLimits::default() };
    let error = decode(&bytes, || 11, StreamDecoder::new().with_limits(limits)).unwrap_err();
    assert!(matches!(error_kind(&error), Some(ErrorKind::LimitExceeded { .. })), "{error}");
}

#[test]
fn buffers_of_one_piece_are_not_copied() {
    let values: Vec<i64> = (0..100_000).collect();
    let df = DataFrame::new(values.len(), vec![Column::new("a".into(), values)]).unwrap();
    let bytes = stream(&df, df.height());
    let range = bytes.as_ptr_range();
    let start = range.start as usize;
    let len = bytes.len();
    let frames = StreamDecoder::new().push(bytes).unwrap();
    let values = frames[0].columns()[0].as_materialized_series().i64().unwrap().clone();
    let at = values.cont_slice().unwrap().as_ptr() as usize;
    assert!((start..start + len).contains(&at), "values lie where they came");
}

#[test]
fn frames_before_an_error_are_not_lost() {
    let mut bytes = stream(&small(), 2);
    let (all, _) = messages(&bytes);
    bytes[all[2].start..all[2].start + 8].fill(0x41);
    let mut decoder = StreamDecoder::new();
    let frames = decoder.push(bytes.clone()).unwrap();
    assert_eq!(frames.len(), 1);
    let first = decoder.push(Vec::<u8>::new()).unwrap_err().to_string();
    assert!(first.contains("after 1 record batches"), "{first}");
    let again = decoder.push(bytes).unwrap_err().to_string();
    assert!(again.contains(&first) && decoder.finish().is_err(), "{again}");
}
