//! Where the bytes of a source are, as data: by column, by buffer, and by kind.

use floe_format::{BufferSpec, IpcLimits, Message};

use crate::arrays::{ArrayInfo, BufferKind, batch_arrays, dictionary_arrays, map_buffers};
use crate::body::{batch_of, raw_len};
use crate::fault::{Fault, Result};
use crate::scan::{Contents, MessageInfo, scan};
use crate::source::ReadAt;

/// Bytes of a column, of a batch or over all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ColumnBytes {
    /// As they are stored.
    pub stored: u64,
    /// Once they are decompressed.
    pub raw: u64,
    /// Nulls of the column itself.
    pub nulls: u64,
}

/// One buffer of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BufferBytes {
    /// The array that it is of, with the names above it.
    pub path: String,
    /// The top-level column.
    pub column: usize,
    /// Its contents.
    pub kind: BufferKind,
    /// Where it is within the body, and how long as stored.
    pub spec: BufferSpec,
    /// Its length once it is decompressed.
    pub raw: u64,
}

/// One message and the bytes of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageBytes {
    /// The message.
    pub info: MessageInfo,
    /// Its columns: of a dictionary, one.
    pub columns: Vec<ColumnBytes>,
    /// Bytes of the body that belong to no buffer.
    pub padding: u64,
    /// Its buffers, if they were asked for.
    pub buffers: Vec<BufferBytes>,
}

/// Where the bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The messages.
    pub contents: Contents,
    /// Dictionaries and batches with their bytes, in the order of [`Contents::dictionaries`] and
    /// [`Contents::batches`].
    pub messages: Vec<MessageBytes>,
    /// Each column over all batches.
    pub columns: Vec<ColumnBytes>,
    /// Bytes of dictionaries' buffers.
    pub dictionaries: ColumnBytes,
    /// Bytes of bodies that belong to no buffer.
    pub padding: u64,
    /// Bytes of heads, the schema's included.
    pub heads: u64,
    /// Bytes of the footer with its length and magic.
    pub footer: u64,
    /// The largest power of two, up to 64, that every buffer begins at a multiple of.
    pub alignment: u64,
    /// Metadata keys of batches, each once.
    pub batch_keys: Vec<String>,
    /// The rest: magic, end markers, gaps, and the bytes behind the last whole message.
    pub other: u64,
}

impl Description {
    /// The names of the columns, printable.
    #[must_use]
    pub fn column_names(&self) -> Vec<String> {
        let stream = self.contents.streams.first();
        let fields = stream.map(|stream| stream.schema.fields.as_slice()).unwrap_or_default();
        fields.iter().map(|field| crate::text::printable(&field.name)).collect()
    }

    /// Bytes of all buffers, stored and raw.
    #[must_use]
    pub fn buffers(&self) -> ColumnBytes {
        let mut all = self.dictionaries;
        for column in &self.columns {
            all.stored += column.stored;
            all.raw += column.raw;
        }
        all
    }
}

