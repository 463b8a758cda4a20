//! Reads of exact lengths from a reader.

use std::io::{self, Read};

/// As [`Read::read_exact`], which panics when the reader says that it read more than it was asked for.
pub(super) fn read_exact<R: Read>(reader: &mut R, mut out: &mut [u8]) -> io::Result<()> {
    while !out.is_empty() {
        match reader.read(out) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => out = out.get_mut(read..).ok_or_else(read_too_much)?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {},
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// A reader that breaks the promise of [`Read::read`].
pub(in crate::read) fn read_too_much() -> io::Error {
    io::Error::other("the reader says it read more than it was asked for")
}
