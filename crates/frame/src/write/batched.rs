//! Batches written as they arrive.

use std::io::Write;

use polars_core::prelude::*;

use super::engine::Engine;
use crate::options::Metadata;
use crate::schema::key_values;
use crate::summary::WriteSummary;

macro_rules! batched_writer {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name<W: Write> {
            engine: Engine<W>,
        }

        impl<W: Write> $name<W> {
            pub(super) fn new(engine: Engine<W>) -> Self {
                Self { engine }
            }

            /// Writes a frame: as one record batch, unless it is large or a batch size was set.
            /// Its chunks need not be aligned.
            ///
            /// # Errors
            /// When the columns' names, order or dtypes differ from the schema's (nothing is
            /// written then), or the writer fails (every later call fails then).
            pub fn write_batch(&mut self, df: &DataFrame) -> PolarsResult<()> {
                self.write_batch_with_metadata(df, Metadata::default())
            }

            /// As [`write_batch`](Self::write_batch), with custom metadata in the message of each
            /// record batch written.
            ///
            /// # Errors
            /// As [`write_batch`](Self::write_batch).
            pub fn write_batch_with_metadata(&mut self, df: &DataFrame, metadata: Metadata) -> PolarsResult<()> {
                check_schema(self.engine.schema(), df)?;
                let mut metadata = key_values(&metadata);
                // Statistics are about the batch they were made for, not this one.
                metadata.retain(|(key, _)| key != crate::statistics::KEY);
                self.engine.write_more(df, &metadata)
            }

            /// As [`write_batch`](Self::write_batch), but returns while the batch is still being
            /// encoded: about 48 MiB of batches, two at least, may be on their way, and are written
            /// by the calls that follow. The bytes are the same; an error may come from a later
            /// call.
            ///
            /// # Errors
            /// As [`write_batch`](Self::write_batch), also for the batches before this one.
            pub fn submit_batch(&mut self, df: &DataFrame) -> PolarsResult<()> {
                check_schema(self.engine.schema(), df)?;
                self.engine.submit_more(df, &key_values(&Metadata::default()))
            }

            /// Writes the oldest batch that [`submit_batch`](Self::submit_batch) left on its way,
            /// waiting for it to be encoded. False if there is none.
            ///
            /// # Errors
            /// When the batch cannot be encoded, or the writer fails.
            pub fn write_submitted(&mut self) -> PolarsResult<bool> {
                self.engine.write_oldest()
            }

            /// Gives back memory that only the next batch needs. For many writers held open at
            /// once.
            pub fn shrink_to_fit(&mut self) {
                self.engine.shrink_to_fit();
            }

            /// Writes what is left and the end, and flushes the writer. Without it the output is
            /// incomplete, and a reader will say so.
            ///
            /// # Errors
            /// When the writer fails, has failed before, or this has been called before.
            pub fn finish(&mut self) -> PolarsResult<WriteSummary> {
                self.engine.finish()
            }

            /// What has been written so far.
            #[must_use]
            pub fn summary(&self) -> WriteSummary {
                self.engine.summary()
            }

            /// The writer below. Writing to it corrupts the output.
            pub fn get_mut(&mut self) -> &mut W {
                self.engine.get_mut()
            }

            /// The writer, given back.
            #[must_use]
            pub fn into_inner(self) -> W {
                self.engine.into_inner()
            }
        }

        impl<W: Write> std::fmt::Debug for $name<W> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).field("summary", &self.summary()).finish_non_exhaustive()
            }
        }
    };
}

batched_writer! {
    /// A stream written batch by batch; made by
    /// [`IpcStreamWriter::batched`](super::IpcStreamWriter::batched).
    ///
    /// When the categories of a categorical column grow, the stream replaces its dictionary, or
    /// extends it if `with_dictionary_deltas(true)` was set.
    BatchedStreamWriter
}

batched_writer! {
    /// A file written batch by batch; made by [`IpcWriter::batched`](super::IpcWriter::batched).
    ///
    /// The dictionaries of categorical columns, which may grow until the end, follow the batches:
    /// a file may have only one for each. Readers of files find them through the footer.
    BatchedWriter
}

impl<W: Write> BatchedWriter<W> {
    /// Adds custom metadata to the footer, as in Polars.
    pub fn set_custom_metadata(&mut self, custom_metadata: Vec<(String, String)>) {
        let metadata = custom_metadata.into_iter().map(|(key, value)| (key.into(), value.into()));
        self.engine.set_footer_metadata(metadata.collect());
    }
}

fn check_schema(expected: &Schema, df: &DataFrame) -> PolarsResult<()> {
    polars_ensure!(
        df.width() == expected.len(),
        SchemaMismatch: "the batch has {} columns, the schema {}", df.width(), expected.len()
    );
    for ((name, dtype), column) in expected.iter().zip(df.columns()) {
        polars_ensure!(
            column.name() == name,
            SchemaMismatch: "the batch has column \"{}\" where the schema has \"{name}\"", column.name()
        );
        polars_ensure!(
            column.dtype() == dtype,
            SchemaMismatch: "column \"{name}\" of the batch is {}, the schema says {dtype}", column.dtype()
        );
    }
    Ok(())
}
