//! The record batches of a file, one by one.

use polars_core::prelude::*;
use polars_io::mmap::MmapBytesReader;

use super::open_file::FileView;
use super::options::ReadOptions;

/// The record batches of a file, read and decoded one at a time.
///
/// ```
/// # use floe_frame::{IpcReader, IpcWriter};
/// # use polars_core::prelude::*;
/// # use polars_io::{SerReader, SerWriter};
/// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
/// # let mut bytes = Vec::new();
/// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
/// let mut batches = IpcReader::from_bytes(bytes).batches()?;
/// assert_eq!(batches.next().unwrap()?.height(), 2);
/// # PolarsResult::Ok(())
/// ```
pub struct Batches<R: MmapBytesReader> {
    pub(super) view: FileView<R>,
    pub(super) options: ReadOptions,
    pub(super) next: usize,
    pub(super) rows: usize,
    pub(super) failed: bool,
}

impl<R: MmapBytesReader> Iterator for Batches<R> {
    type Item = PolarsResult<DataFrame>;

    fn next(&mut self) -> Option<Self::Item> {
        let enough = self.options.n_rows.is_some_and(|n| self.rows >= n);
        if self.failed || enough || self.next >= self.view.file.batches.len() {
            return None;
        }
        let index = self.next;
        self.next += 1;
        let result = self.view.locate(index, &self.options).and_then(|batch| {
            let (before, rows) = (self.rows, batch.rows());
            self.rows = self.rows.saturating_add(rows);
            self.view.decode(vec![batch], &self.options, before)
        });
        self.failed = result.is_err();
        Some(result)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.view.file.batches.len().saturating_sub(self.next)))
    }
}

impl<R: MmapBytesReader> std::fmt::Debug for Batches<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batches").field("next", &self.next).finish_non_exhaustive()
    }
}
