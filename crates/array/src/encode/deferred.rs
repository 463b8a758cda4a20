//! Buffers whose lengths are known before their bytes are made.
//!
//! A message's header says how long each buffer is, and nothing of what is in it. So the header can go out, and the
//! buffers in front, while others are still being made. Where lengths are found much faster than bytes (of strings by
//! adding up what views say), and whoever encodes [asks for it](EncodeCtx::with_deferred_buffers), a buffer that would have
//! to be made is an [`EncodedBuffer::Deferred`], and a [`DeferredBuffers`] makes it later, on any thread.

use std::borrow::Borrow;
use std::fmt;

use floe_format::{Error, Result};

use super::{EncodeCtx, EncodedBuffer};

/// Buffers of fewer bytes together are made at once: deferring costs more.
const MIN_DEFERRED_BYTES: usize = 64 << 10;

/// Consecutive buffers that are still to be made.
pub struct DeferredBuffers {
    first: usize,
    lens: Vec<usize>,
    make: Box<dyn FnOnce() -> Result<Vec<EncodedBuffer>> + Send>,
}

impl DeferredBuffers {
    /// The position of the first of them among the buffers that were encoded with them.
    #[must_use]
    pub fn first(&self) -> usize {
        self.first
    }

    /// Makes them: each as long as it was said to be.
    ///
    /// # Errors
    /// Those of encoding the array.
    pub fn materialize(self) -> Result<Vec<EncodedBuffer>> {
        let made = (self.make)()?;
        if made.iter().map(EncodedBuffer::len).eq(self.lens.iter().copied()) {
            Ok(made)
        } else {
            Err(Error::invalid("an array has changed since the lengths of its buffers were taken"))
        }
    }
}

impl fmt::Debug for DeferredBuffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, lens, make: _ } = self;
        f.debug_struct("DeferredBuffers").field("first", first).field("lens", lens).finish_non_exhaustive()
    }
}

