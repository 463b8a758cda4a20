//! What the writers of both formats have in common: all of their builder methods.

/// The methods of a writer type with the fields `writer`, `options`, `summary` and `broken`.
macro_rules! writer_methods {
    ($name:ident, $batched:ident, $container:expr) => {
        impl<W> $name<W> {
            /// Set the compression used. Defaults to None.
            pub fn with_compression(mut self, compression: Option<IpcCompression>) -> Self {
                self.options.compression = compression;
                self
            }

            /// Which Arrow types to use: the oldest level writes strings with offsets, the newest as views.
            /// Defaults as in Polars: the newest for files, the oldest for streams.
            pub fn with_compat_level(mut self, compat_level: CompatLevel) -> Self {
                self.options.compat_level = compat_level;
                self
            }

            /// Rows per record batch: exactly so many, the last has what is left. By default about
            /// 262,144 rows, fewer if they take more than 32 MiB.
            pub fn with_record_batch_size(mut self, record_batch_size: Option<usize>) -> Self {
                self.options.record_batch_size = record_batch_size;
                self
            }

            /// Write each column's sortedness flags into every record batch's metadata, where Polars'
            /// streaming engine looks for them.
            pub fn with_record_batch_statistics(mut self, record_batch_statistics: bool) -> Self {
                self.options.record_batch_statistics = record_batch_statistics;
                self
            }

            /// Write each column's smallest and largest value and null count into every record
            /// batch's metadata, under a key that other readers ignore, and of files once more into
            /// the footer. floe's scans skip batches by them. Defaults to false.
            ///
            /// Nested columns, categoricals, enums and binaries have their nulls counted only, as
            /// do floats of a batch in which a NaN occurs.
            pub fn with_statistics(mut self, statistics: bool) -> Self {
                self.options.statistics = statistics;
                self
            }

            /// Copy the data of string and binary views together in the order of the rows. By default
            /// it is written from the buffers in which it lies, if those hold nothing else; so frames
            /// that are equal may be written as different bytes. Defaults to false.
            pub fn with_canonical_views(mut self, canonical_views: bool) -> Self {
                self.options.canonical_views = canonical_views;
                self
            }

            /// Write data as it lies in memory although some of it belongs to no row of the frame, where that
            /// saves a copy: buffers of strings and binaries of which most is in use (unless
            /// [`with_canonical_views`](Self::with_canonical_views) copies them together anyway), and numbers
            /// and booleans that are null but were something once. So values of rows that a filter or a slice
            /// left out may get into the file. Defaults to false: no such byte is written. What is read back
            /// is the same.
            pub fn with_unreferenced_data(mut self, unreferenced_data: bool) -> Self {
                self.options.unreferenced_data = unreferenced_data;
                self
            }

            /// Encode and compress on Polars' thread pool. Defaults to true; the bytes are the same.
            pub fn with_parallel(mut self, parallel: bool) -> Self {
                self.options.parallel = parallel;
                self
            }

            /// Sets custom metadata of the schema. Must be called before anything is written.
            pub fn set_custom_schema_metadata(&mut self, custom_metadata: Arc<Metadata>) {
                self.options.schema_metadata = Some(custom_metadata);
            }

            /// Sets custom metadata of a column. Writing fails if the frame has no such column.
            pub fn set_custom_field_metadata(&mut self, column: &str, metadata: Metadata) {
                self.options.set_field_metadata(column, metadata);
            }

            /// Writes the schema and waits for batches.
            ///
            /// # Errors
            /// When a dtype cannot be written, which is found before anything is, or the writer fails.
            pub fn batched(self, schema: &Schema) -> PolarsResult<$batched<W>>
            where
                W: Write,
            {
                Engine::start(self.writer, &Arc::new(schema.clone()), &self.options).map($batched::new)
            }

            /// What `finish` wrote; all zero before.
            #[must_use]
            pub fn summary(&self) -> WriteSummary {
                self.summary
            }
        }

        impl<W: Write> SerWriter<W> for $name<W> {
            fn new(writer: W) -> Self {
                let options = Options::new($container);
                Self { writer, options, summary: WriteSummary::default(), broken: false }
            }

            /// Writes the frame: a complete stream or file. The frame is not changed.
            fn finish(&mut self, df: &mut DataFrame) -> PolarsResult<()> {
                self.summary = WriteSummary::default();
                self.summary = write_frame(&mut self.writer, df, &self.options, &mut self.broken)?;
                Ok(())
            }
        }

        impl<W> std::fmt::Debug for $name<W> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).field("options", &self.options).finish_non_exhaustive()
            }
        }
    };
}

pub(crate) use writer_methods;
