//! Arrays one behind another, as one.

use arrow::array::{Array, PrimitiveArray};
use arrow::compute::concatenate::{concatenate, concatenate_validities};
use arrow::datatypes::PhysicalType;
use arrow::types::NativeType;
use arrow::with_match_primitive_type_full;
use floe_format::{Error, Result};

use crate::aligned::try_with_capacity;
use crate::recycle::share;

/// The rows of several arrays of one type, one behind another. Numbers go to memory that is [kept](crate::recycle) for
/// what is joined next.
///
/// # Errors
/// If there is none, their types differ, or memory runs out.
///
/// ```
/// use arrow::array::{Array, PrimitiveArray};
///
/// let arrays = [vec![1i64, 2], vec![3]].map(|values| PrimitiveArray::from_vec(values).boxed());
/// let joined = floe_array::join(&arrays)?;
/// assert_eq!(joined, PrimitiveArray::from_vec(vec![1i64, 2, 3]).boxed());
/// assert!(floe_array::join(&[]).is_err());
/// # floe_format::Result::Ok(())
/// ```
pub fn join(arrays: &[Box<dyn Array>]) -> Result<Box<dyn Array>> {
    let first = match arrays {
        [one] => return Ok(one.clone()),
        [first, ..] => first,
        [] => return Err(Error::invalid("there is no array to be joined with others")),
    };
    if arrays.iter().all(|array| array.dtype() == first.dtype())
        && let PhysicalType::Primitive(kind) = first.dtype().to_physical_type()
    {
        return with_match_primitive_type_full!(kind, |$T| join_numbers::<$T>(arrays, first.as_ref()));
    }
    let refs: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
    concatenate(&refs).map_err(|e| Error::invalid(e.to_string()))
}

fn join_numbers<T: NativeType>(arrays: &[Box<dyn Array>], first: &dyn Array) -> Result<Box<dyn Array>> {
    let mut values = try_with_capacity::<T>(arrays.iter().map(|array| array.len()).sum())?;
    for array in arrays {
        let array = array.as_any().downcast_ref::<PrimitiveArray<T>>();
        let array = array.ok_or_else(|| Error::invalid("an array is not what its type says"))?;
        values.extend_from_slice(array.values());
    }
    let validity = concatenate_validities(arrays);
    let joined = PrimitiveArray::try_new(first.dtype().clone(), share(values), validity);
    Ok(joined.map_err(|e| Error::invalid(e.to_string()))?.boxed())
}

#[cfg(test)]
mod tests {
    use arrow::array::Utf8ViewArray;
    use arrow::datatypes::{ArrowDataType, TimeUnit};

    use super::*;

    #[test]
    fn joined_is_as_polars_concatenates() {
        let timestamp = ArrowDataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let numbers: Vec<Option<i64>> = (0..300_000).map(|i| (i % 7 > 0).then_some(i)).collect();
        let numbers = PrimitiveArray::from(numbers).to(timestamp).boxed();
        let texts = Utf8ViewArray::from_slice_values(vec!["a text that is not inlined"; 300_000]).boxed();
        let floats = PrimitiveArray::from_vec((0u16..60_000).map(f32::from).collect()).boxed();
        for array in [numbers, texts, floats] {
            let end = array.len();
            let cuts = [(0, 5), (5, 8), (8, 8), (9, 1_000), (1_000, end)];
            let arrays: Vec<_> = cuts.iter().map(|(from, to)| array.sliced(*from, to - from)).collect();
            let refs: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
            let joined = join(&arrays).unwrap();
            assert_eq!(joined, concatenate(&refs).unwrap());
            assert_eq!(joined.dtype(), array.dtype());
        }
    }

    #[test]
    fn arrays_of_different_types_are_not_joined() {
        let arrays =
            [PrimitiveArray::from_vec(vec![1i64]).boxed(), PrimitiveArray::from_vec(vec![1u64]).boxed()];
        assert!(join(&arrays).is_err());
    }
}
