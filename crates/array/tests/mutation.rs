//! Broken bodies: nodes, ranges and bytes of every physical layout are changed, the column is decoded, and every
//! value of what comes out is looked at. `scripts/asan.sh` runs this under AddressSanitizer.

use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeListArray, ListArray, PrimitiveArray,
    StructArray, Utf8ViewArray,
};
use arrow::bitmap::Bitmap;
use arrow::datatypes::{ArrowDataType, Field as ArrowField};
use arrow::offset::OffsetsBuffer;
use arrow::types::NativeType;
use floe_array::decode::{Budget, Start};
use floe_array::dictionary::Categories;
use floe_array::{
    Body, DecodeCtx, DecodeOptions, Dictionaries, EncodeCtx, Encoded, Lookup, Part, Serial, decode_column,
    encode_column,
};
use floe_format::{
    BatchHeader, BodyLayout, BufferSpec, Codec, DataType, DictionaryEncoding, Error, ErrorKind, Field,
    FieldNode, FloatType, IntType, IntervalUnit, IpcLimits, Result, TimeUnit, UnionMode, Version,
};
use polars_buffer::Buffer;

/// Under Miri one takes a second.
const CASES: u64 = if cfg!(miri) { 400 } else { 40_000 };
/// Rows of each array.
const ROWS: usize = 11;

const LIMITS: IpcLimits = IpcLimits {
    max_schema_depth: 64,
    max_schema_nodes: 1 << 10,
    max_metadata_bytes: 1 << 20,
    max_buffers: 1 << 10,
    max_buffer_bytes: 1 << 20,
    max_total_bytes: 4 << 20,
    max_unbacked_rows: 1 << 12,
};

#[test]
fn mutated_bodies_are_errors_or_valid() {
    let inputs = inputs();
    for input in &inputs {
        for kind in [Kind::Shared, Kind::Lent, Kind::Remote] {
            let arrays = decode(input, std::slice::from_ref(&input.batch), kind);
            let array = arrays.unwrap_or_else(|error| panic!("{} as it is: {error}", input.name));
            assert_eq!(array.len(), ROWS, "{}", input.name);
            look_at(array.as_ref());
        }
    }
    let (mut valid, mut errors) = (0, 0);
    for case in 0..CASES {
        let mut rng = Rng(case);
        let input = &inputs[rng.below(inputs.len())];
        let mut batches = vec![input.mutated(&mut rng)];
        match rng.below(4) {
            0 => batches.push(input.batch.clone()),
            1 => batches.push(input.mutated(&mut rng)),
            _ => {},
        }
        let kind = [Kind::Shared, Kind::Lent, Kind::Remote][rng.below(3)];
        match decode(input, &batches, kind) {
            Ok(array) => {
                valid += 1;
                look_at(array.as_ref());
            },
            Err(error) => {
                errors += 1;
                assert!(!error.to_string().is_empty());
            },
        }
    }
    println!("{CASES} mutations of {} inputs: {valid} valid, {errors} errors", inputs.len());
    assert!(valid > CASES / 20 && errors > CASES / 20, "{valid} valid, {errors} errors");
}

/// `-i32::MIN` overflows.
#[test]
fn the_smallest_decimal_scale_is_an_error() {
    let decimal = DataType::Decimal { precision: 9, scale: i32::MIN, bits: 32 };
    let Column { field, encoded, version, dictionaries } =
        Hand::default().rows().i32s(FEW).column(field("decimal", decimal, vec![]));
    let options = DecodeOptions::new(version, false, LIMITS);
    let input =
        Input { name: "scale".to_owned(), field, options, dictionaries, batch: batch(&encoded, None) };
    assert!(decode(&input, std::slice::from_ref(&input.batch), Kind::Shared).is_err());
}

/// A record batch of one column.
#[derive(Clone)]
struct Batch {
    header: BatchHeader,
    body: Vec<u8>,
}

/// Something to break.
struct Input {
    name: String,
    field: Field,
    options: DecodeOptions,
    dictionaries: Dictionaries,
    batch: Batch,
}

