//! Where the buffers of a file's batches are, in its footer: how columns are read from a store without a request for each
//! batch's head.
//!
//! ```text
//!   floe:layout = <hash, 16 hex digits>:<codec>
//!                 <rows>;<node>,..;<buffer>,..;<variadic>,..        a line for each batch, or
//!                 =                                                 the same as the line before
//! ```
//!
//! The codec is `-`, `lz4` or `zstd`. A node is its null count, and behind a `/` its length where that is not the
//! batch's rows. A buffer is its length; each begins at the next multiple of 64, as floe lays bodies out. The hash is
//! of the text behind it, the footer's blocks and the schema. So a layout in another file, or in one whose batches lie
//! elsewhere or have other lengths, is ignored.
//!
//! A layout repeats the heads, and is trusted like them: values decoded by it are validated like all others. A program that
//! changes bodies, keeps their lengths and copies the footer's metadata has to leave it out, as floe's tools do.
//!
//! Neighbours: [`write::emit`](crate::write) makes it, `read::random` reads by it.

use std::fmt::Write;
use std::sync::Arc;

use floe_codec::Codec;
use floe_format::{
    BatchHeader, Block, BodyLayout, BufferSpec, FieldNode, IpcLimits, KeyValues, Schema, Text,
};
use xxhash_rust::xxh3::Xxh3Default;

use crate::statistics::schema_fingerprint;

/// The metadata key, of footers.
pub(crate) const KEY: &str = floe_format::constants::LAYOUT_KEY;
/// A file of no more bytes has none: readers of stores read its end first, and so all of it, heads included.
pub(crate) const FROM_BYTES: u64 = 256 << 10;
/// Bytes of text that a footer has room for. A footer is read as a whole, by those too who need no layout.
const MAX_BYTES: usize = 256 << 10;
/// Bytes of a node, and of a buffer, in a head: two numbers of 64 bits. (`Message.fbs`)
const SPEC_BYTES: u64 = 16;

/// The layout of the batches that have been written so far.
#[derive(Default)]
pub(crate) struct LayoutLog {
    text: String,
    last: String,
    batches: usize,
    codec: Option<Codec>,
}

impl LayoutLog {
    /// Notes the next batch.
    pub(crate) fn note(&mut self, header: &BatchHeader) {
        self.batches += 1;
        if self.text.len() > MAX_BYTES {
            return;
        }
        self.codec = header.compression;
        let line = line(header);
        self.text.push('\n');
        if line == self.last {
            self.text.push('=');
        } else {
            self.text.push_str(&line);
            self.last = line;
        }
    }

    /// Whether the next batch can be described: its buffers lie as floe lays bodies out, and its codec is that of the
    /// batches before it. Files that are appended to may have others.
    pub(crate) fn has_room_for(&self, header: &BatchHeader) -> bool {
        let mut layout = BodyLayout::default();
        let lies_so = |buffer: &BufferSpec| {
            let len = usize::try_from(buffer.len);
            len.is_ok_and(|len| layout.push(len).offset == buffer.offset)
        };
        (self.batches == 0 || self.codec == header.compression) && header.buffers.iter().all(lies_so)
    }

    /// The text for a footer of these blocks, if it is about all of them and there is room for it.
    pub(crate) fn finish(self, schema: &Schema, blocks: &[Block]) -> Option<Text> {
        let Self { text, last: _, batches, codec } = self;
        if batches == 0 || batches != blocks.len() || text.len() > MAX_BYTES {
            return None;
        }
        let text = format!("{}{text}", codec_name(codec));
        Some(format!("{:016x}:{text}", hash(&text, schema, blocks)).into())
    }
}

/// A batch as text. Writing to a string cannot fail.
fn line(header: &BatchHeader) -> String {
    let BatchHeader { rows, nodes, buffers, variadic, compression: _ } = header;
    let mut line = String::with_capacity(16 + 8 * (nodes.len() + buffers.len()));
    let _ = write!(line, "{rows};");
    for (i, FieldNode { len, null_count }) in nodes.iter().enumerate() {
        let _ = write!(line, "{}{null_count}", comma(i));
        if len != rows {
            let _ = write!(line, "/{len}");
        }
    }
    line.push(';');
    for (i, buffer) in buffers.iter().enumerate() {
        let _ = write!(line, "{}{}", comma(i), buffer.len);
    }
    line.push(';');
    for (i, count) in variadic.iter().enumerate() {
        let _ = write!(line, "{}{count}", comma(i));
    }
    line
}

fn comma(i: usize) -> &'static str {
    if i == 0 { "" } else { "," }
}

