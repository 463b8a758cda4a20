//! The messages of a stream, one after another: from memory and from files by their positions, from any
//! other reader as the bytes come. A body is taken when its header is known, so that of a reader only what
//! is wanted is kept:
//!
//! ```text
//!   body       | a | b | c     | d     | e |        columns a, c and d are wanted
//!   memory     | a |   | c     | d     |            three segments: c and d are large
//! ```
//!
//! Values of numbers are not kept as segments when they can be read to where they stay: see [`super::in_place`].
//! Large segments lie on huge pages, and the pages of the next one are made on the pool while this
//! one is read.

use std::io::{self, Read};
use std::ops::Range;

use floe_array::Segments;
use floe_array::{share, share_region};
use floe_format::{Error, ErrorKind, IpcLimits, Message, Next, Result, next_message};
use floe_runtime::{Region, alloc};
use polars_buffer::Buffer;
use polars_core::prelude::*;

use super::in_place::InPlace;
use super::incoming::Incoming;
use super::on_disk::{OnDisk, StreamBody};
use super::source::{LARGE, read_too_much};
use crate::error::format_error;
use crate::pool::Task;

/// Where a stream comes from.
pub(crate) enum Input<R> {
    /// All of it is in memory.
    Memory { bytes: Buffer<u8>, at: usize },
    /// It is a file on disk.
    OnDisk { reader: R, disk: OnDisk },
    /// It has to be read.
    Reader(Incoming<R>),
}

/// What comes next in a stream.
pub(crate) enum Item {
    /// A message, whose body is to be taken by [`Input::body`] before anything else.
    Message(Message),
    End {
        marked: bool,
    },
}

/// How much of a buffer is allocated before its bytes have arrived.
const READ_AHEAD: usize = 64 << 20;
/// How much more than has arrived is allocated afterwards.
const GROWTH: usize = 4;
/// The most that is read into a buffer only to be thrown away.
const SCRATCH: usize = 256 << 10;

impl<R: Read> Input<R> {
    pub(crate) fn from_reader(mut reader: R, limits: IpcLimits) -> Self {
        if let Some(disk) = OnDisk::of(&mut reader, limits) {
            return Self::OnDisk { reader, disk };
        }
        Self::Reader(Incoming::new(reader, limits))
    }

    pub(crate) fn next(&mut self, limits: &IpcLimits) -> PolarsResult<Item> {
        match self {
            Self::Memory { bytes, at } => match next_message(bytes, *at, limits).map_err(format_error)? {
                Next::EndOfInput => Ok(Item::End { marked: false }),
                Next::EndMarker { next } => {
                    *at = next;
                    Ok(Item::End { marked: true })
                },
                Next::Message { message, body, .. } => {
                    *at = body.start;
                    Ok(Item::Message(message))
                },
            },
            Self::OnDisk { disk, .. } => disk.next(),
            Self::Reader(incoming) => incoming.head(),
        }
    }

    /// Has the reader stand behind what has been taken.
    pub(crate) fn leave(&mut self) -> PolarsResult<()> {
        match self {
            Self::OnDisk { reader, disk } => disk.leave(reader),
            Self::Memory { .. } | Self::Reader(_) => Ok(()),
        }
    }

    /// The body of the message that came last, which has so many buffers with bytes: at least these ranges of it,
    /// ascending, apart, and within its length. What is read `in_place`, from a reader only, is not among them.
    pub(crate) fn body(
        &mut self,
        len: u64,
        buffers: usize,
        ranges: &[Range<u64>],
        in_place: Option<InPlace<'_>>,
        parallel: bool,
    ) -> PolarsResult<StreamBody> {
        let len =
            usize::try_from(len).map_err(|_| polars_err!(ComputeError: "a message body of {len} bytes"))?;
        match self {
            Self::Memory { bytes, at } => {
                let body = at.checked_add(len).filter(|end| *end <= bytes.len());
                let end = body.ok_or_else(|| body_truncated(len, bytes.len().saturating_sub(*at)))?;
                let start = std::mem::replace(at, end);
                Ok(StreamBody::Read(Segments::whole(bytes.clone().sliced(start..end))))
            },
            Self::OnDisk { disk, .. } => disk.body(len, buffers),
            Self::Reader(incoming) => incoming.body(len, ranges, in_place, parallel),
        }
    }
}

/// A body on its way in.
pub(super) struct BodyReader<'a, R> {
    pub(super) reader: &'a mut R,
    pub(super) ahead: Option<&'a mut Ahead>,
    pub(super) len: usize,
    pub(super) position: usize,
}