impl EncodeCtx<'_> {
    /// Adds the buffers that `make` makes of an array: now, or when it is [materialized](DeferredBuffers::materialize), if that is wanted and there is
    /// anything to be gained. `lens` says how long they will be, if that is known; it is not asked if they are made now.
    pub(super) fn make<A: ToOwned<Owned: Send + 'static> + ?Sized>(
        &mut self,
        array: &A,
        lens: impl FnOnce(&A) -> Option<Vec<usize>>,
        make: impl FnOnce(&A) -> Result<Vec<EncodedBuffer>> + Send + 'static,
    ) -> Result<()> {
        let lens = if self.deferred { lens(array) } else { None };
        match lens {
            Some(lens) if lens.iter().sum::<usize>() >= MIN_DEFERRED_BYTES => {
                let (first, array) = (self.out.buffers.len(), array.to_owned());
                self.out.buffers.extend(lens.iter().map(|len| EncodedBuffer::Deferred(*len)));
                self.out.deferred.push(DeferredBuffers {
                    first,
                    lens,
                    make: Box::new(move || make(array.borrow())),
                });
            },
            _ => self.out.buffers.extend(make(array)?),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, ListArray, MutableBinaryViewArray, PrimitiveArray, Utf8ViewArray};
    use arrow::bitmap::Bitmap;
    use arrow::datatypes::ArrowDataType;
    use arrow::offset::OffsetsBuffer;
    use floe_format::{DataType, DictionaryEncoding, Field, IntType};

    use super::*;
    use crate::encode::{Encoded, Remap, encode_column, encode_joined};

    const ROWS: usize = 20_000;
    const KEYS: u32 = 20_000;

    fn field(data_type: DataType) -> Field {
        let (children, dictionary, metadata) = (Vec::new(), None, Vec::new());
        Field { name: "x".into(), nullable: true, data_type, children, dictionary, metadata }
    }

    fn int(bits: u8) -> DataType {
        DataType::Int(IntType { bits, signed: bits == 64 })
    }

    /// Strings of up to so many bytes, some null; what the nulls held is still there.
    fn strings(longest: usize) -> Utf8ViewArray {
        let mut all = MutableBinaryViewArray::<str>::new();
        (0..ROWS).for_each(|i| all.push_value("0123456789abcdef ".repeat(4).get(..i % longest).unwrap()));
        let all: Utf8ViewArray = all.into();
        all.with_validity(Some((0..ROWS).map(|i| i % 7 != 3).collect::<Bitmap>()))
    }

    fn every_third(strings: &Utf8ViewArray) -> Utf8ViewArray {
        let views: Vec<_> = strings.views().iter().step_by(3).copied().collect();
        // SAFETY: views of the same buffers.
        unsafe {
            Utf8ViewArray::new_unchecked_unknown_md(
                ArrowDataType::Utf8View,
                views.into(),
                strings.data_buffers().clone(),
                None,
                None,
            )
        }
    }

    fn placed(mut encoded: Encoded) -> Encoded {
        for buffers in std::mem::take(&mut encoded.deferred) {
            let (first, bytes) = (buffers.first(), buffers.lens.iter().sum::<usize>());
            let made = buffers.materialize().unwrap();
            assert_eq!(made.iter().map(EncodedBuffer::len).sum::<usize>(), bytes);
            encoded.buffers.splice(first..first + made.len(), made);
        }
        encoded
    }

    /// Encodes with and without deferred buffers, which must be one and the same; says of how many buffers there were any.
    fn deferred_of(encode: impl Fn(&mut EncodeCtx<'_>) -> Result<()>, remaps: &[Option<Remap>]) -> usize {
        let [now, later] = [false, true].map(|deferred| {
            let mut ctx = EncodeCtx::new(remaps).with_deferred_buffers(deferred);
            encode(&mut ctx).unwrap();
            ctx.finish()
        });
        assert!(now.deferred.is_empty());
        let is_deferred = |buffer: &&EncodedBuffer| matches!(buffer, EncodedBuffer::Deferred(_));
        let count = later.buffers.iter().filter(is_deferred).count();
        let lens: Vec<usize> = later.buffers.iter().map(EncodedBuffer::len).collect();
        let later = placed(later);
        assert!(later.buffers.iter().map(EncodedBuffer::len).eq(lens));
        assert_eq!((&now.nodes, &now.variadic), (&later.nodes, &later.variadic));
        let bytes = |encoded: Encoded| -> Vec<Vec<u8>> {
            encoded.buffers.into_iter().map(|buffer| buffer.join().unwrap().to_vec()).collect()
        };
        assert!(bytes(now) == bytes(later));
        count
    }

    fn column(data_type: DataType, array: &dyn Array) -> usize {
        let field = field(data_type);
        deferred_of(|ctx| encode_column(ctx, &field, array), &[])
    }

    #[test]
    fn what_is_promised_is_what_would_have_been_made() {
        for longest in [13, 60] {
            let strings = strings(longest);
            let some = every_third(&strings);
            assert_eq!(column(DataType::LargeUtf8, &strings), 2, "offsets and values");
            assert_eq!(column(DataType::LargeUtf8, &some), 2);
            assert_eq!(column(DataType::LargeUtf8, &strings.clone().sliced(17, ROWS - 40)), 2);
            let all_inline = longest == 13;
            // Nulls hold something: views are made anew.
            let made = column(DataType::Utf8View, &strings);
            assert!(
                if all_inline { made == 1 } else { made > 1 },
                "{made}: the views, and all data behind them"
            );
            // A third is gathered; where all lie in their views, nothing is to be done.
            assert_eq!(column(DataType::Utf8View, &some), if all_inline { 0 } else { 2 });
            // The buffers that are used stay as they are, but the views move.
            let half = strings.clone().with_validity(None).sliced(ROWS / 2, ROWS / 2);
            let made = column(DataType::BinaryView, &half.to_binview());
            assert!(if all_inline { made == 0 } else { made > 1 }, "{made}");
        }
    }

    #[test]
    fn lists_keys_and_joined_numbers_are_promised() {
        let values = PrimitiveArray::from_vec((0..2 * i64::from(KEYS)).collect());
        let offsets = (0..=i64::from(KEYS)).map(|i| 2 * i).collect::<Vec<_>>();
        let list = ListArray::<i64>::new(
            ListArray::<i64>::default_datatype(ArrowDataType::Int64),
            OffsetsBuffer::try_from(offsets).unwrap(),
            values.clone().boxed(),
            None,
        );
        let mut of = field(DataType::LargeList);
        of.children.push(field(int(64)));
        let sliced = list.clone().sliced(5, ROWS - 5);
        assert_eq!(deferred_of(|ctx| encode_column(ctx, &of, &list), &[]), 0);
        assert_eq!(deferred_of(|ctx| encode_column(ctx, &of, &sliced), &[]), 1, "offsets from zero");

        let keys = PrimitiveArray::from_vec((0..KEYS).map(|i| i % 100).collect());
        let remap = [Some(Remap::new(&(0..100).rev().collect::<Vec<u32>>()))];
        let mut dictionary = field(DataType::LargeUtf8);
        let index = IntType { bits: 32, signed: false };
        dictionary.dictionary = Some(DictionaryEncoding { id: 0, slot: 0, index, ordered: false });
        assert_eq!(deferred_of(|ctx| encode_column(ctx, &dictionary, &keys), &remap), 1);

        let nulls = values.clone().with_validity(Some((0..2 * ROWS).map(|i| i % 5 > 0).collect()));
        let both = [values.boxed(), nulls.clone().boxed(), nulls.sliced(3, 100).boxed()];
        assert_eq!(
            deferred_of(|ctx| encode_joined(ctx, &field(int(64)), &both), &[]),
            2,
            "validity and values"
        );
        assert_eq!(deferred_of(|ctx| encode_joined(ctx, &field(int(64)), &both[2..]), &[]), 0, "too few");
    }

    #[test]
    fn buffers_of_other_lengths_are_an_error() {
        let materialize = |lens: Vec<usize>| {
            let make = Box::new(|| Ok(vec![EncodedBuffer::from(polars_buffer::Buffer::from(vec![1, 2, 3]))]));
            DeferredBuffers { first: 0, lens, make }.materialize()
        };
        assert!(materialize(vec![3]).is_ok());
        assert!(materialize(vec![4]).is_err_and(|error| error.to_string().contains("has changed")));
        assert!(materialize(vec![3, 0]).is_err());
        assert!(EncodedBuffer::Deferred(3).join().is_err());
    }
}
