//! Making an index without I/O: a state machine that says which bytes it needs.
//!
//! ```text
//!   Ends --"ARROW1"--> Footer ------------------> Heads --> Done
//!    |                  | not valid, start unseen    ^
//!    +----> Start <-----+                            |
//!             | a stream's beginning                 |
//!             +-----------------------> Stream ------+
//! ```
//!
//! Neighbours: [`sweep`](super::sweep) knows which heads of a file are wanted, [`streams`](super::streams) walks along
//! streams, [`request`](super::request) keeps what was asked for.

use std::ops::Range;
use std::sync::Arc;

use floe_format::constants::{CONTINUATION, FILE_MAGIC, FILE_SUFFIX_LEN};
use floe_format::sniff::{check_file, check_stream};
use polars_buffer::Buffer;
use polars_core::prelude::*;

use super::found::{Found, IpcKind};
use super::head_cache::HeadCache;
use super::index::{Index, IpcIndex};
use super::options::{IpcIndexOptions, Profile};
use super::origin::Origin;
use super::request::Request;
use super::streams::{StreamWalk, WalkStep};
use super::sweep::HeadSweep;
use crate::error::format_error;
use crate::read::footer::{SNIFFED_BYTES, footer_range, parse_footer};
use crate::read::ranged::RangedSource;

/// Makes an [`IpcIndex`] without any I/O of its own: it says which ranges of the source it needs, and is given them. For
/// callers whose reads are asynchronous, or go through something that [`RangedSource`](crate::RangedSource) cannot be.
///
/// A file of floe's or Polars' takes one answer, the last [`tail_bytes`](IpcIndexOptions::with_tail_bytes), or two if its
/// footer is longer. Files of other writers take one more, for the heads of all batches. A stream has no footer, so that it
/// takes an answer for each message, or for several short ones.
///
/// ```
/// use floe_frame::{IpcIndexBuilder, IpcIndexOptions, IpcWriter};
/// use polars_core::prelude::*;
/// use polars_io::SerWriter;
///
/// let mut df = DataFrame::new(3, vec![Column::new("day".into(), [1i64, 2, 3])])?;
/// let mut file = Vec::new();
/// IpcWriter::new(&mut file).finish(&mut df)?;
/// // Whatever it takes to get some bytes of the source.
/// let get = |start: u64, end: u64| file[start as usize..end as usize].to_vec();
///
/// let mut builder = IpcIndexBuilder::new(file.len() as u64, IpcIndexOptions::default());
/// while !builder.needed().is_empty() {
///     for range in builder.needed() {
///         let bytes = get(range.start, range.end);
///         builder.give(range, bytes)?;
///     }
/// }
/// let index = builder.finish()?;
///
/// let mut plan = index.plan(0..1, &[0])?;
/// while !plan.needed().is_empty() {
///     for range in plan.needed() {
///         let bytes = get(range.start, range.end);
///         plan.give(range, bytes)?;
///     }
/// }
/// assert_eq!(plan.decode()?, df);
/// # PolarsResult::Ok(())
/// ```
#[must_use]
pub struct IpcIndexBuilder {
    options: IpcIndexOptions,
    profile: Profile,
    request: Request,
    state: State,
    heads: HeadCache,
}

enum State {
    /// The end of the source is needed, and mostly its start.
    Ends,
    /// Its start tells the format. If that is a file's, this is the error of its end.
    Start(Option<PolarsError>),
    /// The rest of the footer is needed.
    Footer(Range<u64>),
    Heads(Box<HeadSweep>),
    Stream(Box<StreamWalk>),
    Done(IpcKind, Found),
    Failed(PolarsError),
}

impl IpcIndexBuilder {
    /// For a source of `len` bytes.
    ///
    /// See [`IpcIndexBuilder`] for an example.
    pub fn new(len: u64, options: IpcIndexOptions) -> Self {
        let profile = Profile::requests(&options);
        Self::with_profile(len, options, profile)
    }

    pub(super) fn with_profile(len: u64, options: IpcIndexOptions, profile: Profile) -> Self {
        let request = Request::new(len);
        let mut builder = Self { options, profile, request, state: State::Ends, heads: HeadCache::default() };
        if len <= profile.whole_bytes {
            builder.request.ask(std::slice::from_ref(&(0..len)));
        } else {
            let tail = len.saturating_sub(profile.tail_bytes)..len;
            let start = 0..if profile.sees_start { len.min(FILE_MAGIC.len() as u64) } else { 0 };
            builder.request.ask(&[start, tail]);
        }
        builder.go_on();
        builder
    }

