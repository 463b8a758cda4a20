//! Arbitrary frames from a seed: every dtype, nested three deep, and every way a column can lie in memory.
//!
//! Arrays are built by hand, below the Polars API, because that API cleans up after itself. Here a slice starts in the
//! middle of a byte, a null hides a value, a list has unused items before, between and after its rows.

mod dtypes;

pub use dtypes::{dtypes, leaf_dtypes, nested_dtypes};

use std::sync::{Arc, Mutex};

use arrow::array::{
    Array, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeListArray, ListArray, NullArray,
    PrimitiveArray, StructArray, Utf8ViewArray,
};
use arrow::bitmap::Bitmap;
use arrow::datatypes::{ArrowDataType, Field as ArrowField};
use arrow::offset::OffsetsBuffer;
use arrow::types::NativeType;
use dtypes::extension;
use polars_core::datatypes::extension::get_extension_type_or_generic;
use polars_core::prelude::*;
use polars_utils::float16::pf16;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// Whether Polars can make a series of one value of this dtype without a panic.
fn can_be_scalar(dtype: &DataType) -> bool {
    match dtype {
        DataType::Extension(..) | DataType::BinaryOffset => false,
        DataType::List(inner) | DataType::Array(inner, _) => can_be_scalar(inner),
        DataType::Struct(fields) => fields.iter().all(|field| can_be_scalar(field.dtype())),
        _ => true,
    }
}

/// A source of arbitrary frames. One seed gives one sequence of frames, on every machine.
pub struct Arbitrary {
    rng: StdRng,
}

