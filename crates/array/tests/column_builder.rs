//! A column that grows from batch to batch equals the column of all batches decoded at once. That includes lists whose
//! values have gaps between them, which lists that grow cannot have.

use std::sync::Arc;

use arrow::array::{Array, PrimitiveArray};
use arrow::bitmap::Bitmap;
use floe_array::category::Categories;
use floe_array::decode::{Budget, ColumnBuilder, ColumnOffsets};
use floe_array::{ColumnPart, DecodeCtx, DecodeOptions, Dictionaries, Lookup, decode_column};
use floe_format::{
    BatchHeader, BodyLayout, Codec, DataType, DictionaryEncoding, Field, FieldNode, IntType, Version,
};
use floe_runtime::{Executor, Serial};
use polars_buffer::Buffer;

struct Batch {
    header: BatchHeader,
    body: Buffer<u8>,
}

/// A batch of these nodes (lengths and null counts) and buffers.
fn batch(nodes: &[(usize, usize)], buffers: &[Vec<u8>]) -> Batch {
    let mut layout = BodyLayout::default();
    let (mut body, mut specs) = (Vec::new(), Vec::new());
    for buffer in buffers {
        let spec = layout.push(buffer.len());
        body.resize(usize::try_from(spec.offset).unwrap(), 0);
        body.extend(buffer);
        specs.push(spec);
    }
    let nodes: Vec<FieldNode> =
        nodes.iter().map(|(len, null_count)| FieldNode { len: *len, null_count: *null_count }).collect();
    let header = BatchHeader { rows: nodes[0].len, nodes, buffers: specs, ..BatchHeader::default() };
    Batch { header, body: body.into() }
}

fn le<const N: usize>(values: impl IntoIterator<Item = [u8; N]>) -> Vec<u8> {
    values.into_iter().flatten().collect()
}

fn offsets(values: &[i32]) -> Vec<u8> {
    le(values.iter().map(|value| value.to_le_bytes()))
}

fn longs(values: std::ops::Range<i64>) -> Vec<u8> {
    le(values.map(i64::to_le_bytes))
}

fn field(name: &str, data_type: DataType, children: Vec<Field>) -> Field {
    Field { name: name.into(), nullable: true, data_type, children, dictionary: None, metadata: vec![] }
}

/// Decodes batches one after another (two at once where there are), and all of them at once.
fn check(field: &Field, batches: &[Batch], dictionaries: &Dictionaries) -> Box<dyn Array> {
    let options = DecodeOptions::new(Version::V5, false);
    let budget = Budget::default();
    let decode = |batches: &[Batch], growing: Option<&mut ColumnBuilder>| {
        let parts = batches
            .iter()
            .map(|batch| ColumnPart::new(&batch.header, &batch.body, dictionaries, ColumnOffsets::default()));
        let mut ctx = DecodeCtx::new(parts.collect(), &options, &budget, &Serial);
        match growing {
            Some(growing) => growing.decode(&mut ctx, field).map(|_| None),
            None => decode_column(&mut ctx, field).map(Some),
        }
        .unwrap()
    };
    let whole = decode(batches, None).unwrap();
    for at_once in [1, 2] {
        let mut growing = ColumnBuilder::default();
        for batches in batches.chunks(at_once) {
            decode(batches, Some(&mut growing));
        }
        assert_eq!(growing.finish().unwrap().unwrap(), whole, "{at_once} at once");
    }
    whole
}

#[test]
fn lists_of_structs_with_and_without_gaps() {
    let long = field("long", DataType::Int(IntType { bits: 64, signed: true }), vec![]);
    let text = field("text", DataType::Utf8, vec![]);
    let of = field("item", DataType::Struct, vec![long, text]);
    let list = field("a", DataType::List, vec![of]);
    // Three lists of four structs, the second null.
    let of_offsets = |at: &[i32], first: i64| {
        let validity = vec![0b101u8];
        let text: Vec<u8> = (b'a'..=b'z').cycle().skip(usize::try_from(first).unwrap()).take(32).collect();
        let nodes = [(3, 1), (4, 0), (4, 0), (4, 0)];
        let none = Vec::new;
        batch(
            &nodes,
            &[
                validity,
                offsets(at),
                none(),
                none(),
                longs(first..first + 4),
                none(),
                offsets(&[0, 3, 3, 20, 32]),
                text,
            ],
        )
    };
    let plain = [0, 1, 1, 4];
    let all = [
        of_offsets(&plain, 0),
        of_offsets(&plain, 10),
        of_offsets(&[1, 2, 2, 3], 20),
        of_offsets(&plain, 30),
        of_offsets(&[0, 0, 0, 2], 40),
    ];
    let dictionaries = Dictionaries::default();
    assert_eq!(check(&list, &all, &dictionaries).len(), 15);
    check(&list, &all[..2], &dictionaries);
    check(&list, &all[2..], &dictionaries);
}

