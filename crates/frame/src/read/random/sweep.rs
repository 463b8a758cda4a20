//! The heads of a file's messages, as many as have to be read: all by one request, unless there are very many.

use std::ops::Range;
use std::sync::Arc;

use floe_format::{BatchHeader, Block, Footer, IpcLimits};
use polars_core::prelude::*;

use super::found::{BatchEntry, DictionaryId, Found, StreamPlace};
use super::options::Profile;
use crate::cumulative;
use crate::layout;
use crate::pool;
use crate::read::heads::{batch_of, dictionary_of, head_range};
use crate::read::ranged::SparseSource;
use crate::read::types::TypeOptions;
use crate::schema::ReadSchema;
use crate::statistics::{self, BatchStatistics};

/// Heads that one task decodes.
const HEADS_PER_TASK: usize = 64;
/// Bytes of heads that are asked for at once.
const MAX_BYTES_AT_ONCE: u64 = 64 << 20;

/// A message whose head is wanted: its number among those of its kind.
#[derive(Debug, Clone, Copy)]
enum WantedHead {
    Dictionary(usize),
    Batch(usize),
}

/// The contents of a head.
enum HeadContents {
    Dictionary(DictionaryId),
    Batch { rows: usize, has_statistics: bool },
}

/// The heads of a file.
pub(super) struct HeadSweep {
    footer: Footer,
    limits: IpcLimits,
    /// The heads of batches as the footer says, where reading them costs requests.
    layout: Option<Vec<Arc<BatchHeader>>>,
    /// Statistics as the footer says, if that is to be believed.
    trusted: Option<Vec<Option<BatchStatistics>>>,
    /// The rows of batches as the footer says, if some heads or none are enough to believe it.
    rows: Option<Vec<usize>>,
    wanted: Vec<WantedHead>,
    /// How many of them have been asked for, and have been looked at.
    asked: usize,
    seen: usize,
    dictionary_ids: Vec<DictionaryId>,
    batch_rows: Vec<usize>,
    has_statistics: bool,
}

impl HeadSweep {
    pub(super) fn new(footer: Footer, limits: IpcLimits, profile: &Profile) -> Self {
        let count = footer.batches.len();
        let rows = match profile.checked_batches {
            Some(all_of) if count <= all_of => None,
            _ => rows_of_footer(&footer),
        };
        let sampled = match (&rows, profile.checked_batches) {
            (None, _) => (0..count).collect(),
            (Some(_), Some(_)) => vec![0, count / 2, count - 1],
            (Some(_), None) => Vec::new(),
        };
        // Where no heads are read for the rows, those of dictionaries are read when a column needs one.
        let is_lazy = rows.is_some() && profile.checked_batches.is_none();
        let dictionaries = if is_lazy { 0 } else { footer.dictionaries.len() };
        let wanted =
            (0..dictionaries).map(WantedHead::Dictionary).chain(sampled.into_iter().map(WantedHead::Batch));
        let has_statistics = footer.metadata.iter().any(|(key, _)| key == statistics::KEY);
        let layout = match &rows {
            Some(rows) if profile.checked_batches.is_none() => {
                layout::find(&footer.metadata, &footer.schema, &footer.batches, rows, &limits)
            },
            _ => None,
        };
        let trusted = profile.trusts_statistics.then(|| statistics_of_footer(&footer)).flatten();
        Self {
            limits,
            layout,
            trusted,
            rows,
            wanted: wanted.collect(),
            asked: 0,
            seen: 0,
            dictionary_ids: Vec::new(),
            batch_rows: Vec::new(),
            has_statistics,
            footer,
        }
    }

    fn block(&self, wanted: WantedHead) -> Block {
        let block = match wanted {
            WantedHead::Dictionary(number) => self.footer.dictionaries.get(number),
            WantedHead::Batch(number) => self.footer.batches.get(number),
        };
        // Numbers are counted off those lists. A block of no bytes would be an error where its head is read.
        debug_assert!(block.is_some(), "the footer lists no {wanted:?}");
        block.copied().unwrap_or_default()
    }

    /// The ranges to ask for next; none if all has been asked for.
    pub(super) fn next_ranges(&mut self) -> Vec<Range<u64>> {
        let mut ranges = Vec::new();
        let mut bytes = 0;
        while let Some(wanted) = self.wanted.get(self.asked).filter(|_| bytes < MAX_BYTES_AT_ONCE) {
            let range = head_range(self.block(*wanted));
            bytes += range.end - range.start;
            ranges.push(range);
            self.asked += 1;
        }
        ranges
    }

