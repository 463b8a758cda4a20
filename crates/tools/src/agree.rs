//! Whether sources can become one without decoding: their schemas and dictionaries.

use std::io::{self, Write};
use std::ops::Range;

use floe_format::{Field, IpcLimits, Schema};

use crate::copy::{Copier, Sink, Target};
use crate::copy_error::CopyError;
use crate::recompress::Recompression;
use crate::scan::Contents;
use crate::source::ReadAt;

/// Writes nothing.
struct Nothing;

impl Write for Nothing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Nothing {
    fn copy(&mut self, _: &dyn ReadAt, _: Range<u64>) -> io::Result<()> {
        Ok(())
    }
}

/// Whether sources can be copied into one, before anything is written: from their schemas and dictionaries.
///
/// # Errors
/// [`CopyError::Impossible`] if not; [`CopyError::Fault`] for a dictionary that cannot be read.
pub fn check_copy(
    sources: &[(&dyn ReadAt, &Contents)],
    target: Target,
    recompression: Option<Recompression>,
    limits: IpcLimits,
) -> std::result::Result<(), CopyError> {
    let mut copier = Copier::new(Nothing, target, recompression, limits);
    for (source, contents) in sources {
        for stream in 0..contents.streams.len() {
            copier.begin(*source, contents, stream)?;
            for message in contents.dictionaries.iter().filter(|message| message.stream == stream) {
                copier.is_known(*source, message)?;
            }
        }
    }
    Ok(())
}

/// How the columns of one schema differ from those of another, if they do. Metadata may.
#[must_use]
pub fn differs(first: &Schema, other: &Schema) -> Option<String> {
    if first.endianness != other.endianness {
        return Some("the byte order differs".into());
    }
    if first.fields.len() != other.fields.len() {
        return Some(format!("{} columns against {}", first.fields.len(), other.fields.len()));
    }
    first.fields.iter().zip(&other.fields).find_map(|(a, b)| field_differs(a, b))
}

fn field_differs(a: &Field, b: &Field) -> Option<String> {
    if a.name != b.name {
        return Some(format!("column {:?} against {:?}", a.name, b.name));
    }
    if a.data_type != b.data_type {
        return Some(format!("column {:?} is {} against {}", a.name, a.data_type, b.data_type));
    }
    let key = |field: &Field| field.dictionary.as_ref().map(|d| (d.id, d.index, d.ordered));
    if key(a) != key(b) {
        return Some(format!("column {:?} has another dictionary", a.name));
    }
    if !a.nullable && b.nullable {
        return Some(format!("column {:?} may be null in the latter only", a.name));
    }
    if a.children.len() != b.children.len() {
        return Some(format!("column {:?} has other fields", a.name));
    }
    a.children.iter().zip(&b.children).find_map(|(a, b)| field_differs(a, b))
}
