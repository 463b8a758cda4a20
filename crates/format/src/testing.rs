//! Inputs that the tests of several modules share: one schema with everything in it, and mutations.

use std::sync::LazyLock;

use crate::constants::END_OF_STREAM;
use crate::*;

/// Smaller than the defaults, so that a test of a limit stays small.
pub(crate) static LIMITS: LazyLock<IpcLimits> = LazyLock::new(|| IpcLimits {
    max_schema_nodes: 1 << 16,
    max_metadata_bytes: 1 << 20,
    max_buffers: 1 << 16,
    ..IpcLimits::default()
});

pub(crate) fn field(name: &str, data_type: DataType, children: Vec<Field>) -> Field {
    Field { name: name.into(), nullable: true, data_type, children, dictionary: None, metadata: vec![] }
}

pub(crate) fn int(bits: u8, signed: bool) -> DataType {
    DataType::Int(IntType { bits, signed })
}

pub(crate) fn pairs(pairs: &[(&str, &str)]) -> KeyValues {
    pairs.iter().map(|&(key, value)| (key.into(), value.into())).collect()
}

fn leaf_types() -> Vec<DataType> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let mut types = vec![
        DataType::Null,
        DataType::Bool,
        DataType::Float(FloatType::Half),
        DataType::Float(FloatType::Single),
        DataType::Float(FloatType::Double),
        DataType::Date32,
        DataType::Date64,
        DataType::Interval(IntervalUnit::YearMonth),
        DataType::Interval(IntervalUnit::DayTime),
        DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::Binary,
        DataType::LargeBinary,
        DataType::BinaryView,
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::FixedSizeBinary(0),
        DataType::FixedSizeBinary(16),
    ];
    for bits in [8, 16, 32, 64, 128] {
        types.extend([int(bits, true), int(bits, false)]);
    }
    for bits in [32, 64, 128, 256] {
        types.push(DataType::Decimal { precision: 9, scale: -2, bits });
    }
    for (unit, bits) in [(Second, 32), (Millisecond, 32), (Microsecond, 64), (Nanosecond, 64)] {
        types.push(DataType::Time { unit, bits });
        types.push(DataType::Duration(unit));
        types.push(DataType::Timestamp { unit, timezone: None });
        types.push(DataType::Timestamp { unit, timezone: Some("+05:30".into()) });
    }
    types
}

fn nested_fields() -> Vec<Field> {
    let item = || vec![field("item", DataType::Utf8View, vec![])];
    let two = || vec![field("a", int(32, true), vec![]), field("b", DataType::Bool, vec![])];
    let union = |mode| DataType::Union { mode, type_ids: vec![5, 127] };
    vec![
        field("list", DataType::List, item()),
        field("large list", DataType::LargeList, item()),
        field("list view", DataType::ListView, item()),
        field("large list view", DataType::LargeListView, item()),
        field("fixed size list", DataType::FixedSizeList(3), item()),
        field("struct", DataType::Struct, two()),
        field("empty struct", DataType::Struct, vec![]),
        field("sparse union", union(UnionMode::Sparse), two()),
        field("dense union", union(UnionMode::Dense), two()),
        field("empty union", DataType::Union { mode: UnionMode::Dense, type_ids: vec![] }, vec![]),
        field("map", DataType::Map { keys_sorted: true }, vec![field("entries", DataType::Struct, two())]),
        field("run end encoded", DataType::RunEndEncoded, two()),
    ]
}

/// Every type, nesting, dictionaries (nested ones too), metadata everywhere.
pub(crate) fn everything() -> Schema {
    let mut fields: Vec<_> =
        leaf_types().into_iter().map(|data_type| field(&data_type.to_string(), data_type, vec![])).collect();
    fields.extend(nested_fields());
    let dictionary = |id, bits, signed, ordered| {
        Some(DictionaryEncoding { id, index: IntType { bits, signed }, ordered, slot: 0 })
    };
    let mut inner = field("inner", DataType::Utf8, vec![]);
    inner.dictionary = dictionary(-7, 8, false, false);
    let mut outer = field("outer", DataType::List, vec![inner]);
    outer.dictionary = dictionary(i64::MAX, 64, true, true);
    outer.nullable = false;
    outer.metadata = pairs(&[("k", "v"), ("k", "again"), ("", "")]);
    fields.push(outer);
    fields.push(field("", DataType::Null, vec![]));
    fields.push(field("", DataType::Null, vec![]));
    let mut schema = Schema { fields, metadata: pairs(&[("schema", "metadata")]), ..Schema::default() };
    schema.assign_slots();
    schema
}

