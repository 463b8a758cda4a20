//! Options, as Polars has them.

use std::io::Write;
use std::path::PathBuf;

use polars_core::prelude::CompatLevel;
use polars_io::SerWriter;
use polars_io::ipc::IpcCompression;

use crate::write::{IpcStreamWriter, IpcWriter};

/// Key/value metadata, as Polars has it: `BTreeMap<PlSmallStr, PlSmallStr>`.
pub use arrow::datatypes::Metadata;

/// Keys and values of metadata as bytes, in the order in which they are stored. Keys may repeat.
///
/// ```
/// use floe_frame::MetadataBytes;
///
/// let metadata: MetadataBytes = vec![(b"encoding".to_vec(), vec![0xff, 0xfe])];
/// # let _ = metadata;
/// ```
pub type MetadataBytes = Vec<(Vec<u8>, Vec<u8>)>;

/// Options of an [`IpcWriter`], as in Polars.
///
/// ```
/// use floe_frame::IpcWriterOptions;
///
/// let options = IpcWriterOptions { record_batch_size: Some(1000), ..Default::default() };
/// let mut bytes = Vec::new();
/// let _writer = options.to_writer(&mut bytes);
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct IpcWriterOptions {
    /// Compression of buffers.
    pub compression: Option<IpcCompression>,
    /// Compatibility level.
    pub compat_level: CompatLevel,
    /// Rows per record batch; `None` for a sensible size.
    pub record_batch_size: Option<usize>,
    /// Write each column's sortedness flags into the metadata of each record batch.
    pub record_batch_statistics: bool,
}

impl Default for IpcWriterOptions {
    fn default() -> Self {
        Self {
            compression: None,
            compat_level: CompatLevel::newest(),
            record_batch_size: None,
            record_batch_statistics: false,
        }
    }
}

impl IpcWriterOptions {
    /// A file writer with these options; none is dropped. See [`IpcWriterOptions`] for an example.
    pub fn to_writer<W: Write>(&self, writer: W) -> IpcWriter<W> {
        let Self { compression, compat_level, record_batch_size, record_batch_statistics } = *self;
        IpcWriter::new(writer)
            .with_compression(compression)
            .with_compat_level(compat_level)
            .with_record_batch_size(record_batch_size)
            .with_record_batch_statistics(record_batch_statistics)
    }
}

/// Options of an [`IpcStreamWriter`], as in Polars.
///
/// ```
/// use floe_frame::IpcStreamWriterOption;
///
/// let options = IpcStreamWriterOption::new().with_extension(".arrows".into());
/// let writer = options.to_writer(Vec::new());
/// # let _ = writer;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpcStreamWriterOption {
    compression: Option<IpcCompression>,
    extension: PathBuf,
    unreferenced_data: bool,
}

impl IpcStreamWriterOption {
    /// No compression, extension `.ipc`.
    ///
    /// ```
    /// use floe_frame::IpcStreamWriterOption;
    ///
    /// assert_eq!(IpcStreamWriterOption::new(), IpcStreamWriterOption::default());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self { compression: None, extension: PathBuf::from(".ipc"), unreferenced_data: false }
    }

    /// Set the compression used. Defaults to None.
    ///
    /// ```
    /// use floe_frame::IpcStreamWriterOption;
    /// use polars_io::ipc::IpcCompression;
    ///
    /// let options = IpcStreamWriterOption::new().with_compression(Some(IpcCompression::LZ4));
    /// # let _ = options;
    /// ```
    #[must_use]
    pub fn with_compression(mut self, compression: Option<IpcCompression>) -> Self {
        self.compression = compression;
        self
    }

    /// Set the extension. Defaults to ".ipc".
    ///
    /// ```
    /// use floe_frame::IpcStreamWriterOption;
    ///
    /// let options = IpcStreamWriterOption::new().with_extension(".arrows".into());
    /// # let _ = options;
    /// ```
    #[must_use]
    pub fn with_extension(mut self, extension: PathBuf) -> Self {
        self.extension = extension;
        self
    }

    /// Write data as it lies in memory although some of it belongs to no row of the frame, as
    /// [`IpcStreamWriter::with_unreferenced_data`] says. Defaults to false.
    ///
    /// ```
    /// use floe_frame::IpcStreamWriterOption;
    ///
    /// let options = IpcStreamWriterOption::new().with_unreferenced_data(true);
    /// # let _ = options;
    /// ```
    #[must_use]
    pub fn with_unreferenced_data(mut self, unreferenced_data: bool) -> Self {
        self.unreferenced_data = unreferenced_data;
        self
    }

    /// The extension for file names.
    ///
    /// ```
    /// use floe_frame::IpcStreamWriterOption;
    ///
    /// assert_eq!(IpcStreamWriterOption::new().extension(), ".ipc");
    /// ```
    #[must_use]
    pub fn extension(&self) -> &std::path::Path {
        &self.extension
    }

    /// A stream writer with these options. See [`IpcStreamWriterOption`] for an example.
    pub fn to_writer<W: Write>(&self, writer: W) -> IpcStreamWriter<W> {
        let Self { compression, extension: _, unreferenced_data } = self;
        IpcStreamWriter::new(writer).with_compression(*compression).with_unreferenced_data(*unreferenced_data)
    }
}

impl Default for IpcStreamWriterOption {
    fn default() -> Self {
        Self::new()
    }
}
