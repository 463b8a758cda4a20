//! Where a sink writes to.

use std::any::Any;
use std::fmt;
use std::io::{self, IoSlice, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use floe_frame::AtomicFile;
use polars_error::{PolarsError, PolarsResult};

use crate::cloud::{self, Cloud};
use crate::error::io_error;

/// Where a sink writes to: a path, or any [`Write`] that may go to another thread.
///
/// A path may be the URL of an object in a store (`s3://bucket/key`), with the feature `cloud`: it appears as a file does.
///
/// A file appears under its path when it is complete, and not at all when something fails: see [`AtomicFile`]. A target
/// that is no regular file (a FIFO, a device, `/dev/stdout`) and a `Write` get the bytes as they come. They need no
/// buffering around them.
///
/// ```
/// use floe_lazy::SinkTarget;
/// use std::io::{self, Write};
///
/// let by_path: SinkTarget = "flights.arrow".into();
/// let to_stdout: SinkTarget = (Box::new(io::stdout()) as Box<dyn Write + Send>).into();
/// ```
pub struct SinkTarget(Kind);

/// A [`Write`] whose bytes appear only when all of them have been written: what sinks commit in the end. Dropped before
/// that, it leaves nothing.
///
/// Hand it to a sink as a `Box<dyn CommitWrite>`: a box of the type itself is a plain `Write`, which is not committed.
///
/// ```
/// use floe_lazy::{CommitWrite, SinkTarget};
/// use std::io::{self, Write};
///
/// struct Letter(Vec<u8>);
///
/// impl Write for Letter {
///     fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
///         self.0.write(bytes)
///     }
///     fn flush(&mut self) -> io::Result<()> {
///         Ok(())
///     }
/// }
///
/// impl CommitWrite for Letter {
///     fn commit(self: Box<Self>) -> io::Result<()> {
///         println!("posted: {} bytes", self.0.len());
///         Ok(())
///     }
/// }
///
/// let target = SinkTarget::from(Box::new(Letter(Vec::new())) as Box<dyn CommitWrite>);
/// # let _ = target;
/// ```
pub trait CommitWrite: Write + Send {
    /// All has been written and flushed: lets it appear.
    ///
    /// # Errors
    /// When it cannot appear. It does not then.
    ///
    /// ```
    /// use std::io::{self, Write};
    ///
    /// use floe_lazy::CommitWrite;
    ///
    /// struct Discarded;
    ///
    /// impl Write for Discarded {
    ///     fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
    ///         Ok(bytes.len())
    ///     }
    ///     fn flush(&mut self) -> io::Result<()> {
    ///         Ok(())
    ///     }
    /// }
    ///
    /// impl CommitWrite for Discarded {
    ///     fn commit(self: Box<Self>) -> io::Result<()> {
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let mut target: Box<dyn CommitWrite> = Box::new(Discarded);
    /// target.write_all(b"all of it")?;
    /// target.commit()?;
    /// # io::Result::Ok(())
    /// ```
    fn commit(self: Box<Self>) -> io::Result<()>;
}

impl CommitWrite for AtomicFile {
    fn commit(self: Box<Self>) -> io::Result<()> {
        Self::commit(*self)
    }
}

#[cfg(feature = "cloud")]
impl CommitWrite for floe_object_store::BlockingObjectFile {
    fn commit(self: Box<Self>) -> io::Result<()> {
        Self::commit(*self)
    }
}

enum Kind {
    Path(PathBuf),
    Writer(Box<dyn Write + Send>),
    Committed(Box<dyn CommitWrite>),
}

impl SinkTarget {
    /// Opens the target: of a path, a file that gets its name in the end.
    pub(crate) fn open(self, cloud: &Cloud) -> PolarsResult<Output> {
        match self.0 {
            Kind::Path(path) => match (cloud::url(&path), &path) {
                (Some(url), _) => Ok(Output::Committed(cloud::create(&url, cloud)?, Some(path))),
                (None, at) => match AtomicFile::create(at) {
                    Ok(file) => Ok(Output::File(file, path)),
                    Err(error) => Err(io_error(error, at)),
                },
            },
            Kind::Writer(writer) => Ok(Output::Writer(writer)),
            Kind::Committed(writer) => Ok(Output::Committed(writer, None)),
        }
    }

    /// The path, if it is one: errors name it.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Path(path) => Some(path),
            Kind::Writer(_) | Kind::Committed(_) => None,
        }
    }
}

