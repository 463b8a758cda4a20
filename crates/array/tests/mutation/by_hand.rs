//! Columns of nodes and buffers made by hand: what floe reads, and never writes.

use super::inputs::{TEXTS, column, field, int};
use super::*;

pub(super) fn by_hand() -> Vec<Column> {
    [flat(), nested(), dictionaries()].into_iter().flatten().collect()
}

/// Nodes and buffers by hand: what floe only reads.
#[derive(Default)]
struct Hand(Encoded);

impl Hand {
    fn node(mut self, len: usize, null_count: usize) -> Self {
        self.0.nodes.push(FieldNode { len, null_count });
        self
    }

    /// A node of all rows, a quarter of them null, and its validity.
    fn rows(self) -> Self {
        let bits = [0b1101_1101, 0b0000_0101];
        self.node(ROWS, 3).bytes(&bits)
    }

    /// A node without nulls, and its validity, which is not there.
    fn valid(self, len: usize) -> Self {
        self.node(len, 0).bytes(&[])
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.buffers.push(Buffer::from(bytes.to_vec()).into());
        self
    }

    fn values<const N: usize>(self, values: impl IntoIterator<Item = [u8; N]>) -> Self {
        let bytes: Vec<u8> = values.into_iter().flatten().collect();
        self.bytes(&bytes)
    }

    /// 0, 1, ... as 32 bits.
    fn i32s(self, len: i32) -> Self {
        self.values((0..len).map(i32::to_le_bytes))
    }

    fn column(self, field: Field) -> Column {
        column(field, self.0)
    }
}

const FEW: i32 = 11;

fn flat() -> Vec<Column> {
    let text: String = TEXTS.concat();
    let mut end = 0;
    let mut offsets = vec![0i32];
    offsets.extend(TEXTS.iter().map(|text| {
        end += i32::try_from(text.len()).expect("short");
        end
    }));
    let offsets = || offsets.iter().map(|offset| offset.to_le_bytes());
    let second = || DataType::Timestamp { unit: TimeUnit::Second, timezone: None };
    let time = DataType::Time { unit: TimeUnit::Second, bits: 32 };
    let decimal = |bits| DataType::Decimal { precision: 9, scale: -2, bits };
    let interval = |unit| DataType::Interval(unit);
    vec![
        Hand::default().node(ROWS, ROWS).column(field("null", DataType::Null, vec![])),
        Hand::default().rows().values(offsets()).bytes(text.as_bytes()).column(field(
            "utf8",
            DataType::Utf8,
            vec![],
        )),
        Hand::default().rows().values(offsets()).bytes(text.as_bytes()).column(field(
            "binary",
            DataType::Binary,
            vec![],
        )),
        Hand::default().rows().bytes(&[7; 5 * ROWS]).column(field(
            "fixed_size_binary",
            DataType::FixedSizeBinary(5),
            vec![],
        )),
        Hand::default().rows().i32s(FEW).column(field("time32", time, vec![])),
        Hand::default().rows().values((0..FEW).map(|v| i64::from(v).to_le_bytes())).column(field(
            "timestamp_s",
            second(),
            vec![],
        )),
        Hand::default().rows().i32s(FEW).column(field("decimal32", decimal(32), vec![])),
        Hand::default().rows().bytes(&[0; 32 * ROWS]).column(field("decimal256", decimal(256), vec![])),
        Hand::default().rows().i32s(FEW).column(field(
            "interval_ym",
            interval(IntervalUnit::YearMonth),
            vec![],
        )),
        Hand::default().rows().i32s(FEW * 2).column(field(
            "interval_dt",
            interval(IntervalUnit::DayTime),
            vec![],
        )),
        Hand::default().rows().i32s(FEW * 4).column(field(
            "interval_mdn",
            interval(IntervalUnit::MonthDayNano),
            vec![],
        )),
    ]
}

