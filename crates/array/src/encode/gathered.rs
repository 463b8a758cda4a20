//! Values of views, copied together into data buffers of their own.

use arrow::array::View;
use floe_format::Result;
use polars_buffer::Buffer;

use super::copy_values::CopiedValues;
use crate::made::view_number;
use crate::share;

/// Values copied one after another, behind buffers that are kept as they are.
pub(super) struct Gathered {
    buffers: Vec<Buffer<u8>>,
    open: CopiedValues,
    /// Bytes that are yet to come, those that there is room for included.
    left: usize,
}

impl Gathered {
    /// View offsets have 32 bits; stay far below.
    pub(super) const MAX_BUFFER_BYTES: usize = 1 << 30;

    pub(super) fn new(buffers: Vec<Buffer<u8>>, bytes: usize) -> Result<Self> {
        Ok(Self { buffers, open: CopiedValues::new(bytes.min(Self::MAX_BUFFER_BYTES))?, left: bytes })
    }

    #[inline(always)]
    pub(super) fn push(&mut self, view: &View, buffers: &[Buffer<u8>]) -> Result<(u32, u32)> {
        let length = view.length as usize;
        if length > self.open.room() {
            self.open_next(length)?;
        }
        let at = (view_number(self.buffers.len())?, view_number(self.open.position())?);
        self.open.push(view, buffers)?;
        self.left = self.left.saturating_sub(length);
        Ok(at)
    }

    /// A buffer for the rest; a value that is larger than any has one to itself.
    #[cold]
    fn open_next(&mut self, length: usize) -> Result<()> {
        let full = std::mem::replace(
            &mut self.open,
            CopiedValues::new(self.left.min(Self::MAX_BUFFER_BYTES.max(length)))?,
        );
        if full.position() > 0 {
            self.buffers.push(share(full.finish()));
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Vec<Buffer<u8>> {
        if self.open.position() > 0 {
            self.buffers.push(share(self.open.finish()));
        }
        self.buffers
    }
}
