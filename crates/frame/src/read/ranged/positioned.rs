//! Reads of just so many bytes: at a position of a file, and from a reader.

use std::fs::File;
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

#[cfg(unix)]
pub(super) fn read_exact_at(file: &File, out: &mut [u8], start: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, start)
}

#[cfg(windows)]
pub(super) fn read_exact_at(file: &File, mut out: &mut [u8], mut start: u64) -> io::Result<()> {
    while !out.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, out, start) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                out = &mut out[n..];
                start += n as u64;
            },
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {},
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

#[cfg(not(any(unix, windows)))]
pub(super) fn read_exact_at(_: &File, _: &mut [u8], _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
