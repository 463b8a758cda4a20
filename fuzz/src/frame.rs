//! A fuzzer's choices as a frame, and as a way to write it.
//!
//! `arbitrary` makes frames from a seed, where a changed bit changes everything; here it changes one value.

use std::sync::LazyLock;

use arrow::array::{
    Array, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeListArray, ListArray, NullArray,
    PrimitiveArray, StructArray, Utf8ViewArray,
};
use arrow::bitmap::Bitmap;
use arrow::datatypes::{ArrowDataType, Field as ArrowField};
use arrow::offset::OffsetsBuffer;
use arrow::types::NativeType;
use floe::prelude::*;
use polars_core::prelude::*;
use polars_utils::float16::pf16;

use crate::arbitrary::leaf_dtypes;
use crate::choices::Choices;

/// Values of an array at most; lists and arrays of arrays multiply.
const MOST_VALUES: usize = 2000;

/// A frame of up to five columns and 300 rows, in chunks, sliced or not.
///
/// # Panics
/// When Polars finds something wrong with it.
pub fn frame(choices: &mut Choices<'_>) -> DataFrame {
    let width = choices.below(6);
    let height = if choices.one_in(8) { choices.below(300) } else { choices.below(20) };
    let (before, after) = if choices.one_in(4) { (choices.below(20), choices.below(20)) } else { (0, 0) };
    let columns = (0..width).map(|index| {
        let dtype = dtype(choices, 3);
        series(choices, &format!("c{index}"), &dtype, before + height + after).into_column()
    });
    let columns = columns.collect();
    let df = DataFrame::new(before + height + after, columns).expect("columns of one length");
    rows(&df, before, height)
}

/// A part of a frame. `DataFrame::slice` makes a part without rows anew, and Polars 0.55.2 panics when it does that
/// for a `BinaryOffset` in a list in a struct.
///
/// # Panics
/// When there are fewer rows.
#[must_use]
pub fn rows(df: &DataFrame, from: usize, len: usize) -> DataFrame {
    let from = i64::try_from(from).expect("few");
    let columns = df.columns().iter().map(|column| column.slice(from, len)).collect();
    DataFrame::new(len, columns).expect("columns of one length")
}

fn dtype(choices: &mut Choices<'_>, depth: usize) -> DataType {
    let kind = choices.byte() % 16;
    if depth == 0 || kind > 4 {
        // Made once: there are enums among them, and categories.
        static LEAVES: LazyLock<Vec<(&str, DataType)>> = LazyLock::new(leaf_dtypes);
        return choices.pick(&LEAVES).1.clone();
    }
    match kind {
        0 | 1 => DataType::List(Box::new(dtype(choices, depth - 1))),
        2 => {
            let width = choices.below(4);
            DataType::Array(Box::new(dtype(choices, depth - 1)), width)
        },
        _ => {
            let fields = 0..choices.below(4);
            let fields =
                fields.map(|index| Field::new(format!("f{index}").into(), dtype(choices, depth - 1)));
            DataType::Struct(fields.collect())
        },
    }
}

fn series(choices: &mut Choices<'_>, name: &str, dtype: &DataType, len: usize) -> Series {
    let first = if choices.one_in(3) { choices.below(len + 1) } else { len };
    let mut chunks = vec![array(choices, dtype, first)];
    if first < len {
        chunks.push(array(choices, dtype, len - first));
    }
    // SAFETY: `array` makes arrays of the physical type of `dtype`.
    unsafe { Series::from_chunks_and_dtype_unchecked(name.into(), chunks, dtype) }
}

