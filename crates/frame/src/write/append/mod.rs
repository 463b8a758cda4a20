//! Writers that go on with a file or a stream that is there.
//!
//! ```text
//!   file     old file --copied by the system--> hidden file, footer cut off | new messages | new footer, then renamed
//!   stream   the same; in place: end marker cut off | new messages | end marker
//! ```
//!
//! A file's footer is at its end, so new messages would have to overwrite it, and until the new one is whole there would be
//! none. A hidden copy that takes the file's name when it is whole leaves the old file as it was at any moment, for every
//! reader. The copy is made by `copy_file_range`: filesystems that can (Btrfs, XFS, ZFS) share the old blocks, others copy
//! within the kernel.
//!
//! Neighbours: [`Existing`](crate::read::Existing) describes the old file, [`WriteSchema::of_existing`] keeps its types.

mod target;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, IoSlice, Write};
use std::path::Path;
use std::sync::Arc;

use floe_codec::Codec;
use floe_format::{DataType as WireType, Field as WireField};
use polars_core::prelude::*;
use polars_io::SerWriter;
use polars_io::ipc::IpcCompression;
use polars_utils::compression::ZstdLevel;

pub(crate) use self::target::Appending;
use self::target::{Opened, Target};
use super::emit::Container;
use super::format::{FileFormat, StreamFormat, WriteFormat};
use super::options::Options;
use super::writer::FrameWriter;
use crate::schema::WriteSchema;

/// Where a writer goes on with a file that is there: made by [`FrameWriter::append`]. It can only be written to by that
/// writer.
///
/// ```
/// use floe_frame::{AppendFile, IpcWriter};
/// use polars_core::prelude::*;
/// use polars_io::SerWriter;
///
/// let path = std::env::temp_dir().join(format!("floe-append-file-doc-{}.arrow", std::process::id()));
/// let mut df = DataFrame::new(1, vec![Column::new("a".into(), [1i64])])?;
/// IpcWriter::new(std::fs::File::create(&path)?).finish(&mut df)?;
/// let writer: IpcWriter<AppendFile> = IpcWriter::append(&path)?;
/// # let _ = writer;
/// # std::fs::remove_file(&path)?;
/// # PolarsResult::Ok(())
/// ```
pub struct AppendFile {
    target: Arc<Target>,
}

/// The file to go on with, and how.
#[derive(Clone)]
pub(crate) struct AppendOptions {
    target: Arc<Target>,
    in_place: bool,
}

impl<F: WriteFormat> FrameWriter<AppendFile, F> {
    /// A writer that adds batches to a file, or to a stream in a file: floe's, or any other writer's. Its columns must be
    /// those of the frame, in the same order and of the same dtypes. The Arrow types are those that are there.
    ///
    /// [`finish`](SerWriter::finish) and [`BatchWriter::finish`](crate::BatchWriter::finish) make what was added
    /// visible, all of it or nothing. The system copies the old file to a hidden one, without decoding, and that one takes
    /// its name at the end. Old batches keep their bytes. However the process ends, there is the old file or the
    /// new one. A writer that is dropped before the end changes nothing.
    ///
    /// ```
    /// use floe_frame::{IpcReader, IpcWriter};
    /// use polars_core::prelude::*;
    /// use polars_io::{SerReader, SerWriter};
    ///
    /// let path = std::env::temp_dir().join(format!("floe-append-doc-{}.arrow", std::process::id()));
    /// let frame = |days: &[i64]| DataFrame::new(days.len(), vec![Column::new("day".into(), days)]);
    /// IpcWriter::new(std::fs::File::create(&path)?).finish(&mut frame(&[1, 2])?)?;
    ///
    /// IpcWriter::append(&path)?.finish(&mut frame(&[3])?)?;
    /// let mut writer = IpcWriter::append(&path)?.batched(frame(&[])?.schema())?;
    /// writer.write_batch(&frame(&[4])?)?;
    /// writer.write_batch(&frame(&[5])?)?;
    /// writer.finish()?;
    ///
    /// let df = IpcReader::new(std::fs::File::open(&path)?).finish()?;
    /// assert!(df.equals(&frame(&[1, 2, 3, 4, 5])?));
    /// # std::fs::remove_file(&path)?;
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Defaults
    ///
    /// Buffers are compressed as in the last batch that is there, and statistics are written if that has them.
    /// [`with_compression`](Self::with_compression) and [`with_statistics`](Self::with_statistics) change that. The schema
    /// is written already: to set its metadata, a field's, or another compat level is an error.
    ///
    /// # Dictionaries
    ///
    /// New categories are added behind those that are there. A stream sends its dictionary again, or a delta with
    /// `with_dictionary_deltas(true)`. A file gets a new dictionary that begins with the old one, and the footer lists it in
    /// the old one's place. Deltas are an option there too, but Polars 0.55 does not read them.
    ///
    /// # Costs
    ///
    /// Each `append` copies the old file once, unless the filesystem shares its blocks, and needs that much room meanwhile.
    /// The heads of its batches and its dictionaries are read twice: for the defaults, and to go on.
    /// Who adds little to much, again and again, adds a new file to a folder that is scanned, or appends to a stream
    /// [in place](FrameWriter::with_in_place).
    ///
    /// # Other writers
    ///
    /// While a writer appends it holds a lock on the old file, so a second one is an error rather than a loss of rows.
    ///
    /// # Errors
    /// When there is no such file, or it is of another format. When a file is cut off; a stream may be, and its incomplete
    /// last message is left out. When it is big-endian, or from before Arrow 1.0. Columns that do not match are an error of
    /// the methods that write.
    pub fn append(path: impl AsRef<Path>) -> PolarsResult<Self> {
        let target = Arc::new(Target::new(path.as_ref(), F::IS_FILE));
        let append = AppendOptions { target: Arc::clone(&target), in_place: false };
        let existing = target.at(Opened::new(&append)).map(|opened| opened.existing)?;
        let mut writer = <Self as SerWriter<AppendFile>>::new(AppendFile { target });
        let options = writer.options_mut();
        options.compression = existing.codec.map(compression_of);
        options.statistics = existing.has_statistics;
        options.append = Some(append);
        Ok(writer)
    }
}

