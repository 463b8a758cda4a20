//! Fixed-width values: their buffer as it lies, with zeros under nulls.

use arrow::array::{Array, PrimitiveArray};
use arrow::bitmap::Bitmap;
use arrow::types::NativeType;
use floe_format::{Error, Result};
use floe_runtime::alloc::try_with_capacity;
use polars_buffer::Buffer;

use super::bytes::{as_bytes, down};
use super::ctx::EncodeCtx;
use crate::share;

pub(super) fn encode<T: NativeType>(ctx: &mut EncodeCtx<'_>, array: &dyn Array) -> Result<()> {
    let array: &PrimitiveArray<T> = down(array)?;
    ctx.node_and_validity(array);
    values(ctx, array)
}

/// Adds the values of an array, with zeros under nulls.
pub(super) fn values<T: NativeType>(ctx: &mut EncodeCtx<'_>, array: &PrimitiveArray<T>) -> Result<()> {
    if ctx.unreferenced_data || !nulls_hold(array)? {
        ctx.values(array.values());
        return Ok(());
    }
    let lens = |array: &PrimitiveArray<T>| Some(vec![size_of_val(array.values().as_slice())]);
    ctx.make(array, lens, |array| Ok(vec![without_nulls(array)?.into()]))
}

/// Of the values' bits only their width matters.
macro_rules! by_width {
    ($T:ty, $work:ident($values:expr, $validity:expr)) => {
        match size_of::<$T>() {
            1 => $work::<u8>(cast($values)?, $validity),
            2 => $work::<u16>(cast($values)?, $validity),
            4 => $work::<u32>(cast($values)?, $validity),
            8 => $work::<u64>(cast($values)?, $validity),
            _ => $work::<u128>(cast($values)?, $validity),
        }
    };
}

fn cast<T: NativeType, U: NativeType>(values: &[T]) -> Result<&[U]> {
    bytemuck::try_cast_slice(values).map_err(|e| Error::invalid(format!("numbers of no known width: {e}")))
}

/// Whether there is anything but zeros under nulls.
fn nulls_hold<T: NativeType>(array: &PrimitiveArray<T>) -> Result<bool> {
    match array.validity().filter(|validity| validity.unset_bits() > 0) {
        None => Ok(false),
        Some(validity) => by_width!(T, any_under_nulls(array.values(), validity)),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as its siblings")]
fn any_under_nulls<U: NativeType>(values: &[U], validity: &Bitmap) -> Result<bool> {
    let any = |(values, valid): (&[U], u64)| {
        let hidden = |(i, value): (usize, &U)| (valid >> i) & 1 == 0 && *value != U::zeroed();
        valid != u64::MAX && values.iter().enumerate().any(hidden)
    };
    Ok(values.chunks(WORD_BITS).zip(words(validity)).any(any))
}

fn without_nulls<T: NativeType>(array: &PrimitiveArray<T>) -> Result<Buffer<u8>> {
    match array.validity() {
        None => Ok(as_bytes(array.values().clone())),
        Some(validity) => by_width!(T, zeroed_under_nulls(array.values(), validity)),
    }
}

fn zeroed_under_nulls<U: NativeType>(values: &[U], validity: &Bitmap) -> Result<Buffer<u8>> {
    let mut out = try_with_capacity::<U>(values.len())?;
    for (values, valid) in values.chunks(WORD_BITS).zip(words(validity)) {
        let value = |(i, value): (usize, &U)| if (valid >> i) & 1 == 1 { *value } else { U::zeroed() };
        out.extend(values.iter().enumerate().map(value));
    }
    Ok(as_bytes(share(out)))
}

/// Bits of a word.
const WORD_BITS: usize = 64;

fn words(bitmap: &Bitmap) -> impl Iterator<Item = u64> {
    let chunks = bitmap.chunks::<u64>();
    let rest = chunks.remainder();
    chunks.chain([rest])
}

#[cfg(test)]
mod tests {
    use floe_format::{DataType, Field, FloatType, IntType};

    use super::*;
    use crate::encode_column;

    fn field(data_type: DataType) -> Field {
        let (children, dictionary, metadata) = (Vec::new(), None, Vec::new());
        Field { name: "x".into(), nullable: true, data_type, children, dictionary, metadata }
    }

    /// The values' bytes as they are written.
    fn written<T: NativeType>(data_type: DataType, array: &PrimitiveArray<T>, unreferenced: bool) -> Vec<u8> {
        let mut ctx = EncodeCtx::new(&[]).with_unreferenced_data(unreferenced);
        encode_column(&mut ctx, &field(data_type), array).unwrap();
        ctx.finish().buffers.pop().unwrap().join().unwrap().to_vec()
    }

    fn check<T: NativeType>(data_type: &DataType, value: T, null: T) {
        for nulls in
            [vec![], vec![0], vec![63, 64, 65], vec![199], (0..200).step_by(3).collect(), (0..200).collect()]
        {
            let is_null = |i: usize| nulls.contains(&i);
            let values: Vec<T> = (0..200).map(|i| if is_null(i) { null } else { value }).collect();
            let validity = (0..200).map(|i| !is_null(i)).collect();
            let array = PrimitiveArray::from_vec(values).with_validity(Some(validity));
            for array in [array.clone(), array.sliced(3, 130)] {
                let bytes =
                    |array: &PrimitiveArray<T>| bytemuck::cast_slice::<T, u8>(array.values()).to_vec();
                let zeros = (0..array.len()).map(|i| if array.is_valid(i) { value } else { T::zeroed() });
                let zeros = PrimitiveArray::from_vec(zeros.collect::<Vec<T>>());
                assert!(
                    written(data_type.clone(), &array, false) == bytes(&zeros),
                    "{data_type:?}, {nulls:?}"
                );
                assert!(
                    written(data_type.clone(), &array, true) == bytes(&array),
                    "{data_type:?}, {nulls:?}"
                );
            }
        }
    }

    #[test]
    fn what_nulls_hide_is_written_as_zeros() {
        let int = |bits| DataType::Int(IntType { bits, signed: true });
        check(&int(8), 5i8, -7);
        check(&int(16), 5i16, -7);
        check(&int(32), 5i32, -7);
        check(&int(64), 5i64, -7);
        check(&int(128), 5i128, 1 << 100);
        check(&DataType::Float(FloatType::Double), 5.0, -0.0f64);
        check(&DataType::Float(FloatType::Single), 5.0, f32::NAN);
        check(&DataType::Date32, 5, i32::MIN);
    }

    #[test]
    fn zeros_under_nulls_stay_where_they_are() {
        let array = PrimitiveArray::from([Some(1i64), None, Some(3)]);
        let mut ctx = EncodeCtx::new(&[]);
        encode_column(&mut ctx, &field(DataType::Int(IntType { bits: 64, signed: true })), &array).unwrap();
        let values = ctx.finish().buffers.pop().unwrap().join().unwrap();
        assert_eq!(values.as_ptr(), array.values().as_ptr().cast());
    }
}
