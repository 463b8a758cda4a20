//! Values, whichever library holds them.

use arrow::array::{
    Array, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeListArray, ListArray, PrimitiveArray,
    StructArray, Utf8ViewArray,
};
use arrow::types::NativeType;
use polars_core::prelude::*;
use polars_utils::float16::pf16;

/// One value of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// None.
    Null,
    /// Integers, decimals (unscaled), booleans, and everything temporal in the unit of its Polars type.
    Int(i128),
    /// The bits of a float.
    Float(u64),
    /// Text, categories and bytes.
    Bytes(Vec<u8>),
    /// The items of a list of any kind.
    List(Vec<Value>),
    /// The fields of a struct.
    Struct(Vec<Value>),
}

/// All rows of a column.
#[must_use]
pub fn of_column(column: &Column) -> Vec<Value> {
    let series = column.as_materialized_series();
    series.chunks().iter().flat_map(|chunk| of_array(series.dtype(), chunk.as_ref())).collect()
}

fn of_array(dtype: &DataType, array: &dyn Array) -> Vec<Value> {
    match dtype {
        DataType::Null => vec![Value::Null; array.len()],
        DataType::Extension(_, storage) => of_array(storage, array),
        DataType::Boolean => rows(array, |row| Value::Int(cast::<BooleanArray>(array).value(row).into())),
        DataType::Int8 => ints::<i8>(array),
        DataType::Int16 => ints::<i16>(array),
        DataType::Int32 | DataType::Date => ints::<i32>(array),
        DataType::Int64 | DataType::Datetime(..) | DataType::Duration(_) | DataType::Time => {
            ints::<i64>(array)
        },
        DataType::Int128 | DataType::Decimal(..) => ints::<i128>(array),
        DataType::UInt8 => ints::<u8>(array),
        DataType::UInt16 => ints::<u16>(array),
        DataType::UInt32 => ints::<u32>(array),
        DataType::UInt64 => ints::<u64>(array),
        DataType::UInt128 => {
            rows(array, |row| Value::Int(cast::<PrimitiveArray<u128>>(array).value(row).cast_signed()))
        },
        DataType::Float16 => {
            rows(array, |row| Value::Float(cast::<PrimitiveArray<pf16>>(array).value(row).to_bits().into()))
        },
        DataType::Float32 => {
            rows(array, |row| Value::Float(cast::<PrimitiveArray<f32>>(array).value(row).to_bits().into()))
        },
        DataType::Float64 => {
            rows(array, |row| Value::Float(cast::<PrimitiveArray<f64>>(array).value(row).to_bits()))
        },
        DataType::String => {
            rows(array, |row| Value::Bytes(cast::<Utf8ViewArray>(array).value(row).as_bytes().to_vec()))
        },
        DataType::Binary => {
            rows(array, |row| Value::Bytes(cast::<BinaryViewArray>(array).value(row).to_vec()))
        },
        DataType::BinaryOffset => {
            rows(array, |row| Value::Bytes(cast::<BinaryArray<i64>>(array).value(row).to_vec()))
        },
        DataType::Categorical(_, mapping) | DataType::Enum(_, mapping) => rows(array, |row| {
            let key = match dtype.cat_physical().expect("a categorical or enum") {
                CategoricalPhysical::U8 => cast::<PrimitiveArray<u8>>(array).value(row).into(),
                CategoricalPhysical::U16 => cast::<PrimitiveArray<u16>>(array).value(row).into(),
                CategoricalPhysical::U32 => cast::<PrimitiveArray<u32>>(array).value(row),
            };
            Value::Bytes(mapping.cat_to_str(key).expect("a key has a category").as_bytes().to_vec())
        }),
        DataType::List(inner) => {
            let list = cast::<ListArray<i64>>(array);
            let items = of_array(inner, list.values().as_ref());
            rows(array, |row| {
                let (start, end) = list.offsets().start_end(row);
                Value::List(items[start..end].to_vec())
            })
        },
        DataType::Array(inner, width) => {
            let items = of_array(inner, cast::<FixedSizeListArray>(array).values().as_ref());
            rows(array, |row| Value::List(items[row * width..(row + 1) * width].to_vec()))
        },
        DataType::Struct(fields) => {
            let values = cast::<StructArray>(array).values();
            let values = fields.iter().zip(values);
            let fields: Vec<_> =
                values.map(|(field, values)| of_array(field.dtype(), values.as_ref())).collect();
            rows(array, |row| Value::Struct(fields.iter().map(|field| field[row].clone()).collect()))
        },
        dtype => unreachable!("{dtype:?} is never read"),
    }
}

fn ints<T: NativeType + Into<i128>>(array: &dyn Array) -> Vec<Value> {
    rows(array, |row| Value::Int(cast::<PrimitiveArray<T>>(array).value(row).into()))
}

fn rows(array: &dyn Array, value: impl Fn(usize) -> Value) -> Vec<Value> {
    let row = |row| if array.is_valid(row) { value(row) } else { Value::Null };
    (0..array.len()).map(row).collect()
}

fn cast<T: 'static>(array: &dyn Array) -> &T {
    array.as_any().downcast_ref().expect("the physical array of the dtype")
}