fn decode(input: &Input, batches: &[Batch], kind: Kind) -> Result<Box<dyn Array>> {
    let bodies: Vec<_> = batches.iter().map(|batch| AnyBody::new(batch.body.clone(), kind)).collect();
    let parts = batches
        .iter()
        .zip(&bodies)
        .map(|(batch, body)| Part::new(&batch.header, body, &input.dictionaries, Start::default()));
    let budget = Budget::default();
    let mut ctx = DecodeCtx::new(parts.collect(), &input.options, &budget, &Serial);
    decode_column(&mut ctx, &input.field)
}

/// Where the bytes of a body are.
#[derive(Clone, Copy)]
enum Kind {
    Shared,
    Lent,
    Remote,
}

struct AnyBody {
    bytes: Buffer<u8>,
    kind: Kind,
}

impl AnyBody {
    /// The bytes in an allocation without any to spare, so that a sanitizer sees what is read behind them.
    fn new(bytes: Vec<u8>, kind: Kind) -> Self {
        Self { bytes: Buffer::from_owner(bytes.into_boxed_slice()), kind }
    }

    fn slice(&self, range: Range<u64>) -> Option<&[u8]> {
        self.bytes.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
    }
}

impl Body for AnyBody {
    fn shared(&self, range: Range<u64>) -> Option<Buffer<u8>> {
        matches!(self.kind, Kind::Shared).then(|| self.bytes.shared(range)).flatten()
    }

    fn lent(&self, range: Range<u64>) -> Option<&[u8]> {
        matches!(self.kind, Kind::Lent).then(|| self.slice(range)).flatten()
    }

    fn read_into(&self, range: Range<u64>, dst: &mut [u8]) -> Result<()> {
        let end = range.end;
        let out_of_bounds =
            || Error::new(ErrorKind::BufferOutOfBounds { buffer: 0, end, body: self.bytes.len() as u64 });
        dst.copy_from_slice(self.slice(range).ok_or_else(out_of_bounds)?);
        Ok(())
    }
}

/// Small steps, no dependencies: SplitMix64.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below a usize")
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn length(&mut self) -> usize {
        let near = ROWS as u64 + self.next() % 6;
        let lengths = [0, 1, 2, 7, 8, 9, near, near - 3, 1 << 12, 1 << 20, 1 << 31, 1 << 33, i64::MAX as u64];
        usize::try_from(lengths[self.below(lengths.len())]).expect("64 bits")
    }
}

impl Input {
    /// Broken in one to three places. Ranges stay within the body: `floe_format` checks them.
    fn mutated(&self, rng: &mut Rng) -> Batch {
        let Batch { mut header, mut body } = self.batch.clone();
        for _ in 0..=rng.below(3) {
            match rng.below(12) {
                0..=4 if !body.is_empty() => change(rng, &mut body),
                5 => {
                    let at = rng.below(header.nodes.len());
                    header.nodes[at].len = rng.length();
                },
                6 => {
                    let at = rng.below(header.nodes.len());
                    header.nodes[at].null_count = rng.length();
                },
                7 | 8 if !header.buffers.is_empty() => {
                    let at = rng.below(header.buffers.len());
                    header.buffers[at] = any_range(rng, header.buffers[at], body.len());
                },
                9 if !header.variadic.is_empty() => {
                    let at = rng.below(header.variadic.len());
                    header.variadic[at] = rng.below(5);
                },
                10 => {
                    header.buffers.truncate(rng.below(header.buffers.len() + 1));
                },
                11 if rng.below(4) == 0 && !cfg!(miri) => {
                    let codecs = [None, Some(Codec::Lz4), Some(Codec::Zstd)];
                    header.compression = codecs[rng.below(3)];
                },
                _ => {},
            }
        }
        Batch { header, body }
    }
}

fn any_range(rng: &mut Rng, spec: BufferSpec, body: usize) -> BufferSpec {
    let body = body as u64;
    let len = match rng.below(4) {
        0 => 0,
        1 => spec.len.saturating_sub(1 + rng.next() % 9),
        2 => spec.len + rng.next() % 9,
        _ => rng.next() % (body + 1),
    };
    let len = len.min(body);
    let offset = if rng.below(2) == 0 { spec.offset } else { rng.next() % (body + 1) };
    BufferSpec { offset: offset.min(body - len), len }
}

