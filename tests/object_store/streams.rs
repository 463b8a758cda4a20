//! Streams through asynchronous readers and writers.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use floe::cloud::{AsyncIpcStreamReader, AsyncIpcStreamWriter, AsyncIpcWriter};
use floe::{ErrorKind, error_kind};
use floe_tests::equal::assert_frames_equal;
use floe_tests::messages::messages;
use futures_util::TryStreamExt;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::*;

/// Gives this many bytes at a time, and nothing every other time.
struct Dripping<'a> {
    rest: &'a [u8],
    most: usize,
    waits: bool,
}

impl AsyncRead for Dripping<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.waits = !self.waits;
        if self.waits {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let len = self.most.min(buf.remaining()).min(self.rest.len());
        let (now, rest) = self.rest.split_at(len);
        buf.put_slice(now);
        self.rest = rest;
        Poll::Ready(Ok(()))
    }
}

fn dripping(bytes: &[u8], most: usize) -> Dripping<'_> {
    Dripping { rest: bytes, most, waits: false }
}

async fn read_all(bytes: &[u8], most: usize) -> PolarsResult<Vec<DataFrame>> {
    AsyncIpcStreamReader::new(dripping(bytes, most)).try_collect().await
}

#[test]
fn whatever_comes_at_a_time_the_frames_are_those_of_a_reader() {
    run(async {
        let df = frame(20_000);
        let bytes = stream(&df, 7_000);
        let expected: Vec<DataFrame> =
            IpcStreamReader::new(bytes.as_slice()).batches().unwrap().collect::<PolarsResult<_>>().unwrap();
        for most in [13, 1_000, 100_000, usize::MAX] {
            let frames = read_all(&bytes, most).await.unwrap();
            assert_eq!(frames.len(), 3);
            for (frame, expected) in frames.iter().zip(&expected) {
                assert_frames_equal(frame, expected);
            }
        }
        let small = stream(&frame(3), 1);
        assert_eq!(read_all(&small, 1).await.unwrap().len(), 3);
    });
}

#[test]
fn the_reader_stands_behind_the_stream_afterwards() {
    run(async {
        let mut bytes = stream(&frame(100), 30);
        bytes.extend(stream(&frame(7), 7));
        bytes.extend(b"and more");
        let mut rest = dripping(&bytes, 50);
        for rows in [100, 7] {
            let mut reader = AsyncIpcStreamReader::new(rest);
            assert_eq!(reader.schema().await.unwrap(), **frame(0).schema());
            let mut found = 0;
            while let Some(frame) = reader.next().await {
                found += frame.unwrap().height();
            }
            assert!(found == rows && reader.saw_end_marker());
            rest = reader.into_inner();
        }
        let mut text = String::new();
        rest.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "and more");
    });
}

#[test]
fn rows_and_columns_are_limited_and_the_rest_is_left() {
    run(async {
        let bytes = stream(&frame(100), 10);
        let reader = AsyncIpcStreamReader::new(dripping(&bytes, 64));
        let mut reader = reader.with_n_rows(25).with_columns(Some(vec!["b".into(), "a".into()]));
        let mut frames = Vec::new();
        while let Some(frame) = reader.next().await {
            frames.push(frame.unwrap());
        }
        let found = frames.into_iter().reduce(|all, frame| all.vstack(&frame).unwrap()).unwrap();
        assert_frames_equal(&found, &frame(25).select(["b", "a"]).unwrap());
        assert!(reader.into_inner().rest.len() > bytes.len() / 2);
        let reader = AsyncIpcStreamReader::new(bytes.as_slice()).with_columns(Some(vec!["nobody".into()]));
        let error = reader.try_collect::<Vec<_>>().await.unwrap_err().to_string();
        assert!(error.contains("nobody"), "{error}");
        let limits = IpcLimits { max_metadata_bytes: 16, ..IpcLimits::default() };
        let reader = AsyncIpcStreamReader::new(bytes.as_slice()).with_limits(limits);
        let error = reader.try_collect::<Vec<_>>().await.unwrap_err();
        assert!(matches!(error_kind(&error), Some(ErrorKind::LimitExceeded { .. })), "{error}");
    });
}

