//! One file of a partitioned sink, under way.

use std::path::PathBuf;

use floe_frame::{AtomicFile, WriteSummary};
use polars_core::prelude::*;

use super::folder::{Finished, Folder};
use super::summary::PartitionSummary;
use crate::error::{at_path, io_error};
use crate::options::{Encoding, Progress, Reporter};
use crate::writer::{Format, Writer};

/// The state that all files of a sink share.
pub(super) struct Parts {
    pub(super) folder: Folder,
    pub(super) encoding: Encoding,
    pub(super) schema: SchemaRef,
    pub(super) progress: ProgressTotal,
}

impl Parts {
    pub(super) fn new(
        folder: Folder,
        encoding: Encoding,
        schema: SchemaRef,
        progress: ProgressTotal,
    ) -> Self {
        Self { folder, encoding, schema, progress }
    }

    /// Starts a file in a folder below, by its number there.
    pub(super) fn start(&mut self, folder: &str, number: usize) -> PolarsResult<Part> {
        let folder = self.folder.subfolder(folder)?;
        let path = folder.join(self.folder.names.part(number, 1));
        // A file of that name, which may be anything, is not touched before the end.
        let hidden = self.folder.hidden(&folder, &path).map_err(|error| io_error(error, &path))?;
        let file = AtomicFile::create(&hidden).map_err(|error| io_error(error, &path))?;
        let writer = self.encoding.start(Format::File, file, &self.schema);
        let writer = writer.map_err(|error| at_path(error, &path))?;
        self.progress.add(WriteSummary::default(), writer.summary());
        Ok(Part { path, hidden, writer })
    }

    /// Does something with a file, and counts the bytes that it wrote.
    pub(super) fn on<T>(
        &mut self,
        part: &mut Part,
        step: impl FnOnce(&mut Writer<AtomicFile>) -> PolarsResult<T>,
    ) -> PolarsResult<T> {
        let before = part.writer.summary();
        let result = step(&mut part.writer).map_err(|error| at_path(error, &part.path));
        self.progress.add(before, part.writer.summary());
        result
    }

    /// Ends a file, which has its name only when the folder is committed.
    pub(super) fn finish(
        &mut self,
        mut part: Part,
        keys: Vec<(String, Option<String>)>,
    ) -> PolarsResult<Finished> {
        let summary = self.on(&mut part, Writer::finish)?;
        let Part { path, hidden, writer } = part;
        let mut file = writer.into_inner();
        file.park();
        Ok(Finished { file, hidden, summary: PartitionSummary { path, keys, summary } })
    }
}

/// A file under way.
pub(super) struct Part {
    path: PathBuf,
    hidden: PathBuf,
    writer: Writer<AtomicFile>,
}

impl Part {
    /// For now there is nothing to write: thousands of these are no burden.
    pub(super) fn park(&mut self) {
        self.writer.get_mut().park();
        self.writer.shrink_to_fit();
    }

    /// The file must not have more bytes for the sake of what its footer may leave out.
    pub(super) fn set_max_bytes(&mut self, max_bytes: u64) {
        self.writer.set_max_bytes(max_bytes);
    }

    pub(super) fn written(&self) -> WriteSummary {
        self.writer.summary()
    }
}

/// The counters of all files together.
pub(super) struct ProgressTotal {
    progress: Progress,
    reporter: Reporter,
}

impl ProgressTotal {
    pub(super) fn new(reporter: Reporter) -> Self {
        Self { progress: Progress::default(), reporter }
    }

    fn add(&mut self, before: WriteSummary, after: WriteSummary) {
        self.progress.rows += after.rows - before.rows;
        self.progress.batches += after.batches - before.batches;
        self.progress.bytes += after.written_bytes - before.written_bytes;
        self.reporter.report(self.progress);
    }
}
