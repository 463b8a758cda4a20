//! How frames become messages.

use std::sync::Arc;

use floe::prelude::{CompatLevel, IpcCompression, IpcStreamWriter, Metadata, SerWriter};
use floe::{IpcMessageEncoder, StreamFormat};
use polars_core::prelude::*;

/// Bytes of a message that a batch is split at. Servers and clients of gRPC refuse messages of more than 4 MiB by default.
const MAX_MESSAGE_BYTES: usize = 2 << 20;

/// Options of what is sent, for [`FlightEncoder`](crate::FlightEncoder), [`FlightServer`](crate::FlightServer) and
/// [`FlightClient`](crate::FlightClient).
///
/// ```
/// use floe::prelude::IpcCompression;
/// use floe_flight::FlightOptions;
///
/// let options = FlightOptions::new().with_compression(Some(IpcCompression::LZ4));
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct FlightOptions {
    compression: Option<IpcCompression>,
    compat_level: CompatLevel,
    max_message_bytes: usize,
    dictionary_deltas: bool,
    schema_metadata: Option<Arc<Metadata>>,
}

impl Default for FlightOptions {
    fn default() -> Self {
        Self {
            compression: None,
            compat_level: CompatLevel::oldest(),
            max_message_bytes: MAX_MESSAGE_BYTES,
            dictionary_deltas: false,
            schema_metadata: None,
        }
    }
}

impl FlightOptions {
    /// No compression, the oldest compatibility level, messages of about 2 MiB.
    ///
    /// See [`FlightOptions`] for an example.
    pub fn new() -> Self {
        Self::default()
    }

    /// Compression of buffers. Defaults to none.
    ///
    /// See [`FlightOptions`] for an example.
    pub fn with_compression(mut self, compression: Option<IpcCompression>) -> Self {
        self.compression = compression;
        self
    }

    /// Compatibility level. Defaults to the oldest, which clients of all ages read: strings with offsets, no views.
    ///
    /// ```
    /// use floe::prelude::CompatLevel;
    /// use floe_flight::FlightOptions;
    ///
    /// let views = FlightOptions::new().with_compat_level(CompatLevel::newest());
    /// # let _ = views;
    /// ```
    pub fn with_compat_level(mut self, compat_level: CompatLevel) -> Self {
        self.compat_level = compat_level;
        self
    }

    /// Bytes of values, uncompressed, at which a batch is split into messages. Defaults to 2 MiB. A row that has more is a
    /// message of its own, and dictionaries are not split.
    ///
    /// ```
    /// use floe_flight::FlightOptions;
    ///
    /// let small = FlightOptions::new().with_max_message_bytes(64 << 10);
    /// # let _ = small;
    /// ```
    pub fn with_max_message_bytes(mut self, bytes: usize) -> Self {
        self.max_message_bytes = bytes.max(1);
        self
    }

    /// Extend dictionaries that grow rather than replace them. Defaults to false: not all readers know deltas.
    ///
    /// ```
    /// use floe_flight::FlightOptions;
    ///
    /// let options = FlightOptions::new().with_dictionary_deltas(true);
    /// # let _ = options;
    /// ```
    pub fn with_dictionary_deltas(mut self, deltas: bool) -> Self {
        self.dictionary_deltas = deltas;
        self
    }

    /// Custom metadata of the schema.
    ///
    /// ```
    /// use floe::prelude::Metadata;
    /// use floe_flight::FlightOptions;
    ///
    /// let options = FlightOptions::new().with_schema_metadata(Metadata::from([("source".into(), "radar".into())]));
    /// # let _ = options;
    /// ```
    pub fn with_schema_metadata(mut self, metadata: Metadata) -> Self {
        self.schema_metadata = Some(Arc::new(metadata));
        self
    }

    pub(crate) fn max_message_bytes(&self) -> usize {
        self.max_message_bytes
    }

    /// An encoder of IPC messages. Each frame that it is given is one record batch, since frames are split before.
    pub(crate) fn message_encoder(&self, schema: &Schema) -> PolarsResult<IpcMessageEncoder<StreamFormat>> {
        let Self { compression, compat_level, max_message_bytes: _, dictionary_deltas, schema_metadata } =
            self;
        let mut writer = IpcStreamWriter::new(std::io::sink())
            .with_compression(*compression)
            .with_compat_level(*compat_level)
            .with_dictionary_deltas(*dictionary_deltas)
            .with_record_batch_size(Some(usize::MAX));
        if let Some(metadata) = schema_metadata {
            writer.set_custom_schema_metadata(Arc::clone(metadata));
        }
        writer.message_encoder(schema)
    }
}
