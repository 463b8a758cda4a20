//! Dictionaries of numbers and lists that grow by deltas, with a batch behind each.

use floe::prelude::*;
use floe_format::{BatchHeader, DataType, DictionaryHeader, FieldNode, IntType, Schema};
use floe_tests::hostile::Made;
use polars_core::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

use crate::shared_ids::{batch, field, offsets};

const INT64: floe_format::DataType = DataType::Int(IntType { bits: 64, signed: true });
const ROWS: usize = 7;

fn numbers(values: std::ops::Range<i64>) -> Vec<u8> {
    values.flat_map(i64::to_le_bytes).collect()
}

/// The type of the dictionary's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Numbers,
    /// Of one number each, every third of which is empty.
    Lists,
    /// Short and long ones in turns.
    Bytes,
}

fn bytes_of(value: i64) -> Vec<u8> {
    format!("{value}{}", "-".repeat(if value % 2 == 0 { 0 } else { 20 })).into_bytes()
}

/// Values `from..to` as a dictionary batch.
fn values(from: i64, to: i64, kind: Kind) -> (BatchHeader, Vec<u8>) {
    let len = usize::try_from(to - from).expect("a length");
    if kind == Kind::Numbers {
        return batch(len, &[len], &[&[], &numbers(from..to)]);
    }
    if kind == Kind::Bytes {
        let mut ends = vec![0];
        let mut data = Vec::new();
        for value in from..to {
            data.extend(bytes_of(value));
            ends.push(i32::try_from(data.len()).expect("few"));
        }
        return batch(len, &[len], &[&[], &offsets(&ends), &data]);
    }
    let mut ends = vec![0];
    let mut items = Vec::new();
    for value in from..to {
        if value % 3 != 0 {
            items.extend(value.to_le_bytes());
        }
        ends.push(i32::try_from(items.len() / 8).expect("few"));
    }
    batch(len, &[len, items.len() / 8], &[&[], &offsets(&ends), &[], &items])
}

/// Keys, of which those that are none are null.
fn keys(keys: &[Option<i64>]) -> (BatchHeader, Vec<u8>) {
    let valid = (0..).zip(keys).fold(0u8, |bits, (i, key)| bits | u8::from(key.is_some()) << i);
    let bytes: Vec<u8> = keys
        .iter()
        .flat_map(|key| i8::try_from(key.unwrap_or(0)).expect("a key of 8 bits").to_le_bytes())
        .collect();
    let (mut header, body) = batch(keys.len(), &[keys.len()], &[&[valid], &bytes]);
    let null_count = keys.iter().filter(|key| key.is_none()).count();
    header.nodes = vec![FieldNode { len: keys.len(), null_count }];
    (header, body)
}

/// A stream whose dictionary grows by up to `most` values per batch, and the value of each row.
fn made(seed: u64, most: i64, kind: Kind) -> (Vec<u8>, Vec<Option<i64>>) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let (data_type, children) = match kind {
        Kind::Numbers => (INT64, Vec::new()),
        Kind::Lists => (DataType::List, vec![field("item", INT64, vec![], None)]),
        Kind::Bytes => (DataType::Binary, Vec::new()),
    };
    let mut schema = Schema { fields: vec![field("x", data_type, children, Some(0))], ..Schema::default() };
    schema.assign_slots();
    let mut made = Made::new(false, &schema);
    let (mut len, mut expected) = (0, Vec::new());
    while len + most < 127 {
        let more = if len == 0 { rng.random_range(1..=most) } else { rng.random_range(0..=most) };
        let (header, body) = values(len, len + more, kind);
        made.dictionary(&DictionaryHeader { id: 0, is_delta: len > 0, batch: header }, &body);
        len += more;
        let rows: Vec<Option<i64>> =
            (0..ROWS).map(|_| rng.random_bool(0.8).then(|| rng.random_range(0..len))).collect();
        let (header, body) = keys(&rows);
        made.batch(&header, &body);
        expected.extend(rows);
    }
    (made.finish(), expected)
}

#[test]
fn values_of_deltas_are_those_of_a_whole_dictionary() {
    for seed in 0..60 {
        let number = usize::try_from(seed).expect("few");
        let (most, kind) = ([1, 2, 9, 40][number % 4], [Kind::Lists, Kind::Numbers, Kind::Bytes][number % 3]);
        let (bytes, rows) = made(seed, most, kind);
        let expected = if kind == Kind::Bytes {
            let values: Vec<Option<Vec<u8>>> = rows.iter().map(|row| row.map(bytes_of)).collect();
            Series::new("x".into(), values)
        } else if kind == Kind::Lists {
            let list = |value: Option<i64>| {
                value.map(|value| Series::new("".into(), Vec::from_iter((value % 3 != 0).then_some(value))))
            };
            let mut lists: ListChunked = rows.iter().copied().map(list).collect();
            lists.rename("x".into());
            lists.into_series()
        } else {
            Series::new("x".into(), rows)
        };
        for df in
            [IpcStreamReader::from_bytes(bytes.clone()).finish(), IpcStreamReader::new(&bytes[..]).finish()]
        {
            let df = df.expect("a valid stream");
            assert_eq!(df.column("x").expect("the column").as_materialized_series(), &expected, "{seed}");
        }
    }
}

/// Thousands of deltas of bytes, and batches whose keys are of all of them: what a batch takes depends on its rows.
#[test]
fn a_batch_takes_no_longer_for_many_deltas() {
    const DELTAS: i64 = 15_000;
    let index = IntType { bits: 32, signed: true };
    let mut x = field("x", DataType::Binary, Vec::new(), Some(0));
    x.dictionary.as_mut().expect("it has one").index = index;
    let mut schema = Schema { fields: vec![x], ..Schema::default() };
    schema.assign_slots();
    let mut made = Made::new(false, &schema);
    for i in 0..DELTAS {
        let (header, body) = values(i, i + 1, Kind::Bytes);
        made.dictionary(&DictionaryHeader { id: 0, is_delta: i > 0, batch: header }, &body);
        let keys: Vec<u8> =
            [0, i / 2, i].iter().flat_map(|key| i32::try_from(*key).expect("few").to_le_bytes()).collect();
        let (header, body) = batch(3, &[3], &[&[], &keys]);
        made.batch(&header, &body);
    }
    let bytes = made.finish();
    let mut i = 0;
    for df in IpcStreamReader::new(&bytes[..]).batches().expect("a schema") {
        let df = df.expect("a batch");
        let expected: Vec<Vec<u8>> = [0, i / 2, i].map(bytes_of).to_vec();
        let column = df.column("x").expect("the column").as_materialized_series();
        assert_eq!(column, &Series::new("x".into(), expected));
        i += 1;
    }
    assert_eq!(i, DELTAS);
}
