//! Frames in which every value that no row refers to is planted. Texts and numbers that can be searched for lie in rows
//! that are filtered or sliced away, behind nulls, and between and around the items of lists, three deep.
//!
//! Two frames of one seed and different secrets are equal, and lie in memory alike. So what is written has to be the same
//! to the byte: this also finds what is too short to be searched for, such as a boolean behind a null.

use arrow::array::{
    Array, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeListArray, ListArray, NullArray,
    PrimitiveArray, StructArray, Utf8ViewArray,
};
use arrow::bitmap::Bitmap;
use arrow::datatypes::{ArrowDataType, Field as ArrowField};
use arrow::offset::OffsetsBuffer;
use arrow::types::NativeType;
use polars_core::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// The mark in all planted values that are long enough.
pub const NEEDLE: &[u8] = b"SECRET";

/// Whether the needle is in there.
#[must_use]
pub fn is_found(bytes: &[u8]) -> bool {
    // One of its bytes is at a multiple of its length: only those are compared first.
    let len = NEEDLE.len();
    let is_near = |at: usize| {
        let near = &bytes[(at + 1).saturating_sub(len)..bytes.len().min(at + len)];
        NEEDLE.contains(&bytes[at]) && near.windows(len).any(|window| window == NEEDLE)
    };
    (0..bytes.len()).step_by(len).any(is_near)
}

/// A source of such frames.
pub struct Planted {
    rng: StdRng,
    secret: Secret,
}

/// Which one is planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "one or the other")]
pub enum Secret {
    A,
    B,
}

impl Planted {
    /// The frames that belong to a seed.
    #[must_use]
    pub fn new(seed: u64, secret: Secret) -> Self {
        Self { rng: StdRng::seed_from_u64(seed), secret }
    }

    /// The randomness itself, for choices that belong to the same seed.
    pub fn rng(&mut self) -> &mut StdRng {
        &mut self.rng
    }

