//! ZSTD frames through libzstd: one call each way, with a context that each thread keeps.
//!
//! Frames state their content size and have no checksum. ZSTD's legacy formats and skippable frames are refused
//! before libzstd sees them, whatever features other crates enabled.
//!
//! Level 3, the default of Polars and of libzstd, looks for matches in two hash tables, of 512 KiB for matches of 8
//! bytes and of 256 KiB for shorter ones. `tuning.rs` makes other choices for columns.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::thread::LocalKey;

use zstd_safe::{CCtx, CParameter, DCtx, WriteBuf};

use crate::tuning::Tuning;
use crate::uninit;
use crate::{Error, Result};

/// Above this level a context's tables are too large to keep for the life of a thread.
const MAX_KEPT_LEVEL: i32 = 12;

const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

type Slot<T> = LocalKey<Cell<Option<T>>>;

thread_local! {
    static COMPRESS: Cell<Option<CCtx<'static>>> = const { Cell::new(None) };
    static DECOMPRESS: Cell<Option<DCtx<'static>>> = const { Cell::new(None) };
}

/// Takes the thread's context, or makes one if there is none or the thread is past destroying it.
fn take<T>(slot: &'static Slot<T>, create: fn() -> Option<T>) -> Result<T> {
    let kept = slot.try_with(Cell::take).ok().flatten();
    kept.or_else(create).ok_or_else(|| Error::new("no memory for a ZSTD context"))
}

/// Gives the context back for the thread's next call.
fn keep<T>(slot: &'static Slot<T>, context: T) {
    // A thread past destroying its contexts drops this one here.
    let _ = slot.try_with(|slot| slot.set(Some(context)));
}

/// Memory that libzstd writes to; the first `filled` bytes are written.
struct Dst<'a> {
    bytes: &'a mut [MaybeUninit<u8>],
    filled: usize,
}

impl<'a> Dst<'a> {
    fn new(bytes: &'a mut [MaybeUninit<u8>]) -> Self {
        Self { bytes, filled: 0 }
    }
}

// SAFETY: pointer and capacity are those of one slice; `as_slice` covers only what `filled_until` was told of.
unsafe impl WriteBuf for Dst<'_> {
    fn as_slice(&self) -> &[u8] {
        // SAFETY: zstd-safe called `filled_until(filled)`, whose contract is that these bytes are initialised.
        unsafe { uninit::written(self.bytes, self.filled) }
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }

    fn as_mut_ptr(&mut self) -> *mut u8 {
        self.bytes.as_mut_ptr().cast()
    }

    unsafe fn filled_until(&mut self, n: usize) {
        debug_assert!(n <= self.bytes.len());
        self.filled = n;
    }
}

/// Whether ZSTD has this level.
pub(crate) fn check(level: i32) -> Result<()> {
    let (min, max) = (zstd_safe::min_c_level(), zstd_safe::max_c_level());
    if (min..=max).contains(&level) {
        return Ok(());
    }
    Err(Error::new(format!("ZSTD has no level {level}: choose one from {min} (fastest) to {max} (smallest)")))
}

/// Appends the frame of `input` to `out`.
pub(crate) fn append(input: &[u8], level: i32, out: &mut Vec<u8>) -> Result<()> {
    let mut context = take(&COMPRESS, CCtx::try_create)?;
    let Tuning { long, short, min_match } = Tuning::of(level, input);
    let write = |dst: &mut [MaybeUninit<u8>]| {
        // Nothing of an earlier call is left: all that is ever set is set here.
        let set = [
            CParameter::CompressionLevel(level),
            CParameter::HashLog(long),
            CParameter::ChainLog(short),
            CParameter::MinMatch(min_match),
        ];
        let ready = set.into_iter().try_for_each(|parameter| context.set_parameter(parameter).map(drop));
        ready.and_then(|()| context.compress2(&mut Dst::new(dst), input)).map_err(|code| {
            Error::new(format!("ZSTD could not compress a buffer: {}", zstd_safe::get_error_name(code)))
        })
    };
    // SAFETY: `ZSTD_compress2` returns how many bytes it wrote from the start of `dst`.
    unsafe { uninit::append(out, zstd_safe::compress_bound(input.len()), write)? };
    // After an error, and above the level, the context is dropped instead.
    if level <= MAX_KEPT_LEVEL {
        keep(&COMPRESS, context);
    }
    Ok(())
}

/// Decompresses the one frame that `frame` is, filling `dst`.
pub(crate) fn decompress(frame: &[u8], dst: &mut [MaybeUninit<u8>]) -> Result<()> {
    check_one_frame(frame)?;
    let expected = dst.len();
    let wrong_len =
        || Error::new(format!("a ZSTD frame does not hold the {expected} bytes its buffer's length states"));
    // What the frame says of itself is free to check, and makes the better message.
    if stated_len(frame).is_some_and(|stated| u64::try_from(expected) != Ok(stated)) {
        return Err(wrong_len());
    }
    let mut context = take(&DECOMPRESS, DCtx::try_create)?;
    let written = context.decompress(&mut Dst::new(dst), frame).map_err(|code| {
        Error::new(format!("a ZSTD frame is corrupt: {}", zstd_safe::get_error_name(code)))
    })?;
    // After an error the context is dropped instead: the next call starts afresh.
    keep(&DECOMPRESS, context);
    // libzstd reports what it wrote from the start of `dst` on.
    if written == expected { Ok(()) } else { Err(wrong_len()) }
}

fn check_one_frame(frame: &[u8]) -> Result<()> {
    if !frame.starts_with(&MAGIC) {
        let start = &frame[..frame.len().min(4)];
        return Err(Error::new(format!(
            "not a ZSTD frame: it starts with {start:02x?} instead of {MAGIC:02x?}; is the body's codec right?"
        )));
    }
    let len = zstd_safe::find_frame_compressed_size(frame).map_err(|code| {
        Error::new(format!("a ZSTD frame is corrupt or truncated: {}", zstd_safe::get_error_name(code)))
    })?;
    match frame.len().checked_sub(len) {
        Some(0) => Ok(()),
        more => Err(Error::new(format!(
            "{} bytes follow a ZSTD frame: a compressed buffer is one frame and nothing else",
            more.unwrap_or_default()
        ))),
    }
}

/// How many bytes the frame says it holds.
pub(crate) fn stated_len(frame: &[u8]) -> Option<u64> {
    frame.starts_with(&MAGIC).then(|| zstd_safe::get_frame_content_size(frame).ok().flatten()).flatten()
}