/// An open target.
pub(crate) enum Output {
    File(AtomicFile, PathBuf),
    Writer(Box<dyn Write + Send>),
    Committed(Box<dyn CommitWrite>, Option<PathBuf>),
}

impl Output {
    /// Everything has been written and flushed: a file appears under its path, if it is not there as something else.
    pub(crate) fn commit(self) -> PolarsResult<()> {
        match self {
            Self::File(file, path) => file.commit().map_err(|error| io_error(error, &path)),
            Self::Writer(_) => Ok(()),
            Self::Committed(writer, path) => writer.commit().map_err(|error| match &path {
                Some(path) => io_error(error, path),
                None => PolarsError::IO { error: Arc::new(error), msg: None },
            }),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file, _) => file.write(bytes),
            Self::Writer(writer) => writer.write(bytes),
            Self::Committed(writer, _) => writer.write(bytes),
        }
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::File(file, _) => file.write_vectored(pieces),
            Self::Writer(writer) => writer.write_vectored(pieces),
            Self::Committed(writer, _) => writer.write_vectored(pieces),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file, _) => file.flush(),
            Self::Writer(writer) => writer.flush(),
            Self::Committed(writer, _) => writer.flush(),
        }
    }
}

impl fmt::Debug for SinkTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Path(path) => f.debug_tuple("SinkTarget").field(path).finish(),
            Kind::Writer(_) => f.write_str("SinkTarget(dyn Write)"),
            Kind::Committed(_) => f.write_str("SinkTarget(dyn CommitWrite)"),
        }
    }
}

impl From<&str> for SinkTarget {
    fn from(path: &str) -> Self {
        Self(Kind::Path(path.into()))
    }
}

impl From<String> for SinkTarget {
    fn from(path: String) -> Self {
        Self(Kind::Path(path.into()))
    }
}

impl From<&String> for SinkTarget {
    fn from(path: &String) -> Self {
        Self(Kind::Path(path.into()))
    }
}

impl From<&Path> for SinkTarget {
    fn from(path: &Path) -> Self {
        Self(Kind::Path(path.into()))
    }
}

impl From<PathBuf> for SinkTarget {
    fn from(path: PathBuf) -> Self {
        Self(Kind::Path(path))
    }
}

impl From<&PathBuf> for SinkTarget {
    fn from(path: &PathBuf) -> Self {
        Self(Kind::Path(path.clone()))
    }
}

impl From<Box<dyn CommitWrite>> for SinkTarget {
    fn from(writer: Box<dyn CommitWrite>) -> Self {
        Self(Kind::Committed(writer))
    }
}

#[cfg(feature = "cloud")]
impl From<floe_object_store::BlockingObjectFile> for SinkTarget {
    fn from(object: floe_object_store::BlockingObjectFile) -> Self {
        Self(Kind::Committed(Box::new(object)))
    }
}

impl From<Box<dyn Write + Send>> for SinkTarget {
    fn from(writer: Box<dyn Write + Send>) -> Self {
        Self(Kind::Writer(writer))
    }
}

impl From<Box<dyn Write + Send + Sync>> for SinkTarget {
    fn from(writer: Box<dyn Write + Send + Sync>) -> Self {
        Self(Kind::Writer(writer))
    }
}

/// Floe's own files and objects are committed also when they come in a box of their type.
impl<W: Write + Send + 'static> From<Box<W>> for SinkTarget {
    fn from(writer: Box<W>) -> Self {
        let mut writer = Some(writer);
        if let Some(file) = taken::<AtomicFile, W>(&mut writer) {
            return Self(Kind::Committed(file));
        }
        #[cfg(feature = "cloud")]
        if let Some(object) = taken::<floe_object_store::BlockingObjectFile, W>(&mut writer) {
            return Self(Kind::Committed(object));
        }
        match writer {
            Some(writer) => Self(Kind::Writer(writer)),
            None => unreachable!("a writer is taken only where this returns"),
        }
    }
}

/// The writer, if it is a `T`.
fn taken<T: 'static, W: 'static>(writer: &mut Option<Box<W>>) -> Option<Box<T>> {
    (writer as &mut dyn Any).downcast_mut::<Option<Box<T>>>().and_then(Option::take)
}
