//! Every value of an array.

use super::*;

pub(super) fn look_at(array: &dyn Array) {
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