impl Arbitrary {
    /// The sequence of frames that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { rng: StdRng::seed_from_u64(seed) }
    }

    /// The randomness itself, for choices that belong to the same seed.
    pub fn rng(&mut self) -> &mut StdRng {
        &mut self.rng
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.rng.random_range(0..choices.len())]
    }

    /// A dtype of at most `depth` levels around a leaf.
    pub fn dtype(&mut self, depth: usize) -> DataType {
        let leaf = |this: &mut Self| {
            let leaves = leaf_dtypes();
            this.pick(&leaves).1.clone()
        };
        match self.rng.random_range(0..10) {
            _ if depth == 0 => leaf(self),
            0 | 1 => DataType::List(Box::new(self.dtype(depth - 1))),
            2 => {
                let width = *self.pick(&[0, 1, 2, 3, 8]);
                DataType::Array(Box::new(self.dtype(depth - 1)), width)
            },
            3 | 4 => {
                let width = *self.pick(&[0, 1, 2, 3]);
                let fields = (0..width).map(|index| {
                    let name = *self.pick(&["a", "", "größe", "a rather long name of a field"]);
                    Field::new(format!("{name}{index}").into(), self.dtype(depth - 1))
                });
                DataType::Struct(fields.collect())
            },
            5 => {
                let storage = self.dtype(depth - 1);
                let metadata = *self.pick(&[None, Some(""), Some("{\"a\": [1, 2]}")]);
                match storage {
                    // The format keeps one extension name for a field.
                    DataType::Extension(..) => storage,
                    storage => extension("floe.test.any", storage, metadata),
                }
            },
            _ => leaf(self),
        }
    }

    /// A frame of any schema, height, chunking and slicing.
    pub fn frame(&mut self) -> DataFrame {
        let height = match self.rng.random_range(0..12) {
            0 => 0,
            1 => 1,
            2..=6 => self.rng.random_range(2..20),
            7..=10 => self.rng.random_range(20..200),
            _ => self.rng.random_range(1000..2500),
        };
        let width = self.rng.random_range(0..6);
        // Deep and long at once takes too long without optimisation.
        let depth = if height > 500 { 1 } else { 3 };
        let columns: Vec<_> = (0..width)
            .map(|index| {
                let name =
                    *self.pick(&["c", "", "größe 🦀", "a rather long name of a column", "\"quoted\" \\ \n"]);
                let dtype = self.dtype(depth);
                (PlSmallStr::from_string(format!("{name}{index}")), dtype)
            })
            .collect();
        self.frame_of(&columns, height)
    }

    /// A frame of the given columns and height, with any chunking, slicing and filtering.
    pub fn frame_of(&mut self, columns: &[(PlSmallStr, DataType)], height: usize) -> DataFrame {
        if columns.is_empty() || self.chance(75) {
            return self.unfiltered(columns, height);
        }
        let total = height + self.rng.random_range(0..=height + 5);
        let df = self.unfiltered(columns, total);
        let mut mask = vec![false; total];
        rand::seq::index::sample(&mut self.rng, total, height).iter().for_each(|row| mask[row] = true);
        df.filter(&BooleanChunked::from_slice("mask".into(), &mask)).expect("a mask of the frame's height")
    }

    fn unfiltered(&mut self, columns: &[(PlSmallStr, DataType)], height: usize) -> DataFrame {
        let (before, after) = if self.chance(30) {
            (self.rng.random_range(0..20), self.rng.random_range(0..20))
        } else {
            (0, 0)
        };
        let total = before + height + after;
        let columns: Vec<_> =
            columns.iter().map(|(name, dtype)| self.column(name.clone(), dtype, total)).collect();
        let df = DataFrame::new(total, columns).expect("columns of one length");
        if total == height { df } else { df.slice(i64::try_from(before).expect("small"), height) }
    }

    /// A column: a series, or one value for all rows.
    pub fn column(&mut self, name: PlSmallStr, dtype: &DataType, len: usize) -> Column {
        if !(self.chance(8) && can_be_scalar(dtype)) {
            return self.series(name, dtype, len).into_column();
        }
        let value = if self.chance(20) {
            AnyValue::Null
        } else {
            self.series(name.clone(), dtype, 1).get(0).expect("one value").into_static()
        };
        Column::new_scalar(name, Scalar::new(dtype.clone(), value), len)
    }

    /// A series in one or more chunks, some of them empty.
    pub fn series(&mut self, name: PlSmallStr, dtype: &DataType, len: usize) -> Series {
        let mut chunks = Vec::new();
        if self.chance(50) {
            chunks.push(self.array(dtype, len));
        } else {
            let mut left = len;
            while left > 0 {
                let rows = self.rng.random_range(0..=left.min(1 + len / 2));
                chunks.push(self.array(dtype, rows));
                left -= rows;
            }
            if chunks.is_empty() {
                chunks.push(self.array(dtype, 0));
            }
        }
        // SAFETY: `array` makes arrays of the physical type of `dtype`.
        unsafe { Series::from_chunks_and_dtype_unchecked(name, chunks, dtype) }
    }

    /// An array of the physical type of `dtype`, often a slice of a longer one.
    pub fn array(&mut self, dtype: &DataType, len: usize) -> Box<dyn Array> {
        let (before, after) = if self.chance(30) {
            (self.rng.random_range(0..10), self.rng.random_range(0..5))
        } else {
            (0, 0)
        };
        let array = self.unsliced(dtype, before + len + after);
        if before + after == 0 { array } else { array.sliced(before, len) }
    }

    fn unsliced(&mut self, dtype: &DataType, len: usize) -> Box<dyn Array> {
        match dtype {
            DataType::Null => Box::new(NullArray::new(ArrowDataType::Null, len)),
            DataType::Boolean => {
                let percent = *self.pick(&[0, 10, 50, 100]);
                let values = self.bits(len, percent);
                Box::new(BooleanArray::new(ArrowDataType::Boolean, values, self.validity(len)))
            },
            DataType::Int8 => self.primitive::<i8>(dtype, len),
            DataType::Int16 => self.primitive::<i16>(dtype, len),
            DataType::Int32 | DataType::Date => self.primitive::<i32>(dtype, len),
            DataType::Int64 | DataType::Datetime(..) | DataType::Duration(_) => {
                self.primitive::<i64>(dtype, len)
            },
            DataType::Int128 => self.primitive::<i128>(dtype, len),
            DataType::UInt8 => self.primitive::<u8>(dtype, len),
            DataType::UInt16 => self.primitive::<u16>(dtype, len),
            DataType::UInt32 => self.primitive::<u32>(dtype, len),
            DataType::UInt64 => self.primitive::<u64>(dtype, len),
            DataType::UInt128 => self.primitive::<u128>(dtype, len),
            DataType::Float16 => self.primitive::<pf16>(dtype, len),
            DataType::Float32 => self.primitive::<f32>(dtype, len),
            DataType::Float64 => self.primitive::<f64>(dtype, len),
            DataType::Time => {
                let values = (0..len).map(|_| self.rng.random_range(0..86_400_000_000_000i64)).collect();
                self.array_of(dtype, values)
            },
            DataType::Decimal(precision, _) => {
                let max = 10i128.pow(u32::try_from(*precision).expect("38 at most")) - 1;
                let values = (0..len).map(|_| self.rng.random_range(-max..=max)).collect();
                self.array_of(dtype, values)
            },
            DataType::String => {
                let values: Vec<_> = (0..len).map(|_| self.text()).collect();
                let validity = self.validity(len);
                Box::new(Utf8ViewArray::from_slice_values(&values).with_validity(validity))
            },
            DataType::Binary => {
                let values: Vec<_> = (0..len).map(|_| self.bytes()).collect();
                let validity = self.validity(len);
                Box::new(BinaryViewArray::from_slice_values(&values).with_validity(validity))
            },
            DataType::BinaryOffset => {
                let values: Vec<_> = (0..len).map(|_| self.bytes()).collect();
                let validity = self.validity(len);
                Box::new(BinaryArray::<i64>::from_slice(&values).with_validity(validity))
            },
            DataType::Categorical(_, mapping) | DataType::Enum(_, mapping) => {
                let mapping = Arc::clone(mapping);
                let enum_size = matches!(dtype, DataType::Enum(..)).then(|| mapping.num_cats_upper_bound());
                self.categories(dtype, &mapping, enum_size, len)
            },
            DataType::List(inner) => self.lists(inner, len),
            DataType::Array(inner, width) => {
                let values = self.array(inner, len * width);
                let dtype = FixedSizeListArray::default_datatype(values.dtype().clone(), *width);
                Box::new(FixedSizeListArray::new(dtype, len, values, self.validity(len)))
            },
            DataType::Struct(fields) => {
                let values: Vec<_> = fields.iter().map(|field| self.array(field.dtype(), len)).collect();
                let arrow_fields = fields.iter().zip(&values);
                let arrow_fields = arrow_fields.map(|(field, values)| {
                    ArrowField::new(field.name().clone(), values.dtype().clone(), true)
                });
                let dtype = ArrowDataType::Struct(arrow_fields.collect());
                Box::new(StructArray::new(dtype, len, values, self.validity(len)))
            },
            DataType::Extension(_, storage) => self.unsliced(storage, len),
            dtype => unreachable!("{dtype:?} is never asked for"),
        }
    }

    fn lists(&mut self, inner: &DataType, len: usize) -> Box<dyn Array> {
        let longest = *self.pick(&[0, 1, 4, 9]);
        let mut end = self.rng.random_range(0..4i64);
        let mut offsets = vec![end];
        for _ in 0..len {
            end += self.rng.random_range(0..=longest);
            offsets.push(end);
        }
        let unused = self.rng.random_range(0..4);
        let values = self.array(inner, usize::try_from(end).expect("positive") + unused);
        let dtype = ListArray::<i64>::default_datatype(values.dtype().clone());
        let offsets = OffsetsBuffer::try_from(offsets).expect("offsets that only grow");
        Box::new(ListArray::new(dtype, offsets, values, self.validity(len)))
    }

    fn categories(
        &mut self,
        dtype: &DataType,
        mapping: &CategoricalMapping,
        enum_size: Option<usize>,
        len: usize,
    ) -> Box<dyn Array> {
        // 8 bits of keys are all a small mapping has, over all frames of a process.
        let physical = dtype.cat_physical().expect("a categorical or enum");
        let vocabulary: u32 = if physical == CategoricalPhysical::U8 { 40 } else { 400 };
        let used = self.rng.random_range(1..=vocabulary);
        let keys: Vec<u32> = (0..len)
            .map(|_| match enum_size {
                Some(size) => self.rng.random_range(0..u32::try_from(size).expect("few")),
                None => {
                    let word = self.rng.random_range(0..used);
                    let text = match word % 5 {
                        0 => format!("{word}"),
                        1 => format!("größe {word}"),
                        2 => format!("category number {word}, with a long name"),
                        3 if word == 3 => String::new(),
                        _ => format!("c{word}"),
                    };
                    mapping.insert_cat(&text).expect("room for a category")
                },
            })
            .collect();
        match physical {
            CategoricalPhysical::U8 => {
                self.array_of(dtype, keys.iter().map(|&key| u8::try_from(key).expect("few")).collect())
            },
            CategoricalPhysical::U16 => {
                self.array_of(dtype, keys.iter().map(|&key| u16::try_from(key).expect("few")).collect())
            },
            CategoricalPhysical::U32 => self.array_of(dtype, keys),
        }
    }

    /// Any bits are a value of these types. Some arrays compress well, some not at all.
    fn primitive<T: NativeType>(&mut self, dtype: &DataType, len: usize) -> Box<dyn Array> {
        let kind = self.rng.random_range(0..4);
        let constant = self.rng.random::<u8>();
        let values = (0..len).map(|_| {
            let mut bytes = T::Bytes::default();
            match kind {
                0 => self.rng.fill(bytes.as_mut()),
                1 => bytes.as_mut()[0] = self.rng.random(),
                2 => bytes.as_mut()[0] = constant,
                // Floats: zeroes of both signs, infinities, NaNs; integers: the extremes.
                _ => {
                    let (first, rest) = *self.pick(&[
                        (0x80, 0),
                        (0x7F, 0xFF),
                        (0xFF, 0xFF),
                        (0x7F, 0xF0),
                        (0x7F, 0x80),
                        (0, 0),
                    ]);
                    bytes.as_mut().fill(if rest == 0xFF { 0xFF } else { 0 });
                    let len = bytes.as_ref().len();
                    bytes.as_mut()[0] = rest;
                    bytes.as_mut()[len.saturating_sub(2)] = rest;
                    bytes.as_mut()[len - 1] = first;
                },
            }
            T::from_le_bytes(bytes)
        });
        let values = values.collect();
        self.array_of(dtype, values)
    }

    fn array_of<T: NativeType>(&mut self, dtype: &DataType, values: Vec<T>) -> Box<dyn Array> {
        let validity = self.validity(values.len());
        let arrow = dtype.to_physical().to_arrow(CompatLevel::newest());
        Box::new(PrimitiveArray::new(arrow, values.into(), validity))
    }

    fn validity(&mut self, len: usize) -> Option<Bitmap> {
        match self.rng.random_range(0..10) {
            0..=3 => None,
            4 => Some(self.bits(len, 0)),
            5 => Some(self.bits(len, 100)),
            6 => Some(self.bits(len, 95)),
            _ => Some(self.bits(len, 60)),
        }
    }

    /// Bits that often start in the middle of a byte.
    fn bits(&mut self, len: usize, percent: u32) -> Bitmap {
        let (before, after) = (self.rng.random_range(0..12), self.rng.random_range(0..12));
        let bits: Bitmap = (0..before + len + after).map(|_| self.chance(percent)).collect();
        bits.sliced(before, len)
    }

    fn text(&mut self) -> String {
        match self.rng.random_range(0..10) {
            0 => String::new(),
            1 => "größe 🦀".to_owned(),
            2 => "exactly12byt".to_owned(),
            3 => "thirteen byte".to_owned(),
            4 => format!("nul \0 and line\nbreak {}", self.rng.random::<u32>()),
            5 => "🦀 a long text that repeats. ".repeat(self.rng.random_range(1..12)),
            6 => {
                let len = self.rng.random_range(0..60);
                (0..len).map(|_| self.rng.random::<char>()).collect()
            },
            _ => format!("s{}", self.rng.random_range(0..1000)),
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        match self.rng.random_range(0..6) {
            0 => Vec::new(),
            1 => vec![0xFF; 12],
            2 => vec![0; 13],
            _ => {
                let len = self.rng.random_range(0..40);
                (0..len).map(|_| self.rng.random()).collect()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::equal::{assert_frames_equal, touch};

    #[test]
    fn a_seed_gives_the_same_frame_twice() {
        for seed in 0..300 {
            let (left, right) = (Arbitrary::new(seed).frame(), Arbitrary::new(seed).frame());
            assert_frames_equal(&left, &right);
            assert_eq!(touch(&left), touch(&right), "seed {seed}");
        }
    }

    #[test]
    fn every_dtype_comes_up() {
        let mut arbitrary = Arbitrary::new(0);
        let mut kinds = std::collections::HashSet::new();
        for _ in 0..2000 {
            kinds.insert(std::mem::discriminant(&arbitrary.dtype(3)));
        }
        let expected: std::collections::HashSet<_> =
            dtypes().iter().map(|(_, dtype)| std::mem::discriminant(dtype)).collect();
        assert_eq!(kinds, expected);
    }
}