    fn len(&self) -> u64 {
        self.request.given.len()
    }

    /// The ranges that are needed next, ascending and apart; none when [`finish`](Self::finish) can be called.
    /// They may be read at once. [`join_ranges`](crate::join_ranges) makes fewer of them.
    ///
    /// See [`IpcIndexBuilder`] for an example.
    #[must_use]
    pub fn needed(&self) -> Vec<Range<u64>> {
        self.request.needed().to_vec()
    }

    /// Takes the bytes of one of the ranges that are needed, or of a longer one that holds it: `Vec<u8>`, `Bytes`,
    /// `Buffer<u8>`. They are not copied.
    ///
    /// See [`IpcIndexBuilder`] for an example.
    ///
    /// # Errors
    /// When they are not as many as the range has, or were not asked for: nothing has happened then. When the bytes are
    /// not valid, as [`IpcIndex::open`]: the builder is of no more use then.
    pub fn give<B: AsRef<[u8]> + Send + Sync + 'static>(
        &mut self,
        range: Range<u64>,
        bytes: B,
    ) -> PolarsResult<()> {
        if let State::Failed(error) = &self.state {
            return Err(error.clone());
        }
        self.request.give(range, Buffer::from_owner(bytes))?;
        self.go_on();
        match &self.state {
            State::Failed(error) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// The index. It has no source of its own: [`IpcIndex::plan`] names the ranges that a read takes.
    ///
    /// See [`IpcIndexBuilder`] for an example.
    ///
    /// # Errors
    /// When bytes are still needed, or those given were not valid.
    pub fn finish(self) -> PolarsResult<IpcIndex> {
        self.into_index(Origin::None).map(|index| IpcIndex(Arc::new(index)))
    }

    /// The index, which reads from a source by itself. The bytes that have been read already are counted in.
    #[doc(hidden)]
    pub fn finish_with_source(
        self,
        source: Arc<dyn RangedSource>,
        bytes_read: u64,
    ) -> PolarsResult<IpcIndex> {
        let index = self.into_index(Origin::Source(source))?;
        index.bytes_read.store(bytes_read, std::sync::atomic::Ordering::Relaxed);
        Ok(IpcIndex(Arc::new(index)))
    }

    pub(super) fn into_index(self, origin: Origin) -> PolarsResult<Index> {
        match self.state {
            State::Done(kind, found) => {
                let len = self.request.given.len();
                Index::new(origin, kind, found, self.options.limits, self.profile, self.heads, len)
            },
            State::Failed(error) => Err(error),
            _ => {
                // For the text of the error only.
                let needed = self.request.needed().first().cloned().unwrap_or_default();
                polars_bail!(
                    ComputeError: "the index is not complete: bytes {} to {} are needed next", needed.start, needed.end
                )
            },
        }
    }

    /// Reads from a source until nothing more is needed, and says how many bytes that took.
    pub(super) fn read_from(&mut self, source: &dyn RangedSource) -> PolarsResult<u64> {
        let mut bytes = 0;
        while !self.request.needed().is_empty() {
            bytes += self.request.read_from(source, self.profile.gap_bytes)?;
            self.go_on();
        }
        match &self.state {
            State::Failed(error) => Err(error.clone()),
            _ => Ok(bytes),
        }
    }

    /// Goes on as far as the given bytes allow.
    fn go_on(&mut self) {
        while self.request.needed().is_empty() && !matches!(self.state, State::Done(..) | State::Failed(_)) {
            let state = std::mem::replace(&mut self.state, State::Ends);
            self.state = self.step(state).unwrap_or_else(State::Failed);
        }
    }

    /// The step after a state whose bytes are there.
    fn step(&mut self, state: State) -> PolarsResult<State> {
        match state {
            State::Ends => self.ends(),
            State::Start(error) => self.start(error),
            State::Footer(range) => match self.footer(range) {
                Err(error) if !self.has_start() => Ok(self.ask_start(Some(error))),
                next => next,
            },
            State::Heads(sweep) => self.heads(sweep),
            State::Stream(walk) => self.stream(walk),
            State::Done(..) | State::Failed(_) => Ok(state),
        }
    }

    fn magic(&self) -> Range<u64> {
        0..self.len().min(FILE_MAGIC.len() as u64)
    }

    fn has_start(&self) -> bool {
        self.request.given.has(&self.magic())
    }

    /// Both ends, or the last one only.
    fn ends(&mut self) -> PolarsResult<State> {
        let suffix = self.suffix();
        match self.request.given.get(self.magic()) {
            Some(start) if start.as_slice() == FILE_MAGIC => self.file(&suffix),
            Some(start) if start.starts_with(&CONTINUATION) => Ok(self.begin_stream()),
            None if suffix.ends_with(&FILE_MAGIC) => match self.file(&suffix) {
                Err(error) => Ok(self.ask_start(Some(error))),
                next => next,
            },
            Some(_) | None => Ok(self.ask_start(None)),
        }
    }

    fn suffix(&self) -> Buffer<u8> {
        let len = self.len();
        // Of a source that is shorter than that it is all there is.
        self.request.given.get(len.saturating_sub(FILE_SUFFIX_LEN as u64)..len).unwrap_or_default()
    }

    /// Asks for the first bytes, by which other formats are recognised as well.
    fn ask_start(&mut self, error: Option<PolarsError>) -> State {
        self.request.ask(std::slice::from_ref(&(0..self.len().min(SNIFFED_BYTES as u64))));
        State::Start(error)
    }

    fn start(&mut self, error: Option<PolarsError>) -> PolarsResult<State> {
        // Asked for by the state before; without bytes the format is unknown, which is an error.
        let start = self.request.given.get(0..self.len().min(SNIFFED_BYTES as u64)).unwrap_or_default();
        if start.starts_with(&FILE_MAGIC) {
            return match error {
                Some(error) => Err(error),
                None => self.file(&self.suffix()),
            };
        }
        if !start.starts_with(&CONTINUATION) {
            match error {
                // Its end is a file's, so that it was to be one.
                Some(_) => check_file(&start).map_err(format_error)?,
                None => check_stream(&start).map_err(format_error)?,
            }
        }
        Ok(self.begin_stream())
    }

    /// A file: the rest of its footer is needed.
    fn file(&mut self, suffix: &[u8]) -> PolarsResult<State> {
        let range = footer_range(self.len(), suffix, &self.options.limits)?;
        // Bytes that the tail holds need not be read again.
        let tail = self.len().saturating_sub(self.profile.tail_bytes).max(range.start);
        let known = if self.request.given.has(&(tail..range.end)) { tail } else { range.end };
        self.request.ask(std::slice::from_ref(&(range.start..known)));
        Ok(State::Footer(range))
    }

    fn footer(&mut self, range: Range<u64>) -> PolarsResult<State> {
        let bytes = self.request.given.get(range.clone());
        let bytes = bytes.ok_or_else(|| polars_err!(ComputeError: "the footer has not been given"))?;
        let footer = parse_footer(&bytes, range.start, self.len(), &self.options.limits)?;
        let sweep = HeadSweep::new(footer, self.options.limits, &self.profile);
        self.sweep_on(Box::new(sweep))
    }

    fn heads(&mut self, mut sweep: Box<HeadSweep>) -> PolarsResult<State> {
        if self.profile.keeps_heads {
            self.heads.keep(&sweep.asked_blocks(), &self.request.given);
        }
        sweep.look(&self.request.given)?;
        drop(self.request.given.take_parts());
        self.sweep_on(sweep)
    }

    fn sweep_on(&mut self, mut sweep: Box<HeadSweep>) -> PolarsResult<State> {
        let ranges = sweep.next_ranges();
        if ranges.is_empty() {
            return Ok(State::Done(IpcKind::File, sweep.finish(&self.options.types)));
        }
        self.request.ask(&ranges);
        Ok(State::Heads(sweep))
    }

    fn begin_stream(&mut self) -> State {
        let mut walk = StreamWalk::new(self.len(), self.options.limits, &self.options.types);
        // Of its end nothing is needed yet.
        if let Some((0, bytes)) = self.request.given.take_parts().next() {
            walk.put(0, bytes);
        }
        State::Stream(Box::new(walk))
    }

    fn stream(&mut self, mut walk: Box<StreamWalk>) -> PolarsResult<State> {
        for (start, bytes) in self.request.given.take_parts() {
            walk.put(start, bytes);
        }
        match walk.walk()? {
            WalkStep::Done(found) => Ok(State::Done(IpcKind::Stream, found)),
            WalkStep::Needs(range) => {
                self.request.ask(std::slice::from_ref(&range));
                Ok(State::Stream(walk))
            },
        }
    }
}

impl std::fmt::Debug for IpcIndexBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IpcIndexBuilder")
            .field("len", &self.len())
            .field("needed", &self.request.needed())
            .finish_non_exhaustive()
    }
}
