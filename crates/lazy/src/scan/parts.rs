//! Where a scan is cut.
//!
//! A *part* is some batches of one source, decoded at once; a *group* is some parts, one node of the plan. Parts are
//! large enough that their number does not matter: an engine spends about 0.2 ms on a group. They are small enough that
//! a few at a time take little memory. The first ones are small, for queries that stop early.

use std::ops::Range;

use polars_core::runtime::THREAD_POOL;

use super::layout::Layout;

/// Some batches of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) source: usize,
    pub(super) batches: Range<usize>,
    /// Rows before it, over all sources.
    pub(super) before: usize,
    /// Rows of its batches that do not count, at their begin.
    pub(super) skip: usize,
    /// Rows of it that count: all others, unless it ends before its batches do.
    pub(super) rows: usize,
}

impl Part {
    /// No rows.
    pub(super) fn empty() -> Self {
        Self { source: 0, batches: 0..0, before: 0, skip: 0, rows: 0 }
    }

    /// Whether another begins where this one ends, in the same source.
    pub(super) fn is_followed_by(&self, other: &Self) -> bool {
        self.source == other.source
            && self.batches.end == other.batches.start
            && self.before + self.rows == other.before
            && other.skip == 0
    }
}

/// Stored bytes that make a part, compressed or not.
pub(super) const PART_BYTES: u64 = 8 << 20;
/// Rows that make a part.
pub(super) const PART_ROWS: usize = 512 << 10;
/// Parts of a group for each thread: while one is late with its part, the others take more than theirs.
const PARTS_A_THREAD: usize = 4;
/// Groups that a plan should not have more of, at the price of larger parts.
const MAX_GROUPS: usize = 512;

/// One part a batch, without those that have no rows, up to `n_rows`.
pub(super) fn parts(layout: &Layout, n_rows: Option<usize>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut before = 0usize;
    let end = n_rows.unwrap_or(usize::MAX);
    for (number, source) in layout.sources.iter().enumerate() {
        for batch in 0..source.index.num_record_batches() {
            if before >= end {
                return parts;
            }
            let rows = source.index.batch_size(batch).map_or(0, |(rows, _)| rows).min(end - before);
            if rows > 0 {
                parts.push(Part { source: number, batches: batch..batch + 1, before, skip: 0, rows });
            }
            before += rows;
        }
    }
    parts
}

/// Puts parts together to groups of larger ones.
pub(super) fn groups(layout: &Layout, parts: Vec<Part>) -> Vec<Vec<Part>> {
    let size = |part: &Part| {
        let bytes = |batch| layout.sources.get(part.source)?.index.batch_size(batch).map(|(_, bytes)| bytes);
        part.batches.clone().filter_map(bytes).sum()
    };
    let parts: Vec<(Part, u64)> =
        parts.into_iter().map(|part| (size(&part), part)).map(|(s, p)| (p, s)).collect();
    cut(parts, THREAD_POOL.current_num_threads().max(1) * PARTS_A_THREAD)
}

/// Groups of at least `width` parts each, if there are that many parts.
fn cut(parts: Vec<(Part, u64)>, width: usize) -> Vec<Vec<Part>> {
    let (all_bytes, all_rows) =
        parts.iter().fold((0u64, 0usize), |(b, r), (part, size)| (b.saturating_add(*size), r + part.rows));
    let most = MAX_GROUPS.saturating_mul(width);
    let full =
        Weight { bytes: PART_BYTES.max(all_bytes / most as u64), rows: PART_ROWS.max(all_rows / most) };
    let mut groups: Vec<Group> = Vec::new();
    for (part, bytes) in parts {
        let number = groups.len();
        // The first batch stands alone; behind it parts grow to their full size.
        let limit = full.quarters(number.min(4));
        let weight = Weight { bytes, rows: part.rows };
        match groups.last_mut() {
            Some(last) if number > 1 && last.takes(&part, weight, limit, width) => {
                last.push(part, weight, limit)
            },
            _ => groups.push(Group { last: weight, all: weight, parts: vec![part] }),
        }
    }
    groups.into_iter().map(|group| group.parts).collect()
}

