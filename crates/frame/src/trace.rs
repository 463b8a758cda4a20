//! The work of floe's threads, reported to a hook: for pictures of the pipeline (feature `trace`, off by default).
//!
//! Without the feature [`span`] and [`buffer`] are empty functions, and nothing of this is left in the program. With it and
//! without a hook, a span costs two looks at the clock. Neighbours: `pool` and `write::encode`, which open spans.

#[cfg(feature = "trace")]
mod on {
    use std::sync::OnceLock;
    use std::time::Instant;

    static HOOK: OnceLock<fn(Span)> = OnceLock::new();
    static BUFFER_HOOK: OnceLock<fn(CompressedBuffer)> = OnceLock::new();

    /// How one buffer of a record batch was compressed. See [`set_buffer_hook`] for an example.
    #[derive(Debug, Clone, Copy)]
    #[non_exhaustive]
    pub struct CompressedBuffer {
        /// The strategy: `uncompressed`, `liblz4`, `libzstd`, `columnar-lz4` or `columnar-zstd`.
        pub strategy: &'static str,
        /// Whether the plan of an earlier batch of the column was reused.
        pub is_reused: bool,
        /// Bytes of the buffer.
        pub input: usize,
        /// Bytes that a sample promised, if one was taken.
        pub estimated: Option<usize>,
        /// Bytes of the frame, the 8-byte length not counted.
        pub achieved: usize,
    }

    /// Has `hook` called with every buffer that was compressed, on the thread that did it. Returns false, and
    /// does nothing, if there is a hook already.
    ///
    /// ```
    /// use floe_frame::trace::{CompressedBuffer, set_buffer_hook};
    /// assert!(set_buffer_hook(|buffer: CompressedBuffer| println!("{buffer:?}")));
    /// assert!(!set_buffer_hook(|_| {}));
    /// ```
    pub fn set_buffer_hook(hook: fn(CompressedBuffer)) -> bool {
        BUFFER_HOOK.set(hook).is_ok()
    }

    /// Tells the hook of a compressed buffer.
    pub(crate) fn buffer(plan: &floe_codec::CompressionPlan, is_reused: bool, input: usize, achieved: usize) {
        if let Some(hook) = BUFFER_HOOK.get() {
            let (strategy, estimated) = (plan.strategy(), plan.estimate(input));
            hook(CompressedBuffer { strategy, is_reused, input, estimated, achieved });
        }
    }

    /// One piece of work, done by the thread that calls the hook. See [`set_hook`] for an example.
    #[derive(Debug, Clone, Copy)]
    #[non_exhaustive]
    pub struct Span {
        /// `encode`, `compress` or `decode` (which decompresses and validates as well).
        pub what: &'static str,
        /// When it began.
        pub start: Instant,
        /// When it was done.
        pub end: Instant,
    }

    /// Has `hook` called with every piece of work, on the thread that did it. Returns false, and does nothing,
    /// if there is a hook already.
    ///
    /// ```
    /// use floe_frame::trace::{Span, set_hook};
    /// assert!(set_hook(|span: Span| println!("{}: {:?}", span.what, span.end - span.start)));
    /// assert!(!set_hook(|_| {}));
    /// ```
    pub fn set_hook(hook: fn(Span)) -> bool {
        HOOK.set(hook).is_ok()
    }

    /// Ends its span when dropped.
    pub(crate) struct Guard(&'static str, Instant);

    /// Begins a span.
    pub(crate) fn span(what: &'static str) -> Guard {
        Guard(what, Instant::now())
    }

    impl Drop for Guard {
        fn drop(&mut self) {
            if let Some(hook) = HOOK.get() {
                hook(Span { what: self.0, start: self.1, end: Instant::now() });
            }
        }
    }
}

#[cfg(not(feature = "trace"))]
mod off {
    /// Nothing.
    pub(crate) struct Guard;

    /// Does nothing.
    #[inline(always)]
    pub(crate) fn span(_what: &'static str) -> Guard {
        Guard
    }

    /// Does nothing.
    #[inline(always)]
    pub(crate) fn buffer(
        _plan: &floe_codec::CompressionPlan,
        _is_reused: bool,
        _input: usize,
        _achieved: usize,
    ) {
    }
}

#[cfg(not(feature = "trace"))]
pub(crate) use off::{buffer, span};
#[cfg(feature = "trace")]
pub use on::{CompressedBuffer, Span, set_buffer_hook, set_hook};
#[cfg(feature = "trace")]
pub(crate) use on::{buffer, span};
