//! Which thread did what, when, in one write and one read: the data of the picture in
//! `docs/benchmarks/pipeline.md`. Needs the feature `trace`, which has floe report its work.
//!
//! Spans of the calling thread come from the `Write` and the `Read` that it is given here.

use crate::runner::Bench;

/// One write and one read of a stream, LZ4 and raw.
#[cfg(feature = "trace")]
pub fn run(bench: &mut Bench) {
    traced::run(bench);
}

/// Says what is missing.
#[cfg(not(feature = "trace"))]
pub fn run(bench: &mut Bench) {
    bench.note("pipeline: nothing is traced without `--features trace`".into());
}

#[cfg(feature = "trace")]
mod traced {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::sync::{Mutex, PoisonError};
    use std::time::Instant;

    use floe::prelude::{IpcStreamReader, SerReader};

    use crate::contenders::{Codec, Format, floe as ours};
    use crate::data;
    use crate::results::{Cell, Entry, Role, Span, Timeline};
    use crate::runner::Bench;

    /// The work since the start: thread, kind, from, to.
    static SPANS: Mutex<Vec<(String, &'static str, Instant, Instant)>> = Mutex::new(Vec::new());

    fn record(what: &'static str, start: Instant, end: Instant) {
        let thread = std::thread::current().name().unwrap_or("calling").to_string();
        SPANS.lock().unwrap_or_else(PoisonError::into_inner).push((thread, what, start, end));
    }

    struct Traced(File);

    impl Write for Traced {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let start = Instant::now();
            let written = self.0.write(bytes);
            record("write", start, Instant::now());
            written
        }

        fn write_vectored(&mut self, pieces: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
            let start = Instant::now();
            let written = self.0.write_vectored(pieces);
            record("write", start, Instant::now());
            written
        }

        fn flush(&mut self) -> std::io::Result<()> {
            self.0.flush()
        }
    }

    impl Read for Traced {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let start = Instant::now();
            let read = self.0.read(out);
            record("read", start, Instant::now());
            read
        }
    }

    pub(super) fn run(bench: &mut Bench) {
        floe::trace::set_hook(|span| record(span.what, span.start, span.end));
        let mut df = data::numbers(bench.scaled(4_000_000));
        let path = bench.path("traced");
        for codec in [Codec::Raw, Codec::Lz4] {
            // The second run counts: by then the pool is awake and the contexts are made.
            for count in [false, true] {
                crate::limits::fresh(&path);
                let start = begin();
                let to = Traced(File::create(&path).expect("a file"));
                ours::write_to(&mut df, Format::Stream, codec, None, to);
                keep(bench, count, &format!("write a stream, {}", codec.name()), start);
            }
            for count in [false, true] {
                let start = begin();
                let from = Traced(File::open(&path).expect("a file"));
                let read = IpcStreamReader::new(from).finish().expect("floe reads");
                keep(bench, count, &format!("read a stream, {}", codec.name()), start);
                drop(read);
            }
        }
    }

    fn begin() -> Instant {
        SPANS.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Instant::now()
    }

    fn keep(bench: &mut Bench, count: bool, what: &str, start: Instant) {
        let took = start.elapsed();
        let spans = std::mem::take(&mut *SPANS.lock().unwrap_or_else(PoisonError::into_inner));
        if !count {
            return;
        }
        // The thread that calls floe is no thread of the pool; those are named by Polars.
        let caller = std::thread::current().name().unwrap_or("calling").to_string();
        let mut threads: Vec<String> = spans.iter().map(|span| span.0.clone()).collect();
        threads.push(caller.clone());
        threads.sort();
        threads.dedup();
        threads.sort_by_key(|name| *name != caller);
        let micros = |at: Instant| at.saturating_duration_since(start).as_secs_f64() * 1e6;
        let span = |(thread, what, start, end): (String, &str, Instant, Instant)| Span {
            thread: threads.iter().position(|name| *name == thread).unwrap_or(0),
            what: what.into(),
            start: micros(start),
            end: micros(end),
        };
        let spans = merged(spans.into_iter().map(span).collect());
        let names =
            threads.iter().map(|name| if *name == caller { "calling thread".into() } else { name.clone() });
        let threads = names.collect();
        bench.run.timelines.push(Timeline { title: format!("4M x 8 numbers: {what}"), threads, spans });
        bench.push(Cell {
            group: "4M x 8 numbers, traced".into(),
            name: what.into(),
            entries: vec![Entry::single("floe", Role::Floe, took.as_secs_f64() * 1e3)],
            ..Cell::default()
        });
    }

    /// Puts spans of one thread and one kind together that are less than 20 microseconds apart, and leaves out
    /// what no picture can show.
    fn merged(mut spans: Vec<Span>) -> Vec<Span> {
        spans.sort_by(|a, b| {
            (a.thread, a.start).partial_cmp(&(b.thread, b.start)).unwrap_or(std::cmp::Ordering::Equal)
        });
        let mut out: Vec<Span> = Vec::new();
        for span in spans {
            match out.last_mut() {
                Some(last)
                    if last.thread == span.thread
                        && last.what == span.what
                        && span.start - last.end < 20.0 =>
                {
                    last.end = last.end.max(span.end);
                },
                _ => out.push(span),
            }
        }
        out.retain(|span| span.end - span.start > 5.0);
        for span in &mut out {
            (span.start, span.end) = (span.start.round(), span.end.round());
        }
        out
    }
}
