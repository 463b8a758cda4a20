//! A stream that arrives through a socket, as fast as it is taken: decoding overlaps reading.

use std::io::{Cursor, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use ::floe::prelude::{IpcStreamReader, SerReader};

use crate::contenders::{Format, arrow_rs, floe};
use crate::data;
use crate::measure::Contender;
use crate::results::{Cell, Goal};
use crate::runner::Bench;

/// One million rows of eight numbers.
pub fn run(bench: &mut Bench) {
    for codec in crate::contenders::CODECS {
        let cell = Cell {
            group: "1M x 8 numbers through a socket".into(),
            name: "read stream".into(),
            codec: codec.name().into(),
            goals: vec![Goal::peer(1.0)],
            ..Cell::default()
        };
        if !bench.wants(&cell.title()) {
            continue;
        }
        let df = data::numbers(bench.scaled(1_000_000));
        let bytes = Arc::new(floe::to_vec(&df, Format::Stream, codec, Some(bench.scaled(65_536))));
        let read_only = |from: UnixStream| {
            let mut all = Vec::new();
            let mut from = from;
            from.read_to_end(&mut all).expect("read");
            all
        };
        let all = vec![
            Contender::floe(|| IpcStreamReader::new(sent(&bytes)).finish().expect("floe reads")),
            Contender::peer("Polars, behind read_to_end", || {
                let all = Cursor::new(read_only(sent(&bytes)));
                polars_io::ipc::IpcStreamReader::new(all).finish().expect("Polars reads")
            }),
            Contender::peer("arrow-rs", || {
                arrow_rs::read_stream(std::io::BufReader::with_capacity(1 << 20, sent(&bytes)), None)
            }),
            Contender::limit("read(2) of the socket", || read_only(sent(&bytes))),
        ];
        bench.cell(cell, all);
    }
}

/// A socket at whose other end a thread writes the bytes.
fn sent(bytes: &Arc<Vec<u8>>) -> UnixStream {
    let (mut from, to) = UnixStream::pair().expect("a socket");
    let bytes = Arc::clone(bytes);
    // Ends with the bytes, or when the reader hangs up.
    std::thread::spawn(move || from.write_all(&bytes));
    to
}
