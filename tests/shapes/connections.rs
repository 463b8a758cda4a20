//! Streams behind one another, and what is read of them.

use super::*;

/// A connection that must not be read beyond a point: on a socket, that would block.
struct Connection {
    bytes: Cursor<Vec<u8>>,
    end: u64,
}

impl Read for Connection {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.end - self.bytes.position();
        assert!(left > 0 || buf.is_empty(), "a read at {} would block", self.end);
        let len = buf.len().min(usize::try_from(left).expect("small"));
        self.bytes.read(&mut buf[..len])
    }
}

#[test]
fn streams_follow_each_other_on_one_connection() {
    let mut cases = Cases::new();
    for compression in codecs() {
        let frames: Vec<_> = (0..6).map(|seed| Arbitrary::new(8_000_000 + seed).frame()).collect();
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        for df in &frames {
            let mut writer = IpcStreamWriter::new(bytes)
                .with_compression(compression)
                .with_record_batch_size(Some(9))
                .batched(df.schema())
                .expect("a writer");
            writer.write_batch(df).expect("bytes");
            writer.finish().expect("bytes");
            bytes = writer.into_inner();
            ends.push(u64::try_from(bytes.len()).expect("small"));
        }
        cases.run(format!("{compression:?}, batches"), || {
            let mut connection = Connection { bytes: Cursor::new(bytes.clone()), end: 0 };
            for (df, &end) in frames.iter().zip(&ends) {
                connection.end = end;
                let mut reader = IpcStreamReader::new(connection);
                assert_eq!(reader.schema().expect("a schema"), **df.schema());
                let whole = concat(reader.batches().expect("batches")).expect("batches");
                if let Some(whole) = whole {
                    assert_eq!(frames_differ(df, &whole), Ok(()));
                }
                assert!(reader.saw_end_marker());
                connection = reader.into_inner();
                assert_eq!(connection.bytes.position(), end, "behind the end marker");
            }
        });
        cases.run(format!("{compression:?}, finish"), || {
            let mut connection = Connection { bytes: Cursor::new(bytes.clone()), end: 0 };
            for (df, &end) in frames.iter().zip(&ends) {
                connection.end = end;
                let found = IpcStreamReader::new(&mut connection).finish().expect("a frame");
                assert_eq!(frames_differ(df, &found), Ok(()));
                assert_eq!(connection.bytes.position(), end, "behind the end marker");
            }
        });
    }
    cases.finish();
}

#[test]
fn a_stream_is_not_read_further_than_n_rows() {
    let df = frame(vec![Column::new("a".into(), (0..100i64).collect::<Vec<_>>())]);
    let bytes = Config::stream().with_batch_rows(10).write(&df);
    let messages = messages(&bytes).0;
    // The schema and three batches.
    let end = u64::try_from(messages[3].end).expect("small");
    let connection = || Connection { bytes: Cursor::new(bytes.clone()), end };
    let found = IpcStreamReader::new(connection()).with_n_rows(Some(25)).finish().expect("25 rows");
    assert_frames_equal(&df.head(Some(25)), &found);
    let found = IpcStreamReader::new(connection()).with_n_rows(Some(30)).finish().expect("30 rows");
    assert_frames_equal(&df.head(Some(30)), &found);
    let reader = IpcStreamReader::new(connection()).with_n_rows(Some(30));
    assert_eq!(reader.batches().expect("batches").count(), 3);
}

/// Each batch can be had as soon as its last byte has come.
#[test]
fn a_batch_is_there_as_soon_as_its_bytes_are() {
    let df = frame(vec![Column::new("a".into(), (0..100i64).collect::<Vec<_>>())]);
    let bytes = Config::stream().with_batch_rows(10).write(&df);
    let messages = messages(&bytes).0;
    for (whole, message) in messages.iter().enumerate().take(10).skip(1) {
        let end = u64::try_from(message.end).expect("small");
        let reader = IpcStreamReader::new(Connection { bytes: Cursor::new(bytes.clone()), end });
        assert_eq!(reader.batches().expect("batches").take(whole).filter(Result::is_ok).count(), whole);
    }
}

// --- Only the bytes needed are read ---

struct Counting<'a> {
    bytes: Cursor<&'a [u8]>,
    read: &'a AtomicUsize,
}

impl Read for Counting<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.bytes.read(buf)?;
        self.read.fetch_add(len, Ordering::Relaxed);
        Ok(len)
    }
}

impl Seek for Counting<'_> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(position)
    }
}

impl MmapBytesReader for Counting<'_> {}

#[test]
fn a_file_is_read_where_it_is_needed() {
    let column = |name: String| Column::new(name.into(), (0..100_000i64).collect::<Vec<_>>());
    let df = frame((0..8).map(|index| column(format!("c{index}"))).collect());
    for compression in [None, Some(IpcCompression::LZ4)] {
        let bytes = Config::file().with_compression(compression).with_batch_rows(10_000).write(&df);
        let read = AtomicUsize::new(0);
        let reader = || {
            read.store(0, Ordering::Relaxed);
            IpcReader::new(Counting { bytes: Cursor::new(bytes.as_slice()), read: &read })
        };
        let at_most = |what: &str, part: usize| {
            let read = read.load(Ordering::Relaxed);
            assert!(read <= part, "{what}: {read} of {} bytes, {part} are enough", bytes.len());
        };
        let headers = 40_000;

        let mut opened = reader();
        assert_eq!(opened.num_record_batches().expect("a count"), 10);
        assert_eq!(opened.num_rows().expect("a count"), 100_000);
        assert_eq!(opened.schema().expect("a schema").len(), 8);
        at_most("headers", headers);

        assert_frames_equal(&df.slice(70_000, 10_000), &reader().get_batch(7).expect("a batch"));
        at_most("one batch of ten", bytes.len() / 10 + headers);

        let columns = Some(vec!["c3".to_owned()]);
        let found = reader().with_columns(columns.clone()).finish().expect("a column");
        assert_frames_equal(&df.select(["c3"]).expect("a column"), &found);
        at_most("one column of eight", bytes.len() / 8 + headers);

        let found = reader().with_columns(columns).get_batch(2).expect("a column");
        assert_frames_equal(&df.select(["c3"]).expect("a column").slice(20_000, 10_000), &found);
        at_most("one column of one batch", bytes.len() / 80 + headers);

        assert_eq!(reader().with_n_rows(Some(15_000)).finish().expect("rows").height(), 15_000);
        at_most("two batches", bytes.len() / 5 + headers);
    }
}
