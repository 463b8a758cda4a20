//! The results of commands, and errors as one line.

use std::fmt;
use std::io;
use std::path::Path;

use floe_format::{ErrorKind, SourceFormat};
use floe_tools::{CopyError, Fault};

/// How a command ends when nothing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Exit code 0.
    Good,
    /// Exit code 1: faults, or differences.
    No,
}

/// The reason why a command failed: exit code 2.
#[derive(Debug)]
pub(crate) enum Failure {
    /// In one line.
    Message(String),
    /// The reader of the output has gone: no reason to say anything.
    ClosedPipe,
}

/// How a build with all features is had.
#[cfg(not(feature = "serve"))]
pub(crate) const INSTALL: &str = "`cargo install --path crates/cli`";

/// The message about a command, an option or a format that this build is without.
#[cfg(not(feature = "serve"))]
pub(crate) fn built_without(what: &str, feature: &str) -> Failure {
    Failure::new(format!(
        "this floe was built without {what}, which needs the feature `{feature}`: {INSTALL}"
    ))
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::Message(message.into())
    }

    /// An error of a file.
    pub(crate) fn of(name: impl fmt::Display, what: impl fmt::Display) -> Self {
        Self::Message(format!("{name}: {what}"))
    }

    /// An error of reading or writing a path.
    pub(crate) fn io(path: &Path, error: &io::Error) -> Self {
        Self::of(path.display(), plain(error))
    }

    /// A fault of an input, with the command that helps.
    pub(crate) fn fault(name: &str, fault: &Fault) -> Self {
        Self::of(name, explained(name, fault))
    }

    /// An error of a copy.
    pub(crate) fn copy(name: &str, error: &CopyError) -> Self {
        match error {
            CopyError::Fault(fault) => Self::fault(name, fault),
            CopyError::Write(_, io::ErrorKind::BrokenPipe) => Self::ClosedPipe,
            CopyError::Write(text, _) if text.contains(WRITING_FAILED) => Self::Message(text.clone()),
            other => Self::of(name, other),
        }
    }
}

/// The message about an output that takes no more.
pub(crate) const WRITING_FAILED: &str = "writing failed";

/// Errors of writing to standard output; errors of reading name their file before they get here.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ if error.to_string().contains(WRITING_FAILED) => Self::Message(error.to_string()),
            _ => Self::Message(format!("{WRITING_FAILED}: {}", plain(&error))),
        }
    }
}

/// An error of the system without its number.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(at) => text.get(..at).unwrap_or(&text).to_owned(),
        None => text,
    }
}

/// A fault in one line. The library's advice names its own methods; this names commands.
pub(crate) fn explained(name: &str, fault: &Fault) -> String {
    match fault.kind.as_deref() {
        Some(ErrorKind::WrongFormat { found, .. }) => wrong_format(*found),
        Some(ErrorKind::Io(error)) => format!("byte {}: {}", fault.byte, plain(&error.0)),
        Some(ErrorKind::Truncated { .. }) => {
            format!("{fault}; `floe recover {name} OUT` saves what is whole")
        },
        Some(ErrorKind::BadMagic { .. }) => {
            format!(
                "it has no footer: it was cut off, or is still written; `floe recover {name} OUT` saves what is whole"
            )
        },
        _ => without_methods(&fault.to_string()),
    }
}

/// The message about another format.
pub(crate) fn wrong_format(found: SourceFormat) -> String {
    match found {
        SourceFormat::Empty => "it is empty: there is not even a schema".into(),
        SourceFormat::Unknown => "not Arrow IPC, and of no format that floe knows".into(),
        SourceFormat::FeatherV1 => {
            "not Arrow IPC, but a Feather V1 file, which only old pyarrow and R write; write it again as version 2".into()
        },
        #[cfg(feature = "query")]
        found if crate::query::is_readable(found) && found != SourceFormat::Json => {
            format!("not Arrow IPC, but {found}: `floe convert IN OUT.arrow` makes Arrow IPC of it")
        },
        found => format!("not Arrow IPC, but {found}"),
    }
}

/// Cuts off what names methods of the library.
pub(crate) fn without_methods(text: &str) -> String {
    let text = text.split("; if the source is trusted").next().unwrap_or(text);
    // Polars' CSV reader.
    let text = text.split("Consider setting").next().unwrap_or(text);
    let text =
        text.replace("found more fields than defined in 'Schema'", "a row has more fields than the header");
    text.trim_end().replace('\n', " ")
}

/// An error of Polars, in one line.
#[cfg(feature = "frame")]
impl From<polars_core::error::PolarsError> for Failure {
    fn from(error: polars_core::error::PolarsError) -> Self {
        if let polars_core::error::PolarsError::IO { error, .. } = &error
            && error.kind() == io::ErrorKind::BrokenPipe
        {
            return Self::ClosedPipe;
        }
        match floe::error_kind(&error) {
            Some(ErrorKind::WrongFormat { found, .. }) => Self::Message(wrong_format(*found)),
            _ => Self::Message(without_methods(&error.to_string())),
        }
    }
}
