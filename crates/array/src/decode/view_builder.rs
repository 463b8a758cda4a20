//! Views over data buffers, in the making: those of strings and bytes, however they came.

use arrow::array::{Array, BinaryViewArrayGeneric, View, ViewType};
use arrow::bitmap::Bitmap;
use floe_format::{Error, FieldNode, Result};
use floe_runtime::alloc::{byte_len, reserve_more, try_with_capacity};
use polars_buffer::Buffer;

use super::ctx::DecodeCtx;
use crate::made::{too_many_buffers, view_number};
use crate::share;

/// The data buffers that the views of a part were made over.
pub(super) struct PartBuffers {
    /// The data, empty if all values fit into their views: one buffer, or several if it is too much for one.
    pub(super) buffers: Vec<Buffer<u8>>,
    /// The number that the views have for the first of them.
    pub(super) first: usize,
    pub(super) bytes: usize,
}

/// Views over data buffers, in the making.
pub(super) struct ViewBuilder {
    pub(super) views: Vec<View>,
    pub(super) buffers: Vec<Buffer<u8>>,
    /// Bytes of all values, where that is known.
    pub(super) bytes: Option<usize>,
    /// Whether an unknown number of views will follow.
    pub(super) grows: bool,
}

impl Default for ViewBuilder {
    fn default() -> Self {
        Self { views: Vec::new(), buffers: Vec::new(), bytes: Some(0), grows: false }
    }
}

impl ViewBuilder {
    /// One to be added to again and again.
    pub(super) fn growing() -> Self {
        Self { grows: true, ..Self::default() }
    }

    /// Room for `rows` more views.
    pub(super) fn reserve(&mut self, ctx: &DecodeCtx<'_>, rows: usize) -> Result<()> {
        ctx.charge(byte_len::<View>(rows)?)?;
        if self.grows {
            reserve_more(&mut self.views, rows)?;
        } else {
            self.views = try_with_capacity(rows)?;
        }
        Ok(())
    }

    /// Adds the buffers of the parts, whose views begin at `known`. Views were made as if each part had one buffer: where a
    /// part has several, its views and those behind it are renumbered.
    pub(super) fn add_part_buffers(
        &mut self,
        known: usize,
        nodes: &[FieldNode],
        made: Vec<PartBuffers>,
    ) -> Result<()> {
        let views = self.views.get_mut(known..);
        let mut rest = views.ok_or_else(|| Error::invalid("there are fewer views than before"))?;
        for (PartBuffers { mut buffers, first, bytes }, node) in made.into_iter().zip(nodes) {
            let (here, behind) = rest.split_at_mut(node.len);
            rest = behind;
            let place = self.buffers.len();
            self.bytes = self.bytes.map(|all| all.saturating_add(bytes));
            self.buffers.append(&mut buffers);
            if place == first {
                continue;
            }
            let shift = place.checked_sub(first).and_then(|shift| u32::try_from(shift).ok());
            let shift = shift.filter(|_| view_number(self.buffers.len()).is_ok());
            let shift = shift.ok_or_else(too_many_buffers)?;
            let long = here.iter_mut().filter(|view| view.length > View::MAX_INLINE_SIZE);
            long.for_each(|view| view.buffer_idx += shift);
        }
        Ok(())
    }

    pub(super) fn next_buffer(&self) -> Result<u32> {
        view_number(self.buffers.len())
    }

    pub(super) fn finish<T: ViewType + ?Sized>(self, validity: Option<Bitmap>) -> Box<dyn Array> {
        let total = self.buffers.iter().map(Buffer::len).sum();
        // SAFETY: every view was made by `new_view` from checked offsets into the buffer it names, or came with the
        // input and was checked by `view::check`;
        // for strings the bytes were checked to be UTF-8 (or the caller vouched for it by
        // `skip_validation`, which is unsafe).
        let array = unsafe {
            BinaryViewArrayGeneric::<T>::new_unchecked(
                T::DATA_TYPE,
                share(self.views),
                self.buffers.into(),
                validity,
                self.bytes,
                total,
            )
        };
        Box::new(array)
    }
}
