//! Batches of a stream that is still being written.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use floe_format::NotUtf8;
use polars_core::prelude::*;

use super::followed::FollowedBytes;
use super::growing_file::GrowingFile;
use super::message_source::MessageSource as _;
use super::options::ReadOptions;
use super::several::BatchMetadata;
use super::stream_source::Stream;
use super::watch::Watch;
use crate::error::{format_error, io_error};
use crate::options::{Metadata, MetadataBytes};
use crate::schema::metadata_map;

/// The answer of [`FollowReader::next_batch`].
///
/// ```
/// use floe_frame::Follow;
/// use polars_core::prelude::*;
///
/// fn told(found: &Follow) -> &'static str {
///     match found {
///         Follow::Batch(_) => "a batch",
///         Follow::NotYet => "nothing yet",
///         Follow::Ended => "all of it",
///         Follow::Idle => "nothing for long",
///         Follow::Replaced => "another file",
///         _ => "something new",
///     }
/// }
/// assert_eq!(told(&Follow::Batch(DataFrame::empty())), "a batch");
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Follow {
    /// The next record batch.
    Batch(DataFrame),
    /// No further batch is whole yet. The writer may be at work, also when a part of a message is there.
    NotYet,
    /// The end marker has come, or all rows that are wanted.
    Ended,
    /// The file has not grown for the time that [`with_idle_timeout`](FollowReader::with_idle_timeout) has set:
    /// who takes the writer for dead calls [`complete`](FollowReader::complete), and is told whether it is cut off.
    Idle,
    /// Another file has the name now, or this one was emptied or written anew. All batches that were whole have been
    /// returned. [`reopen`](FollowReader::reopen) begins with the new file.
    Replaced,
}

/// Reads a file that somebody is still writing to: a stream, or an IPC file without its footer yet. Batches come as soon as
/// they are whole.
///
/// ```
/// use floe_frame::{Follow, FollowReader, IpcStreamWriter};
/// use polars_core::prelude::*;
/// use polars_io::SerWriter;
/// use std::time::Duration;
///
/// let path = std::env::temp_dir().join(format!("floe-follow-doc-{}.arrows", std::process::id()));
/// let df = DataFrame::new(2, vec![Column::new("a".into(), [1i64, 2])])?;
/// let mut writer = IpcStreamWriter::new(std::fs::File::create(&path)?).batched(df.schema())?;
/// writer.write_batch(&df)?;
///
/// let mut reader = FollowReader::open(&path)?;
/// let wait = Duration::from_millis(10);
/// assert!(matches!(reader.next_batch(wait)?, Follow::Batch(batch) if batch.equals(&df)));
/// assert!(matches!(reader.next_batch(wait)?, Follow::NotYet));
/// writer.finish()?;
/// assert!(matches!(reader.next_batch(wait)?, Follow::Ended));
/// # std::fs::remove_file(&path)?;
/// # PolarsResult::Ok(())
/// ```
///
/// # Not yet, or cut off
///
/// A file does not tell whether its writer lives. So an incomplete message is [`Follow::NotYet`], however long it takes,
/// unless [`with_idle_timeout`](Self::with_idle_timeout) is set. Who knows that the writer has ended calls
/// [`complete`](Self::complete): a stream that breaks off within a message is an error then. Of an incomplete message
/// nothing is kept: a writer that goes on with the stream may cut it off.
///
/// # What is followed
///
/// A regular file by its name, looked at again and again: pauses double from 1 ms to
/// [`with_longest_pause`](Self::with_longest_pause). Its footer is not looked at. A file whose dictionaries come behind the batches (floe's batched writer of files with
/// categoricals) can only be read when it has its footer. Pipes and sockets are read by
/// [`IpcStreamReader`](crate::IpcStreamReader), which waits for them.
#[must_use]
pub struct FollowReader {
    stream: Stream<GrowingFile>,
    pub(super) options: ReadOptions,
    watch: Watch,
    stored: BatchMetadata,
}

impl FollowReader {
    /// Opens a file, from its start. It may be empty. See [`FollowReader`] for an example.
    ///
    /// # Errors
    /// When it does not exist, or is no regular file.
    pub fn open(path: impl AsRef<Path>) -> PolarsResult<Self> {
        let file = open(path.as_ref())?;
        Ok(Self {
            watch: Watch::new(file.len()),
            stream: Stream::new(file),
            options: ReadOptions::default(),
            stored: BatchMetadata::default(),
        })
    }

