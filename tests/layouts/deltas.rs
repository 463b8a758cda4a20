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

/// Values `from..to` as a dictionary batch: numbers, or lists of one number each, every third of which is empty.
fn values(from: i64, to: i64, lists: bool) -> (BatchHeader, Vec<u8>) {
    let len = usize::try_from(to - from).expect("a length");
    if !lists {
        return batch(len, &[len], &[&[], &numbers(from..to)]);
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

/// A stream whose dictionary grows by up to `most` values a batch, and the value of each row.
fn made(seed: u64, most: i64, lists: bool) -> (Vec<u8>, Vec<Option<i64>>) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let (data_type, children) =
        if lists { (DataType::List, vec![field("item", INT64, vec![], None)]) } else { (INT64, Vec::new()) };
    let mut schema = Schema { fields: vec![field("x", data_type, children, Some(0))], ..Schema::default() };
    schema.assign_slots();
    let mut made = Made::new(false, &schema);
    let (mut len, mut expected) = (0, Vec::new());
    while len + most < 127 {
        let more = if len == 0 { rng.random_range(1..=most) } else { rng.random_range(0..=most) };
        let (header, body) = values(len, len + more, lists);
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
        let (most, lists) = ([1, 2, 9, 40][usize::try_from(seed).expect("few") % 4], seed % 3 == 0);
        let (bytes, rows) = made(seed, most, lists);
        let expected = if lists {
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
