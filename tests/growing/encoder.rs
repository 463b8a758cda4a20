//! Messages without I/O: the same bytes as a writer's, and no copy of what a writer would not copy.

use std::ops::Range;

use floe::prelude::*;
use floe::{Buffer, FrameWriter, IpcMessage, IpcMessageEncoder, IpcMessageKind, WriteFormat};
use floe_tests::arbitrary::{Arbitrary, dtypes};
use floe_tests::config::codecs;
use floe_tests::equal::assert_frames_equal;
use polars_core::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng};

fn joined(messages: &[IpcMessage]) -> Vec<u8> {
    messages.iter().flat_map(IpcMessage::pieces).flat_map(|piece| piece.as_slice()).copied().collect()
}

/// The bytes of a writer of batches, and the messages of an encoder with the same options.
fn both<F: WriteFormat>(
    writer: impl Fn() -> FrameWriter<Vec<u8>, F>,
    encoder: FrameWriter<std::io::Sink, F>,
    batches: &[DataFrame],
) -> (Vec<u8>, Vec<IpcMessage>) {
    let mut batched = writer().batched(batches[0].schema()).unwrap();
    let mut encoder = encoder.message_encoder(batches[0].schema()).unwrap();
    let mut messages = Vec::new();
    for batch in batches {
        batched.write_batch(batch).unwrap();
        messages.extend(encoder.encode(batch).unwrap());
    }
    let summary = batched.finish().unwrap();
    messages.extend(encoder.finish().unwrap());
    assert_eq!(encoder.summary(), summary);
    (batched.into_inner(), messages)
}

fn check(bytes: &[u8], messages: &[IpcMessage], what: &str) {
    assert!(joined(messages) == bytes, "{what}: the bytes differ");
    for message in messages {
        let len: u64 = message.body().iter().map(|piece| piece.len() as u64).sum();
        assert_eq!(len, message.body_len(), "{what}");
        assert_eq!(message.total_len(), message.head().len() as u64 + len);
        if matches!(message.kind(), IpcMessageKind::Start | IpcMessageKind::End) {
            assert!(message.metadata().is_empty() && message.body().is_empty());
            continue;
        }
        // The flatbuffer as arrow-rs reads it.
        let said = arrow_ipc::root_as_message(message.metadata()).unwrap();
        assert_eq!(u64::try_from(said.bodyLength()), Ok(len), "{what}");
        let batch = said.header_as_record_batch().map(|batch| batch.length());
        let dictionary = said.header_as_dictionary_batch().map(|batch| (batch.id(), batch.isDelta()));
        match message.kind() {
            IpcMessageKind::RecordBatch { rows } => assert_eq!(batch, i64::try_from(rows).ok()),
            IpcMessageKind::Dictionary { id, is_delta } => assert_eq!(dictionary, Some((id, is_delta))),
            kind => assert_eq!(kind, IpcMessageKind::Schema),
        }
    }
}

#[test]
fn joined_messages_are_what_writers_write() {
    let mut rng = StdRng::seed_from_u64(21);
    for round in 0..24 {
        let all = dtypes();
        let mut arbitrary = Arbitrary::new(rng.random());
        let column = |i: usize| {
            let (name, dtype) = &all[rng.random_range(0..all.len())];
            (format!("{name} {i}").into(), dtype.clone())
        };
        let columns: Vec<(PlSmallStr, DataType)> = (0..3).map(column).collect();
        let batches: Vec<DataFrame> =
            (0..3).map(|i| arbitrary.frame_of(&columns, [0, 40, 2000, 900][(i + round) % 4])).collect();
        for codec in codecs() {
            let rows = [None, Some(700)][round % 2];
            let what = format!("round {round}, {codec:?}, {columns:?}");
            let stream = |deltas| {
                let (bytes, messages) = both(
                    || {
                        let writer = IpcStreamWriter::new(Vec::new()).with_compression(codec);
                        writer.with_record_batch_size(rows).with_dictionary_deltas(deltas)
                    },
                    IpcStreamWriter::new(std::io::sink())
                        .with_compression(codec)
                        .with_record_batch_size(rows)
                        .with_dictionary_deltas(deltas),
                    &batches,
                );
                check(&bytes, &messages, &what);
            };
            stream(false);
            stream(true);
            let (bytes, messages) = both(
                || IpcWriter::new(Vec::new()).with_compression(codec).with_statistics(true),
                IpcWriter::new(std::io::sink()).with_compression(codec).with_statistics(true),
                &batches,
            );
            check(&bytes, &messages, &what);
            assert_eq!(messages[0].kind(), IpcMessageKind::Start);
        }
    }
}

#[test]
fn a_whole_frame_is_what_finish_writes() {
    let mut df = floe_tests::frames::drifting(4, 50_000);
    let mut bytes = Vec::new();
    IpcStreamWriter::new(&mut bytes).finish(&mut df).unwrap();
    let mut encoder = IpcMessageEncoder::new(df.schema()).unwrap();
    let mut messages = encoder.take();
    assert_eq!(messages[0].kind(), IpcMessageKind::Schema);
    messages.extend(encoder.encode(&df).unwrap());
    messages.extend(encoder.finish().unwrap());
    check(&bytes, &messages, "finish");
    assert_frames_equal(&df, &IpcStreamReader::from_bytes(joined(&messages)).finish().unwrap());
}