    /// The blocks asked for last.
    pub(super) fn asked_blocks(&self) -> Vec<Block> {
        // `seen` never passes `asked`, nor that the end.
        let wanted = self.wanted.get(self.seen..self.asked).unwrap_or_default();
        wanted.iter().map(|wanted| self.block(*wanted)).collect()
    }

    /// Decodes the heads asked for, in parallel.
    pub(super) fn look(&mut self, given: &SparseSource) -> PolarsResult<()> {
        // `seen` never passes `asked`, nor that the end.
        let wanted = self.wanted.get(self.seen..self.asked).unwrap_or_default();
        let tasks: Vec<&[WantedHead]> = wanted.chunks(HEADS_PER_TASK).collect();
        let contents = pool::executor(true).map(tasks.len(), |task| {
            // The executor was given the number of tasks.
            let wanted = tasks.get(task).copied().unwrap_or_default();
            wanted
                .iter()
                .map(|wanted| self.contents(*wanted, given))
                .collect::<PolarsResult<Vec<HeadContents>>>()
        });
        let contents = contents.into_iter().collect::<PolarsResult<Vec<Vec<HeadContents>>>>()?;
        for head in contents.into_iter().flatten() {
            match head {
                HeadContents::Dictionary(id) => self.dictionary_ids.push(id),
                HeadContents::Batch { rows, has_statistics } => {
                    self.batch_rows.push(rows);
                    self.has_statistics |= has_statistics;
                },
            }
        }
        self.seen = self.asked;
        self.believe();
        Ok(())
    }

    fn contents(&self, wanted: WantedHead, given: &SparseSource) -> PolarsResult<HeadContents> {
        let block = self.block(wanted);
        let lost = || polars_err!(ComputeError: "the head of a message was not read");
        let head = given.get(head_range(block)).ok_or_else(lost)?;
        match wanted {
            WantedHead::Dictionary(number) => {
                let (header, _) = dictionary_of(&head, block, number, &self.limits)?;
                Ok(HeadContents::Dictionary(DictionaryId { id: header.id, is_delta: header.is_delta }))
            },
            WantedHead::Batch(number) => {
                let head = batch_of(&head, block, number, &self.limits)?;
                let has_statistics = head.metadata.iter().any(|(key, _)| key == statistics::KEY);
                Ok(HeadContents::Batch { rows: head.header.rows, has_statistics })
            },
        }
    }

    /// Once all is seen, takes the footer by its word if the heads of some batches agree; otherwise wants all of them.
    fn believe(&mut self) {
        // Not yet: heads are missing, or the footer has no rows.
        let Some(rows) = self.rows.as_ref().filter(|_| self.seen == self.wanted.len()) else { return };
        let sampled = self.wanted.iter().filter_map(|wanted| match wanted {
            WantedHead::Batch(number) => Some(*number),
            WantedHead::Dictionary(_) => None,
        });
        let agrees = sampled.zip(&self.batch_rows).all(|(batch, said)| rows.get(batch) == Some(said));
        if !agrees {
            (self.rows, self.batch_rows) = (None, Vec::new());
            self.wanted = (0..self.footer.batches.len()).map(WantedHead::Batch).collect();
            (self.asked, self.seen) = (0, 0);
        }
    }

    /// The results so far. A batch that has other rows than the footer says is an error when it is read.
    pub(super) fn finish(self, types: &TypeOptions) -> Found {
        let dictionaries = self.footer.dictionaries;
        // Without rows in the footer all heads were read.
        let rows = self.rows.unwrap_or(self.batch_rows);
        let entry = |(block, rows)| BatchEntry { block, rows, dictionaries: dictionaries.len() };
        let batches = self.footer.batches.into_iter().zip(rows).map(entry).collect();
        let schema = Arc::new(ReadSchema::new(self.footer.schema, types));
        Found {
            streams: vec![StreamPlace { schema, first_batch: 0, first_dictionary: 0 }],
            batches,
            dictionaries,
            dictionary_ids: self.dictionary_ids,
            has_statistics: self.has_statistics,
            layout: self.layout,
            trusted: self.trusted,
            types: types.clone(),
        }
    }
}

/// The rows of each batch as the footer says, if it does.
fn rows_of_footer(footer: &Footer) -> Option<Vec<usize>> {
    let ends = cumulative::find(&footer.metadata, footer.batches.len())?;
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(&ends).map(|(start, end)| usize::try_from(end - start).ok()).collect()
}

/// The statistics of each batch as the footer says, if it has a line for each.
fn statistics_of_footer(footer: &Footer) -> Option<Vec<Option<BatchStatistics>>> {
    let (_, text) = footer.metadata.iter().rev().find(|(key, _)| key == statistics::KEY)?;
    let lines: Vec<_> = text.lines().map(BatchStatistics::from_text).collect();
    (lines.len() == footer.batches.len()).then_some(lines)
}
