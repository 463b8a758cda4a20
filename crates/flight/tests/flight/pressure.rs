//! A slow client holds up the server, and one that goes stops it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use floe_flight::*;
use futures_util::stream;
use polars_core::prelude::*;
use polars_lazy::prelude::*;
use tokio::time::sleep;

use crate::sql::statement;
use crate::store::*;

/// Frames in all: 400 of 1 MB.
const FRAMES: usize = 400;
const ROWS: u64 = 128 << 10;
/// Frames that may be on their way: 8 MiB of HTTP/2's window and the sockets, and a few in queues.
const AHEAD: usize = 60;

/// Counts frames as they are made, and notes when nobody wants more.
#[derive(Clone, Default)]
struct Counting {
    made: Arc<AtomicUsize>,
    dropped: Arc<AtomicBool>,
    /// How long a part of the query takes.
    pause: Duration,
}

struct Noted(Arc<AtomicBool>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Counting {
    fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }

    fn stream(&self) -> FrameStream {
        let df = numbers(ROWS);
        let schema = df.schema().clone();
        let (made, noted) = (Arc::clone(&self.made), Noted(Arc::clone(&self.dropped)));
        let frames = stream::unfold((0, noted), move |(count, noted)| {
            let (df, made) = (df.clone(), Arc::clone(&made));
            async move {
                if count == FRAMES {
                    return None;
                }
                made.fetch_add(1, Ordering::SeqCst);
                Some((FlightResult::Ok(df), (count + 1, noted)))
            }
        });
        FrameStream::new(schema, frames)
    }

    /// A query of as many parts, each of which counts.
    fn query(&self) -> LazyFrame {
        let schema = numbers(1).schema().clone();
        let part = |_| {
            let (made, pause) = (Arc::clone(&self.made), self.pause);
            let out = schema.clone();
            let schema = schema.clone();
            DataFrame::empty_with_schema(&out).lazy().map(
                move |_| {
                    std::thread::sleep(pause);
                    made.fetch_add(1, Ordering::SeqCst);
                    Ok(numbers(ROWS))
                },
                AllowedOptimizations::default(),
                Some(Arc::new(move |_: &Schema| Ok(schema.clone()))),
                Some("part"),
            )
        };
        let parts: Vec<_> = (0..FRAMES).map(part).collect();
        concat(parts, UnionArgs { parallel: false, ..UnionArgs::default() }).expect("a query")
    }
}

impl FrameService for Counting {
    async fn get(&self, ticket: Ticket) -> FlightResult<FrameStream> {
        match ticket.ticket.as_ref() {
            b"query" => frames_of(self.query()).await,
            _ => Ok(self.stream()),
        }
    }

    async fn put(&self, _: FlightDescriptor, mut frames: FlightStream) -> FlightResult<PutResults> {
        frames.schema().await?;
        frames.next_frame().await.transpose()?;
        sleep(Duration::from_millis(800)).await;
        Ok(put_results(["enough"]))
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..600 {
        if holds() {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("not within 30 s: {what}");
}

/// Waits until the number stays the same.
async fn settled(counting: &Counting) -> usize {
    let mut before = usize::MAX;
    loop {
        sleep(Duration::from_millis(400)).await;
        let now = counting.made();
        if now == before {
            return now;
        }
        before = now;
    }
}

#[test]
fn a_server_does_not_run_ahead_and_stops_when_the_client_goes() {
    run(async {
        let counting = Counting::default();
        let client = client_of(counting.clone()).await;
        let mut frames = client.get(Ticket::new("")).await.expect("frames");
        frames.next_frame().await.expect("a frame").expect("valid");
        let made = settled(&counting).await;
        assert!(made <= AHEAD, "{made} frames were made for one that was taken");
        for _ in 0..40 {
            frames.next_frame().await.expect("a frame").expect("valid");
        }
        assert!(settled(&counting).await > made, "it goes on when frames are taken");
        assert!(!counting.dropped.load(Ordering::SeqCst));
        drop(frames);
        until("the server's stream is dropped", || counting.dropped.load(Ordering::SeqCst)).await;
        assert!(counting.made() < FRAMES);
    });
}

#[test]
fn a_query_does_not_run_ahead_and_stops_when_the_client_goes() {
    run(async {
        let counting = Counting::default();
        let client = client_of(counting.clone()).await;
        let mut frames = client.get(Ticket::new("query")).await.expect("frames");
        frames.next_frame().await.expect("a frame").expect("valid");
        let made = settled(&counting).await;
        assert!(made < FRAMES / 2, "{made} of {FRAMES} parts were computed for one that was taken");
        drop(frames);
        let made = settled(&counting).await;
        assert!(made < FRAMES, "{made}");
        sleep(Duration::from_millis(500)).await;
        assert_eq!(counting.made(), made, "the query has stopped");
    });
}

/// It makes no frame before its end.
#[test]
fn an_aggregation_stops_when_the_client_goes() {
    run(async {
        let counting = Counting { pause: Duration::from_millis(20), ..Counting::default() };
        let client = client_of(SqlService::new().register("parts", counting.query())).await;
        let info = client.info(statement("SELECT max(n) AS most FROM parts")).await.expect("a plan");
        let ticket = info.endpoint[0].ticket.clone().expect("a ticket");
        let frames = client.get(ticket).await.expect("frames");
        until("the query runs", || counting.made() > 0).await;
        drop(frames);
        let made = settled(&counting).await;
        assert!(made < FRAMES, "{made}");
    });
}

#[test]
fn a_client_does_not_run_ahead_of_a_slow_server() {
    run(async {
        let uploading = Counting::default();
        let client = client_of(Counting::default()).await;
        let put = client.put(path("slow"), uploading.stream()).await;
        assert!(uploading.made() <= AHEAD, "{}", uploading.made());
        drop(put);
        until("the upload has stopped", || uploading.dropped.load(Ordering::SeqCst)).await;
        assert!(uploading.made() < FRAMES);
    });
}

#[test]
fn a_query_is_streamed_whole() {
    run(async {
        let counting = Counting::default();
        let client = client_of(counting).await;
        let df = client.get(Ticket::new("query")).await.expect("frames").collect().await.expect("all");
        assert_eq!(df.height() as u64, FRAMES as u64 * ROWS);
    });
}