impl FrameWriter<AppendFile, StreamFormat> {
    /// Writes behind the messages that are there, in the same file, rather than to a copy of it: who follows the stream sees
    /// batches as they are written. The end marker is cut off first, and so is an incomplete message at the end.
    ///
    /// A process that dies meanwhile leaves the old batches, the new ones that were whole, and perhaps a part of a message.
    /// Readers say then that the stream is cut off, and the next `append` goes on there. Defaults to false.
    ///
    /// ```
    /// use floe_frame::{IpcStreamReader, IpcStreamWriter};
    /// use polars_core::prelude::*;
    /// use polars_io::{SerReader, SerWriter};
    ///
    /// let path = std::env::temp_dir().join(format!("floe-in-place-doc-{}.arrows", std::process::id()));
    /// let mut df = DataFrame::new(1, vec![Column::new("a".into(), [1i64])])?;
    /// IpcStreamWriter::new(std::fs::File::create(&path)?).finish(&mut df)?;
    /// IpcStreamWriter::append(&path)?.with_in_place(true).finish(&mut df)?;
    /// assert_eq!(IpcStreamReader::new(std::fs::File::open(&path)?).finish()?.height(), 2);
    /// # std::fs::remove_file(&path)?;
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_in_place(mut self, in_place: bool) -> Self {
        if let Some(append) = &mut self.options_mut().append {
            append.in_place = in_place;
        }
        self
    }
}

impl FrameWriter<AppendFile, FileFormat> {
    /// When categories grow, add what is new as a delta instead of writing the whole dictionary again. Defaults to false:
    /// Polars' own reader rejects deltas.
    ///
    /// ```
    /// # use floe_frame::IpcWriter;
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let path = std::env::temp_dir().join(format!("floe-append-deltas-doc-{}.arrow", std::process::id()));
    /// # let mut df = DataFrame::new(1, vec![Column::new("a".into(), [1i64])])?;
    /// # IpcWriter::new(std::fs::File::create(&path)?).finish(&mut df)?;
    /// let writer = IpcWriter::append(&path)?.with_dictionary_deltas(true);
    /// # let _ = writer;
    /// # std::fs::remove_file(&path)?;
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_dictionary_deltas(mut self, dictionary_deltas: bool) -> Self {
        self.options_mut().dictionary_deltas = dictionary_deltas;
        self
    }
}

fn compression_of(codec: Codec) -> IpcCompression {
    match codec {
        Codec::Lz4 => IpcCompression::LZ4,
        Codec::Zstd => IpcCompression::ZSTD(ZstdLevel::default()),
    }
}

impl AppendOptions {
    /// Looks at what is there, locks it, and checks that frames of a schema can be added.
    ///
    /// # Errors
    /// When they cannot. Nothing has been changed.
    pub(super) fn open(&self, schema: &SchemaRef, options: &Options) -> PolarsResult<Opening> {
        self.target.at(self.opened(schema, options))
    }

    fn opened(&self, schema: &SchemaRef, options: &Options) -> PolarsResult<Opening> {
        let Options { container, compat_level, interop, schema_metadata, field_metadata, .. } = options;
        polars_ensure!(
            schema_metadata.is_none() && field_metadata.is_empty(),
            InvalidOperation: "its schema is written already, and so is the custom metadata of schema and fields"
        );
        polars_ensure!(
            compat_level.is_none() || *compat_level == Options::new(*container).level().ok(),
            InvalidOperation: "its schema is written already: the compat level cannot be chosen"
        );
        let opened = Opened::new(self)?;
        let schema = WriteSchema::of_existing(schema, &opened.existing.schema)?;
        polars_ensure!(
            !*interop || !schema.wire.fields.iter().any(has_views),
            InvalidOperation: "its schema is written already, with views, which not every engine can query: \
             with_interop cannot change that"
        );
        if *container == Container::Stream {
            let end = opened.existing.end;
            polars_ensure!(
                end.is_multiple_of(8),
                InvalidOperation: "its last message ends at byte {end}, no multiple of 8, where no other one may start"
            );
        }
        Ok(Opening { schema, opened })
    }
}

/// Whether a field is one of views, or has one within.
fn has_views(field: &WireField) -> bool {
    matches!(field.data_type, WireType::Utf8View | WireType::BinaryView)
        || field.children.iter().any(has_views)
}

/// The old file, and the schema of new batches.
pub(super) struct Opening {
    pub(super) schema: WriteSchema,
    pub(super) opened: Opened,
}

impl Write for AppendFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.target.write(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.target.write(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for AppendFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppendFile").field("path", &self.target.path()).finish_non_exhaustive()
    }
}

impl fmt::Debug for AppendOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, in_place } = self;
        f.debug_struct("AppendOptions").field("path", &target.path()).field("in_place", in_place).finish()
    }
}