fn codec_name(codec: Option<Codec>) -> &'static str {
    match codec {
        None => "-",
        Some(Codec::Lz4) => "lz4",
        Some(Codec::Zstd) => "zstd",
    }
}

fn hash(text: &str, schema: &Schema, blocks: &[Block]) -> u64 {
    let mut hash = Xxh3Default::new();
    hash.update(text.as_bytes());
    hash.update(&schema_fingerprint(schema).to_le_bytes());
    for Block { offset, metadata_len, body_len } in blocks {
        hash.update(&offset.to_le_bytes());
        hash.update(&metadata_len.to_le_bytes());
        hash.update(&body_len.to_le_bytes());
    }
    hash.digest()
}

/// The headers of all batches by the footer, if it has a layout and that is about these blocks, which have these
/// numbers of rows.
pub(crate) fn find(
    metadata: &KeyValues,
    schema: &Schema,
    blocks: &[Block],
    rows: &[usize],
    limits: &IpcLimits,
) -> Option<Vec<Arc<BatchHeader>>> {
    let (_, text) = metadata.iter().rev().find(|(key, _)| key == KEY)?;
    let (said, text) = text.split_once(':').filter(|(_, text)| text.len() <= MAX_BYTES + 8)?;
    if u64::from_str_radix(said, 16).ok()? != hash(text, schema, blocks) {
        return None;
    }
    let mut lines = text.split('\n');
    let compression = match lines.next()? {
        "-" => None,
        "lz4" => Some(Codec::Lz4),
        "zstd" => Some(Codec::Zstd),
        _ => return None,
    };
    let mut headers: Vec<Arc<BatchHeader>> = Vec::with_capacity(blocks.len().min(text.len()));
    for ((line, block), rows) in lines.by_ref().zip(blocks).zip(rows) {
        let header = match (line, headers.last()) {
            ("=", Some(last)) => Arc::clone(last),
            _ => Arc::new(header_of(line, compression, limits)?),
        };
        // A head is at least as long as its nodes and buffers. So all of them together are bounded by the file's length,
        // as those that are read are.
        let least = ((header.nodes.len() + header.buffers.len()) as u64).saturating_mul(SPEC_BYTES);
        let fits = body_len(&header) == block.body_len && least <= u64::from(block.metadata_len);
        if header.rows != *rows || !fits {
            return None;
        }
        headers.push(header);
    }
    (headers.len() == blocks.len() && lines.next().is_none()).then_some(headers)
}

/// Bytes of the body behind the last buffer, padding included.
fn body_len(header: &BatchHeader) -> u64 {
    // Without buffers the body is empty; an end beyond 64 bits fits no file.
    let end = header.buffers.last().map_or(0, |last| last.offset.saturating_add(last.len));
    end.checked_next_multiple_of(floe_format::constants::ALIGNMENT as u64).unwrap_or(u64::MAX)
}

fn header_of(line: &str, compression: Option<Codec>, limits: &IpcLimits) -> Option<BatchHeader> {
    let mut parts = line.split(';');
    let rows: usize = parts.next()?.parse().ok()?;
    let node = |text: &str| {
        let (nulls, len) = match text.split_once('/') {
            Some((nulls, len)) => (nulls, len.parse().ok()?),
            None => (text, rows),
        };
        let null_count = nulls.parse().ok()?;
        (null_count <= len).then_some(FieldNode { len, null_count })
    };
    let nodes = list(parts.next()?).map(node).collect::<Option<Vec<FieldNode>>>()?;
    let mut layout = BodyLayout::default();
    let buffer = |text: &str| Some(layout.push(text.parse().ok()?));
    let buffers = list(parts.next()?).map(buffer).collect::<Option<Vec<_>>>()?;
    let count = |text: &str| text.parse().ok();
    let variadic = list(parts.next()?).map(count).collect::<Option<Vec<usize>>>()?;
    let total = variadic.iter().fold(0usize, |sum, count| sum.saturating_add(*count));
    let is_sound = parts.next().is_none() && total <= buffers.len() && buffers.len() <= limits.max_buffers;
    is_sound.then_some(BatchHeader { rows, nodes, buffers, variadic, compression })
}

