//! A body that is read from a reader: wanted ranges become segments, the rest is passed over.
//!
//! Values of numbers are not kept as segments when they can be read to where they stay: see [`super::in_place`].
//! Large segments lie on huge pages, and the pages of the next one are made on the pool while this
//! one is read.

use std::io::{self, Read};
use std::ops::Range;

use floe_array::{Segments, share, share_region};
use floe_format::{Error, Result};
use floe_runtime::{Region, alloc};
use polars_buffer::Buffer;

use super::in_place::InPlace;
use super::message_source::truncated;
use super::prepared::PreparedMemory;
use super::ranged::{LARGE_BYTES, read_too_much};

/// How much of a buffer is allocated before its bytes have arrived.
const MAX_UNSEEN_BYTES: usize = 64 << 20;
/// How much more than has arrived is allocated afterwards.
const GROWTH_FACTOR: usize = 4;
/// The most that is read into a buffer only to be thrown away.
const SCRATCH_BYTES: usize = 256 << 10;

/// A body on its way in.
pub(super) struct BodyReader<'a, R> {
    pub(super) reader: &'a mut R,
    pub(super) prepared: Option<&'a mut PreparedMemory>,
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
            // Nothing to prepare behind the last range.
            let next = sizes.next().unwrap_or(0);
            let len = to_usize(range.end).saturating_sub(self.position);
            let bytes = if len < LARGE_BYTES { self.small(len)? } else { self.large(len, next)? };
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

    /// Reads a segment onto huge pages; the next one has `next` bytes.
    fn large(&mut self, len: usize, next: usize) -> Result<Buffer<u8>> {
        let room = len.min(MAX_UNSEEN_BYTES);
        let mut region = match self.prepared.as_mut().and_then(|prepared| prepared.take(room)) {
            Some(region) => region,
            None => Region::new(room)?,
        };
        let mut have = 0;
        while have < len {
            let dst = region.as_mut_slice();
            let room = dst.len();
            if have == room {
                region.grow(have.saturating_mul(GROWTH_FACTOR).min(len))?;
                continue;
            }
            let read = read_once(self.reader, &mut dst[have..])?;
            if have == 0
                && next >= LARGE_BYTES
                && let Some(prepared) = &mut self.prepared
            {
                // By now this one's bytes do come.
                prepared.start(next.min(MAX_UNSEEN_BYTES));
            }
            have += read;
            if read == 0 {
                break;
            }
        }
        self.arrived(have, len)?;
        Ok(share_region(region, len))
    }

    /// Reads bytes that nobody needs.
    fn skip_to(&mut self, position: usize) -> Result<()> {
        let mut left = position.saturating_sub(self.position);
        let mut scratch = vec![0; left.min(SCRATCH_BYTES)];
        while left > 0 {
            let room = left.min(SCRATCH_BYTES);
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

fn to_usize(position: u64) -> usize {
    // Positions within a body whose length is a usize.
    usize::try_from(position).unwrap_or(usize::MAX)
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
const HEAD_BYTES_AHEAD: usize = 64 << 10;

/// Reads `len` bytes, fewer only at the end of the input. The vector grows as bytes arrive. Not by
/// [`Read::read_to_end`], which panics when the reader says that it read more than it was asked for.
pub(super) fn read_up_to<R: Read>(reader: &mut R, out: &mut Vec<u8>, len: usize) -> Result<()> {
    while out.len() < len {
        let known = out.len();
        let more = known.max(HEAD_BYTES_AHEAD).min(len - known);
        alloc::try_grow(out, more)?;
        out.resize(known + more, 0);
        // `out` was resized to more than `known` above.
        let read = out.get_mut(known..).map_or(Ok(0), |rest| read_once(reader, rest));
        out.truncate(known + read.as_ref().map_or(0, |read| *read));
        if read? == 0 {
            return Ok(());
        }
    }
    Ok(())
}