fn change(rng: &mut Rng, body: &mut [u8]) {
    let at = rng.below(body.len());
    match rng.below(4) {
        0 => body[at] ^= 1 << rng.below(8),
        1 => body[at] = rng.byte(),
        width => {
            let width = if width == 2 { 4 } else { 8 };
            let numbers = [0, 1, u64::MAX, u64::MAX - 1, 11, 12, 13, 200, 1 << 31, 1 << 32, 1 << 62, 1 << 63];
            let number = numbers[rng.below(numbers.len())].to_le_bytes();
            let at = at / width * width;
            let end = (at + width).min(body.len());
            body[at..end].copy_from_slice(&number[..end - at]);
        },
    }
}

// --- What is broken.

fn inputs() -> Vec<Input> {
    let mut inputs = Vec::new();
    for Column { field, encoded, version, dictionaries } in columns() {
        // Miri runs no C, and so no codec.
        let codecs = if cfg!(miri) { 1 } else { 3 };
        for compression in [None, Some(floe_codec::Compression::Lz4), Some(ZSTD)].into_iter().take(codecs) {
            let options = DecodeOptions::new(version, false, LIMITS);
            inputs.push(Input {
                name: format!("{}, {compression:?}", field.name),
                field: field.clone(),
                options,
                dictionaries: dictionaries.clone(),
                batch: batch(&encoded, compression),
            });
        }
    }
    // Values of any byte order are valid where they are only numbers.
    let swapped: Vec<_> = ["int64", "bool", "utf8_view", "fixed_size_binary", "interval"]
        .iter()
        .filter_map(|name| inputs.iter().find(|input| input.name.starts_with(name)))
        .filter(|input| !input.name.starts_with("utf8_view"))
        .map(|input| Input {
            name: format!("{}, big-endian", input.name),
            field: input.field.clone(),
            options: DecodeOptions::new(input.options.version(), true, LIMITS),
            dictionaries: input.dictionaries.clone(),
            batch: input.batch.clone(),
        })
        .collect();
    inputs.extend(swapped);
    inputs
}

const ZSTD: floe_codec::Compression = floe_codec::Compression::Zstd { level: 1 };

/// Lays out a body, compressed or not.
fn batch(encoded: &Encoded, compression: Option<floe_codec::Compression>) -> Batch {
    let (mut layout, mut body, mut specs) = (BodyLayout::default(), Vec::new(), Vec::new());
    for buffer in &encoded.buffers {
        let mut stored = buffer.clone().join().expect("memory").as_slice().to_vec();
        if let Some(compression) = compression
            && !stored.is_empty()
        {
            let len = i64::try_from(stored.len()).expect("small");
            let mut frame = len.to_le_bytes().to_vec();
            // Every second buffer raw.
            if specs.len() % 2 == 0 {
                floe_codec::compress_always(compression, &stored, &mut frame).expect("a frame");
            } else {
                frame = (-1i64).to_le_bytes().to_vec();
                frame.append(&mut stored);
            }
            stored = frame;
        }
        specs.push(layout.push(stored.len()));
        body.append(&mut stored);
        body.resize(usize::try_from(layout.body_len()).expect("small"), 0);
    }
    // Without the last padding, so that what is read behind a buffer is read behind the body.
    if let Some(last) = specs.iter().map(|spec| spec.offset + spec.len).max() {
        body.truncate(usize::try_from(last).expect("small"));
    }
    let compression = compression.map(|compression| match compression.codec() {
        floe_codec::Codec::Lz4 => Codec::Lz4,
        floe_codec::Codec::Zstd => Codec::Zstd,
    });
    let header = BatchHeader {
        rows: ROWS,
        nodes: encoded.nodes.clone(),
        buffers: specs,
        variadic: encoded.variadic.clone(),
        compression,
    };
    Batch { header, body }
}

/// A column, encoded.
struct Column {
    field: Field,
    encoded: Encoded,
    version: Version,
    dictionaries: Dictionaries,
}

fn columns() -> Vec<Column> {
    let mut columns = written();
    columns.extend(flat());
    columns.extend(nested());
    columns.extend(dictionaries());
    columns
}

