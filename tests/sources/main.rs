//! Sources that are not just one stream: several of them, other formats, readers that fail and are asked again.

mod failing;
mod files;
mod formats;
mod several;

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, Write};

use floe::prelude::*;
use floe_tests::config::{Config, codecs};
use floe_tests::equal::assert_frames_equal;
use floe_tests::run::Cases;
use polars_core::prelude::*;

/// Hides what is behind it: the reader sees a `Read` and nothing else, and gets a few bytes at a time.
struct Only<R>(R);

impl<R: Read> Read for Only<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = out.len().min(1_009);
        self.0.read(&mut out[..len])
    }
}

fn on_disk(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).expect("written");
    file.rewind().expect("rewound");
    file
}

/// Rows from `first` on: a number and a text that say which one it is.
fn rows(first: i64, rows: i64) -> DataFrame {
    let i = || first..first + rows;
    let text: Vec<String> = i().map(|i| format!("row {i}, and a text that is not inline")).collect();
    let columns = vec![Column::new("i".into(), i().collect::<Vec<i64>>()), Column::new("text".into(), text)];
    DataFrame::new(usize::try_from(rows).expect("rows"), columns).expect("a frame")
}

/// All frames of a reader, and whether it came to the clean end.
fn all<R: Read>(mut reader: IpcStreamReader<R>) -> PolarsResult<Vec<DataFrame>> {
    let mut frames = Vec::new();
    while let Some(df) = reader.next_stream()? {
        frames.push(df);
    }
    assert!(reader.next_stream().expect("the end stays the end").is_none());
    Ok(frames)
}

/// Runs a reader of any kind over bytes: from memory, from a file, from whatever only reads.
macro_rules! every_source {
    ($bytes:expr, |$reader:ident, $name:ident| $work:expr) => {{
        let bytes: &[u8] = $bytes;
        let ($reader, $name) = (IpcStreamReader::from_bytes(bytes.to_vec()), "from_bytes");
        $work;
        let ($reader, $name) = (IpcStreamReader::new(bytes), "slice");
        $work;
        let ($reader, $name) = (IpcStreamReader::new(Cursor::new(bytes.to_vec())), "cursor");
        $work;
        let ($reader, $name) = (IpcStreamReader::new(Only(bytes)), "reader");
        $work;
        let ($reader, $name) = (IpcStreamReader::new(on_disk(bytes)), "file");
        $work;
        let mut file = on_disk(bytes);
        let ($reader, $name) = (IpcStreamReader::new(&mut file), "lent file");
        $work;
        let ($reader, $name) = (IpcStreamReader::new(BufReader::new(on_disk(bytes))), "buffered file");
        $work;
    }};
}
pub(crate) use every_source;