#[test]
fn categories_with_tables_that_change() {
    let int = IntType { bits: 8, signed: true };
    let encoding = DictionaryEncoding { id: 0, index: int, slot: 0, ordered: false };
    let keys = Field { dictionary: Some(encoding), ..field("a", DataType::Utf8, vec![]) };
    let keys_of = |keys: &[u8], validity: Option<u8>| {
        let nulls = validity.map_or(0, |bits| keys.len() - bits.count_ones() as usize);
        batch(&[(keys.len(), nulls)], &[validity.into_iter().collect(), keys.to_vec()])
    };
    // The key 9 is that of a null.
    let all = [keys_of(&[0, 1, 2], None), keys_of(&[2, 9, 1], Some(0b101)), keys_of(&[1, 1], None)];
    for width in [1, 2, 4] {
        let maps: [&[Option<u32>]; 3] =
            [&[Some(0), Some(1), Some(2)], &[Some(7), Some(5), Some(3)], &[Some(7), None, Some(3)]];
        for map in maps {
            let categories = Categories::new(Arc::from(map), width).unwrap();
            let found = check(&keys, &all, &std::iter::once(Lookup::Categories(categories)).collect());
            let nulls = if map[1].is_none() { 5 } else { 1 };
            assert_eq!((found.len(), found.null_count()), (8, nulls), "{map:?}, {width} bytes");
        }
    }
}

/// Keys are checked a megabyte at a time, while they are being decompressed. Keys under nulls are never checked,
/// wherever they are, and of several bad keys the first is reported.
#[test]
fn keys_are_translated_in_stretches() {
    const ROWS: u32 = 700_000;
    let index = IntType { bits: 32, signed: false };
    let encoding = DictionaryEncoding { id: 0, index, slot: 0, ordered: false };
    let field = Field { dictionary: Some(encoding), ..field("a", DataType::Utf8, vec![]) };
    let categories = Categories::new(Arc::from([Some(7), Some(5), Some(3)]), 4).unwrap();
    let dictionaries: Dictionaries = std::iter::once(Lookup::Categories(categories)).collect();
    // All valid in the first stretch; then every third row is null, with a key out of range.
    let is_null = |row: u32| row > 300_000 && row.is_multiple_of(3);
    let bits: Bitmap = (0..ROWS).map(|row| !is_null(row)).collect();
    let validity = bits.as_slice().0.to_vec();
    let stored = |bytes: &[u8]| {
        let mut out = i64::try_from(bytes.len()).unwrap().to_le_bytes().to_vec();
        floe_codec::compress_always(floe_codec::Compression::Lz4, bytes, &mut out).unwrap();
        out
    };
    let batch = |wrong: &[u32]| {
        let none = |row: u32| is_null(row) || wrong.contains(&row);
        let keys = le((0..ROWS).map(|row| if none(row) { u32::MAX - row } else { row % 3 }.to_le_bytes()));
        let mut batch = batch(&[(bits.len(), bits.unset_bits())], &[stored(&validity), stored(&keys)]);
        batch.header.compression = Some(Codec::Lz4);
        batch
    };
    let all = [batch(&[]), batch(&[])];
    let found = check(&field, &all, &dictionaries);
    let found = found.as_any().downcast_ref::<PrimitiveArray<u32>>().unwrap();
    let expected = (0..ROWS).map(|row| (!is_null(row)).then_some([7, 5, 3][row as usize % 3]));
    assert!(found.iter().map(|category| category.copied()).eq(expected.clone().chain(expected)));

    let options = DecodeOptions::new(Version::V5, false);
    for wrong in [&[1, 500_000][..], &[400_000, 650_000], &[ROWS - 2, 400_000]] {
        let batches = [batch(&[]), batch(wrong)];
        for executor in [&Serial as &dyn Executor, &Backwards] {
            let parts = batches
                .iter()
                .map(|batch| {
                    ColumnPart::new(&batch.header, &batch.body, &dictionaries, ColumnOffsets::default())
                })
                .collect();
            let budget = Budget::default();
            let mut ctx = DecodeCtx::new(parts, &options, &budget, executor);
            let error = decode_column(&mut ctx, &field).unwrap_err().to_string();
            let first = u32::MAX - wrong.iter().min().unwrap();
            assert!(
                error.contains(&format!("key {first} is outside of a dictionary of 3 values")),
                "{error}"
            );
        }
    }
}

/// Does what comes last first.
struct Backwards;

impl Executor for Backwards {
    fn for_each(&self, n: usize, work: &(dyn Fn(usize) + Sync)) {
        (0..n).rev().for_each(work);
    }
}