    /// The longest pause between two looks at the file. Defaults to 100 ms. See [`FollowReader`] for an example of its use.
    pub fn with_longest_pause(mut self, pause: Duration) -> Self {
        self.watch.longest_pause = pause;
        self
    }

    /// After how long without a new byte [`Follow::Idle`] is returned. Defaults to never.
    ///
    /// ```
    /// use floe_frame::{Follow, FollowReader};
    /// use std::time::Duration;
    ///
    /// let path = std::env::temp_dir().join(format!("floe-idle-doc-{}.arrows", std::process::id()));
    /// std::fs::write(&path, b"")?;
    /// let reader = FollowReader::open(&path)?;
    /// let mut reader = reader.with_idle_timeout(Some(Duration::from_millis(20)));
    /// assert!(matches!(reader.next_batch(Duration::from_secs(9))?, Follow::Idle));
    /// # std::fs::remove_file(&path)?;
    /// # polars_core::prelude::PolarsResult::Ok(())
    /// ```
    pub fn with_idle_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.watch.idle_timeout = timeout;
        self
    }

    /// The next batch, waiting for it no longer than `timeout`. See [`FollowReader`] for an example. With a timeout of zero it looks at the file once.
    ///
    /// # Errors
    /// When the bytes are no valid stream, or a projected column is missing: every later call fails then. When the file
    /// cannot be read.
    pub fn next_batch(&mut self, timeout: Duration) -> PolarsResult<Follow> {
        let begun = Instant::now();
        self.watch.begin();
        loop {
            if let Some(found) = self.look()? {
                return Ok(found);
            }
            if self.watch.is_idle(self.stream.input.len()) {
                return Ok(Follow::Idle);
            }
            let left = timeout.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(Follow::NotYet);
            }
            self.watch.sleep(Some(left));
        }
    }

    /// Looks at the file once. Nothing if nothing whole has come.
    fn look(&mut self) -> PolarsResult<Option<Follow>> {
        // Frames that have been returned are the caller's.
        self.stream.hand_over();
        match self.stream.next_frame(&self.options) {
            Ok(Some((df, stored))) => {
                self.stored = stored;
                self.watch.see(self.stream.input.len());
                Ok(Some(Follow::Batch(df)))
            },
            Ok(None) => Ok(Some(Follow::Ended)),
            Err(error) => {
                let replaced = self.stream.input.is_replaced();
                if replaced.map_err(|e| io_error(e, "looking at a growing file"))? {
                    return Ok(Some(Follow::Replaced));
                }
                if !self.stream.input.resumes(&error) {
                    return Err(error);
                }
                Ok(None)
            },
        }
    }

    /// Says that the writer has ended. From now on [`next_batch`](Self::next_batch) returns what is left and
    /// [`Follow::Ended`], or an error if the stream is cut off: of the kind
    /// [`ErrorKind::Truncated`](crate::ErrorKind::Truncated) if it breaks off within a message. A stream that ends between
    /// two messages without an end marker is not cut off, an IPC file is.
    ///
    /// ```
    /// use floe_frame::{ErrorKind, FollowReader, error_kind};
    /// use std::time::Duration;
    ///
    /// let path = std::env::temp_dir().join(format!("floe-complete-doc-{}.arrows", std::process::id()));
    /// std::fs::write(&path, [0xFF, 0xFF, 0xFF, 0xFF, 16, 0, 0, 0])?; // a message's length, and no message
    /// let mut reader = FollowReader::open(&path)?;
    /// reader.complete();
    /// let error = reader.next_batch(Duration::ZERO).unwrap_err();
    /// assert!(matches!(error_kind(&error), Some(ErrorKind::Truncated { .. })));
    /// # std::fs::remove_file(&path)?;
    /// # polars_core::prelude::PolarsResult::Ok(())
    /// ```
    pub fn complete(&mut self) {
        self.stream.input.complete();
    }

    /// Begins with the file that has the name now, from its start. Options are kept.
    ///
    /// ```
    /// use floe_frame::{Follow, FollowReader};
    /// use std::time::Duration;
    ///
    /// let path = std::env::temp_dir().join(format!("floe-reopen-doc-{}.arrows", std::process::id()));
    /// std::fs::write(&path, b"")?;
    /// let mut reader = FollowReader::open(&path)?;
    /// std::fs::write(path.with_extension("new"), b"")?;
    /// std::fs::rename(path.with_extension("new"), &path)?;
    /// assert!(matches!(reader.next_batch(Duration::ZERO)?, Follow::Replaced));
    /// reader.reopen()?;
    /// assert!(matches!(reader.next_batch(Duration::ZERO)?, Follow::NotYet));
    /// # std::fs::remove_file(&path)?;
    /// # polars_core::prelude::PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn reopen(&mut self) -> PolarsResult<()> {
        let file = open(self.stream.input.path())?;
        self.watch.anew(file.len());
        self.stream = Stream::new(file);
        Ok(())
    }

    /// The bytes of the stream, from the start of the file, for readers that know nothing of files that grow: also for a lazy
    /// scan, by `floe::lazy::scan_ipc_reader`. The pauses and the idle timeout are kept, other options are those of who reads.
    ///
    /// ```
    /// use floe_frame::{FollowReader, IpcStreamReader, IpcStreamWriter};
    /// use polars_core::prelude::*;
    /// use polars_io::{SerReader, SerWriter};
    ///
    /// let path = std::env::temp_dir().join(format!("floe-into-bytes-doc-{}.arrows", std::process::id()));
    /// let mut df = DataFrame::new(2, vec![Column::new("a".into(), [1i64, 2])])?;
    /// IpcStreamWriter::new(std::fs::File::create(&path)?).finish(&mut df)?;
    /// let bytes = FollowReader::open(&path)?.into_bytes()?;
    /// assert!(IpcStreamReader::new(bytes).finish()?.equals(&df));
    /// # std::fs::remove_file(&path)?;
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn into_bytes(mut self) -> PolarsResult<FollowedBytes> {
        let mut file = open(self.stream.input.path())?;
        if self.stream.input.is_complete() {
            file.complete();
        }
        self.watch.anew(file.len());
        Ok(FollowedBytes::new(file, self.options.limits, self.watch))
    }

    /// The schema, if it has come. Does not wait. See [`waiting_bytes`](Self::waiting_bytes) for an example.
    ///
    /// # Errors
    /// When it is not valid, or has a column that Polars cannot hold.
    pub fn schema(&mut self) -> PolarsResult<Option<Schema>> {
        match self.stream.schema(&self.options) {
            Ok(schema) => schema.polars().map(Some).map_err(format_error),
            Err(error) if self.stream.input.resumes(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The custom metadata of the batch that came last, as far as it is text. See
    /// [`waiting_bytes`](Self::waiting_bytes) for an example.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        metadata_map(&self.stored.0)
    }

    /// The custom metadata of the batch that came last, all of it. See [`waiting_bytes`](Self::waiting_bytes) for an example.
    #[must_use]
    pub fn metadata_bytes(&self) -> MetadataBytes {
        NotUtf8::merged(&self.stored.0, &self.stored.1)
    }

    /// Whether the end marker has come: the writer finished. See [`waiting_bytes`](Self::waiting_bytes) for an example.
    #[must_use]
    pub fn saw_end_marker(&self) -> bool {
        self.stream.saw_end_marker()
    }

    /// Bytes of a message that has begun and is not whole, as of the last look at the file.
    ///
    /// ```
    /// use floe_frame::{Follow, FollowReader};
    /// use std::time::Duration;
    ///
    /// let path = std::env::temp_dir().join(format!("floe-waiting-doc-{}.arrows", std::process::id()));
    /// std::fs::write(&path, [0xFF; 4])?; // a message begins
    /// let mut reader = FollowReader::open(&path)?;
    /// assert!(matches!(reader.next_batch(Duration::ZERO)?, Follow::NotYet));
    /// assert_eq!(reader.waiting_bytes(), 4);
    /// assert!(reader.schema()?.is_none() && !reader.saw_end_marker());
    /// assert!(reader.metadata().is_empty() && reader.metadata_bytes().is_empty());
    /// assert_eq!(reader.path(), path);
    /// # std::fs::remove_file(&path)?;
    /// # polars_core::prelude::PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn waiting_bytes(&self) -> u64 {
        if self.saw_end_marker() { 0 } else { self.stream.input.len().saturating_sub(self.stream.position()) }
    }

    /// The name by which the file was opened. See [`waiting_bytes`](Self::waiting_bytes) for an example.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.stream.input.path().to_path_buf()
    }
}

fn open(path: &Path) -> PolarsResult<GrowingFile> {
    GrowingFile::open(path).map_err(|e| io_error(e, &format!("opening {} to follow it", path.display())))
}

impl fmt::Debug for FollowReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FollowReader")
            .field("path", &self.stream.input.path())
            .field("position", &self.stream.position())
            .field("saw_end_marker", &self.saw_end_marker())
            .finish_non_exhaustive()
    }
}
