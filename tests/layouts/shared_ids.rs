//! Fields that share a dictionary's id, at different depths. "The same dictionary id may be used by several fields"
//! (Arrow columnar format, IPC, Dictionary Messages): the order of the fields says nothing about which dictionary needs
//! which.

use floe::prelude::*;
use floe_format::{
    BatchHeader, BufferSpec, DataType, DictionaryEncoding, DictionaryHeader, Field, FieldNode, IntType,
    Schema,
};
use floe_tests::hostile::Made;
use polars_core::prelude::Column;

const KEYS: IntType = IntType { bits: 8, signed: true };

pub(crate) fn field(name: &str, data_type: DataType, children: Vec<Field>, id: Option<i64>) -> Field {
    let dictionary = id.map(|id| DictionaryEncoding { id, index: KEYS, ordered: false, slot: 0 });
    Field { name: name.into(), nullable: true, data_type, children, dictionary, metadata: Vec::new() }
}

/// Keys of dictionary 0, whose values are strings.
fn texts(name: &str) -> Field {
    field(name, DataType::Utf8, Vec::new(), Some(0))
}

/// Keys of dictionary 1, whose values are lists of keys of dictionary 0.
fn lists(name: &str) -> Field {
    field(name, DataType::List, vec![texts("item")], Some(1))
}

/// A batch without nulls: the nodes' lengths, and buffers of which the empty ones are validities.
pub(crate) fn batch(rows: usize, lens: &[usize], buffers: &[&[u8]]) -> (BatchHeader, Vec<u8>) {
    let mut body = Vec::new();
    let mut specs = Vec::new();
    for buffer in buffers {
        specs.push(BufferSpec { offset: body.len() as u64, len: buffer.len() as u64 });
        body.extend_from_slice(buffer);
        body.resize(body.len().next_multiple_of(8), 0);
    }
    let nodes = lens.iter().map(|len| FieldNode { len: *len, null_count: 0 }).collect();
    (BatchHeader { rows, nodes, buffers: specs, ..BatchHeader::default() }, body)
}

pub(crate) fn offsets(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The fields with three rows: texts are "a", "bc", "a"; lists are ["bc"], ["a", "bc"], ["bc"].
fn made(fields: Vec<Field>, file: bool) -> Vec<u8> {
    let mut schema = Schema { fields, ..Schema::default() };
    schema.assign_slots();
    let mut made = Made::new(file, &schema);
    let (values, body) = batch(2, &[2], &[&[], &offsets(&[0, 1, 3]), b"abc"]);
    made.dictionary(&DictionaryHeader { id: 0, is_delta: false, batch: values }, &body);
    let (values, body) = batch(2, &[2, 3], &[&[], &offsets(&[0, 1, 3]), &[], &[1, 0, 1]]);
    made.dictionary(&DictionaryHeader { id: 1, is_delta: false, batch: values }, &body);
    let keys: [&[u8]; 2] = [&[0, 1, 0]; 2];
    let buffers: Vec<&[u8]> = schema.fields.iter().flat_map(|_| [&[] as &[u8], keys[0]]).collect();
    let (rows, body) = batch(3, &vec![3; schema.fields.len()], &buffers);
    made.batch(&rows, &body);
    made.finish()
}

fn read(bytes: &[u8], file: bool, columns: Option<Vec<String>>) -> String {
    let df = if file {
        IpcReader::from_bytes(bytes.to_vec()).with_columns(columns).finish()
    } else {
        IpcStreamReader::from_bytes(bytes.to_vec()).with_columns(columns).finish()
    };
    let df = df.expect("a stream as the specification allows it");
    let rows = |column: &Column| -> String {
        column.as_materialized_series().iter().map(|value| format!("{value}; ")).collect()
    };
    df.columns().iter().map(rows).collect()
}

#[test]
fn ids_are_shared_at_any_depth_and_in_any_order() {
    type MakeField = fn(&str) -> Field;
    let orders: [&[MakeField]; 6] = [
        &[texts, lists],
        &[lists, texts],
        &[lists, texts, lists],
        &[texts, lists, lists],
        &[lists],
        &[texts],
    ];
    let alone = |make: fn(&str) -> Field, file| read(&made(vec![make("0")], file), file, None);
    for file in [false, true] {
        let (text, list) = (alone(texts, file), alone(lists, file));
        assert!(text.contains("bc") && list.contains("bc"), "{text}{list}");
        for order in orders {
            let fields: Vec<Field> = (0..).zip(order).map(|(i, make)| make(&format!("{i}"))).collect();
            let expected: Vec<&String> =
                fields.iter().map(|field| if field.children.is_empty() { &text } else { &list }).collect();
            let bytes = made(fields, file);
            assert_eq!(
                read(&bytes, file, None),
                expected.iter().copied().cloned().collect::<String>(),
                "{file}"
            );
            for (i, expected) in expected.iter().enumerate() {
                assert_eq!(
                    &read(&bytes, file, Some(vec![i.to_string()])),
                    *expected,
                    "column {i}, file: {file}"
                );
            }
        }
    }
}