/// Describes a source by its heads; of compressed buffers the 8 bytes that say how long they are. `buffers`: each of
/// them is listed.
///
/// ```
/// use floe_format::{IpcLimits, MessageEncoder, Schema, constants, write_head};
///
/// let mut stream = Vec::new();
/// write_head(&mut stream, MessageEncoder::new().schema(&Schema::default()), 0)?;
/// stream.extend_from_slice(&constants::END_OF_STREAM);
/// let description = floe_tools::describe(&stream, &IpcLimits::default(), false).unwrap();
/// assert_eq!(description.heads + description.other, stream.len() as u64);
/// # Ok::<(), floe_format::Error>(())
/// ```
///
/// # Errors
/// As [`scan`], and when a batch does not fit its schema.
pub fn describe(source: &dyn ReadAt, limits: &IpcLimits, buffers: bool) -> Result<Description> {
    let mut heads: Vec<(MessageInfo, Message)> = Vec::new();
    let contents = scan(source, limits, &mut |info, message| {
        heads.push((*info, message.clone()));
        Ok(())
    })?;
    let width = contents.streams.first().map_or(0, |stream| stream.schema.fields.len());
    let mut description = Description {
        messages: Vec::new(),
        columns: vec![ColumnBytes::default(); width],
        dictionaries: ColumnBytes::default(),
        padding: 0,
        heads: 0,
        footer: contents.footer.as_ref().map_or(0, |_| contents.len.saturating_sub(contents.end)),
        alignment: 0,
        batch_keys: Vec::new(),
        other: 0,
        contents,
    };
    let schemas = description.contents.streams.iter().filter_map(|stream| stream.schema_message);
    description.heads = schemas.map(|schema| schema.head_len).sum();
    for (key, _) in heads.iter().flat_map(|(_, message)| &message.metadata) {
        if !description.batch_keys.iter().any(|known| known == key.as_str()) {
            description.batch_keys.push(key.to_string());
        }
    }
    let mut places = 64;
    for (info, message) in &heads {
        let specs =
            batch_of(message).into_iter().flat_map(|batch| &batch.buffers).filter(|spec| spec.len > 0);
        places = specs.fold(places, |places, spec| places | info.body().saturating_add(spec.offset));
    }
    description.alignment = 1 << places.trailing_zeros();
    heads.sort_by_key(|(info, _)| info.dictionary.is_none());
    let mut known: Vec<(usize, Option<i64>, Vec<ArrayInfo>)> = Vec::new();
    for (info, message) in heads {
        let id = info.dictionary.map(|(id, _)| id);
        if !known.iter().any(|(stream, of, _)| *stream == info.stream && *of == id) {
            let Some(schema) = description.contents.schema_of(&info) else { continue };
            let arrays = match id {
                None => batch_arrays(schema, info.version),
                Some(id) => dictionary_arrays(schema, id, info.version).unwrap_or_default(),
            };
            known.push((info.stream, id, arrays));
        }
        let arrays = known.iter().find(|(stream, of, _)| *stream == info.stream && *of == id);
        let arrays = arrays.map_or(&[] as &[ArrayInfo], |(_, _, arrays)| arrays);
        let bytes = message_bytes(source, &info, &message, arrays, buffers)?;
        description.add(&bytes);
        description.messages.push(bytes);
    }
    let buffers = description.buffers().stored;
    let told = [description.padding, description.heads, description.footer];
    description.other =
        description.contents.len.saturating_sub(told.iter().sum::<u64>().saturating_add(buffers));
    Ok(description)
}

impl Description {
    fn add(&mut self, bytes: &MessageBytes) {
        self.heads += bytes.info.head_len;
        self.padding += bytes.padding;
        for (number, column) in bytes.columns.iter().enumerate() {
            let all = match bytes.info.dictionary {
                Some(_) => Some(&mut self.dictionaries),
                None => self.columns.get_mut(number),
            };
            if let Some(all) = all {
                all.stored += column.stored;
                all.raw = all.raw.saturating_add(column.raw);
                all.nulls = all.nulls.saturating_add(column.nulls);
            }
        }
    }
}

fn message_bytes(
    source: &dyn ReadAt,
    info: &MessageInfo,
    message: &Message,
    arrays: &[ArrayInfo],
    list: bool,
) -> Result<MessageBytes> {
    let empty =
        MessageBytes { info: *info, columns: Vec::new(), padding: info.body_len, buffers: Vec::new() };
    let Some(batch) = batch_of(message) else { return Ok(empty) };
    let map = map_buffers(arrays, batch).map_err(|what| Fault::new(info.offset, what).within(info.id))?;
    let of = |array: usize| match info.dictionary {
        Some(_) => 0,
        None => arrays.get(array).map_or(0, |array| array.column),
    };
    let width = arrays.last().map_or(0, |_| of(arrays.len() - 1) + 1);
    let mut bytes = MessageBytes { columns: vec![ColumnBytes::default(); width], ..empty };
    let mut top = usize::MAX;
    for (number, node) in batch.nodes.iter().enumerate() {
        if of(number) != top {
            top = of(number);
            if let Some(column) = bytes.columns.get_mut(top) {
                // The first array of a column is the column itself. Null columns state their rows.
                column.nulls = node.null_count as u64;
            }
        }
    }
    for (spec, (array, kind)) in batch.buffers.iter().zip(map) {
        let raw = raw_len(source, info, *spec)?;
        if let Some(column) = bytes.columns.get_mut(of(array)) {
            column.stored += spec.len;
            column.raw = column.raw.saturating_add(raw);
        }
        bytes.padding = bytes.padding.saturating_sub(spec.len);
        if list && let Some(array) = arrays.get(array) {
            let path = array.path.clone();
            bytes.buffers.push(BufferBytes { path, column: array.column, kind, spec: *spec, raw });
        }
    }
    Ok(bytes)
}
