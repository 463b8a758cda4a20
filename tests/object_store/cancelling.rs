//! Futures that are dropped wherever they wait.

use std::pin::pin;
use std::task::Poll;

use floe::cloud::{AsyncIpcStreamReader, AsyncIpcStreamWriter};
use floe_tests::equal::assert_frames_equal;
use futures_util::StreamExt;
use tokio::io::AsyncReadExt;

use super::*;

/// Polls a future so often, and drops it if it is not ready then.
pub(crate) async fn poll_some<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        let polled = std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

#[test]
fn opening_and_reading_may_be_dropped_anywhere() {
    run(async {
        let df = frame(4_000);
        let store = store_of(file(&df, 1_000, Some(IpcCompression::LZ4))).await;
        let options = || IpcIndexOptions::default().with_tail_bytes(1 << 10).with_gap_bytes(0);
        let object = open(&store, options()).await.unwrap();
        for polls in 0..30 {
            poll_some(open(&store, options()), polls).await;
            poll_some(object.read().collect(), polls).await;
            let mut frames = object.read().concurrency(3).stream();
            poll_some(frames.next(), polls).await;
        }
        assert_frames_equal(&object.read().collect().await.unwrap(), &df);
    });
}

#[test]
fn a_call_for_the_next_frame_may_be_dropped_anywhere() {
    run(async {
        let df = frame(20_000);
        let bytes = stream(&df, 6_000);
        for most in 1..4 {
            let (mut near, far) = tokio::io::duplex(10_000);
            let sent = bytes.clone();
            let sending =
                tokio::spawn(async move { tokio::io::AsyncWriteExt::write_all(&mut near, &sent).await });
            let mut reader = AsyncIpcStreamReader::new(far);
            let mut all: Option<DataFrame> = None;
            loop {
                match poll_some(reader.next(), most).await {
                    None => {},
                    Some(None) => break,
                    Some(Some(frame)) => match &mut all {
                        None => all = Some(frame.unwrap()),
                        Some(all) => drop(all.vstack_mut_owned(frame.unwrap()).unwrap()),
                    },
                }
            }
            sending.await.unwrap().unwrap();
            assert_frames_equal(&all.unwrap(), &df);
        }
    });
}

#[test]
fn a_write_may_be_dropped_anywhere() {
    run(async {
        let df = frame(3_000);
        for polls in 1..6 {
            let (near, mut far) = tokio::io::duplex(5_000);
            let receiving = tokio::spawn(async move {
                let mut bytes = Vec::new();
                far.read_to_end(&mut bytes).await.map(|_| bytes)
            });
            let mut writer = AsyncIpcStreamWriter::new(near);
            let mut dropped = 0;
            for _ in 0..3 {
                // The frame is in the stream from the first time that the call waits for its own bytes.
                dropped += usize::from(poll_some(writer.write_batch(&df), polls).await.is_none());
                writer.flush().await.unwrap();
            }
            assert!(dropped > 0 || polls > 1);
            let summary = writer.finish().await.unwrap();
            drop(writer);
            let bytes = receiving.await.unwrap().unwrap();
            let frames: Vec<DataFrame> = IpcStreamReader::new(bytes.as_slice())
                .batches()
                .unwrap()
                .collect::<PolarsResult<_>>()
                .unwrap();
            assert_eq!(summary.rows, frames.iter().map(|frame| frame.height() as u64).sum::<u64>());
            frames.iter().for_each(|frame| assert_frames_equal(frame, &df));
            assert_eq!(frames.len(), 3);
        }
    });
}
