//! LazyFrames into streams, files and folders of files.

use std::path::Path;

use floe_frame::{ErrorKind, WriteSummary, error_kind};
use polars_core::prelude::*;
use polars_lazy::prelude::LazyFrame;

use crate::batch_sizing::BatchSizing;
use crate::batches::IpcBatches;
use crate::error::at_path;
use crate::options::{IpcSinkOptions, Parts, Progress, Reporter};
use crate::partition::{self, PartitionBy, PartitionSummary};
use crate::query::{Consumer, consume};
use crate::target::{Output, SinkTarget};
use crate::writer::{Format, Writer};

/// The sinks of a [`LazyFrame`].
///
/// All run the query on Polars' streaming engine, in bounded memory, and keep the order of its rows
/// unless told otherwise. The schema comes from the query: a result without rows is a valid, empty
/// stream or file. See [`sink_ipc_file`](Self::sink_ipc_file) for an example.
///
/// # Errors
/// Of what goes wrong - the query, the encoding, the target - the first comes back, as the error it
/// is: an I/O error keeps its [`kind`](std::io::Error::kind). The query ends early then, and files
/// that are not complete are removed.
///
/// # Panics
/// When the query panics, or the target, or the progress callback. Nothing is left behind then either.
pub trait LazyIpcExt {
    /// Runs the query and writes its result as an Arrow IPC stream.
    ///
    /// ```
    /// use floe_lazy::*;
    /// use polars_core::prelude::*;
    /// use std::io::Write;
    ///
    /// # let df = DataFrame::new(3, vec![Column::new("n".into(), [1, 2, 3])])?;
    /// let target: Box<dyn Write + Send> = Box::new(std::io::sink());
    /// let summary = df.lazy().sink_ipc_stream(target, IpcSinkOptions::default())?;
    /// assert_eq!(summary.rows, 3);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// See [`LazyIpcExt`].
    fn sink_ipc_stream(
        self,
        target: impl Into<SinkTarget>,
        options: IpcSinkOptions,
    ) -> PolarsResult<WriteSummary>;

    /// Runs the query and writes its result as an Arrow IPC file.
    ///
    /// ```
    /// use floe_lazy::*;
    /// use polars_core::prelude::*;
    ///
    /// # let df = DataFrame::new(3, vec![Column::new("n".into(), [1, 2, 3])])?;
    /// let path = std::env::temp_dir().join(format!("floe-sink-doc-{}.arrow", std::process::id()));
    /// let summary = df.lazy().sink_ipc_file(&path, IpcSinkOptions::default())?;
    /// assert_eq!(summary.rows, 3);
    /// # std::fs::remove_file(&path)?;
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// See [`LazyIpcExt`].
    fn sink_ipc_file(
        self,
        target: impl Into<SinkTarget>,
        options: IpcSinkOptions,
    ) -> PolarsResult<WriteSummary>;

    /// Runs the query and writes its result as Arrow IPC files in a folder, which is made if need be.
    ///
    /// The folder has to be empty; with [`with_existing`](IpcSinkOptions::with_existing) the new files replace those
    /// that are in it, or are added to them. All files appear when the query has ended well and all of them are
    /// complete and on disk. After an error none does, folders made for them are removed, and older files stand as they
    /// did. A process that is killed as files appear may leave some old and some new, each of them whole. Thousands of
    /// keys share a budget of memory, and few files are open at a time.
    ///
    /// ```
    /// use floe_lazy::*;
    /// use polars_core::prelude::*;
    ///
    /// let year = Column::new("year".into(), [2012, 2013, 2013]);
    /// let df = DataFrame::new(3, vec![year, Column::new("n".into(), [1, 2, 3])])?;
    /// let folder = std::env::temp_dir().join(format!("floe-parts-doc-{}", std::process::id()));
    /// let by = PartitionBy::Keys(vec!["year"]);
    /// let parts = df.lazy().sink_ipc_partitioned(&folder, by, IpcSinkOptions::default())?;
    /// assert_eq!(parts[1].path, folder.join("year=2013").join("part-0.arrow"));
    /// assert_eq!(parts[1].summary.rows, 2);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// See [`LazyIpcExt`]; when the folder is not empty; and when the keys are not columns whose values can
    /// name folders.
    fn sink_ipc_partitioned(
        self,
        base_dir: impl AsRef<Path>,
        by: PartitionBy<'_>,
        options: IpcSinkOptions,
    ) -> PolarsResult<Vec<PartitionSummary>>;

