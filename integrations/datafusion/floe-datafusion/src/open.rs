//! Opening an object: as a file, which is indexed by its footer, or as a stream, which is read from its start.
//!
//! The two are told apart by their ends. So a file is known after one request, which brings its footer along.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use floe::{IpcIndex, IpcIndexBuilder, IpcIndexOptions, StreamDecoder};

use crate::error::{at, failed};
use crate::fetch::Object;
use crate::options::FloeOptions;
use crate::types;

/// The last bytes of a file.
const MAGIC: &[u8] = b"ARROW1";
/// Indexes that are kept.
const KEPT: usize = 1024;
/// Bytes of a stream that are read first to find its schema.
const HEAD_BYTES: u64 = 64 << 10;

/// An object that has been opened.
#[derive(Debug, Clone)]
pub(crate) enum Opened {
    /// A file: where its batches are, and the ETag that it had.
    File(IpcIndex, Option<String>),
    /// A stream, which has no index.
    Stream,
}

/// Indexes of objects, so that a query reads the footer of a file once.
#[derive(Debug, Default)]
pub(crate) struct Indexes(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    by_object: HashMap<Key, Opened>,
    order: VecDeque<Key>,
}

/// The store, and its description of the object: they tell objects apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    store: String,
    location: String,
    size: u64,
    modified: i64,
    e_tag: Option<String>,
}

impl Key {
    fn of(object: &Object) -> Self {
        let meta = &object.meta;
        Self {
            store: object.store.to_string(),
            location: meta.location.to_string(),
            size: meta.size,
            modified: meta.last_modified.timestamp_nanos_opt().unwrap_or_default(),
            e_tag: meta.e_tag.clone(),
        }
    }
}

impl Indexes {
    /// Opens an object, or finds that it has been opened before.
    pub(crate) async fn open(&self, object: &Object, options: &FloeOptions) -> Result<Opened> {
        let key = Key::of(object);
        if let Some(opened) = self.kept().by_object.get(&key) {
            return Ok(opened.clone());
        }
        let opened = open(object, options).await?;
        let mut kept = self.kept();
        if kept.by_object.insert(key.clone(), opened.clone()).is_none() {
            kept.order.push_back(key);
        }
        if kept.order.len() > KEPT
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.by_object.remove(&oldest);
        }
        Ok(opened)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn open(object: &Object, options: &FloeOptions) -> Result<Opened> {
    let index = options.index_options();
    let size = object.meta.size;
    let tail = size.saturating_sub(index.tail_bytes())..size;
    let (bytes, e_tag) = object.get_tagged(tail.clone()).await?;
    if !bytes.ends_with(MAGIC) {
        return Ok(Opened::Stream);
    }
    let object = object.clone().tagged(e_tag.clone());
    let index = index_of(&object, tail, bytes, index).await?;
    Ok(Opened::File(index, e_tag))
}

/// Gives an index builder the ranges that it needs.
async fn index_of(
    object: &Object,
    tail: Range<u64>,
    bytes: Bytes,
    options: IpcIndexOptions,
) -> Result<IpcIndex> {
    let location = &object.meta.location;
    let gap = options.gap_bytes();
    let mut builder = IpcIndexBuilder::new(object.meta.size, options);
    if !builder.needed().is_empty() {
        builder.give(tail, bytes).map_err(|e| at(location, e))?;
    }
    loop {
        let needed = builder.needed();
        if needed.is_empty() {
            return builder.finish().map_err(|e| at(location, e));
        }
        let parts = object.fetch(&needed, gap).await?;
        for range in needed {
            let bytes = parts.get(&range)?;
            builder.give(range, bytes).map_err(|e| at(location, e))?;
        }
    }
}

/// The schema of an object.
pub(crate) async fn schema(object: &Object, indexes: &Indexes, options: &FloeOptions) -> Result<SchemaRef> {
    let schema = match indexes.open(object, options).await? {
        Opened::File(index, _) => index.schema(None).map_err(|e| at(&object.meta.location, e))?,
        Opened::Stream => stream_schema(object, options).await?,
    };
    types::schema(&schema).map_err(|error| error.context(object.meta.location.to_string()))
}

/// The schema of a stream, of which no more is read than that takes.
async fn stream_schema(object: &Object, options: &FloeOptions) -> Result<polars_core::prelude::Schema> {
    let (location, size) = (&object.meta.location, object.meta.size);
    let mut decoder = decoder(options).with_n_rows(0);
    let (mut start, mut want) = (0u64, HEAD_BYTES);
    loop {
        let end = start.saturating_add(want).min(size);
        let bytes = object.get(start..end).await?;
        decoder.push(bytes).map_err(|e| at(location, e))?;
        if let Some(schema) = decoder.schema().map_err(|e| at(location, e))? {
            return Ok(schema);
        }
        if end == size {
            decoder.finish().map_err(|e| at(location, e))?;
            return Err(failed(format!("{location} is cut off: it has no schema message")));
        }
        (start, want) = (end, want.saturating_mul(4));
    }
}

/// A decoder of streams. Partitions are what is parallel.
pub(crate) fn decoder(options: &FloeOptions) -> StreamDecoder {
    StreamDecoder::new().with_limits(options.limits).with_parallel(false)
}
