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
        Ok(self.get_tagged(range).await?.0)
    }

    /// As [`get`](Self::get), with the object's ETag as the store has it now.
    pub(crate) async fn get_tagged(&self, range: Range<u64>) -> Result<(Bytes, Option<String>)> {
        if range.is_empty() {
            return Ok((Bytes::new(), None));
        }
        let found = self.request(Some(range.clone())).await?;
        let e_tag = found.meta.e_tag.clone();
        let bytes = found.bytes().await?;
        if bytes.len() as u64 != range.end - range.start {
            let Range { start, end } = range;
            return Err(failed(format!(
                "{}: {} bytes came of {start} to {end}",
                self.meta.location,
                bytes.len()
            )));
        }
        Ok((bytes, e_tag))
    }

    /// The object as it was when it had this ETag. The ETag of its listing is older, and stays if there is one.
    pub(crate) fn tagged(mut self, e_tag: Option<String>) -> Self {
        self.meta.e_tag = self.meta.e_tag.or(e_tag);
        self
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
        // Not all stores know the condition.
        let has_other_tag = match (&self.meta.e_tag, &found.meta.e_tag) {
            (Some(listed), Some(now)) => listed != now,
            _ => false,
        };
        if has_other_tag {
            let location = &self.meta.location;
            return Err(failed(format!("{location} was replaced after it was listed: plan the query again")));
        }
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

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use object_store::{ObjectStoreExt, PutPayload};

    use super::*;

    /// A plan from another process has no ETag: the first answer's counts.
    #[tokio::test]
    async fn an_object_of_the_same_length_is_another_one() -> Result<()> {
        let (store, path) = (Arc::new(InMemory::new()), Path::from("t.arrow"));
        store.put(&path, PutPayload::from_static(b"first")).await?;
        let meta = ObjectMeta { e_tag: None, ..store.head(&path).await? };
        let untagged = Object { store: Arc::<InMemory>::clone(&store), meta };
        let (bytes, e_tag) = untagged.get_tagged(0..5).await?;
        let object = untagged.clone().tagged(e_tag);
        assert_eq!((bytes.as_ref(), object.get(1..3).await?.as_ref()), (&b"first"[..], &b"ir"[..]));
        store.put(&path, PutPayload::from_static(b"other")).await?;
        assert!(object.get(1..3).await.is_err());
        assert_eq!(untagged.get(1..3).await?.as_ref(), b"th");
        Ok(())
    }
}