fn nested() -> Vec<Column> {
    let item = || field("item", int(32, true), vec![]);
    let ends = || field("run_ends", int(32, true), vec![]);
    let union = |name, mode| {
        let children = vec![item(), field("text", DataType::Utf8View, vec![])];
        field(name, DataType::Union { mode, type_ids: vec![0, 5] }, children)
    };
    let types = [0u8, 5, 0, 5, 5, 0, 0, 5, 0, 0, 5];
    let view = |text: &str| {
        let mut view = [0; 16];
        view[0] = u8::try_from(text.len()).expect("short");
        view[4..4 + text.len()].copy_from_slice(text.as_bytes());
        view
    };
    let views = |hand: Hand| {
        let mut hand =
            hand.valid(ROWS).values(TEXTS.iter().map(|text| view(text.get(..1).unwrap_or_default())));
        hand.0.variadic.push(0);
        hand
    };
    let entries = field(
        "entries",
        DataType::Struct,
        vec![field("key", DataType::Bool, vec![]), field("value", int(32, true), vec![])],
    );
    let mut old = views(Hand::default().rows().bytes(&types).valid(ROWS).i32s(FEW))
        .column(union("union_v4", UnionMode::Sparse));
    old.version = Version::V4;
    vec![
        Hand::default().rows().i32s(FEW + 1).valid(ROWS).i32s(FEW).column(field(
            "list",
            DataType::List,
            vec![item()],
        )),
        Hand::default()
            .rows()
            .i32s(FEW)
            .values((0..FEW).map(|row| (row % 2).to_le_bytes()))
            .valid(ROWS)
            .i32s(FEW)
            .column(field("list_view", DataType::ListView, vec![item()])),
        Hand::default()
            .rows()
            .values((0..i64::from(FEW)).map(i64::to_le_bytes))
            .values((0..i64::from(FEW)).map(|row| (row % 2).to_le_bytes()))
            .valid(ROWS)
            .i32s(FEW)
            .column(field("large_list_view", DataType::LargeListView, vec![item()])),
        Hand::default()
            .rows()
            .i32s(FEW + 1)
            .valid(ROWS)
            .valid(ROWS)
            .bytes(&[0xA5, 0x02])
            .valid(ROWS)
            .i32s(FEW)
            .column(field("map", DataType::Map { keys_sorted: false }, vec![entries])),
        views(Hand::default().node(ROWS, 0).bytes(&types).valid(ROWS).i32s(FEW))
            .column(union("sparse_union", UnionMode::Sparse)),
        views(Hand::default().node(ROWS, 0).bytes(&types).i32s(FEW).valid(ROWS).i32s(FEW))
            .column(union("dense_union", UnionMode::Dense)),
        old,
        Hand::default()
            .node(ROWS, 0)
            .valid(3)
            .values([2, 7, FEW].map(i32::to_le_bytes))
            .valid(3)
            .i32s(3)
            .column(field("run_end_encoded", DataType::RunEndEncoded, vec![ends(), item()])),
        Hand::default().rows().valid(0).bytes(&[]).column(field(
            "array_0",
            DataType::FixedSizeList(0),
            vec![item()],
        )),
        Hand::default().rows().column(field("empty_struct", DataType::Struct, vec![])),
    ]
}

/// Keys whose values are known: gathered, or categories.
fn dictionaries() -> Vec<Column> {
    let values: Arc<dyn Array> = Arc::new(Utf8ViewArray::from_slice_values(&TEXTS[..5]));
    let map: Arc<[Option<u32>]> = vec![Some(3), None, Some(1), Some(200), Some(0)].into();
    let lookups = [
        ("values", Lookup::Values(values)),
        ("categories_u8", Lookup::Categories(Categories::new(Arc::clone(&map), 1).unwrap())),
        ("categories_u32", Lookup::Categories(Categories::new(map, 4).unwrap())),
    ];
    let keys = (0..FEW).map(|row| row % 5);
    let mut columns = Vec::new();
    for (name, lookup) in lookups {
        for bits in [8, 32, 64] {
            let hand = Hand::default().rows();
            let hand = match bits {
                8 => hand.values(keys.clone().map(|key| [u8::try_from(key).expect("small")])),
                32 => hand.values(keys.clone().map(i32::to_le_bytes)),
                _ => hand.values(keys.clone().map(|key| i64::from(key).to_le_bytes())),
            };
            let index = IntType { bits, signed: bits != 8 };
            let dictionary = Some(DictionaryEncoding { id: 1, index, ordered: false, slot: 0 });
            let plain = field(&format!("dictionary_{name}_{bits}"), DataType::Utf8View, vec![]);
            let mut column = hand.column(Field { dictionary, ..plain });
            column.dictionaries = std::iter::once(lookup.clone()).collect();
            columns.push(column);
        }
    }
    columns
}

/// `-i32::MIN` overflows.
#[test]
fn the_smallest_decimal_scale_is_an_error() {
    let decimal = DataType::Decimal { precision: 9, scale: i32::MIN, bits: 32 };
    let Column { field, encoded, version, dictionaries } =
        Hand::default().rows().i32s(FEW).column(field("decimal", decimal, vec![]));
    let options = DecodeOptions::new(version, false);
    let input =
        Input { name: "scale".to_owned(), field, options, dictionaries, batch: batch(&encoded, None) };
    assert!(decode(&input, std::slice::from_ref(&input.batch), Kind::Shared).is_err());
}