#[derive(Clone, Copy)]
struct Weight {
    bytes: u64,
    rows: usize,
}

impl Weight {
    fn quarters(self, n: usize) -> Self {
        Self { bytes: self.bytes / 4 * n as u64, rows: self.rows / 4 * n }
    }

    fn plus(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(other.bytes), rows: self.rows.saturating_add(other.rows) }
    }

    fn is_within(self, limit: Self) -> bool {
        self.bytes <= limit.bytes && self.rows <= limit.rows
    }
}

/// A group in the making: its parts, and what the last of them and all of them weigh.
struct Group {
    parts: Vec<Part>,
    last: Weight,
    all: Weight,
}

impl Group {
    /// Whether a batch belongs into this group: into its last part, or as one more.
    fn takes(&self, part: &Part, weight: Weight, limit: Weight, width: usize) -> bool {
        let all = Weight { bytes: limit.bytes * width as u64, rows: limit.rows * width };
        self.extends(part, weight, limit) || self.parts.len() < width || self.all.plus(weight).is_within(all)
    }

    fn extends(&self, part: &Part, weight: Weight, limit: Weight) -> bool {
        let follows = self.parts.last().is_some_and(|last| last.is_followed_by(part));
        follows && self.last.plus(weight).is_within(limit)
    }

    fn push(&mut self, part: Part, weight: Weight, limit: Weight) {
        self.all = self.all.plus(weight);
        let extends = self.extends(&part, weight, limit);
        match self.parts.last_mut() {
            Some(last) if extends => {
                last.batches.end = part.batches.end;
                last.rows += part.rows;
                self.last = self.last.plus(weight);
            },
            _ => {
                self.parts.push(part);
                self.last = weight;
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Batches of `bytes` bytes and `rows` rows, `every` of them in each source.
    fn batches(n: usize, bytes: u64, rows: usize, every: usize) -> Vec<(Part, u64)> {
        let part = |i: usize| {
            let batch = i % every;
            (Part { source: i / every, batches: batch..batch + 1, before: i * rows, skip: 0, rows }, bytes)
        };
        (0..n).map(part).collect()
    }

    /// Every batch is in exactly one part, in order.
    fn check(n: usize, bytes: u64, rows: usize, every: usize) -> Vec<Vec<Part>> {
        let groups = cut(batches(n, bytes, rows, every), 4);
        let flat = groups.iter().flatten().flat_map(|part| part.batches.clone().map(|b| (part.source, b)));
        assert!(flat.eq((0..n).map(|i| (i / every, i % every))), "{groups:?}");
        assert_eq!(groups.iter().flatten().map(|part| part.rows).sum::<usize>(), n * rows);
        groups
    }

    #[test]
    fn large_batches_are_parts_and_as_many_as_threads_a_group() {
        let groups = check(100, 32 << 20, 1 << 18, 100);
        assert_eq!(groups.first().map(Vec::len), Some(1), "stopping early is cheap");
        assert!(groups.iter().skip(1).take(20).all(|group| group.len() == 4));
    }

    #[test]
    fn small_batches_are_put_together() {
        let groups = check(100_000, 1000, 10, 100_000);
        assert!(groups.len() < 20, "{}", groups.len());
        let groups = check(100_000, 1000, 10, 1);
        assert!(groups.len() < 20, "many small sources: {}", groups.len());
        assert_eq!(check(1, 1000, 10, 1).len(), 1);
        assert_eq!(check(0, 1000, 10, 1).len(), 0);
    }

    #[test]
    fn groups_stay_few_however_much_there_is() {
        assert!(check(200_000, 64 << 20, 1 << 20, 1000).len() < 200_000 / 4 + 2);
        assert!(check(1_000_000, 1 << 20, 1 << 16, 1000).len() < 2 * MAX_GROUPS);
    }
}
