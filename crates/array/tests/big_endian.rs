//! Big-endian data, which no writer at hand makes: arrays are encoded, every buffer is turned round by
//! the width of its values, compressed or not, and decoded as big-endian. The values must be the same.

use arrow::array::{
    Array, BinaryArray, BinaryViewArray, BooleanArray, ListArray, PrimitiveArray, Utf8ViewArray, View,
};
use arrow::bitmap::Bitmap;
use arrow::datatypes::{ArrowDataType, Field as ArrowField};
use arrow::offset::OffsetsBuffer;
use arrow::types::NativeType;
use floe_array::decode::{Budget, ColumnOffsets};
use floe_array::encode::EncodedBuffer;
use floe_array::{
    ColumnPart, DecodeCtx, DecodeOptions, Dictionaries, EncodeCtx, decode_column, encode_column,
};
use floe_format::{
    BatchHeader, BodyLayout, Codec, DataType, Field, FieldNode, FloatType, IntType, IntervalUnit, TimeUnit,
    Version,
};
use floe_runtime::Serial;
use polars_buffer::Buffer;

/// How a buffer's bytes are turned round.
#[derive(Clone, Copy)]
enum Turn {
    /// Values of this many bytes.
    Width(usize),
    /// Views: the integers, not the prefix and not inline bytes.
    Views,
    /// Months, days (4 bytes each) and nanoseconds (8).
    MonthDayNano,
}

fn turn(bytes: &[u8], how: Turn) -> Vec<u8> {
    let mut out = bytes.to_vec();
    match how {
        Turn::Width(width) => out.chunks_exact_mut(width).for_each(<[u8]>::reverse),
        Turn::Views => out.chunks_exact_mut(16).for_each(|view| {
            let length = u32::from_le_bytes([view[0], view[1], view[2], view[3]]);
            view[..4].reverse();
            if length > View::MAX_INLINE_SIZE {
                view[8..12].reverse();
                view[12..].reverse();
            }
        }),
        Turn::MonthDayNano => out.chunks_exact_mut(16).for_each(|value| {
            value[..4].reverse();
            value[4..8].reverse();
            value[8..].reverse();
        }),
    }
    out
}

struct Column {
    field: Field,
    nodes: Vec<FieldNode>,
    buffers: Vec<Vec<u8>>,
    variadic: Vec<usize>,
}

impl Column {
    fn encoded(field: Field, array: &dyn Array) -> Self {
        let mut ctx = EncodeCtx::new(&[]);
        encode_column(&mut ctx, &field, array).expect("it can be encoded");
        let encoded = ctx.finish();
        let bytes = |buffer: EncodedBuffer| buffer.join().expect("memory").as_slice().to_vec();
        let buffers = encoded.buffers.into_iter().map(bytes).collect();
        Self { field, nodes: encoded.nodes, buffers, variadic: encoded.variadic }
    }

    /// Decodes the column `parts` times over, its buffers turned round if `turns` says how.
    fn decode(&self, turns: Option<&[Turn]>, codec: Option<Codec>, parts: usize) -> Box<dyn Array> {
        let mut layout = BodyLayout::default();
        let mut body = Vec::new();
        let mut specs = Vec::new();
        for (i, buffer) in self.buffers.iter().enumerate() {
            let bytes = match turns {
                Some(turns) => turn(buffer, turns[i]),
                None => buffer.clone(),
            };
            let stored = match codec {
                Some(codec) if !bytes.is_empty() => compress(codec, &bytes),
                _ => bytes,
            };
            let spec = layout.push(stored.len());
            body.resize(usize::try_from(spec.offset).expect("small"), 0);
            body.extend(stored);
            specs.push(spec);
        }
        let header = BatchHeader {
            rows: self.nodes[0].len,
            nodes: self.nodes.clone(),
            buffers: specs,
            variadic: self.variadic.clone(),
            compression: codec,
        };
        let body: Buffer<u8> = body.into();
        let dictionaries = Dictionaries::default();
        let options = DecodeOptions::new(Version::V5, turns.is_some());
        let budget = Budget::default();
        let parts =
            (0..parts).map(|_| ColumnPart::new(&header, &body, &dictionaries, ColumnOffsets::default()));
        let mut ctx = DecodeCtx::new(parts.collect(), &options, &budget, &Serial);
        decode_column(&mut ctx, &self.field).expect("it can be decoded")
    }

