//! The options that the writers' builders set.

use std::sync::Arc;

use floe_codec::Compression;
use polars_core::prelude::*;
use polars_io::ipc::IpcCompression;

use super::append::AppendOptions;
use super::emit::Container;
use crate::options::Metadata;

/// Everything that shapes the bytes.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) container: Container,
    pub(crate) compression: Option<IpcCompression>,
    /// The level that was asked for.
    pub(crate) compat_level: Option<CompatLevel>,
    /// Whether only types are written that every engine can query.
    pub(crate) interop: bool,
    pub(crate) record_batch_size: Option<usize>,
    pub(crate) record_batch_statistics: bool,
    pub(crate) statistics: bool,
    pub(crate) canonical_views: bool,
    pub(crate) unreferenced_data: bool,
    pub(crate) parallel: bool,
    pub(crate) dictionary_deltas: bool,
    /// Whether a file's footer says where buffers are.
    pub(crate) layout: bool,
    pub(crate) schema_metadata: Option<Arc<Metadata>>,
    pub(crate) field_metadata: Vec<(PlSmallStr, Metadata)>,
    /// The file that the writer goes on with, if any.
    pub(crate) append: Option<AppendOptions>,
}

impl Options {
    pub(crate) fn new(container: Container) -> Self {
        Self {
            container,
            compression: None,
            compat_level: None,
            interop: false,
            record_batch_size: None,
            record_batch_statistics: false,
            statistics: false,
            canonical_views: false,
            unreferenced_data: false,
            parallel: true,
            dictionary_deltas: false,
            layout: true,
            schema_metadata: None,
            field_metadata: Vec::new(),
            append: None,
        }
    }

    /// The level that is written.
    ///
    /// # Errors
    /// When another level was asked for than `interop` has.
    pub(crate) fn level(&self) -> PolarsResult<CompatLevel> {
        let default = match self.container {
            _ if self.interop => CompatLevel::oldest(),
            Container::Stream => CompatLevel::oldest(),
            Container::File => CompatLevel::newest(),
        };
        polars_ensure!(
            !self.interop || self.compat_level.is_none_or(|level| level == default),
            InvalidOperation: "with_interop writes the oldest compat level: leave out with_compat_level"
        );
        Ok(self.compat_level.unwrap_or(default))
    }

    /// Sets metadata of a column, in place of earlier metadata.
    pub(crate) fn set_field_metadata(&mut self, column: &str, metadata: Metadata) {
        self.field_metadata.retain(|(known, _)| known != column);
        self.field_metadata.push((column.into(), metadata));
    }
}

/// As the codec crate says it.
pub(crate) fn codec(compression: IpcCompression) -> Compression {
    match compression {
        IpcCompression::LZ4 => Compression::Lz4,
        IpcCompression::ZSTD(level) => Compression::Zstd { level: level.compression_level() },
    }
}