    /// Runs the query, whose result comes as frames of that many rows, the last one with the rest; without a number, of
    /// a sensible size.
    ///
    /// The query runs while the frames are used, one or two frames ahead; dropping the iterator ends
    /// it.
    ///
    /// ```
    /// use floe_lazy::*;
    /// use polars_core::prelude::*;
    ///
    /// # let df = DataFrame::new(5, vec![Column::new("n".into(), [1, 2, 3, 4, 5])])?;
    /// let mut heights = Vec::new();
    /// for batch in df.lazy().collect_ipc_batches(2)? {
    ///     heights.push(batch?.height());
    /// }
    /// assert_eq!(heights, [2, 2, 1]);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When the query has no valid schema, or no thread can be had. Errors of the query come from
    /// the iterator, as its last item.
    fn collect_ipc_batches(self, rows: impl Into<Option<usize>>) -> PolarsResult<IpcBatches>;
}

impl LazyIpcExt for LazyFrame {
    fn sink_ipc_stream(
        self,
        target: impl Into<SinkTarget>,
        options: IpcSinkOptions,
    ) -> PolarsResult<WriteSummary> {
        sink(self, target.into(), options, Format::Stream)
    }

    fn sink_ipc_file(
        self,
        target: impl Into<SinkTarget>,
        options: IpcSinkOptions,
    ) -> PolarsResult<WriteSummary> {
        sink(self, target.into(), options, Format::File)
    }

    fn sink_ipc_partitioned(
        self,
        base_dir: impl AsRef<Path>,
        by: PartitionBy<'_>,
        options: IpcSinkOptions,
    ) -> PolarsResult<Vec<PartitionSummary>> {
        partition::sink(self, base_dir.as_ref(), by, options)
    }

    fn collect_ipc_batches(self, rows: impl Into<Option<usize>>) -> PolarsResult<IpcBatches> {
        IpcBatches::start(self, rows.into())
    }
}

fn sink(
    mut lf: LazyFrame,
    target: SinkTarget,
    options: IpcSinkOptions,
    format: Format,
) -> PolarsResult<WriteSummary> {
    // Without keys there is nothing to leave out, and there is no folder.
    let Parts { encoding, maintain_order, progress, cloud, include_keys: _, existing: _, commit_marker: _ } =
        options.into_parts();
    let schema = lf.collect_schema()?;
    let sizing = BatchSizing::for_batches(encoding.record_batch_size, &schema);
    let path = target.path().map(Path::to_path_buf);
    let output = target.open(&cloud)?;
    let started = encoding.start(format, output, &schema);
    let named = |error| match &path {
        // The query's errors are its own.
        Some(path) if matches!(error_kind(&error), Some(ErrorKind::Io(_))) => at_path(error, path),
        _ => error,
    };
    consume(lf, maintain_order, sizing, Sink { writer: started.map_err(named)?, progress }).map_err(named)
}

/// Writes frames to one target.
struct Sink {
    writer: Writer<Output>,
    progress: Reporter,
}

impl Sink {
    fn report(&mut self) {
        self.progress.report(Progress::from(&self.writer.summary()));
    }
}

impl Consumer for Sink {
    type Output = WriteSummary;

    fn take(&mut self, df: DataFrame) -> PolarsResult<()> {
        self.writer.submit(&df)?;
        self.report();
        Ok(())
    }

    fn work(&mut self) -> PolarsResult<bool> {
        let worked = self.writer.write_submitted()?;
        self.report();
        Ok(worked)
    }

    fn finish(mut self) -> PolarsResult<WriteSummary> {
        while self.work()? {}
        let summary = self.writer.finish()?;
        self.writer.into_inner().commit()?;
        Ok(summary)
    }
}