#[test]
fn a_stream_that_breaks_off_is_told_from_one_that_ends() {
    run(async {
        let bytes = stream(&frame(6), 2);
        let (all, end) = messages(&bytes);
        let between: Vec<usize> = all.iter().map(|message| message.end).collect();
        for len in 0..=end {
            let found = read_all(&bytes[..len], 100).await;
            if between.contains(&len) || len == end {
                assert!(found.is_ok(), "{len} bytes");
                let strict = AsyncIpcStreamReader::new(&bytes[..len]).with_end_marker_required(true);
                assert_eq!(strict.try_collect::<Vec<_>>().await.is_ok(), len == end);
            } else {
                let error = found.unwrap_err();
                let truncated = matches!(error_kind(&error), Some(ErrorKind::Truncated { .. }));
                assert!(truncated || len == 0, "{len} bytes: {error}");
            }
        }
    });
}

#[test]
fn a_head_that_claims_much_takes_no_memory() {
    run(async {
        let mut bytes = stream(&numbers(4, 1), 4);
        let (all, _) = messages(&bytes);
        bytes.truncate(all[1].start);
        // A message of 256 MB less a byte, of which nothing comes.
        bytes.extend([0xFF, 0xFF, 0xFF, 0xFF, 0xF8, 0xFF, 0xFF, 0x0F]);
        let error = AsyncIpcStreamReader::new(bytes.as_slice()).try_collect::<Vec<_>>().await.unwrap_err();
        assert!(matches!(error_kind(&error), Some(ErrorKind::Truncated { .. })), "{error}");
    });
}

#[test]
fn a_file_is_read_as_the_stream_in_it() {
    run(async {
        let df = numbers(1_000, 3);
        let bytes = file(&df, 300, None);
        for most in [64, usize::MAX] {
            let frames = read_all(&bytes, most).await.unwrap();
            assert_eq!(frames.iter().map(DataFrame::height).collect::<Vec<_>>(), [300, 300, 300, 100]);
            let error = read_all(&bytes[..bytes.len() - 3], most).await.unwrap_err().to_string();
            assert!(error.contains("footer"), "{error}");
        }
    });
}

#[test]
fn what_a_writer_writes_is_what_the_blocking_one_writes() {
    run(async {
        let df = frame(3_000);
        let frames = [df.slice(0, 1_000), df.slice(1_000, 2_000)];
        let mut expected =
            IpcStreamWriter::new(Vec::new()).with_record_batch_size(700).batched(df.schema()).unwrap();
        frames.iter().for_each(|frame| expected.write_batch(frame).unwrap());
        let summary = expected.finish().unwrap();
        let mut writer = AsyncIpcStreamWriter::new(Vec::new()).with_record_batch_size(700);
        for frame in &frames {
            writer.write_batch(frame).await.unwrap();
        }
        assert_eq!(writer.finish().await.unwrap(), summary);
        assert_eq!(writer.into_inner(), expected.into_inner());

        let mut writer = AsyncIpcWriter::new(Vec::new()).with_compression(Some(IpcCompression::LZ4));
        writer.write_batch(&df).await.unwrap();
        writer.finish().await.unwrap();
        let read = IpcReader::from_bytes(writer.into_inner()).finish().unwrap();
        assert_frames_equal(&read, &df);
    });
}

#[test]
fn a_writer_says_what_it_cannot_write() {
    run(async {
        let df = numbers(3, 2);
        let mut writer = AsyncIpcStreamWriter::new(Vec::new());
        let error = writer.finish().await.unwrap_err().to_string();
        assert!(error.contains("write_schema"), "{error}");
        writer.write_schema(df.schema()).await.unwrap();
        assert!(writer.write_schema(df.schema()).await.is_err());
        let error = writer.write_batch(&numbers(3, 1)).await.unwrap_err();
        assert!(matches!(error, PolarsError::SchemaMismatch(_)), "{error}");
        writer.write_batch(&df).await.unwrap();
        assert_eq!(writer.finish().await.unwrap().rows, 3);
        assert!(writer.finish().await.is_err() && writer.write_batch(&df).await.is_err());
        assert_eq!(IpcStreamReader::from_bytes(writer.into_inner()).finish().unwrap(), df);

        // A reader that goes away.
        let (near, far) = tokio::io::duplex(100);
        drop(far);
        let mut writer = AsyncIpcStreamWriter::new(near);
        let error = writer.write_batch(&df).await.unwrap_err();
        assert!(matches!(error, PolarsError::IO { .. }), "{error}");
        let again = writer.write_batch(&df).await.unwrap_err().to_string();
        assert!(again.contains("earlier write failed"), "{again}");
        assert!(writer.finish().await.is_err());
    });
}
