//! Files one after another, each of a size.

use polars_core::prelude::*;

use super::folder::Finished;
use super::names::Names;
use super::part::{Part, Parts};
use super::summary::PartitionSummary;
use crate::batch_sizing::BatchSizing;
use crate::query::Consumer;
use crate::regroup::Regroup;
use crate::size;

/// The size of a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limit {
    Rows(usize),
    Bytes(u64),
}

/// A file is closed when less than this part of it is free: better than a last batch of few rows.
const CLOSED_BELOW: u64 = 16;

/// Writes file after file.
pub(super) struct Rolling {
    limit: Limit,
    /// Makes the batches of a file, which begin anew with each file.
    regroup: Regroup,
    current: Option<Current>,
    finished: Vec<Finished>,
    /// Last, so that it goes last: when its folders are removed, the files must be gone.
    parts: Parts,
}

/// The file that is being written.
struct Current {
    part: Part,
    /// Rows it has got, written or not.
    rows: usize,
    /// Bytes of its schema.
    schema_bytes: u64,
}

impl Rolling {
    pub(super) fn new(parts: Parts, limit: Limit) -> Self {
        let regroup = Regroup::new(BatchSizing::for_batches(parts.encoding.record_batch_size, &parts.schema));
        Self { parts, limit, regroup, current: None, finished: Vec::new() }
    }

    fn start(&mut self) -> PolarsResult<Current> {
        let mut part = self.parts.start("", self.finished.len())?;
        if let Limit::Bytes(most) = self.limit {
            part.set_max_bytes(most);
        }
        let schema_bytes = part.written().written_bytes;
        Ok(Current { part, rows: 0, schema_bytes })
    }

    fn close(&mut self, current: Current) -> PolarsResult<()> {
        let finished = self.parts.finish(current.part, Vec::new())?;
        self.finished.push(finished);
        Ok(())
    }

    /// Rows into files of `most` rows.
    fn by_rows(&mut self, mut df: DataFrame, most: usize) -> PolarsResult<()> {
        while df.height() > 0 {
            let mut current = match self.current.take() {
                Some(current) => current,
                None => self.start()?,
            };
            let (head, rest) = split(&df, df.height().min(most - current.rows));
            df = rest;
            current.rows += head.height();
            let mut ready = self.regroup.push(head)?;
            if current.rows == most {
                // The end of a file takes what waits.
                ready.extend(self.regroup.rest());
            }
            for batches in ready {
                self.parts.on(&mut current.part, |writer| writer.submit(&batches))?;
            }
            if current.rows == most {
                self.close(current)?;
            } else {
                self.current = Some(current);
            }
        }
        Ok(())
    }

    /// Rows into files of `most` bytes, a batch of the number asked for at a time: how many come together
    /// must not matter.
    fn batches_by_bytes(&mut self, mut df: DataFrame, most: u64) -> PolarsResult<()> {
        let size = self.parts.encoding.record_batch_size.unwrap_or(usize::MAX);
        while df.height() > size {
            let (head, rest) = split(&df, size);
            self.by_bytes(head, most)?;
            df = rest;
        }
        self.by_bytes(df, most)
    }

    /// Rows into files of `most` bytes.
    fn by_bytes(&mut self, mut df: DataFrame, most: u64) -> PolarsResult<()> {
        while df.height() > 0 {
            let mut current = match self.current.take() {
                Some(current) => current,
                None => self.start()?,
            };
            let free = current.free(most);
            let rows = rows_within(&df, free);
            let nearly_full = rows < df.height() && free < most / CLOSED_BELOW;
            if current.rows > 0 && (rows == 0 || nearly_full) {
                self.close(current)?;
                continue;
            }
            let (head, rest) = split(&df, rows.max(1));
            df = rest;
            current.rows += head.height();
            // Written at once: its size in the file says how much is free.
            self.parts.on(&mut current.part, |writer| writer.write(&head))?;
            self.current = Some(current);
        }
        Ok(())
    }
}

impl Current {
    /// Bytes that may still be written, the footer kept free: it has the schema again, and an entry a
    /// batch.
    fn free(&self, most: u64) -> u64 {
        let written = self.part.written();
        let footer = 512 + self.schema_bytes + (written.batches + 1) * 64;
        most.saturating_sub(written.written_bytes.saturating_add(footer))
    }
}

/// How many of the rows certainly fit. Looks at about that many rows, not at all of them.
fn rows_within(df: &DataFrame, bytes: u64) -> usize {
    let fits = |rows| size::batch_bound(&split(df, rows).0) <= bytes;
    let (mut fit, mut too_many) = (0, 1);
    while fits(too_many) {
        if too_many == df.height() {
            return too_many;
        }
        (fit, too_many) = (too_many, (too_many * 2).min(df.height()));
    }
    while too_many - fit > 1 {
        let middle = fit + (too_many - fit) / 2;
        if fits(middle) {
            fit = middle;
        } else {
            too_many = middle;
        }
    }
    fit
}

fn split(df: &DataFrame, at: usize) -> (DataFrame, DataFrame) {
    df.split_at(size::row(at))
}

impl Consumer for Rolling {
    type Output = Vec<PartitionSummary>;

    fn take(&mut self, df: DataFrame) -> PolarsResult<()> {
        match self.limit {
            Limit::Rows(most) => self.by_rows(df, most),
            Limit::Bytes(most) => {
                self.regroup.push(df)?.into_iter().try_for_each(|df| self.batches_by_bytes(df, most))
            },
        }
    }

    fn work(&mut self) -> PolarsResult<bool> {
        match &mut self.current {
            Some(current) => self.parts.on(&mut current.part, crate::writer::Writer::write_submitted),
            None => Ok(false),
        }
    }

    fn finish(mut self) -> PolarsResult<Self::Output> {
        let rest = self.regroup.rest();
        match (self.limit, rest) {
            (Limit::Bytes(most), Some(rest)) => self.batches_by_bytes(rest, most)?,
            (Limit::Rows(_), Some(rest)) => {
                if let Some(current) = &mut self.current {
                    self.parts.on(&mut current.part, |writer| writer.submit(&rest))?;
                }
            },
            (_, None) => {},
        }
        match self.current.take() {
            Some(current) => self.close(current)?,
            // Not a row: its schema is worth a file.
            None if self.finished.is_empty() => {
                let current = self.start()?;
                self.close(current)?;
            },
            None => {},
        }
        let Self { parts, finished, .. } = self;
        let finished = in_order(finished, &parts.folder.names);
        parts.folder.commit(finished)
    }
}

/// The files by names whose order is theirs.
fn in_order(mut files: Vec<Finished>, names: &Names) -> Vec<Finished> {
    let digits = files.len().saturating_sub(1).to_string().len();
    for (i, file) in files.iter_mut().enumerate() {
        file.summary.path.set_file_name(names.part(i, digits));
    }
    files
}
