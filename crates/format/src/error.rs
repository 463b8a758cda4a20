//! Errors as data with a place: the kind, and the message, column and buffer.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::sniff::{SourceFormat, fmt_wrong_format};

/// The kind of error in the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input ends inside something. `need` more bytes were expected, `have` were there.
    Truncated {
        /// Bytes that were needed.
        need: u64,
        /// Bytes that were there.
        have: u64,
    },
    /// The input does not start (or end) with the bytes of the format.
    BadMagic {
        /// The expectation, in words.
        expected: &'static str,
    },
    /// The input is of another format.
    WrongFormat {
        /// The format expected.
        expected: SourceFormat,
        /// The format found.
        found: SourceFormat,
        /// The first bytes of the input.
        start: Vec<u8>,
    },
    /// The metadata flatbuffer is malformed.
    Flatbuffer(String),
    /// A claim exceeds a limit of [`crate::IpcLimits`].
    LimitExceeded {
        /// The name of the limit's field.
        limit: &'static str,
        /// The claim of the input.
        claimed: u64,
        /// The limit.
        allowed: u64,
    },
    /// More would come of the input than `max_amplification` of [`crate::IpcLimits`] allows.
    Amplified {
        /// Bytes of input.
        input: u64,
        /// Bytes that would come of it.
        claimed: u64,
        /// How many are allowed.
        allowed: u64,
    },
    /// A buffer lies outside its message's body.
    BufferOutOfBounds {
        /// Index of the buffer within the message.
        buffer: usize,
        /// Where it would end.
        end: u64,
        /// How long the body is.
        body: u64,
    },
    /// Text is not UTF-8.
    InvalidUtf8,
    /// Keys of a column refer to a dictionary that has no values: it was not sent before the batch, or is empty. In words.
    DictionaryMissing(String),
    /// A codec refused the data. In words.
    Codec(String),
    /// The allocator refused, or the size is more than there are addresses. In words.
    OutOfMemory(String),
    /// The bytes could not be read.
    Io(IoError),
    /// The bytes are well-formed but contradict the specification.
    Invalid(String),
    /// Valid, but this reader (or Polars) has no way to hold it.
    UnsupportedType(String),
}

/// An error of the I/O layer above, kept whole on its way through this one.
#[derive(Debug, Clone)]
pub struct IoError(pub Arc<std::io::Error>);

impl PartialEq for IoError {
    fn eq(&self, other: &Self) -> bool {
        self.0.kind() == other.0.kind() && self.0.to_string() == other.0.to_string()
    }
}

impl Eq for IoError {}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reading failed: {}", self.0)
    }
}

/// An error of the format layers, with the place it happened: as small as a pointer, since every result of these
/// layers has room for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<ErrorDetails>);

/// The contents of an [`Error`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorDetails {
    /// The kind of error.
    pub kind: ErrorKind,
    /// Where, outermost first: `record batch 3`, `column "a"`, `buffer 2`.
    pub place: Vec<Place>,
}

/// One step of the way to where an error happened.
///
/// ```
/// use floe_format::Place;
///
/// assert_eq!(Place::Column("a".into()).to_string(), "column \"a\"");
/// assert_eq!(Place::RecordBatch(3), "record batch 3");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// The footer of a file.
    Footer,
    /// The schema message.
    Schema,
    /// A record batch, by its number in the file or stream.
    RecordBatch(usize),
    /// A dictionary batch, by its number in the file or stream.
    DictionaryBatch(usize),
    /// A dictionary, by its id.
    Dictionary(i64),
    /// A column, by its name.
    Column(String),
    /// A field below a column, by its name.
    Field(String),
    /// A row of a column, counted within what was decoded at once.
    Row(usize),
    /// A buffer, by its number within the message.
    Buffer(usize),
    /// Anything else, in words.
    Text(String),
}

impl From<floe_runtime::Error> for Error {
    fn from(error: floe_runtime::Error) -> Self {
        Self::new(ErrorKind::OutOfMemory(error.to_string()))
    }
}

