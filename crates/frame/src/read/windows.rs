//! All of a stream in one frame: its batches are decoded in windows, each while the next one is read.
//!
//! ```text
//!   calling thread   read w0   read w1     read w2   ..
//!   pool                       decode w0   decode w1 ..
//! ```

use std::collections::VecDeque;

use polars_core::prelude::*;

use super::assemble::check_rows;
use super::flags;
use super::frame::finish_frame;
use super::frame_builder::FrameBuilder;
use super::in_place;
use super::message_source::{MessageSource, SourceKind};
use super::options::ReadOptions;
use super::pending::PendingBatch;
use super::stream_source::Stream;
use crate::pool::Task;

/// Batches of about this many bytes are decoded together; those on disk take none yet, so that all of them are.
const WINDOW_BYTES: usize = 8 << 20;
/// Bytes of the first batches, none of which is read in place: they show how the others will be.
const FIRST_WINDOW_BYTES: usize = if cfg!(fuzzing) { 1 } else { 1 << 20 };
/// The fewest bytes that a batch counts for: windows have at most 1,024 batches.
const MIN_BATCH_BYTES: usize = 16 << 10;
/// Windows being decoded while the next one is read.
const MAX_WINDOWS_IN_FLIGHT: usize = 2;

/// Neighbouring batches of a stream.
#[derive(Default)]
struct Window {
    batches: Vec<PendingBatch<'static>>,
    bytes: usize,
    rows: usize,
    is_last: bool,
}

impl<S: MessageSource> Stream<S> {
    /// All that is left, in one frame, whose rows are counted on from those before.
    pub(crate) fn read_all(&mut self, options: &ReadOptions) -> PolarsResult<DataFrame> {
        let before = self.current.rows;
        if self.input.kind() == SourceKind::Memory {
            let mut batches = Vec::new();
            while let Some(batch) = self.next_batch(options)? {
                batches.push(batch);
            }
            return self.decode(batches, options, before);
        }
        let mut first = Window::default();
        self.extend(&mut first, FIRST_WINDOW_BYTES, options, None)?;
        let suited = if options.rechunk && self.input.kind() == SourceKind::Reader {
            self.suited(&first, options)?
        } else {
            Vec::new()
        };
        if suited.is_empty() {
            self.extend(&mut first, WINDOW_BYTES, options, None)?;
        }
        if first.is_last {
            return self.decode(first.batches, options, before);
        }
        if options.rechunk {
            self.read_joined(first, &suited, options, before)
        } else {
            self.read_in_chunks(first, options, before)
        }
    }

    /// The columns, by their places in the projection, that are better read in place, as these batches look.
    fn suited(&mut self, first: &Window, options: &ReadOptions) -> PolarsResult<Vec<usize>> {
        let (schema, projection) = (self.plan(options)?, self.projection(options)?);
        Ok(in_place::suited(&schema, &projection, &first.batches))
    }

    /// Batches to be decoded together, and whether there are no more. The columns of `in_place` have their rows then.
    fn window(&mut self, options: &ReadOptions, in_place: Option<&mut FrameBuilder>) -> PolarsResult<Window> {
        let mut window = Window::default();
        self.extend(&mut window, WINDOW_BYTES, options, in_place)?;
        Ok(window)
    }

    /// Adds batches until there are `bytes` bytes.
    fn extend(
        &mut self,
        window: &mut Window,
        bytes: usize,
        options: &ReadOptions,
        mut in_place: Option<&mut FrameBuilder>,
    ) -> PolarsResult<()> {
        while window.bytes < bytes && !window.is_last {
            let Some(batch) = self.next_batch_onto(options, in_place.as_deref_mut())? else {
                window.is_last = true;
                break;
            };
            // A body on disk takes no memory yet.
            window.bytes += batch.body.bytes().map_or(0, |bytes| bytes.max(MIN_BATCH_BYTES));
            window.rows = window.rows.saturating_add(batch.rows());
            window.batches.push(batch);
        }
        Ok(())
    }

    /// Decodes windows one behind the other, each while the next one is read.
    /// Of these columns the values are read in place.
    fn read_joined(
        &mut self,
        first: Window,
        in_place: &[usize],
        options: &ReadOptions,
        before: usize,
    ) -> PolarsResult<DataFrame> {
        let projection = self.projection(options)?;
        let (mut read, mut frame) = FrameBuilder::split(&projection, in_place);
        self.decoding(options)?.onto(&mut read, &first.batches)?;
        let mut in_place = (!read.is_empty()).then_some(&mut read);
        let mut metadata = Vec::new();
        let mut window = first;
        loop {
            let Window { mut batches, is_last, .. } = window;
            metadata.extend(batches.iter_mut().map(|batch| std::mem::take(&mut batch.head.metadata)));
            let decoding = self.decoding(options)?;
            if is_last || !options.parallel || frame.is_empty() {
                decoding.onto(&mut frame, &batches)?;
                if is_last {
                    break;
                }
                window = self.window(options, in_place.as_deref_mut())?;
            } else {
                let task = Task::spawn(move || {
                    decoding.onto(&mut frame, &batches)?;
                    PolarsResult::Ok(frame)
                });
                // An error of the batches that are being decoded comes before one behind them.
                let next = self.window(options, in_place.as_deref_mut());
                frame = task.wait()?;
                window = next?;
            }
        }
        let mut df = frame.finish(read, &projection)?;
        flags::restore(&mut df, &projection, metadata.iter())?;
        finish_frame(df, options, before)
    }

    /// Decodes windows to chunks on the pool, while the next ones are read.
    fn read_in_chunks(
        &mut self,
        first: Window,
        options: &ReadOptions,
        before: usize,
    ) -> PolarsResult<DataFrame> {
        let mut tasks: VecDeque<Task<PolarsResult<DataFrame>>> = VecDeque::new();
        let mut frames: Option<DataFrame> = None;
        let mut done = |frame: DataFrame| match &mut frames {
            None => {
                frames = Some(frame);
                Ok(())
            },
            Some(all) => all.vstack_mut_owned(frame).map(|_| ()),
        };
        let (mut window, mut before) = (first, before);
        loop {
            let Window { batches, rows, is_last, .. } = window;
            let decoding = self.decoding(options)?;
            if batches.is_empty() {
                debug_assert!(is_last, "only the end of the stream makes a window empty");
            } else if options.parallel {
                tasks.push_back(Task::spawn(move || decoding.frame(batches, before)));
            } else {
                done(decoding.frame(batches, before)?)?;
            }
            while tasks.len() > if is_last { 0 } else { MAX_WINDOWS_IN_FLIGHT } {
                if let Some(task) = tasks.pop_front() {
                    done(task.wait()?)?;
                }
            }
            if is_last {
                // Without frames there were no batches.
                return Ok(frames.unwrap_or_default());
            }
            before = before.saturating_add(rows);
            check_rows(before)?;
            window = self.window(options, None)?;
        }
    }
}