/// An array of the physical type of `dtype`.
fn array(choices: &mut Choices<'_>, dtype: &DataType, len: usize) -> Box<dyn Array> {
    match dtype {
        DataType::Null => Box::new(NullArray::new(ArrowDataType::Null, len)),
        DataType::Boolean => {
            Box::new(BooleanArray::new(ArrowDataType::Boolean, bits(choices, len), validity(choices, len)))
        },
        DataType::Int8 => primitive::<i8>(choices, dtype, len),
        DataType::Int16 => primitive::<i16>(choices, dtype, len),
        DataType::Int32 | DataType::Date => primitive::<i32>(choices, dtype, len),
        DataType::Int64 | DataType::Datetime(..) | DataType::Duration(_) => {
            primitive::<i64>(choices, dtype, len)
        },
        DataType::Int128 => primitive::<i128>(choices, dtype, len),
        DataType::UInt8 => primitive::<u8>(choices, dtype, len),
        DataType::UInt16 => primitive::<u16>(choices, dtype, len),
        DataType::UInt32 => primitive::<u32>(choices, dtype, len),
        DataType::UInt64 => primitive::<u64>(choices, dtype, len),
        DataType::UInt128 => primitive::<u128>(choices, dtype, len),
        DataType::Float16 => primitive::<pf16>(choices, dtype, len),
        DataType::Float32 => primitive::<f32>(choices, dtype, len),
        DataType::Float64 => primitive::<f64>(choices, dtype, len),
        DataType::Time => {
            let day = 86_400_000_000_000;
            let values = (0..len).map(|_| i64::from_le_bytes(choices.array()).rem_euclid(day)).collect();
            array_of(choices, dtype, values)
        },
        DataType::Decimal(precision, _) => {
            let end = 10i128.pow(u32::try_from(*precision).expect("38 at most"));
            let values = (0..len).map(|_| i128::from_le_bytes(choices.array()) % end).collect();
            array_of(choices, dtype, values)
        },
        DataType::String => {
            let values: Vec<_> =
                (0..len).map(|_| String::from_utf8_lossy(text(choices)).into_owned()).collect();
            Box::new(Utf8ViewArray::from_slice_values(&values).with_validity(validity(choices, len)))
        },
        DataType::Binary => {
            let values: Vec<_> = (0..len).map(|_| text(choices)).collect();
            Box::new(BinaryViewArray::from_slice_values(&values).with_validity(validity(choices, len)))
        },
        DataType::BinaryOffset => {
            let values: Vec<_> = (0..len).map(|_| text(choices)).collect();
            Box::new(BinaryArray::<i64>::from_slice(&values).with_validity(validity(choices, len)))
        },
        DataType::Categorical(..) | DataType::Enum(..) => categories(choices, dtype, len),
        DataType::List(inner) => list(choices, inner, len),
        DataType::Array(inner, width) => {
            let values = array(choices, inner, len * width);
            let dtype = FixedSizeListArray::default_datatype(values.dtype().clone(), *width);
            Box::new(FixedSizeListArray::new(dtype, len, values, validity(choices, len)))
        },
        DataType::Struct(fields) => {
            let values: Vec<_> = fields.iter().map(|field| array(choices, field.dtype(), len)).collect();
            let arrow_fields = fields
                .iter()
                .zip(&values)
                .map(|(field, values)| ArrowField::new(field.name().clone(), values.dtype().clone(), true));
            let dtype = ArrowDataType::Struct(arrow_fields.collect());
            Box::new(StructArray::new(dtype, len, values, validity(choices, len)))
        },
        dtype => unreachable!("{dtype:?} is never asked for"),
    }
}

fn list(choices: &mut Choices<'_>, inner: &DataType, len: usize) -> Box<dyn Array> {
    let mut end = choices.below(3);
    let mut offsets = vec![i64::try_from(end).expect("small")];
    for _ in 0..len {
        end = (end + choices.below(4)).min(MOST_VALUES);
        offsets.push(i64::try_from(end).expect("small"));
    }
    let unused = choices.below(3);
    let values = array(choices, inner, end + unused);
    let dtype = ListArray::<i64>::default_datatype(values.dtype().clone());
    let offsets = OffsetsBuffer::try_from(offsets).expect("offsets that only grow");
    Box::new(ListArray::new(dtype, offsets, values, validity(choices, len)))
}

/// Of a small vocabulary: mappings live as long as the process.
fn categories(choices: &mut Choices<'_>, dtype: &DataType, len: usize) -> Box<dyn Array> {
    let (DataType::Categorical(_, mapping) | DataType::Enum(_, mapping)) = dtype else {
        unreachable!("{dtype:?} has no categories")
    };
    let size = matches!(dtype, DataType::Enum(..)).then(|| mapping.num_cats_upper_bound());
    let keys = (0..len).map(|_| match size {
        Some(size) => u32::try_from(choices.below(size)).expect("few"),
        None => mapping.insert_cat(&format!("category {}", choices.below(40))).expect("room"),
    });
    let keys: Vec<_> = keys.collect();
    match dtype.cat_physical().expect("a categorical or enum") {
        CategoricalPhysical::U8 => {
            let keys = keys.iter().map(|&key| u8::try_from(key).expect("few")).collect();
            array_of(choices, dtype, keys)
        },
        CategoricalPhysical::U16 => {
            let keys = keys.iter().map(|&key| u16::try_from(key).expect("few")).collect();
            array_of(choices, dtype, keys)
        },
        CategoricalPhysical::U32 => array_of(choices, dtype, keys),
    }
}

