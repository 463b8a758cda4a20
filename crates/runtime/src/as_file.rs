//! The file behind a generic reader, whether a reader is one, and reads at positions of it.
//!
//! Rust cannot specialise a function for one type of reader. So the type is compared by its id, and the reference cast.

use std::any::TypeId;
use std::fs::File;
use std::io::{self, BufReader, Cursor};
use std::sync::Arc;

/// The file behind a reader.
#[derive(Debug)]
pub enum AsFile<'a> {
    /// The reader is the file, or a reference to it.
    Plain(&'a File),
    /// Behind a buffer, which may hold bytes that were read ahead.
    Buffered(&'a mut BufReader<File>),
}

/// Whether a type of reader owns its file: a [`File`] or a [`BufReader`] of one, but no reference to either. Such a
/// reader ends where the file does, and nobody reads on behind it.
///
/// ```
/// use floe_runtime::as_file::owns_file;
/// use std::fs::File;
///
/// assert!(owns_file::<File>() && !owns_file::<&File>() && !owns_file::<&mut File>());
/// ```
#[must_use]
pub fn owns_file<R>() -> bool {
    let found = typeid::of::<R>();
    found == TypeId::of::<File>() || found == TypeId::of::<BufReader<File>>()
}

/// Whether a type of reader is bytes in memory that it alone reads: a slice or a [`Cursor`] of bytes, but no reference to
/// either. Reading on from it never waits.
///
/// ```
/// use floe_runtime::as_file::is_in_memory;
/// use std::io::Cursor;
///
/// assert!(is_in_memory::<&[u8]>() && is_in_memory::<Cursor<Vec<u8>>>());
/// assert!(!is_in_memory::<&mut &[u8]>() && !is_in_memory::<std::io::Stdin>());
/// ```
#[must_use]
pub fn is_in_memory<R>() -> bool {
    let found = typeid::of::<R>();
    [
        TypeId::of::<&[u8]>(),
        TypeId::of::<Cursor<Vec<u8>>>(),
        TypeId::of::<Cursor<&[u8]>>(),
        TypeId::of::<Cursor<&Vec<u8>>>(),
        TypeId::of::<Cursor<Box<[u8]>>>(),
        TypeId::of::<Cursor<Arc<[u8]>>>(),
        TypeId::of::<BufReader<&[u8]>>(),
    ]
    .contains(&found)
}

/// The file behind a reader: a [`File`] or a [`BufReader`] of one, or a reference to either. `None` for all others.
///
/// So a generic reader can be read at positions, from several threads, where its bytes are on disk.
///
/// ```
/// use floe_runtime::as_file::{AsFile, as_file};
///
/// let mut file = std::fs::File::open("Cargo.toml")?;
/// assert!(matches!(as_file(&mut &file), Some(AsFile::Plain(_))));
/// assert!(matches!(as_file(&mut file), Some(AsFile::Plain(_))));
/// assert!(matches!(as_file(&mut std::io::BufReader::new(file)), Some(AsFile::Buffered(_))));
/// assert!(as_file(&mut [1u8, 2].as_slice()).is_none());
/// # std::io::Result::Ok(())
/// ```
pub fn as_file<R>(reader: &mut R) -> Option<AsFile<'_>> {
    // The type, whatever lifetimes are in it.
    let found = typeid::of::<R>();
    let reader = std::ptr::from_mut(reader);
    // SAFETY, of all that follow: equal ids mean that `R` is the type that the pointer is cast to, but for the
    // lifetime of the reference, which is at least that of the borrow: `R` is alive as long. Nothing that is
    // returned lives longer than the borrow.
    if found == TypeId::of::<File>() {
        // SAFETY: see above.
        Some(AsFile::Plain(unsafe { &*reader.cast::<File>() }))
    } else if found == TypeId::of::<&File>() {
        // SAFETY: see above.
        Some(AsFile::Plain(unsafe { *reader.cast::<&File>() }))
    } else if found == TypeId::of::<&mut File>() {
        // SAFETY: see above.
        Some(AsFile::Plain(unsafe { &**reader.cast::<&mut File>() }))
    } else if found == TypeId::of::<BufReader<File>>() {
        // SAFETY: see above.
        Some(AsFile::Buffered(unsafe { &mut *reader.cast::<BufReader<File>>() }))
    } else if found == TypeId::of::<&mut BufReader<File>>() {
        // SAFETY: see above.
        Some(AsFile::Buffered(unsafe { &mut **reader.cast::<&mut BufReader<File>>() }))
    } else {
        None
    }
}

/// Fills `out` with the bytes of a file from byte `start` on, wherever the file stands.
///
/// # Errors
/// When the file cannot be read, or ends before `out` is full; on systems that do not read at positions.
///
/// ```
/// let path = std::env::temp_dir().join(format!("floe-read-exact-at-{}", std::process::id()));
/// std::fs::write(&path, b"0123456789")?;
/// let mut out = [0; 2];
/// floe_runtime::as_file::read_exact_at(&std::fs::File::open(&path)?, &mut out, 4)?;
/// assert_eq!(&out, b"45");
/// # std::fs::remove_file(&path)?;
/// # std::io::Result::Ok(())
/// ```
pub fn read_exact_at(file: &File, out: &mut [u8], start: u64) -> io::Result<()> {
    at_position(file, out, start)
}

#[cfg(unix)]
fn at_position(file: &File, out: &mut [u8], start: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, start)
}

#[cfg(windows)]
fn at_position(file: &File, mut out: &mut [u8], mut start: u64) -> io::Result<()> {
    while !out.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, out, start) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                out = out.get_mut(n..).unwrap_or_default();
                start += n as u64;
            },
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {},
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

#[cfg(not(any(unix, windows)))]
fn at_position(_: &File, _: &mut [u8], _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