    fn letter(&self) -> u8 {
        if self.secret == Secret::A { b'A' } else { b'B' }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn dtype(&mut self, depth: usize) -> DataType {
        let categories = || {
            DataType::from_categories(Categories::new("planted".into(), "".into(), CategoricalPhysical::U16))
        };
        match self.rng.random_range(0..if depth == 0 { 17 } else { 25 }) {
            0 => DataType::Boolean,
            1 => DataType::Int8,
            2 => DataType::UInt16,
            3 => DataType::Date,
            4 => DataType::Float32,
            5 => DataType::Int64,
            6 => DataType::Datetime(TimeUnit::Microseconds, None),
            7 => DataType::Float64,
            8 => DataType::Int128,
            9 => DataType::Decimal(38, 2),
            10 => DataType::Binary,
            11 => DataType::BinaryOffset,
            12 => categories(),
            13 => DataType::from_frozen_categories(
                FrozenCategories::new(["a", "b", "A", "B"]).expect("distinct"),
            ),
            14 => DataType::Null,
            15 | 16 => DataType::String,
            17..=19 => DataType::List(Box::new(self.dtype(depth - 1))),
            20 | 21 => {
                let width = self.rng.random_range(0..4);
                DataType::Array(Box::new(self.dtype(depth - 1)), width)
            },
            _ => {
                let fields = self.rng.random_range(1..4);
                let field = |i: i32| Field::new(format!("f{i}").into(), self.dtype(depth - 1));
                DataType::Struct((0..fields).map(field).collect())
            },
        }
    }

    /// A frame of any schema that was filtered, sliced, or gathered from a larger one.
    ///
    /// # Panics
    /// When Polars does not do that.
    pub fn frame(&mut self) -> DataFrame {
        let height = self.rng.random_range(1..120);
        let columns = self.rng.random_range(1..4);
        let dtypes: Vec<_> = (0..columns).map(|_| self.dtype(3)).collect();
        let from = self.rng.random_range(0..height);
        let to = self.rng.random_range(from..=height);
        let percent = *[20, 70, 95, 100].get(self.rng.random_range(0..4)).expect("one of four");
        let way = self.rng.random_range(0..3);
        let is_shown = |this: &mut Self, row| match way {
            0 => (from..to).contains(&row),
            _ => this.chance(percent),
        };
        let shown: Vec<bool> = (0..height).map(|row| is_shown(self, row)).collect();
        let columns = dtypes.iter().enumerate();
        let columns = columns.map(|(i, dtype)| self.series(&format!("c{i}"), dtype, &shown).into_column());
        let df = DataFrame::new(height, columns.collect()).expect("columns of one length");
        match way {
            // Nothing is left: there is nothing to filter or to gather.
            _ if !shown.contains(&true) => df.slice(0, 0),
            0 => df.slice(i64::try_from(from).expect("small"), to - from),
            1 => df.filter(&BooleanChunked::from_slice("mask".into(), &shown)).expect("a mask"),
            _ => {
                let rows: Vec<IdxSize> =
                    (0..).zip(&shown).filter(|(_, shown)| **shown).map(|(row, _)| row).collect();
                let times = self.rng.random_range(1..4) * rows.len();
                let picked = (0..times).map(|_| rows[self.rng.random_range(0..rows.len())]);
                let picked: Vec<IdxSize> = picked.collect();
                df.take(&IdxCa::from_vec("rows".into(), picked)).expect("rows that are there")
            },
        }
    }

    fn series(&mut self, name: &str, dtype: &DataType, shown: &[bool]) -> Series {
        let cut = if self.chance(50) { shown.len() } else { self.rng.random_range(0..=shown.len()) };
        let (first, second) = shown.split_at(cut);
        let mut chunks = vec![self.array(dtype, first)];
        if !second.is_empty() {
            chunks.push(self.array(dtype, second));
            chunks.retain(|chunk| !chunk.is_empty());
        }
        // SAFETY: `array` makes arrays of the physical type of `dtype`.
        unsafe { Series::from_chunks_and_dtype_unchecked(name.into(), chunks, dtype) }
    }

    /// An array of the physical type of `dtype` with a value for each of `shown`, of which rows refer to those that are
    /// true; a slice of a longer one.
    ///
    /// # Panics
    /// When a dtype is none of those that frames have.
    pub fn array(&mut self, dtype: &DataType, shown: &[bool]) -> Box<dyn Array> {
        let (before, after) = (self.rng.random_range(0..4), self.rng.random_range(0..4));
        let len = shown.len();
        let shown = [&vec![false; before], shown, &vec![false; after]].concat();
        let (has_nulls, knows_nulls) = (self.chance(60), self.chance(50));
        let is_valid = |shown: &bool| match (shown, self.rng.random_range(0..10)) {
            (true, any) => !has_nulls || any < 7,
            (false, any) => (any < 5) == (self.secret == Secret::A),
        };
        let valid: Vec<bool> = shown.iter().map(is_valid).collect();
        let validity = (has_nulls || knows_nulls).then(|| valid.iter().copied().collect::<Bitmap>());
        let live: Vec<bool> = match validity {
            None => shown,
            Some(_) => shown.iter().zip(&valid).map(|(shown, valid)| *shown && *valid).collect(),
        };
        self.unsliced(dtype, &live, validity).sliced(before, len)
    }

    fn unsliced(&mut self, dtype: &DataType, live: &[bool], validity: Option<Bitmap>) -> Box<dyn Array> {
        match dtype {
            DataType::Null => NullArray::new(ArrowDataType::Null, live.len()).boxed(),
            DataType::Boolean => {
                let bit = |live: &bool| {
                    let any = self.rng.random();
                    if *live { any } else { self.secret == Secret::A }
                };
                let values = live.iter().map(bit).collect();
                BooleanArray::new(ArrowDataType::Boolean, values, validity).boxed()
            },
            DataType::Int8 => self.numbers::<i8>(dtype, live, validity),
            DataType::UInt16 => self.numbers::<u16>(dtype, live, validity),
            DataType::Date => self.numbers::<i32>(dtype, live, validity),
            DataType::Int64 | DataType::Datetime(..) => self.numbers::<i64>(dtype, live, validity),
            DataType::Int128 | DataType::Decimal(..) => self.numbers::<i128>(dtype, live, validity),
            DataType::Float32 => self.numbers::<f32>(dtype, live, validity),
            DataType::Float64 => self.numbers::<f64>(dtype, live, validity),
            DataType::String => {
                Utf8ViewArray::from_slice_values(self.texts(live)).with_validity(validity).boxed()
            },
            DataType::Binary => {
                let values: Vec<_> = self.texts(live).into_iter().map(String::into_bytes).collect();
                BinaryViewArray::from_slice_values(values).with_validity(validity).boxed()
            },
            DataType::BinaryOffset => {
                let values: Vec<_> = self.texts(live).into_iter().map(String::into_bytes).collect();
                BinaryArray::<i64>::from_slice(values).with_validity(validity).boxed()
            },
            DataType::Categorical(_, mapping) => {
                let known = ["c0", "c1", "c2", "SECRET category A", "SECRET category B"];
                let keys = known.map(|text| mapping.insert_cat(text).expect("room"));
                self.keys(dtype, live, validity, &keys[..3], &keys[3..])
            },
            DataType::Enum(..) => self.keys(dtype, live, validity, &[0, 1], &[2, 3]),
            DataType::List(inner) => self.lists(inner, live, validity),
            DataType::Array(inner, width) => {
                let items: Vec<bool> = live.iter().flat_map(|live| vec![*live; *width]).collect();
                let values = self.array(inner, &items);
                let dtype = FixedSizeListArray::default_datatype(values.dtype().clone(), *width);
                FixedSizeListArray::new(dtype, live.len(), values, validity).boxed()
            },
            DataType::Struct(fields) => {
                let values: Vec<_> = fields.iter().map(|field| self.array(field.dtype(), live)).collect();
                let fields = fields.iter().zip(&values);
                let fields = fields.map(|(field, values)| {
                    ArrowField::new(field.name().clone(), values.dtype().clone(), true)
                });
                let dtype = ArrowDataType::Struct(fields.collect());
                StructArray::new(dtype, live.len(), values, validity).boxed()
            },
            dtype => unreachable!("{dtype:?} is never asked for"),
        }
    }

    fn numbers<T: NativeType>(
        &mut self,
        dtype: &DataType,
        live: &[bool],
        validity: Option<Bitmap>,
    ) -> Box<dyn Array> {
        let secret = [NEEDLE, &[self.letter()]].concat();
        let value = |live: &bool| {
            let mut bytes = T::Bytes::default();
            let any = self.rng.random_range(0..100);
            match bytes.as_mut() {
                bytes if *live => bytes[0] = any,
                bytes if bytes.len() < 8 => bytes[0] = secret[6],
                bytes => bytes[..7].copy_from_slice(&secret),
            }
            T::from_le_bytes(bytes)
        };
        let values: Vec<T> = live.iter().map(value).collect();
        let arrow = dtype.to_physical().to_arrow(CompatLevel::newest());
        PrimitiveArray::new(arrow, values.into(), validity).boxed()
    }

    fn texts(&mut self, live: &[bool]) -> Vec<String> {
        let letter = char::from(self.letter());
        let text = |live: &bool| {
            let len = self.rng.random_range(0..40);
            match (live, len % 3) {
                (true, _) => "0123456789".repeat(4)[..len].to_owned(),
                (false, 0) => format!("SECRET-{letter}"),
                (false, _) => format!("{letter}, a long SECRET of {len} bytes and some"),
            }
        };
        live.iter().map(text).collect()
    }

    fn keys(
        &mut self,
        dtype: &DataType,
        live: &[bool],
        validity: Option<Bitmap>,
        shown: &[u32],
        secret: &[u32],
    ) -> Box<dyn Array> {
        let secret = secret[usize::from(self.secret == Secret::B)];
        let key = |live: &bool| {
            let any = shown[self.rng.random_range(0..shown.len())];
            if *live { any } else { secret }
        };
        let keys = live.iter().map(key);
        let arrow = dtype.to_physical().to_arrow(CompatLevel::newest());
        match dtype.cat_physical().expect("a categorical or enum") {
            CategoricalPhysical::U8 => {
                let keys: Vec<u8> = keys.map(|key| u8::try_from(key).expect("few")).collect();
                PrimitiveArray::new(arrow, keys.into(), validity).boxed()
            },
            CategoricalPhysical::U16 => {
                let keys: Vec<u16> = keys.map(|key| u16::try_from(key).expect("few")).collect();
                PrimitiveArray::new(arrow, keys.into(), validity).boxed()
            },
            CategoricalPhysical::U32 => {
                PrimitiveArray::new(arrow, keys.collect::<Vec<u32>>().into(), validity).boxed()
            },
        }
    }

    fn lists(&mut self, inner: &DataType, live: &[bool], validity: Option<Bitmap>) -> Box<dyn Array> {
        let unused = self.rng.random_range(0..3);
        let mut items = vec![false; unused];
        let mut offsets = vec![i64::try_from(unused).expect("small")];
        for live in live {
            items.extend(vec![*live; self.rng.random_range(0..4)]);
            offsets.push(i64::try_from(items.len()).expect("small"));
        }
        items.extend(vec![false; self.rng.random_range(0..3)]);
        let values = self.array(inner, &items);
        let dtype = ListArray::<i64>::default_datatype(values.dtype().clone());
        let offsets = OffsetsBuffer::try_from(offsets).expect("offsets that only grow");
        ListArray::new(dtype, offsets, values, validity).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_needle_is_found_wherever_it_is() {
        for at in 0..30 {
            let mut bytes = vec![b'E'; 36];
            assert!(!is_found(&bytes));
            bytes[at..at + 6].copy_from_slice(NEEDLE);
            assert!(is_found(&bytes), "{at}");
            assert!(!is_found(&bytes[at + 1..]), "{at}");
        }
    }
}
