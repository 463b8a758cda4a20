//! The body of an HTTP response, decoded as it arrives: frames are there before the response has ended.
//!
//! ```sh
//! cargo run --example http_body
//! ```
//!
//! The server sends its batches as the chunks of one response. The pieces of a body that an HTTP client hands over go
//! to `StreamDecoder::push` as they come, of any size. With an asynchronous client nothing else changes.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use floe::StreamDecoder;
use floe::prelude::*;
use polars_core::prelude::*;

const BATCHES: i64 = 5;
const ROWS: i64 = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || serve(&listener));

    let mut socket = TcpStream::connect(address)?;
    socket.write_all(b"GET /flights HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut response = BufReader::new(socket);
    while line(&mut response)?.as_str() != "" {} // the response's head

    let mut decoder = StreamDecoder::new().with_end_marker_required(true);
    let mut rows = 0;
    while let Some(piece) = chunk(&mut response)? {
        for frame in decoder.push(piece)? {
            rows += frame.height();
            println!(
                "{rows} rows so far; {} bytes wait for the rest of their batch",
                decoder.buffered_bytes()
            );
        }
    }
    // A body that was cut off is an error here.
    decoder.finish()?;
    assert_eq!(rows, usize::try_from(BATCHES * ROWS)?);
    server.join().map_err(|_| "the server panicked")??;
    Ok(())
}

/// Answers one request with a stream, whose end is known only when it has been sent.
fn serve(listener: &TcpListener) -> PolarsResult<()> {
    let (mut socket, _) = listener.accept()?;
    let mut request = BufReader::new(socket.try_clone()?);
    while line(&mut request)?.as_str() != "" {}
    socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.apache.arrow.stream\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    let schema = Schema::from_iter([Field::new("flight".into(), DataType::Int64)]);
    let mut writer = IpcStreamWriter::new(Chunked(socket)).batched(&schema)?;
    for batch in 0..BATCHES {
        let flights: Vec<i64> = (batch * ROWS..(batch + 1) * ROWS).collect();
        writer.write_batch(&DataFrame::new(flights.len(), vec![Column::new("flight".into(), flights)])?)?;
    }
    writer.finish()?;
    writer.into_inner().0.write_all(b"0\r\n\r\n")?;
    Ok(())
}

/// Sends each write as a chunk.
struct Chunked(TcpStream);

impl Write for Chunked {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if !bytes.is_empty() {
            write!(self.0, "{:x}\r\n", bytes.len())?;
            self.0.write_all(bytes)?;
            self.0.write_all(b"\r\n")?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// The next chunk of a body; none at its end.
fn chunk(response: &mut impl BufRead) -> Result<Option<Vec<u8>>, Box<dyn Error>> {
    let len = u64::from_str_radix(&line(response)?, 16)?;
    let mut bytes = Vec::new();
    response.by_ref().take(len).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != len {
        return Err("the response was cut off".into());
    }
    line(response)?;
    Ok((len > 0).then_some(bytes))
}

fn line(response: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    response.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}
