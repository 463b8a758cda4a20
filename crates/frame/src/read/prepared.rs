//! Memory for segments, whose pages are made on the pool before it is needed.

use floe_runtime::Region;

use crate::pool::Task;

/// Memory for the segments that will be read next.
#[derive(Default)]
pub(super) struct PreparedMemory {
    /// Of this size, in the making.
    next: Option<(usize, Task<floe_runtime::Result<Region>>)>,
    /// Used before, so that it is there at once.
    kept: Option<Region>,
}

/// Bytes whose pages are made ahead of time.
const POPULATED_BYTES: usize = 16 << 20;

impl PreparedMemory {
    pub(super) fn start(&mut self, len: usize) {
        let pending = self.next.as_ref().is_some_and(|(pending, _)| *pending == len);
        if pending || self.kept.is_some() {
            return;
        }
        self.kept = Region::recycled(len);
        if self.kept.is_some() {
            return;
        }
        let region = Task::spawn(move || {
            let mut region = Region::new(len)?;
            region.populate(len.min(POPULATED_BYTES));
            Ok(region)
        });
        self.next = Some((len, region));
    }

    /// The memory, if it is of this size and ready: a pool that has other work is not waited for.
    pub(super) fn take(&mut self, len: usize) -> Option<Region> {
        if let Some(region) = self.kept.take_if(|region| region.len() == len) {
            return Some(region);
        }
        let (_, region) = self.next.take_if(|(size, region)| *size == len && region.is_done())?;
        region.wait().ok()
    }
}
