//! The inputs to mutate: a column of every physical layout, including those that only other writers use.

use super::by_hand::by_hand;
use super::*;

pub(super) fn inputs() -> Vec<Input> {
    let mut inputs = Vec::new();
    for Column { field, encoded, version, dictionaries } in columns() {
        // Miri runs no C, and so no codec.
        let codecs = if cfg!(miri) { 1 } else { 3 };
        for compression in [None, Some(floe_codec::Compression::Lz4), Some(ZSTD)].into_iter().take(codecs) {
            let options = DecodeOptions::new(version, false);
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
            options: DecodeOptions::new(input.options.version(), true),
            dictionaries: input.dictionaries.clone(),
            batch: input.batch.clone(),
        })
        .collect();
    inputs.extend(swapped);
    inputs
}

fn columns() -> Vec<Column> {
    let mut columns = written();
    columns.extend(by_hand());
    columns
}

pub(super) fn field(name: &str, data_type: DataType, children: Vec<Field>) -> Field {
    Field { name: name.into(), nullable: true, data_type, children, dictionary: None, metadata: vec![] }
}

pub(super) fn int(bits: u8, signed: bool) -> DataType {
    DataType::Int(IntType { bits, signed })
}

pub(super) fn column(field: Field, encoded: Encoded) -> Column {
    Column { field, encoded, version: Version::V5, dictionaries: Dictionaries::default() }
}

fn validity() -> Option<Bitmap> {
    Some((0..ROWS).map(|row| row % 4 != 1).collect())
}

fn primitive<T: NativeType>(values: impl Fn(u8) -> T) -> Box<dyn Array> {
    let values: Vec<T> = (0..u8::try_from(ROWS).expect("few")).map(values).collect();
    Box::new(PrimitiveArray::new(ArrowDataType::from(T::PRIMITIVE), values.into(), validity()))
}

pub(super) const TEXTS: [&str; ROWS] = [
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

/// The layouts that floe writes itself.
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
