//! Polars' streaming engine: `sink_ipc` and `scan_ipc`.

use std::path::Path;

use polars_core::prelude::*;
use polars_io::ipc::{IpcScanOptions, IpcWriterOptions};
use polars_lazy::prelude::*;

use super::Codec;

/// Runs a query into a new file.
pub fn sink(query: LazyFrame, codec: Codec, path: &Path) {
    let target = SinkTarget::Path(path.to_string_lossy().as_ref().into());
    let options = IpcWriterOptions { compression: codec.polars(), ..IpcWriterOptions::default() };
    let sink = query.sink(
        SinkDestination::File { target },
        FileWriteFormat::Ipc(options),
        UnifiedSinkArgs::default(),
    );
    sink.expect("a sink").collect_with_engine(Engine::Streaming).expect("Polars writes");
}

/// A scan of a file.
pub fn scan(path: &Path) -> LazyFrame {
    let path = path.to_string_lossy();
    LazyFrame::scan_ipc(path.as_ref().into(), IpcScanOptions::default(), UnifiedScanArgs::default())
        .expect("a scan")
}

/// Runs a query on the streaming engine.
#[must_use]
pub fn collect(query: LazyFrame) -> DataFrame {
    query.collect_with_engine(Engine::Streaming).expect("Polars reads").unwrap_single()
}