    fn check(&self, turns: &[Turn]) {
        assert_eq!(turns.len(), self.buffers.len(), "a way for each buffer");
        for codec in [None, Some(Codec::Lz4), Some(Codec::Zstd)] {
            for parts in [1, 3] {
                let little = self.decode(None, codec, parts);
                let big = self.decode(Some(turns), codec, parts);
                assert_eq!(little, big, "{:?}, {codec:?}, {parts} parts", self.field.data_type);
            }
        }
    }
}

fn compress(codec: Codec, bytes: &[u8]) -> Vec<u8> {
    let compression = match codec {
        Codec::Lz4 => floe_codec::Compression::Lz4,
        Codec::Zstd => floe_codec::Compression::Zstd { level: 1 },
    };
    let mut out = i64::try_from(bytes.len()).expect("small").to_le_bytes().to_vec();
    floe_codec::compress_always(compression, bytes, &mut out).expect("it compresses");
    out
}

fn field(data_type: DataType, children: Vec<Field>) -> Field {
    Field { name: "a".into(), nullable: true, data_type, children, dictionary: None, metadata: vec![] }
}

fn int(bits: u8, signed: bool) -> DataType {
    DataType::Int(IntType { bits, signed })
}

const NOTHING: Turn = Turn::Width(1);

fn primitive<T: NativeType>(data_type: DataType, values: Vec<T>) {
    let validity: Bitmap = (0..values.len()).map(|i| i % 3 != 1).collect();
    let dtype = ArrowDataType::from(T::PRIMITIVE);
    let array = PrimitiveArray::new(dtype, values.into(), Some(validity));
    Column::encoded(field(data_type, vec![]), &array).check(&[NOTHING, Turn::Width(size_of::<T>())]);
}

#[test]
fn numbers() {
    primitive(int(8, true), vec![1i8, -2, 3, 4]);
    primitive(int(16, true), vec![1i16, -300, 3, i16::MIN]);
    primitive(int(32, true), vec![1i32, -70_000, 3, i32::MAX]);
    primitive(int(64, true), vec![1i64, -5_000_000_000, 3, i64::MIN]);
    primitive(int(128, true), vec![1i128, -5_000_000_000_000_000_000_000, 3, i128::MIN]);
    primitive(int(16, false), vec![1u16, 2, 3, u16::MAX]);
    primitive(int(64, false), vec![1u64, 2, 3, u64::MAX]);
    primitive(DataType::Float(FloatType::Single), vec![1.5f32, -0.0, 3.25, f32::INFINITY]);
    primitive(DataType::Float(FloatType::Double), vec![1.5f64, -0.0, 3.25, f64::MIN]);
    primitive(DataType::Decimal { precision: 38, scale: 2, bits: 128 }, vec![1i128, -1, 10i128.pow(37), 4]);
    primitive(DataType::Date32, vec![1i32, -1, 19_000, 4]);
    primitive(
        DataType::Timestamp { unit: TimeUnit::Microsecond, timezone: None },
        vec![1i64, -1, 1 << 50, 4],
    );
}