pub(crate) fn batch() -> (BatchHeader, u64) {
    let mut layout = BodyLayout::default();
    let buffers: Vec<_> = [8, 0, 100, 64].into_iter().map(|len| layout.push(len)).collect();
    let nodes = vec![FieldNode { len: 10, null_count: 3 }, FieldNode { len: 10, null_count: 0 }];
    let header =
        BatchHeader { rows: 10, nodes, buffers, variadic: vec![0, 2], compression: Some(Codec::Zstd) };
    (header, layout.body_len())
}

/// Schema, a dictionary, two batches, end marker; and where each message starts.
pub(crate) fn stream() -> (Vec<u8>, Vec<usize>) {
    let mut encoder = MessageEncoder::new();
    let mut out = Vec::new();
    let mut starts = vec![0];
    let (batch, body_len) = batch();
    let position = |out: &Vec<u8>| u64::try_from(out.len()).unwrap();
    write_head(&mut out, encoder.schema(&everything()), 0).unwrap();
    let dictionary = DictionaryHeader { id: 3, is_delta: true, batch: batch.clone() };
    for index in 0..3 {
        starts.push(out.len());
        let metadata = match index {
            0 => encoder.dictionary(&dictionary, body_len, &[]).unwrap(),
            _ => encoder.batch(&batch, body_len, &pairs(&[("batch", "metadata")])).unwrap(),
        };
        let at = position(&out);
        write_head(&mut out, metadata, at).unwrap();
        out.resize(out.len() + usize::try_from(body_len).unwrap(), 0xaa);
    }
    starts.push(out.len());
    out.extend_from_slice(&END_OF_STREAM);
    (out, starts)
}

/// The same as a file.
pub(crate) fn file() -> (Vec<u8>, Footer) {
    let (stream, starts) = stream();
    let mut file = constants::FILE_PREFIX.to_vec();
    file.extend_from_slice(&stream);
    let body_len = batch().1;
    let block = |window: &[usize]| {
        let len = u64::try_from(window[1] - window[0]).unwrap();
        let metadata_len = u32::try_from(len - body_len).unwrap();
        Block { offset: u64::try_from(window[0] + 8).unwrap(), metadata_len, body_len }
    };
    let blocks: Vec<_> = starts.windows(2).skip(1).map(block).collect();
    let footer = Footer {
        schema: everything(),
        dictionaries: blocks[..1].to_vec(),
        batches: blocks[1..].to_vec(),
        metadata: pairs(&[("footer", "metadata")]),
        not_utf8: Vec::new(),
        version: Version::V5,
    };
    let mut encoder = MessageEncoder::new();
    let encoded = encoder.footer(&footer).unwrap();
    file.extend_from_slice(encoded);
    file.extend_from_slice(&i32::try_from(encoded.len()).unwrap().to_le_bytes());
    file.extend_from_slice(&constants::FILE_MAGIC);
    (file, footer)
}

/// Calls `check` with every one-byte mutation and every truncation of `bytes`. That it returns is
/// the test.
pub(crate) fn for_each_damage(bytes: &[u8], mut check: impl FnMut(&[u8])) {
    let mut copy = bytes.to_vec();
    for index in 0..bytes.len() {
        let byte = bytes[index];
        for value in [byte ^ 0x01, byte ^ 0x80, 0xff, 0x00, byte.wrapping_add(4), 0x7f] {
            copy[index] = value;
            check(&copy);
        }
        copy[index] = byte;
        check(&bytes[..index]);
    }
}