fn text<'a>(choices: &mut Choices<'a>) -> &'a [u8] {
    let len = choices.below(20);
    choices.take(len)
}

fn primitive<T: NativeType>(choices: &mut Choices<'_>, dtype: &DataType, len: usize) -> Box<dyn Array> {
    let values = (0..len).map(|_| {
        let mut bytes = T::Bytes::default();
        choices.fill(bytes.as_mut());
        T::from_le_bytes(bytes)
    });
    let values = values.collect();
    array_of(choices, dtype, values)
}

fn array_of<T: NativeType>(choices: &mut Choices<'_>, dtype: &DataType, values: Vec<T>) -> Box<dyn Array> {
    let validity = validity(choices, values.len());
    let arrow = dtype.to_physical().to_arrow(CompatLevel::newest());
    Box::new(PrimitiveArray::new(arrow, values.into(), validity))
}

fn validity(choices: &mut Choices<'_>, len: usize) -> Option<Bitmap> {
    choices.one_in(2).then(|| bits(choices, len))
}

/// Bits that may start in the middle of a byte.
fn bits(choices: &mut Choices<'_>, len: usize) -> Bitmap {
    let before = choices.below(9);
    let mut bytes = vec![0; (before + len).div_ceil(8)];
    choices.fill(&mut bytes);
    Bitmap::try_new(bytes, before + len).expect("bytes for all bits").sliced(before, len)
}

/// Writes a frame in a way that is chosen too. Returns the bytes, and whether they are a file.
///
/// # Errors
/// The writer's.
pub fn write(choices: &mut Choices<'_>, df: &DataFrame) -> PolarsResult<(bool, Vec<u8>)> {
    let compression = match choices.below(3) {
        0 => None,
        1 => Some(IpcCompression::LZ4),
        _ => {
            // Higher levels take a sanitizer's time, and find in GCC's build of ZSTD what is not there.
            let level = 1 + i32::try_from(choices.below(6)).expect("small");
            Some(IpcCompression::ZSTD(ZstdLevel::try_new(level)?))
        },
    };
    let level = if choices.one_in(2) { CompatLevel::newest() } else { CompatLevel::oldest() };
    let batch_rows = *choices.pick(&[None, Some(1), Some(3), Some(64), Some(usize::MAX)]);
    let (file, batched, statistics) = (choices.one_in(2), choices.one_in(2), choices.one_in(2));
    let (parallel, deltas) = (choices.one_in(4), choices.one_in(2));
    let cut = choices.below(df.height() + 1);
    let halves = [rows(df, 0, cut), rows(df, cut, df.height() - cut)];

    let mut bytes = Vec::new();
    if file {
        let mut writer = IpcWriter::new(&mut bytes)
            .with_compression(compression)
            .with_compat_level(level)
            .with_record_batch_size(batch_rows)
            .with_record_batch_statistics(statistics)
            .with_parallel(parallel);
        if batched {
            let mut writer = writer.batched(df.schema())?;
            halves.iter().try_for_each(|half| writer.write_batch(half))?;
            writer.finish()?;
        } else {
            writer.finish(&mut df.clone())?;
        }
    } else {
        let mut writer = IpcStreamWriter::new(&mut bytes)
            .with_compression(compression)
            .with_compat_level(level)
            .with_record_batch_size(batch_rows)
            .with_record_batch_statistics(statistics)
            .with_dictionary_deltas(deltas)
            .with_parallel(parallel);
        if batched {
            let mut writer = writer.batched(df.schema())?;
            halves.iter().try_for_each(|half| writer.write_batch(half))?;
            writer.finish()?;
        } else {
            writer.finish(&mut df.clone())?;
        }
    }
    Ok((file, bytes))
}
