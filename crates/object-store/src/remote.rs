//! Reads of one object, as it was when it was opened.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Error as StoreError, GetOptions, GetRange, GetResult, GetResultPayload, ObjectMeta, ObjectStore,
    ObjectStoreExt,
};
use polars_core::prelude::*;

use crate::error::{at, store_error};

/// An object, and what tells it from another one of that name.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) meta: ObjectMeta,
}

const READING: &str = "reading an Arrow IPC object";

impl Remote {
    /// Opens an object by reading its last bytes, `tail` at most, which tells its length as well.
    pub(crate) async fn open(
        store: Arc<dyn ObjectStore>,
        path: Path,
        tail: u64,
    ) -> PolarsResult<(Self, Range<u64>, Bytes)> {
        let range = Some(GetRange::Suffix(tail));
        let error = match store.get_opts(&path, GetOptions { range, ..GetOptions::default() }).await {
            Ok(found) => {
                let remote = Self { store, meta: found.meta.clone() };
                let range = remote.meta.size.saturating_sub(tail)..remote.meta.size;
                let bytes = remote.bytes_of(found, range.clone()).await?;
                return Ok((remote, range, bytes));
            },
            Err(error) => error,
        };
        // Not all stores know suffixes, and an empty object has none.
        let may_have_no_suffix = matches!(
            error,
            StoreError::NotSupported { .. } | StoreError::NotImplemented { .. } | StoreError::Generic { .. }
        );
        let failed = |error| at(&path, READING, store_error(error));
        if !may_have_no_suffix {
            return Err(failed(error));
        }
        let Ok(meta) = store.head(&path).await else { return Err(failed(error)) };
        if meta.size > 0 && matches!(error, StoreError::Generic { .. }) {
            return Err(failed(error));
        }
        let range = meta.size.saturating_sub(tail)..meta.size;
        let remote = Self { store, meta };
        let bytes = remote.get(range.clone()).await?;
        Ok((remote, range, bytes))
    }

    /// The bytes of a range, by one request.
    pub(crate) async fn get(&self, range: Range<u64>) -> PolarsResult<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        // A weak tag never matches.
        let if_match = self.meta.e_tag.clone().filter(|tag| !tag.starts_with("W/"));
        let options =
            GetOptions { if_match, range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
        match self.store.get_opts(&self.meta.location, options).await {
            Ok(found) => {
                self.check(&found.meta)?;
                self.bytes_of(found, range).await
            },
            Err(StoreError::Precondition { .. }) => Err(self.replaced()),
            Err(error) => Err(self.failed(store_error(error))),
        }
    }

    fn failed(&self, error: io::Error) -> PolarsError {
        at(&self.meta.location, READING, error)
    }

    fn replaced(&self) -> PolarsError {
        let error = io::Error::new(
            io::ErrorKind::StaleNetworkFileHandle,
            "the object has been replaced since it was opened; open it again",
        );
        self.failed(error)
    }

    /// Whether it is the object that was opened: stores that pass over conditions tell by what they answer.
    fn check(&self, now: &ObjectMeta) -> PolarsResult<()> {
        let is_same = match (&self.meta.e_tag, &now.e_tag) {
            (Some(opened), Some(now)) => opened == now,
            _ => self.meta.last_modified == now.last_modified,
        };
        if is_same && now.size == self.meta.size { Ok(()) } else { Err(self.replaced()) }
    }

    /// The body of an answer, which must be that of a range. No more of it is taken than that.
    async fn bytes_of(&self, found: GetResult, range: Range<u64>) -> PolarsResult<Bytes> {
        if found.range != range {
            let text = format!(
                "the store was asked for bytes {} to {}, and answered with {} to {}",
                range.start, range.end, found.range.start, found.range.end
            );
            return Err(self.failed(io::Error::new(io::ErrorKind::UnexpectedEof, text)));
        }
        let failed = |error| self.failed(store_error(error));
        let want = range.end - range.start;
        let bytes = match found.payload {
            GetResultPayload::Stream(stream) => {
                let mut stream = stream.map_err(failed);
                let mut bytes = stream.next().await.transpose()?.unwrap_or_default();
                if (bytes.len() as u64) < want {
                    let mut all = BytesMut::from(bytes);
                    while (all.len() as u64) < want
                        && let Some(more) = stream.next().await.transpose()?
                    {
                        all.extend_from_slice(&more);
                    }
                    bytes = all.freeze();
                }
                bytes
            },
            #[allow(unreachable_patterns, reason = "files are there with the store's feature for them")]
            payload => GetResult { payload, ..found }.bytes().await.map_err(failed)?,
        };
        if bytes.len() as u64 != want {
            let text = format!(
                "bytes {} to {} were cut off: {} of {want} came",
                range.start,
                range.end,
                bytes.len()
            );
            return Err(self.failed(io::Error::new(io::ErrorKind::UnexpectedEof, text)));
        }
        Ok(bytes)
    }
}
