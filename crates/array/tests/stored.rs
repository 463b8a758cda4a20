//! The ways a buffer may be stored in a compressed batch: behind the prefix -1, without any byte,
//! with nothing but a prefix; and variadic buffers that are not there.

use arrow::array::{Array, PrimitiveArray, Utf8ViewArray};
use arrow::types::NativeType;
use floe_array::decode::{Budget, ColumnOffsets};
use floe_array::{ColumnPart, DecodeCtx, DecodeOptions, Dictionaries, decode_column};
use floe_format::{BatchHeader, BodyLayout, Codec, DataType, Field, FieldNode, IntType, Result, Version};
use floe_runtime::Serial;
use polars_buffer::Buffer;

fn field(data_type: DataType) -> Field {
    Field {
        name: "a".into(),
        nullable: true,
        data_type,
        children: vec![],
        dictionary: None,
        metadata: vec![],
    }
}

fn decode(
    data_type: DataType,
    rows: usize,
    buffers: &[Vec<u8>],
    variadic: Vec<usize>,
) -> Result<Box<dyn Array>> {
    let mut layout = BodyLayout::default();
    let mut body = Vec::new();
    let specs = buffers.iter().map(|buffer| {
        let spec = layout.push(buffer.len());
        body.resize(usize::try_from(spec.offset).expect("small"), 0);
        body.extend_from_slice(buffer);
        spec
    });
    let header = BatchHeader {
        rows,
        buffers: specs.collect(),
        nodes: vec![FieldNode { len: rows, null_count: 0 }],
        variadic,
        compression: Some(Codec::Lz4),
    };
    let body: Buffer<u8> = body.into();
    let dictionaries = Dictionaries::default();
    let options = DecodeOptions::new(Version::V5, false);
    let budget = Budget::default();
    let part = ColumnPart::new(&header, &body, &dictionaries, ColumnOffsets::default());
    decode_column(&mut DecodeCtx::new(vec![part], &options, &budget, &Serial), &field(data_type))
}

fn raw(bytes: &[u8]) -> Vec<u8> {
    [&(-1i64).to_le_bytes(), bytes].concat()
}

fn raw_of<T: NativeType>(bits: u8, signed: bool, values: Vec<T>) {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes().as_ref().to_vec()).collect();
    let data_type = DataType::Int(IntType { bits, signed });
    let array = decode(data_type, values.len(), &[vec![], raw(&bytes)], vec![]).expect("raw values");
    let array = array.as_any().downcast_ref::<PrimitiveArray<T>>().expect("integers");
    assert_eq!(array.values().as_slice(), values.as_slice());
}

#[test]
fn raw_values_of_every_width() {
    raw_of(8, true, vec![1i8, -2, 3]);
    raw_of(16, false, vec![1u16, 2, u16::MAX]);
    raw_of(32, true, vec![1i32, -2, i32::MIN]);
    raw_of(64, true, vec![1i64, -2, i64::MIN]);
    // Eight bytes behind a 64-byte boundary is no place for these.
    raw_of(128, true, vec![1i128, -2, i128::MIN]);
    raw_of(128, false, vec![1u128, 2, u128::MAX]);
}

#[test]
fn empty_buffers_with_and_without_a_prefix() {
    let offsets = raw(&[0i64; 4].map(i64::to_le_bytes).concat());
    for empty in [vec![], 0i64.to_le_bytes().to_vec(), raw(&[])] {
        let buffers = [empty.clone(), offsets.clone(), empty.clone()];
        let strings = decode(DataType::LargeUtf8, 3, &buffers, vec![]).expect("empty strings");
        assert_eq!(strings.len(), 3);
        let none = decode(DataType::LargeUtf8, 0, &[empty.clone(), empty.clone(), empty.clone()], vec![]);
        assert_eq!(none.expect("no strings").len(), 0);
        // Views that are all inline need no variadic buffer, and may have one that is not there.
        let views = raw(&[3u32, u32::from_le_bytes(*b"abc\0"), 0, 0].map(u32::to_le_bytes).concat());
        for variadic in [vec![0], vec![1], vec![2]] {
            let mut buffers = vec![empty.clone(), views.clone()];
            buffers.resize(2 + variadic[0], empty.clone());
            let array = decode(DataType::Utf8View, 1, &buffers, variadic).expect("an inline view");
            assert_eq!(array.as_any().downcast_ref::<Utf8ViewArray>().expect("strings").value(0), "abc");
        }
    }
    let short = decode(DataType::LargeUtf8, 3, &[vec![], vec![0; 5], vec![]], vec![]);
    assert!(short.is_err(), "five bytes are no prefix");
}
