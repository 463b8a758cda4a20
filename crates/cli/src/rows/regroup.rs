//! Frames of another size.

use polars_core::prelude::*;

use crate::error::Result;

/// Frames one after another.
pub(crate) type Frames<'a> = Box<dyn Iterator<Item = Result<DataFrame>> + 'a>;

/// Frames of this many rows each; the last one has the rest.
pub(crate) struct Regroup<'a> {
    frames: Frames<'a>,
    rows: usize,
    held: Option<DataFrame>,
    done: bool,
}

impl<'a> Regroup<'a> {
    pub(crate) fn new(frames: Frames<'a>, rows: usize) -> Self {
        Self { frames, rows: rows.max(1), held: None, done: false }
    }
}

impl Iterator for Regroup<'_> {
    type Item = Result<DataFrame>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.done && self.held.as_ref().map_or(0, DataFrame::height) < self.rows {
            match self.frames.next() {
                None => self.done = true,
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok(frame)) => match &mut self.held {
                    None => self.held = Some(frame),
                    Some(held) => {
                        if let Err(error) = held.vstack_mut(&frame) {
                            return Some(Err(error.into()));
                        }
                    },
                },
            }
        }
        let held = self.held.take().filter(|held| held.height() > 0)?;
        if held.height() > self.rows {
            let cut = i64::try_from(self.rows).unwrap_or(i64::MAX);
            self.held = Some(held.slice(cut, held.height()));
        }
        Some(Ok(held.head(Some(self.rows))))
    }
}