impl<R: Read> BodyReader<'_, R> {
    pub(super) fn read(
        mut self,
        ranges: &[Range<u64>],
        mut in_place: Option<InPlace<'_>>,
    ) -> Result<Segments> {
        let mut body = Segments::default();
        let sizes = ranges.iter().map(|range| to_usize(range.end - range.start));
        let mut sizes = sizes.skip(1);
        for range in ranges {
            self.values(in_place.as_mut(), &body, range.start)?;
            self.skip_to(to_usize(range.start))?;
            let next = sizes.next().unwrap_or(0);
            let len = to_usize(range.end).saturating_sub(self.position);
            let bytes = if len < LARGE { self.small(len)? } else { self.large(len, next)? };
            body.push(range.start, bytes);
        }
        self.values(in_place.as_mut(), &body, u64::MAX)?;
        self.skip_to(self.len)?;
        Ok(body)
    }

    /// Values that are read in place and begin before `until`.
    fn values(&mut self, in_place: Option<&mut InPlace<'_>>, body: &Segments, until: u64) -> Result<()> {
        let Some(in_place) = in_place else { return Ok(()) };
        while let Some(start) = in_place.next_before(until) {
            self.skip_to(to_usize(start))?;
            in_place.read(body, &mut |dst| self.exact(dst))?;
        }
        Ok(())
    }

    /// Fills `dst`.
    fn exact(&mut self, dst: &mut [u8]) -> Result<()> {
        let mut have = 0;
        while let Some(rest) = dst.get_mut(have..).filter(|rest| !rest.is_empty()) {
            match read_once(self.reader, rest)? {
                0 => break,
                read => have += read,
            }
        }
        self.arrived(have, dst.len())
    }

    fn small(&mut self, len: usize) -> Result<Buffer<u8>> {
        let mut bytes = alloc::try_initialised(len)?;
        self.exact(&mut bytes)?;
        Ok(share(bytes))
    }

    /// Reads a segment onto huge pages; `next` bytes are what the one behind it takes.
    fn large(&mut self, len: usize, next: usize) -> Result<Buffer<u8>> {
        let room = len.min(READ_AHEAD);
        let mut region = match self.ahead.as_mut().and_then(|ahead| ahead.take(room)) {
            Some(region) => region,
            None => Region::new(room)?,
        };
        let mut have = 0;
        while have < len {
            let dst = region.as_mut_slice();
            let room = dst.len();
            if have == room {
                region.grow(have.saturating_mul(GROWTH).min(len))?;
                continue;
            }
            let read = read_once(self.reader, &mut dst[have..])?;
            if have == 0
                && next >= LARGE
                && let Some(ahead) = &mut self.ahead
            {
                // By now this one's bytes do come.
                ahead.start(next.min(READ_AHEAD));
            }
            have += read;
            if read == 0 {
                break;
            }
        }
        self.arrived(have, len)?;
        Ok(share_region(region, len))
    }

    /// Reads what nobody needs.
    fn skip_to(&mut self, position: usize) -> Result<()> {
        let mut left = position.saturating_sub(self.position);
        let mut scratch = vec![0; left.min(SCRATCH)];
        while left > 0 {
            let room = left.min(SCRATCH);
            let read = read_once(self.reader, &mut scratch[..room])?;
            self.arrived(read, room.min(1))?;
            left -= read;
        }
        Ok(())
    }

    fn arrived(&mut self, have: usize, need: usize) -> Result<()> {
        self.position += have;
        if have < need { Err(truncated("a message's body", self.len, self.position)) } else { Ok(()) }
    }
}

/// Memory for the segments that will be read next.
#[derive(Default)]
pub(crate) struct Ahead {
    /// Of this size, in the making.
    next: Option<(usize, Task<floe_runtime::Result<Region>>)>,
    /// Used before, so that it is there at once.
    kept: Option<Region>,
}

/// Bytes whose pages are made ahead of time.
const POPULATED: usize = 16 << 20;

impl Ahead {
    fn start(&mut self, len: usize) {
        let pending = self.next.as_ref().is_some_and(|(pending, _)| *pending == len);
        if pending || self.kept.is_some() {
            return;
        }
        self.kept = Region::recycled(len);
        if self.kept.is_some() {
            return;
        }
        let region = Task::spawn(move || {
            let mut region = Region::new(len)?;
            region.populate(len.min(POPULATED));
            Ok(region)
        });
        self.next = Some((len, region));
    }

    /// The memory, if it is of this size and ready: a pool that has other work is not waited for.
    fn take(&mut self, len: usize) -> Option<Region> {
        if let Some(region) = self.kept.take_if(|region| region.len() == len) {
            return Some(region);
        }
        let (_, region) = self.next.take_if(|(size, region)| *size == len && region.is_done())?;
        region.wait().ok()
    }
}

fn to_usize(position: u64) -> usize {
    // Positions within a body whose length is a usize.
    usize::try_from(position).unwrap_or(usize::MAX)
}

pub(crate) fn body_truncated(need: usize, have: usize) -> PolarsError {
    format_error(truncated("a message's body", need, have))
}

pub(crate) fn truncated(what: &str, need: usize, have: usize) -> Error {
    let error = Error::new(ErrorKind::Truncated { need: need as u64, have: have as u64 });
    error.at(what)
}

/// One read of some bytes: none only at the end of the input.
pub(super) fn read_once<R: Read>(reader: &mut R, out: &mut [u8]) -> Result<usize> {
    loop {
        match reader.read(out) {
            Ok(n) if n <= out.len() => return Ok(n),
            Ok(_) => return Err(failed(read_too_much())),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {},
            Err(e) => return Err(failed(e)),
        }
    }
}

fn failed(error: io::Error) -> Error {
    Error::io(error).at("an Arrow IPC stream")
}

/// How much a head grows by before its bytes have arrived.
const HEAD_AHEAD: usize = 64 << 10;

/// Reads `len` bytes, fewer only at the end of the input. The vector grows as bytes arrive. Not by
/// [`Read::read_to_end`], which panics when the reader says that it read more than it was asked for.
pub(super) fn read_up_to<R: Read>(reader: &mut R, out: &mut Vec<u8>, len: usize) -> Result<()> {
    while out.len() < len {
        let known = out.len();
        let more = known.max(HEAD_AHEAD).min(len - known);
        alloc::try_grow(out, more)?;
        out.resize(known + more, 0);
        let read = out.get_mut(known..).map_or(Ok(0), |rest| read_once(reader, rest));
        out.truncate(known + read.as_ref().map_or(0, |read| *read));
        if read? == 0 {
            return Ok(());
        }
    }
    Ok(())
}