fn field(name: &str, data_type: DataType, children: Vec<Field>) -> Field {
    Field { name: name.into(), nullable: true, data_type, children, dictionary: None, metadata: vec![] }
}

fn int(bits: u8, signed: bool) -> DataType {
    DataType::Int(IntType { bits, signed })
}

fn column(field: Field, encoded: Encoded) -> Column {
    Column { field, encoded, version: Version::V5, dictionaries: Dictionaries::default() }
}

fn validity() -> Option<Bitmap> {
    Some((0..ROWS).map(|row| row % 4 != 1).collect())
}

fn primitive<T: NativeType>(values: impl Fn(u8) -> T) -> Box<dyn Array> {
    let values: Vec<T> = (0..u8::try_from(ROWS).expect("few")).map(values).collect();
    Box::new(PrimitiveArray::new(ArrowDataType::from(T::PRIMITIVE), values.into(), validity()))
}

const TEXTS: [&str; ROWS] = [
    "",
    "a",
    "exactly12byt",
    "thirteen byte",
    "größe 🦀",
    "a rather long text, out of line",
    "",
    "🦀🦀🦀🦀🦀",
    "x",
    "another text that is out of line",
    "z",
];

/// What floe writes itself.
fn written() -> Vec<Column> {
    let texts = || Utf8ViewArray::from_slice_values(TEXTS).with_validity(validity());
    let bytes = || BinaryViewArray::from_slice_values(TEXTS.map(str::as_bytes)).with_validity(validity());
    let items = primitive::<i32>(i32::from);
    let offsets: Vec<i64> = (0..=i64::try_from(ROWS).expect("few")).map(|row| row.min(9)).collect();
    let list = ListArray::<i64>::new(
        ListArray::<i64>::default_datatype(items.dtype().clone()),
        OffsetsBuffer::try_from(offsets).expect("offsets"),
        items,
        validity(),
    );
    let pairs: Vec<i16> = (0..i16::try_from(ROWS * 2).expect("few")).collect();
    let pairs: Box<dyn Array> = Box::new(PrimitiveArray::from_vec(pairs));
    let fixed = FixedSizeListArray::new(
        FixedSizeListArray::default_datatype(pairs.dtype().clone(), 2),
        ROWS,
        pairs,
        validity(),
    );
    let fields = vec![
        ArrowField::new("a".into(), ArrowDataType::Utf8View, true),
        ArrowField::new("b".into(), ArrowDataType::Float64, true),
    ];
    let parts: Vec<Box<dyn Array>> = vec![Box::new(texts()), primitive::<f64>(f64::from)];
    let structure = StructArray::new(ArrowDataType::Struct(fields), ROWS, parts, validity());
    let bits: Bitmap = (0..ROWS).map(|row| row % 3 == 0).collect();
    let time = DataType::Time { unit: TimeUnit::Nanosecond, bits: 64 };
    let decimal = DataType::Decimal { precision: 20, scale: 2, bits: 128 };

    let columns: Vec<(Field, Box<dyn Array>)> = vec![
        (
            field("bool", DataType::Bool, vec![]),
            Box::new(BooleanArray::new(ArrowDataType::Boolean, bits, validity())),
        ),
        (field("int8", int(8, true), vec![]), primitive::<i8>(|v| v.cast_signed())),
        (field("uint16", int(16, false), vec![]), primitive::<u16>(u16::from)),
        (field("float32", DataType::Float(FloatType::Single), vec![]), primitive::<f32>(f32::from)),
        (field("int64", int(64, true), vec![]), primitive::<i64>(i64::from)),
        (field("int128", int(128, true), vec![]), primitive::<i128>(i128::from)),
        (field("time64", time, vec![]), primitive::<i64>(i64::from)),
        (field("decimal128", decimal, vec![]), primitive::<i128>(i128::from)),
        (field("large_utf8", DataType::LargeUtf8, vec![]), Box::new(texts())),
        (field("large_binary", DataType::LargeBinary, vec![]), Box::new(bytes())),
        (field("utf8_view", DataType::Utf8View, vec![]), Box::new(texts())),
        (field("binary_view", DataType::BinaryView, vec![]), Box::new(bytes())),
        (
            field("large_list", DataType::LargeList, vec![field("item", int(32, true), vec![])]),
            Box::new(list),
        ),
        (
            field("fixed_size_list", DataType::FixedSizeList(2), vec![field("item", int(16, true), vec![])]),
            Box::new(fixed),
        ),
        (
            field(
                "struct",
                DataType::Struct,
                vec![
                    field("a", DataType::Utf8View, vec![]),
                    field("b", DataType::Float(FloatType::Double), vec![]),
                ],
            ),
            Box::new(structure),
        ),
    ];
    let encode = |(field, array): (Field, Box<dyn Array>)| {
        let mut ctx = EncodeCtx::new(&[]);
        encode_column(&mut ctx, &field, array.as_ref()).expect("an array of the field's type");
        column(field, ctx.finish())
    };
    let mut columns: Vec<_> = columns.into_iter().map(encode).collect();
    let marked = Field {
        metadata: vec![("pl".into(), "maintain_type".into())],
        ..field("binary_offset", DataType::LargeBinary, vec![])
    };
    let offsets = BinaryArray::<i64>::from_slice(TEXTS.map(str::as_bytes)).with_validity(validity());
    columns.push(encode((marked, Box::new(offsets))));
    columns
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
            column.dictionaries.lookups = vec![Some(lookup.clone())];
            columns.push(column);
        }
    }
    columns
}