/// Where bytes lie in memory.
fn place(bytes: &[u8]) -> Range<usize> {
    let start = bytes.as_ptr().addr();
    start..start + bytes.len()
}

fn lies_in(piece: &Buffer<u8>, memory: &Range<usize>) -> bool {
    let piece = place(piece);
    memory.start <= piece.start && piece.end <= memory.end
}

#[test]
fn columns_are_shared_and_not_copied() {
    let rows = 100_000;
    let mut rng = StdRng::seed_from_u64(5);
    let noise: Vec<u64> = (0..rows).map(|_| rng.random()).collect();
    let texts: Vec<String> = (0..rows).map(|i| format!("a text too long for a view, {i}")).collect();
    let columns = vec![
        Column::new("numbers".into(), noise),
        Column::new("texts".into(), &texts),
        Column::new("few".into(), vec![1i8; rows]),
    ];
    let df = DataFrame::new(rows, columns).unwrap();
    let chunk = |name: &str| df.column(name).unwrap().as_materialized_series().chunks()[0].clone();
    let numbers = chunk("numbers");
    let numbers = numbers.as_any().downcast_ref::<arrow::array::PrimitiveArray<u64>>().unwrap();
    let start = numbers.values().as_ptr().addr();
    let numbers = start..start + 8 * rows;
    let views = chunk("texts");
    let views = views.as_any().downcast_ref::<arrow::array::Utf8ViewArray>().unwrap();
    let data: Vec<Range<usize>> = views.data_buffers().iter().map(|buffer| place(buffer)).collect();

    let newest = || IpcStreamWriter::new(std::io::sink()).with_compat_level(CompatLevel::newest());
    for (codec, shared) in [(None, true), (Some(IpcCompression::LZ4), false)] {
        let mut encoder = newest().with_compression(codec).message_encoder(df.schema()).unwrap();
        let messages = encoder.encode(&df).unwrap();
        let batch = messages.last().unwrap();
        let bytes_in = |memory: &Range<usize>| -> usize {
            batch.body().iter().filter(|piece| lies_in(piece, memory)).map(|piece| piece.len()).sum()
        };
        // Noise does not shrink: the codec's frame is put around it, and it stays where it is.
        assert_eq!(bytes_in(&numbers), 8 * rows, "{codec:?}");
        let text: usize = data.iter().map(bytes_in).sum();
        assert_eq!(text == texts.iter().map(String::len).sum::<usize>(), shared, "{codec:?}");
    }
}

#[test]
fn dictionaries_come_before_the_batches_that_need_them() {
    let categorical = |values: &[&str]| {
        let dtype = DataType::from_categories(Categories::global());
        let column = Column::new("c".into(), values).cast(&dtype).unwrap();
        DataFrame::new(values.len(), vec![column]).unwrap()
    };
    let (first, second) = (categorical(&["a", "b"]), categorical(&["b", "c", "c"]));
    for deltas in [false, true] {
        let options = IpcStreamWriter::new(std::io::sink()).with_dictionary_deltas(deltas);
        let mut encoder = options.message_encoder(first.schema()).unwrap();
        let kinds = |messages: Vec<IpcMessage>| -> Vec<IpcMessageKind> {
            messages.iter().map(IpcMessage::kind).collect()
        };
        let dictionary = |is_delta| IpcMessageKind::Dictionary { id: 0, is_delta };
        let batch = |rows| IpcMessageKind::RecordBatch { rows };
        let made = kinds(encoder.encode(&first).unwrap());
        assert_eq!(made, [IpcMessageKind::Schema, dictionary(false), batch(2)]);
        assert_eq!(kinds(encoder.encode(&first).unwrap()), [batch(2)]);
        assert_eq!(kinds(encoder.encode(&second).unwrap()), [dictionary(deltas), batch(3)]);
        assert_eq!(kinds(encoder.finish().unwrap()), [IpcMessageKind::End]);
    }
}

#[test]
fn a_wrong_frame_is_refused_and_the_encoder_goes_on() {
    let df = |name: &str| DataFrame::new(1, vec![Column::new(name.into(), [1i64])]).unwrap();
    let mut encoder = IpcMessageEncoder::new(df("a").schema()).unwrap();
    let error = encoder.encode(&df("b")).unwrap_err();
    assert!(error.to_string().contains("has column \"b\" where the schema has \"a\""), "{error}");
    assert_eq!(encoder.encode(&df("a")).unwrap().len(), 2);
    assert_eq!(encoder.finish().unwrap().len(), 1);
    assert!(encoder.finish().unwrap_err().to_string().contains("finished already"));
    assert!(encoder.encode(&df("a")).is_err());
    let object = Schema::from_iter([Field::new("o".into(), DataType::Unknown(UnknownKind::Any))]);
    assert!(IpcMessageEncoder::new(&object).is_err());
}