impl From<&str> for Place {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Place {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Footer => f.write_str("footer"),
            Self::Schema => f.write_str("schema"),
            Self::RecordBatch(number) => write!(f, "record batch {number}"),
            Self::DictionaryBatch(number) => write!(f, "dictionary batch {number}"),
            Self::Dictionary(id) => write!(f, "dictionary {id}"),
            Self::Column(name) => write!(f, "column \"{name}\""),
            Self::Field(name) => write!(f, "field \"{name}\""),
            Self::Row(number) => write!(f, "row {number}"),
            Self::Buffer(number) => write!(f, "buffer {number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Compares the words.
impl PartialEq<&str> for Place {
    fn eq(&self, other: &&str) -> bool {
        let words = self.to_string();
        words == *other
    }
}

/// Results of the format layers.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error without a place yet.
    pub fn new(kind: ErrorKind) -> Self {
        Self(Box::new(ErrorDetails { kind, place: Vec::new() }))
    }

    /// [`ErrorKind::Invalid`] with this message.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid(message.into()))
    }

    /// [`ErrorKind::Io`] with this error.
    pub fn io(error: std::io::Error) -> Self {
        Self::new(ErrorKind::Io(IoError(Arc::new(error))))
    }

    /// [`ErrorKind::UnsupportedType`] with this message.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::UnsupportedType(message.into()))
    }

    /// The same error, seen from one level further out.
    #[must_use]
    pub fn at(mut self, place: impl Into<Place>) -> Self {
        let place = place.into();
        // A place that two layers name is said once: "footer", not "footer, footer".
        if self.0.place.first() != Some(&place) {
            self.0.place.insert(0, place);
        }
        self
    }
}

/// The error of a flatbuffer that planus cannot read: its table, its field and the byte in the metadata.
///
/// Planus itself prints the names of its generated types and methods, which tell a user nothing.
/// This is no `From`, because planus is no part of this crate's interface.
pub(crate) fn malformed(error: planus::Error) -> Error {
    let planus::errors::ErrorLocation { type_, method, byte_offset } = error.source_location;
    let kind = error.error_kind.to_string().to_lowercase();
    let table = type_.trim_matches(['[', ']']).trim_end_matches("Ref");
    let field = match method {
        "read_as_root" => table.to_owned(),
        field => format!("{table}.{field}"),
    };
    // Planus says `usize::MAX` for a place that it does not know.
    let at = match byte_offset {
        usize::MAX => String::new(),
        byte => format!(" at byte {byte} of the metadata"),
    };
    Error::new(ErrorKind::Flatbuffer(format!("{kind} in {field}{at}")))
}

/// Adds a place to the error of a result.
pub trait ResultExt<T> {
    /// Wraps the error, if any, in the place that `place` names.
    fn at<P: Into<Place>>(self, place: impl FnOnce() -> P) -> Result<T>;
}

impl<T> ResultExt<T> for Result<T> {
    #[inline]
    fn at<P: Into<Place>>(self, place: impl FnOnce() -> P) -> Result<T> {
        self.map_err(|error| error.at(place()))
    }
}

impl Deref for Error {
    type Target = ErrorDetails;

    fn deref(&self) -> &ErrorDetails {
        &self.0
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { need, have } => {
                write!(f, "the input is truncated: {need} bytes expected, {have} found")
            },
            Self::BadMagic { expected } => write!(f, "not Arrow IPC: expected {expected}"),
            Self::WrongFormat { expected, found, start } => fmt_wrong_format(f, *expected, *found, start),
            Self::Flatbuffer(message) => write!(f, "malformed metadata: {message}"),
            Self::LimitExceeded { limit, claimed, allowed } => write!(
                f,
                "{claimed} exceeds the limit `{limit}` of {allowed}; if the source is trusted, raise it with `with_limits`"
            ),
            Self::Amplified { input, claimed, allowed } => write!(
                f,
                "{claimed} bytes would come of {input} bytes of input, `max_amplification` allows {allowed}; if the \
                 source is trusted, raise it with `with_limits`"
            ),
            Self::BufferOutOfBounds { buffer, end, body } => {
                write!(f, "buffer {buffer} ends at byte {end} of a body of {body} bytes")
            },
            Self::Io(error) => error.fmt(f),
            Self::InvalidUtf8 => f.write_str("a string is not valid UTF-8"),
            Self::Codec(message)
            | Self::OutOfMemory(message)
            | Self::Invalid(message)
            | Self::UnsupportedType(message)
            | Self::DictionaryMissing(message) => f.write_str(message),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, place) in self.place.iter().enumerate() {
            write!(f, "{}{place}", if i == 0 { "" } else { ", " })?;
        }
        if !self.place.is_empty() {
            f.write_str(": ")?;
        }
        self.kind.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            ErrorKind::Io(error) => Some(&*error.0),
            _ => None,
        }
    }
}
