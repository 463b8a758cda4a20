//! What floe's threads do, told to a hook: for pictures of the pipeline (feature `trace`, off by default).
//!
//! Without the feature [`span`] is an empty function, and nothing of this is left in the program. With it and
//! without a hook, a span costs two looks at the clock. Neighbours: `pool` and `write::encode`, which open spans.

#[cfg(feature = "trace")]
mod on {
    use std::sync::OnceLock;
    use std::time::Instant;

    static HOOK: OnceLock<fn(Span)> = OnceLock::new();

    /// One piece of work, done by the thread that calls the hook.
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
}

#[cfg(not(feature = "trace"))]
pub(crate) use off::span;
#[cfg(feature = "trace")]
pub(crate) use on::span;
#[cfg(feature = "trace")]
pub use on::{Span, set_hook};
