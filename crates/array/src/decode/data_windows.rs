//! Data that may be larger than one data buffer of views can be.

use std::ops::Range;

use arrow::array::View;
use floe_format::{Error, Result};
use polars_buffer::Buffer;

use super::make_views::new_view;
use crate::made::view_number;

/// The most bytes of one data buffer: views have 32 bits to say where in it they begin.
pub(super) const MAX_BUFFER_BYTES: usize = u32::MAX as usize;

/// Cuts data into buffers of at most `max_buffer_bytes`, while views are made of values whose offsets rise.
pub(super) struct Windows<'a> {
    data: &'a Buffer<u8>,
    max_buffer_bytes: usize,
    /// The range of the buffer that is not full yet.
    open: Option<Range<usize>>,
    full: Vec<Buffer<u8>>,
}

impl<'a> Windows<'a> {
    pub(super) fn new(data: &'a Buffer<u8>, max_buffer_bytes: usize) -> Self {
        Self { data, max_buffer_bytes, open: None, full: Vec::new() }
    }

    /// The view of `data[start..end]`, with the buffers counted from 0.
    pub(super) fn view(&mut self, start: usize, end: usize) -> Result<View> {
        if end - start <= View::MAX_INLINE_SIZE as usize {
            return Ok(new_view(self.data, start, end, 0, 0));
        }
        if end - start > self.max_buffer_bytes {
            return Err(Error::unsupported("a single value of more than 4 GiB"));
        }
        let open = match self.open.take() {
            Some(open) if end - open.start > self.max_buffer_bytes => {
                self.full.push(self.data.clone().sliced(open));
                start..end
            },
            Some(open) => open.start..end,
            None => start..end,
        };
        let index = view_number(self.full.len())?;
        let offset = u32::try_from(start - open.start).map_err(|_| Error::invalid("an offset overflows"))?;
        self.open = Some(open);
        Ok(new_view(self.data, start, end, index, offset))
    }

    /// The buffers: at least one.
    pub(super) fn finish(mut self) -> Vec<Buffer<u8>> {
        match self.open.take() {
            Some(open) => self.full.push(self.data.clone().sliced(open)),
            None => self.full.push(Buffer::default()),
        }
        self.full
    }
}