/// The items of a list, which may have none.
fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(move |_| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(rows: usize, lens: &[usize]) -> BatchHeader {
        let mut layout = BodyLayout::default();
        let nodes = vec![FieldNode { len: rows, null_count: 1 }, FieldNode { len: 2 * rows, null_count: 0 }];
        let buffers = lens.iter().map(|len| layout.push(*len)).collect();
        BatchHeader { rows, nodes, buffers, variadic: vec![0, 2], compression: Some(Codec::Lz4) }
    }

    fn example() -> (Vec<BatchHeader>, Vec<Block>, Vec<usize>) {
        let headers = vec![
            header(5, &[8, 0, 100]),
            header(5, &[8, 0, 100]),
            header(2, &[0, 64, 1]),
            header(5, &[8, 0, 100]),
        ];
        let block = |(i, header): (usize, &BatchHeader)| Block {
            offset: 8 + 1_000 * i as u64,
            metadata_len: 200,
            body_len: body_len(header),
        };
        let blocks = headers.iter().enumerate().map(block).collect();
        let rows = headers.iter().map(|header| header.rows).collect();
        (headers, blocks, rows)
    }

    fn text(headers: &[BatchHeader], blocks: &[Block]) -> Text {
        let mut log = LayoutLog::default();
        headers.iter().for_each(|header| log.note(header));
        log.finish(&Schema::default(), blocks).expect("a text")
    }

    fn read(text: &str, blocks: &[Block], rows: &[usize]) -> Option<Vec<Arc<BatchHeader>>> {
        let metadata = vec![(KEY.into(), text.into())];
        find(&metadata, &Schema::default(), blocks, rows, &IpcLimits::default())
    }

    #[test]
    fn what_is_noted_is_found() {
        let (headers, blocks, rows) = example();
        let text = text(&headers, &blocks);
        assert_eq!(
            text.split_once(':').expect("a hash").1,
            "lz4\n5;1,0/10;8,0,100;0,2\n=\n2;1,0/4;0,64,1;0,2\n5;1,0/10;8,0,100;0,2"
        );
        let found = read(&text, &blocks, &rows).expect("a layout");
        assert!(found.iter().map(|header| (**header).clone()).eq(headers));
    }

    #[test]
    fn what_is_about_other_batches_is_not() {
        let (headers, blocks, rows) = example();
        let text = text(&headers, &blocks);
        assert!(read(&text, &blocks[..3], &rows[..3]).is_none());
        assert!(read(&text, &blocks, &[5, 5, 5, 5]).is_none());
        for at in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= 1;
            let edited = String::from_utf8(bytes).expect("ASCII");
            assert!(read(&edited, &blocks, &rows).is_none(), "{edited}");
        }
        let mut moved = blocks.clone();
        moved[2].offset += 8;
        assert!(read(&text, &moved, &rows).is_none());
        let mut log = LayoutLog::default();
        headers.iter().for_each(|header| log.note(header));
        assert!(log.finish(&Schema::default(), &blocks[..3]).is_none(), "not all batches were noted");
    }

    #[test]
    fn whole_texts_of_another_shape_are_ignored() {
        let (_, blocks, rows) = example();
        for lines in [
            "",
            "-",
            "lz4\n=",
            "gzip\n5;;;",
            "-\n5;;",
            "-\n5;;;;",
            "-\n5;x;;",
            "-\n5;;1,;",
            "-\n5;;;1",
            "-\n-5;;;",
        ] {
            let hash = hash(lines, &Schema::default(), &blocks[..1]);
            assert!(read(&format!("{hash:016x}:{lines}"), &blocks[..1], &rows[..1]).is_none(), "{lines:?}");
        }
    }

    /// A text that anybody can make, hash included: it claims no more nodes and buffers than the heads have room for.
    #[test]
    fn forged_layouts_claim_no_more_than_heads_hold() {
        let forged = |lines: &str, metadata_len: u32| {
            let blocks = [Block { offset: 8, metadata_len, body_len: 0 }];
            let hash = hash(lines, &Schema::default(), &blocks);
            read(&format!("{hash:016x}:{lines}"), &blocks, &[5])
        };
        let nodes = |count: usize| format!("-\n5;{};;", vec!["0"; count].join(","));
        assert!(forged(&nodes(10), 160).is_some());
        assert!(forged(&nodes(10), 159).is_none());
        assert!(forged(&nodes(60_000), 200).is_none());
        let buffers = |count: usize| format!("-\n5;0;{};", vec!["0"; count].join(","));
        assert!(forged(&buffers(9), 160).is_some());
        assert!(forged(&buffers(10), 160).is_none());
        assert!(forged("-\n5;6;;", 160).is_none(), "more nulls than rows");
    }

    #[test]
    fn what_is_too_long_is_left_out() {
        let mut log = LayoutLog::default();
        let mut blocks = Vec::new();
        for i in 0..40_000 {
            let header = header(i, &[i, 0, 1]);
            blocks.push(Block { offset: 0, metadata_len: 8, body_len: body_len(&header) });
            log.note(&header);
        }
        assert!(log.text.len() < MAX_BYTES + 100);
        assert!(log.finish(&Schema::default(), &blocks).is_none());
    }
}