// --- Every value of an array.

fn look_at(array: &dyn Array) {
    if let Some(validity) = array.validity() {
        assert_eq!(validity.len(), array.len());
        assert_eq!(validity.unset_bits(), validity.iter().filter(|valid| !valid).count());
    }
    let any = array.as_any();
    if let Some(array) = any.downcast_ref::<StructArray>() {
        for values in array.values() {
            assert_eq!(values.len(), array.len());
            look_at(values.as_ref());
        }
    } else if let Some(array) = any.downcast_ref::<ListArray<i64>>() {
        let offsets = array.offsets().as_slice();
        assert_eq!(offsets.len(), array.len() + 1);
        assert!(offsets.is_sorted() && offsets[0] >= 0);
        assert!(usize::try_from(offsets[array.len()]).expect("not negative") <= array.values().len());
        look_at(array.values().as_ref());
    } else if let Some(array) = any.downcast_ref::<FixedSizeListArray>() {
        assert_eq!(array.values().len(), array.len() * array.size());
        look_at(array.values().as_ref());
    } else if let Some(array) = any.downcast_ref::<Utf8ViewArray>() {
        for text in array.values_iter() {
            assert!(std::str::from_utf8(text.as_bytes()).is_ok());
            black_box(text.chars().count());
        }
    } else if let Some(array) = any.downcast_ref::<BinaryViewArray>() {
        array.values_iter().for_each(look_at_bytes);
    } else if let Some(array) = any.downcast_ref::<BinaryArray<i64>>() {
        array.values_iter().for_each(look_at_bytes);
    } else if let Some(array) = any.downcast_ref::<BooleanArray>() {
        assert_eq!(array.values().len(), array.len());
        black_box(array.values().iter().filter(|bit| *bit).count());
    } else {
        let looked = look_at_numbers::<i8>(array)
            || look_at_numbers::<i16>(array)
            || look_at_numbers::<i32>(array)
            || look_at_numbers::<i64>(array)
            || look_at_numbers::<i128>(array)
            || look_at_numbers::<u8>(array)
            || look_at_numbers::<u16>(array)
            || look_at_numbers::<u32>(array)
            || look_at_numbers::<f32>(array)
            || look_at_numbers::<f64>(array);
        assert!(looked || array.dtype() == &ArrowDataType::Null, "{:?} is not looked at", array.dtype());
    }
}

fn look_at_bytes(bytes: &[u8]) {
    black_box(bytes.iter().fold(0u8, |sum, byte| sum ^ byte));
}

fn look_at_numbers<T: NativeType>(array: &dyn Array) -> bool {
    let Some(array) = array.as_any().downcast_ref::<PrimitiveArray<T>>() else { return false };
    assert_eq!(array.values().len(), array.len());
    array.values_iter().for_each(|value| look_at_bytes(value.to_le_bytes().as_ref()));
    true
}
