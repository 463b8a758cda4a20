//! Reads of one object, as it was when it was listed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::{DataFusionError, Result};
use floe::join_ranges;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::{GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore};

use crate::error::failed;

/// Requests for ranges that are on their way at a time.
const REQUESTS: usize = 8;

/// An object, and what tells it from another one of that name.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) meta: ObjectMeta,
}

impl Object {
    /// The bytes of a range, by one request.
    pub(crate) async fn get(&self, range: Range<u64>) -> Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let found = self.request(Some(range.clone())).await?;
        let bytes = found.bytes().await?;
        if bytes.len() as u64 != range.end - range.start {
            let Range { start, end } = range;
            return Err(failed(format!(
                "{}: {} bytes came of {start} to {end}",
                self.meta.location,
                bytes.len()
            )));
        }
        Ok(bytes)
    }

    /// All bytes, in pieces.
    pub(crate) async fn stream(&self) -> Result<BoxStream<'static, Result<Bytes>>> {
        let found = self.request(None).await?;
        Ok(found.into_stream().map_err(DataFusionError::from).boxed())
    }

    async fn request(&self, range: Option<Range<u64>>) -> Result<GetResult> {
        // A weak tag never matches. Plans that went to another process have none.
        let if_match = self.meta.e_tag.clone().filter(|tag| !tag.starts_with("W/"));
        let options = GetOptions { if_match, range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let found = self.store.get_opts(&self.meta.location, options).await?;
        if found.meta.size == self.meta.size {
            return Ok(found);
        }
        let (location, listed, now) = (&self.meta.location, self.meta.size, found.meta.size);
        Err(failed(format!(
            "{location} has {now} bytes, and had {listed} when it was listed: plan the query again"
        )))
    }

    /// Ranges, near ones together.
    pub(crate) async fn fetch(&self, needed: &[Range<u64>], gap: u64) -> Result<Parts> {
        let joined = join_ranges(needed, gap);
        let get = |range: Range<u64>| async move {
            let start = range.start;
            Ok::<_, DataFusionError>((start, self.get(range).await?))
        };
        let parts: Vec<(u64, Bytes)> = stream::iter(joined).map(get).buffered(REQUESTS).try_collect().await?;
        Ok(Parts(parts.into_iter().collect()))
    }
}

/// Bytes that have been fetched, by where they start.
pub(crate) struct Parts(BTreeMap<u64, Bytes>);

impl Parts {
    /// A range of it, which lies in one part as a whole.
    pub(crate) fn get(&self, range: &Range<u64>) -> Result<Bytes> {
        let found = self.0.range(..=range.start).next_back();
        let slice = found.and_then(|(start, bytes)| {
            let at = |position: u64| usize::try_from(position - start).ok();
            let (from, to) = (at(range.start)?, at(range.end)?);
            (to <= bytes.len()).then(|| bytes.slice(from..to))
        });
        slice.ok_or_else(|| failed(format!("bytes {} to {} have not been fetched", range.start, range.end)))
    }
}
