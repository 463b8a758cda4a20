//! A fault in some bytes, and its place, as data.

use std::fmt;

use floe_format::{Error, ErrorKind};

/// One thing that is wrong, with its place as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The byte of the source at which it is, or at which the message or buffer begins that it is in.
    pub byte: u64,
    /// The message.
    pub message: Option<MessageId>,
    /// The column, with the fields below it behind dots.
    pub column: Option<String>,
    /// The buffer's number within its message.
    pub buffer: Option<usize>,
    /// The fault, in words.
    pub what: String,
    /// The kind of error, if the fault came of one.
    pub kind: Option<Box<ErrorKind>>,
}

/// Which message of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageId {
    /// The schema message.
    Schema,
    /// A dictionary batch, by its number.
    Dictionary(usize),
    /// A record batch, by its number.
    Batch(usize),
    /// The footer.
    Footer,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schema => f.write_str("schema"),
            Self::Dictionary(number) => write!(f, "dictionary batch {number}"),
            Self::Batch(number) => write!(f, "batch {number}"),
            Self::Footer => f.write_str("footer"),
        }
    }
}

impl Fault {
    /// A fault at a byte.
    pub fn new(byte: u64, what: impl Into<String>) -> Self {
        Self { byte, message: None, column: None, buffer: None, what: what.into(), kind: None }
    }

    /// A fault that came of an error.
    #[must_use]
    pub fn of(byte: u64, error: &Error) -> Self {
        Self { kind: Some(Box::new(error.kind.clone())), ..Self::new(byte, error.to_string()) }
    }

    /// The same in a message.
    #[must_use]
    pub fn within(mut self, message: MessageId) -> Self {
        self.message = Some(message);
        self
    }

    /// The same in a buffer.
    #[must_use]
    pub fn of_buffer(mut self, buffer: usize) -> Self {
        self.buffer = Some(buffer);
        self
    }
}

/// `byte 1234: batch 3, column "a", buffer 7: what`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { byte, message, column, buffer, what, kind: _ } = self;
        write!(f, "byte {byte}: ")?;
        let mut places = Vec::new();
        places.extend(message.map(|message| message.to_string()));
        places.extend(column.as_ref().map(|column| format!("column {column:?}")));
        places.extend(buffer.map(|buffer| format!("buffer {buffer}")));
        if !places.is_empty() {
            write!(f, "{}: ", places.join(", "))?;
        }
        f.write_str(what)
    }
}

impl std::error::Error for Fault {}

/// Results whose error has a place.
pub type Result<T> = std::result::Result<T, Fault>;

/// Adds the byte to an error.
pub(crate) trait AtByte<T> {
    fn at_byte(self, byte: u64) -> Result<T>;
}

impl<T> AtByte<T> for floe_format::Result<T> {
    fn at_byte(self, byte: u64) -> Result<T> {
        self.map_err(|error| Fault::of(byte, &error))
    }
}

impl<T> AtByte<T> for std::io::Result<T> {
    fn at_byte(self, byte: u64) -> Result<T> {
        self.map_err(|error| Fault::of(byte, &Error::io(error)))
    }
}