#[test]
fn bits_strings_and_lists() {
    let bits = BooleanArray::from(vec![Some(true), None, Some(false), Some(true)]);
    Column::encoded(field(DataType::Bool, vec![]), &bits).check(&[NOTHING, NOTHING]);

    let texts = [Some("short"), None, Some("long enough to be kept elsewhere"), Some("ünïcödé"), Some("")];
    let strings = Utf8ViewArray::from_slice(texts);
    let offsets = [NOTHING, Turn::Width(8), NOTHING];
    Column::encoded(field(DataType::LargeUtf8, vec![]), &strings).check(&offsets);
    Column::encoded(field(DataType::Utf8View, vec![]), &strings).check(&[NOTHING, Turn::Views, NOTHING]);
    let bytes = BinaryViewArray::from_slice(texts.map(|text| text.map(str::as_bytes)));
    Column::encoded(field(DataType::LargeBinary, vec![]), &bytes).check(&offsets);
    Column::encoded(field(DataType::BinaryView, vec![]), &bytes).check(&[NOTHING, Turn::Views, NOTHING]);

    let mut kept = field(DataType::LargeBinary, vec![]);
    kept.metadata = vec![("pl".into(), "maintain_type".into())];
    let offset_binary = BinaryArray::<i64>::from_iter([Some(b"ab".as_slice()), None, Some(b"cde")]);
    Column::encoded(kept, &offset_binary).check(&offsets);

    let values = PrimitiveArray::<i32>::from_slice([1, 2, 3, 4, 5]);
    let item = ArrowField::new("item".into(), ArrowDataType::Int32, true);
    let starts = OffsetsBuffer::try_from(vec![0i64, 2, 2, 5]).expect("ascending");
    let list = ListArray::new(ArrowDataType::LargeList(Box::new(item)), starts, values.boxed(), None);
    let child = field(int(32, true), vec![]);
    Column::encoded(field(DataType::LargeList, vec![child]), &list).check(&[
        NOTHING,
        Turn::Width(8),
        NOTHING,
        Turn::Width(4),
    ]);
}

/// Types that floe reads but does not write, from buffers made by hand.
fn by_hand(data_type: DataType, rows: usize, values: Vec<u8>, how: Turn) {
    let node = FieldNode { len: rows, null_count: 0 };
    let column = Column {
        field: field(data_type, vec![]),
        nodes: vec![node],
        buffers: vec![Vec::new(), values],
        variadic: vec![],
    };
    column.check(&[NOTHING, how]);
}

fn bytes_of<T: Copy, const N: usize>(values: &[T], to_bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|value| to_bytes(*value)).collect()
}

#[test]
fn what_is_only_read() {
    let ints = bytes_of(&[1i32, -2, 86_399], i32::to_le_bytes);
    by_hand(DataType::Time { unit: TimeUnit::Second, bits: 32 }, 3, ints.clone(), Turn::Width(4));
    by_hand(DataType::Decimal { precision: 9, scale: 2, bits: 32 }, 3, ints.clone(), Turn::Width(4));
    by_hand(DataType::Interval(IntervalUnit::YearMonth), 3, ints, Turn::Width(4));
    let pairs = bytes_of(&[1i32, 2, 3, -4, 5, 6], i32::to_le_bytes);
    by_hand(DataType::Interval(IntervalUnit::DayTime), 3, pairs, Turn::Width(4));
    let longs = bytes_of(&[1i64, -2, 1 << 40], i64::to_le_bytes);
    by_hand(DataType::Duration(TimeUnit::Second), 3, longs.clone(), Turn::Width(8));
    by_hand(DataType::Date64, 3, longs.clone(), Turn::Width(8));
    by_hand(DataType::Decimal { precision: 18, scale: -2, bits: 64 }, 3, longs, Turn::Width(8));
    let mut calendar = Vec::new();
    for (months, days, nanoseconds) in [(1i32, 2i32, 3i64), (-4, 5, -6_000_000_000)] {
        calendar.extend(months.to_le_bytes());
        calendar.extend(days.to_le_bytes());
        calendar.extend(nanoseconds.to_le_bytes());
    }
    by_hand(DataType::Interval(IntervalUnit::MonthDayNano), 2, calendar, Turn::MonthDayNano);
    let wide: Vec<u8> =
        [5i128, -7].iter().flat_map(|v| [v.to_le_bytes(), (*v >> 127).to_le_bytes()].concat()).collect();
    by_hand(DataType::Decimal { precision: 40, scale: 1, bits: 256 }, 2, wide, Turn::Width(32));
    by_hand(DataType::FixedSizeBinary(3), 2, b"abcdef".to_vec(), NOTHING);
}
