//! The messages of the encoder: their sizes, their order, and that their bytes are not copied.

use floe::prelude::{CompatLevel, IpcCompression};
use floe_flight::*;
use floe_format::{Header, IpcLimits, decode_message};
use floe_tests::equal::assert_frames_equal;
use polars_core::prelude::*;

use crate::store::numbers;

fn encode(df: &DataFrame, options: &FlightOptions) -> Vec<FlightData> {
    let mut encoder = FlightEncoder::new(df.schema(), options).expect("an encoder");
    let mut messages = vec![encoder.schema(None).expect("the schema")];
    assert!(encoder.schema(None).is_err(), "it is there once");
    messages.extend(encoder.encode(df).expect("messages"));
    messages
}

fn decode(messages: Vec<FlightData>) -> DataFrame {
    let mut decoder = FlightDecoder::new();
    let mut all: Option<DataFrame> = None;
    for data in messages {
        let Some(frame) = decoder.push(data).expect("a message") else { continue };
        let df = frame.df.expect("rows");
        match &mut all {
            Some(all) => {
                all.vstack_mut_owned(df).expect("one schema");
            },
            None => all = Some(df),
        }
    }
    all.expect("a frame")
}

/// Kinds of the messages: s, d, b.
fn kinds(messages: &[FlightData]) -> String {
    let kind = |data: &FlightData| {
        let message = decode_message(&data.data_header, &IpcLimits::default()).expect("a header");
        assert_eq!(message.body_len, data.data_body.len() as u64);
        match message.header {
            Header::Schema(_) => 's',
            Header::Dictionary(_) => 'd',
            Header::Batch(_) => 'b',
        }
    };
    messages.iter().map(kind).collect()
}

#[test]
fn messages_stay_near_their_size() {
    let df = numbers(1_000_000);
    for (max, compression) in [(2 << 20, None), (64 << 10, None), (2 << 20, Some(IpcCompression::LZ4))] {
        let options = FlightOptions::new().with_max_message_bytes(max).with_compression(compression);
        let messages = encode(&df, &options);
        assert!(messages.len() > 8_000_000 / max);
        for data in &messages {
            assert!(data.data_body.len() <= max + max / 8, "{} of {max}", data.data_body.len());
        }
        // They are not much smaller, either.
        assert!(messages.len() < 3 * 8_000_000 / max, "{}", messages.len());
        assert_frames_equal(&decode(messages), &df);
    }
}

#[test]
fn the_default_fits_other_servers() {
    let messages = encode(&numbers(1_000_000), &FlightOptions::new());
    assert!(messages.iter().all(|data| data.data_body.len() <= 2 << 20));
    assert_eq!(kinds(&messages), "sbbbb");
}

#[test]
fn a_row_that_is_too_large_goes_alone() {
    let rows: Vec<String> =
        (0..5).map(|row| if row == 2 { "x".repeat(1 << 20) } else { row.to_string() }).collect();
    let df = DataFrame::new(5, vec![Column::new("t".into(), rows)]).expect("a frame");
    let messages = encode(&df, &FlightOptions::new().with_max_message_bytes(1000));
    assert!(messages.iter().any(|data| data.data_body.len() > 1 << 20));
    assert_frames_equal(&decode(messages), &df);
}

#[test]
fn bodies_are_the_memory_of_the_columns() {
    let df = numbers(600_000);
    let series = df.column("n").expect("the column").as_materialized_series().clone();
    let values = series.u64().expect("numbers").cont_slice().expect("one chunk");
    let memory = values.as_ptr_range();
    let memory = memory.start.addr()..memory.end.addr();
    let messages = encode(&df, &FlightOptions::new());
    let pieces = messages.iter().flat_map(|data| data.data_body.pieces());
    let shared: usize =
        pieces.filter(|piece| memory.contains(&piece.as_ptr().addr())).map(|piece| piece.len()).sum();
    assert_eq!(shared, 600_000 * 8, "all values");
}

#[test]
fn a_decoded_column_is_the_memory_of_the_message() {
    let df = numbers(100_000);
    let mut decoder = FlightDecoder::new();
    let mut checked = 0;
    for data in encode(&df, &FlightOptions::new()) {
        let body = data.data_body.pieces().first().cloned();
        let Some(frame) = decoder.push(data).expect("a message") else { continue };
        let column =
            frame.df.expect("rows").column("n").expect("the column").as_materialized_series().clone();
        let values = column.u64().expect("numbers").cont_slice().expect("one chunk").as_ptr().addr();
        let body = body.expect("one piece").as_ptr_range();
        assert!((body.start.addr()..body.end.addr()).contains(&values));
        checked += 1;
    }
    assert_eq!(checked, 1);
}

#[test]
fn one_dictionary_serves_all_messages_of_a_frame() {
    let words: Vec<String> = (0..100_000).map(|row| format!("word {}", row % 5000)).collect();
    let column = Column::new("c".into(), words);
    let dtype = DataType::from_categories(Categories::global());
    let df = DataFrame::new(100_000, vec![column.cast(&dtype).expect("categories")]).expect("a frame");
    for level in [CompatLevel::oldest(), CompatLevel::newest()] {
        let options = FlightOptions::new().with_max_message_bytes(50_000).with_compat_level(level);
        let messages = encode(&df, &options);
        let kinds = kinds(&messages);
        assert!(kinds.starts_with("sdbbb"), "{kinds}");
        assert_eq!(kinds.matches('d').count(), 1, "{kinds}");
        assert_frames_equal(&decode(messages), &df);
    }
}

#[test]
fn compressed_bodies_are_smaller() {
    let df = DataFrame::new(100_000, vec![Column::new("n".into(), vec![7i64; 100_000])]).expect("a frame");
    let len = |compression| {
        let messages = encode(&df, &FlightOptions::new().with_compression(compression));
        messages.iter().map(|data| data.data_body.len()).sum::<usize>()
    };
    let raw = len(None);
    assert!(len(Some(IpcCompression::LZ4)) < raw / 10);
    assert!(len(Some(IpcCompression::ZSTD(Default::default()))) < raw / 10);
}

#[test]
fn a_frame_of_another_schema_is_refused_and_the_next_one_taken() {
    let df = numbers(10);
    let mut encoder = FlightEncoder::new(df.schema(), &FlightOptions::new()).expect("an encoder");
    let other = DataFrame::new(1, vec![Column::new("other".into(), [1u64])]).expect("a frame");
    let error = encoder.encode(&other).expect_err("another column").to_string();
    assert!(error.contains("other"), "{error}");
    assert_eq!(encoder.encode(&df).expect("messages").len(), 1);
}
