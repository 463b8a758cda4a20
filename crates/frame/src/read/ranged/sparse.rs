//! A source of which only some parts are there: those that a caller without I/O has handed over.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use polars_buffer::Buffer;

use super::source::{RangedSource, ReadCost};

/// Parts of a source by their start. None lies within another, so that ends ascend as starts do.
#[derive(Debug, Clone, Default)]
pub(in crate::read) struct SparseSource {
    parts: BTreeMap<u64, Buffer<u8>>,
    len: u64,
}

impl SparseSource {
    /// Nothing of a source of `len` bytes.
    pub(in crate::read) fn new(len: u64) -> Self {
        Self { parts: BTreeMap::new(), len }
    }

    /// Adds a part.
    pub(in crate::read) fn put(&mut self, start: u64, bytes: Buffer<u8>) {
        let end = end_of(start, &bytes);
        if self.whole(&(start..end)).is_some() {
            return;
        }
        let inner: Vec<u64> = self
            .parts
            .range(start..end)
            .filter(|(at, part)| end_of(**at, part) <= end)
            .map(|(at, _)| *at)
            .collect();
        for at in inner {
            self.parts.remove(&at);
        }
        self.parts.insert(start, bytes);
    }

    /// Takes all parts out, by where they start.
    pub(in crate::read) fn take_parts(&mut self) -> impl Iterator<Item = (u64, Buffer<u8>)> + use<> {
        std::mem::take(&mut self.parts).into_iter()
    }

    /// The part that holds a range, and where it starts.
    fn whole(&self, range: &Range<u64>) -> Option<(u64, &Buffer<u8>)> {
        let (start, part) = self.parts.range(..=range.start).next_back()?;
        (end_of(*start, part) >= range.end).then_some((*start, part))
    }

    /// Whether all bytes of a range are there.
    pub(in crate::read) fn has(&self, range: &Range<u64>) -> bool {
        let mut at = range.start;
        while at < range.end {
            match self.parts.range(..=at).next_back().map(|(start, part)| end_of(*start, part)) {
                Some(end) if end > at => at = end,
                _ => return false,
            }
        }
        true
    }

    /// The bytes of a range, if all of them are there: shared if they lie in one part, else put together.
    pub(in crate::read) fn get(&self, range: Range<u64>) -> Option<Buffer<u8>> {
        if range.is_empty() {
            return Some(Buffer::default());
        }
        if let Some((start, part)) = self.whole(&range) {
            let at = |position: u64| usize::try_from(position - start).ok();
            return Some(part.clone().sliced(at(range.start)?..at(range.end)?));
        }
        let mut out = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let (start, part) = self.parts.range(..=at).next_back()?;
            let end = end_of(*start, part).min(range.end);
            let within = |position: u64| usize::try_from(position - start).ok();
            out.extend_from_slice(
                part.get(within(at)?..within(end.max(at))?).filter(|bytes| !bytes.is_empty())?,
            );
            at = end;
        }
        Some(out.into())
    }
}

fn end_of(start: u64, part: &Buffer<u8>) -> u64 {
    start.saturating_add(part.as_slice().len() as u64)
}

impl RangedSource for SparseSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> io::Result<Vec<Buffer<u8>>> {
        let missing = |range: &Range<u64>| {
            io::Error::other(format!("bytes {} to {} have not been given", range.start, range.end))
        };
        ranges.iter().map(|range| self.get(range.clone()).ok_or_else(|| missing(range))).collect()
    }

    fn shared(&self, range: Range<u64>) -> Option<Buffer<u8>> {
        self.get(range)
    }

    fn read_cost(&self) -> ReadCost {
        ReadCost::Memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_found_in_a_part_or_put_together() {
        let all: Vec<u8> = (0..100).collect();
        let mut source = SparseSource::new(100);
        let mut put = |range: Range<usize>| source.put(range.start as u64, all[range].to_vec().into());
        for range in [10..20, 30..40, 12..18, 20..30, 5..35, 50..60] {
            put(range);
        }
        for start in 0..100u64 {
            for end in start..100 {
                let known = |range: Range<u64>| start >= range.start && end <= range.end;
                let expected = start == end || known(5..40) || known(50..60);
                let found = source.get(start..end);
                assert_eq!(found.is_some(), expected, "{start}..{end}");
                assert_eq!(source.has(&(start..end)), expected, "{start}..{end}");
                assert!(found.is_none_or(|found| found.iter().map(|byte| u64::from(*byte)).eq(start..end)));
            }
        }
        assert!(source.read_ranges(&[5..40, 40..41]).unwrap_err().to_string().contains("bytes 40 to 41"));
    }
}
