//! Buffers whose lengths are known before their bytes are made.
//!
//! A message's header has the length of each buffer, and none of its bytes. So the header and the first buffers can be
//! written while others are still being made. This is done where lengths are found much faster than bytes, as those of
//! strings by adding up views, and if the context [asks for it](super::EncodeCtx::with_deferred_buffers). Such a buffer is
//! an [`EncodedBuffer::Deferred`], and a [`DeferredBuffers`] makes it later, on any thread.
//!
//! What to watch when changing this: the stated lengths are written before the bytes exist. A buffer that comes out
//! longer or shorter is an error ([`DeferredBuffers::materialize`]), and the output is incomplete then.

use std::fmt;

use floe_format::{Error, Result};

use super::buffer::EncodedBuffer;

/// Buffers of fewer bytes together are made at once: deferring costs more.
pub(super) const MIN_DEFERRED_BYTES: usize = 64 << 10;

/// Consecutive buffers that are still to be made.
pub struct DeferredBuffers {
    pub(super) first: usize,
    pub(super) lens: Vec<usize>,
    pub(super) make: Box<dyn FnOnce() -> Result<Vec<EncodedBuffer>> + Send>,
}

impl DeferredBuffers {
    /// The position of the first buffer among all that were encoded.
    #[must_use]
    pub fn first(&self) -> usize {
        self.first
    }

    /// Makes the buffers, each of the length that was stated.
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

#[cfg(test)]
mod tests {
    use arrow::array::{Array, ListArray, MutableBinaryViewArray, PrimitiveArray, Utf8ViewArray};
    use arrow::bitmap::Bitmap;
    use arrow::datatypes::ArrowDataType;
    use arrow::offset::OffsetsBuffer;
    use floe_format::{DataType, DictionaryEncoding, Field, IntType};

    use super::*;
    use crate::encode::{EncodeCtx, Encoded, Remap, encode_column, encode_joined};

    const ROWS: usize = 20_000;
    const KEYS: u32 = 20_000;

    fn field(data_type: DataType) -> Field {
        let (children, dictionary, metadata) = (Vec::new(), None, Vec::new());
        Field { name: "x".into(), nullable: true, data_type, children, dictionary, metadata }
    }

    fn int(bits: u8) -> DataType {
        DataType::Int(IntType { bits, signed: bits == 64 })
    }

    /// Strings of up to `longest` bytes, some null; the bytes of nulls are still there.
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
            // Nulls have bytes of their own: views are made anew.
            let made = column(DataType::Utf8View, &strings);
            assert!(
                if all_inline { made == 1 } else { made > 1 },
                "{made}: the views, and all data behind them"
            );
            // A third is gathered; where all values lie in their views, there is nothing to do.
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
