//! Stores behind URLs: `s3://`, `gs://`, `az://`, `http(s)://`, and whatever else Polars knows.

use std::path::Path;

use polars_core::prelude::*;
use polars_utils::pl_path::PlRefPath;

/// How stores are reached: credentials, endpoints, retries.
pub(crate) type Cloud = Option<polars_io::cloud::CloudOptions>;

/// Whether a path is the URL of a store.
pub(crate) fn is_url(path: &PlRefPath) -> bool {
    path.scheme().is_some_and(|scheme| !scheme.is_file())
}

/// The URL that a path is, if it is one of a store.
pub(crate) fn url(path: &Path) -> Option<PlRefPath> {
    let path = PlRefPath::try_from_path(path).ok()?;
    is_url(&path).then_some(path)
}

/// Without the feature there are no stores.
#[cfg(not(feature = "cloud"))]
pub(crate) fn missing(url: &PlRefPath) -> PolarsError {
    polars_err!(InvalidOperation: "{url}: object stores need the feature `cloud` of floe; without, only local paths can be used")
}

#[cfg(not(feature = "cloud"))]
pub(crate) fn create(url: &PlRefPath, _: &Cloud) -> PolarsResult<Box<dyn crate::target::CommitWrite>> {
    Err(missing(url))
}

#[cfg(not(feature = "cloud"))]
pub(crate) fn open_indexes(
    paths: &[PlRefPath],
    _: floe_frame::IpcIndexOptions,
    _: &Cloud,
) -> PolarsResult<Vec<PolarsResult<floe_frame::IpcIndex>>> {
    Ok(paths.iter().map(|path| Err(missing(path))).collect())
}

#[cfg(feature = "cloud")]
pub(crate) use self::stores::*;

#[cfg(feature = "cloud")]
mod stores {
    use std::fs::File;
    use std::io;
    use std::path::PathBuf;
    use std::sync::Arc;

    use floe_frame::{IpcIndex, IpcIndexOptions};
    use floe_object_store::object_store::ObjectStore;
    use floe_object_store::object_store::path::Path as ObjectPath;
    use floe_object_store::{BlockingObjectFile, ObjectFile, wait};
    use polars_io::cloud::{build_object_store, object_path_from_str};

    use super::*;
    use crate::error::io_error;
    use crate::target::CommitWrite;

    /// An object, or a folder of them.
    #[derive(Clone)]
    pub(crate) struct Object {
        pub(crate) store: Arc<dyn ObjectStore>,
        pub(crate) path: ObjectPath,
    }

    /// The store that a URL leads to, and where in it.
    pub(crate) fn object(url: &PlRefPath, cloud: &Cloud) -> PolarsResult<Object> {
        let (at, options) = (url.clone(), cloud.clone());
        let found = wait(async move {
            let (location, store) = build_object_store(at, options.as_ref(), false).await?;
            let path = object_path_from_str(&location.prefix)?;
            PolarsResult::Ok(Object { store: store.to_dyn_object_store().await.into_owned(), path })
        });
        found?.map_err(|error| error.wrap_msg(|msg| format!("{url}: {msg}")))
    }

    /// An object that appears when it is committed.
    pub(crate) fn create(url: &PlRefPath, cloud: &Cloud) -> PolarsResult<Box<dyn CommitWrite>> {
        let Object { store, path } = object(url, cloud)?;
        Ok(Box::new(BlockingObjectFile::new(ObjectFile::create(store, path))))
    }

    /// Indexes objects, several at a time.
    pub(crate) fn open_indexes(
        urls: &[PlRefPath],
        options: IpcIndexOptions,
        cloud: &Cloud,
    ) -> PolarsResult<Vec<PolarsResult<IpcIndex>>> {
        let objects = urls.iter().map(|url| object(url, cloud).map(|at| (at.store, at.path.into())));
        floe_object_store::open_indexes(objects.collect::<PolarsResult<_>>()?, options)
    }

    /// Puts a file into a store.
    pub(crate) fn upload(file: &Path, to: Object) -> PolarsResult<()> {
        let copy = || -> io::Result<()> {
            let mut object = BlockingObjectFile::new(ObjectFile::create(to.store, to.path));
            // In its own pieces of 8 KiB, which gather in the object's parts.
            io::copy(&mut File::open(file)?, &mut object)?;
            object.commit()
        };
        copy().map_err(|error| io_error(error, file))
    }

    /// A path below a URL.
    pub(crate) fn below(url: &PlRefPath, relative: &str) -> PathBuf {
        PathBuf::from(format!("{}/{relative}", url.as_str().trim_end_matches('/')))
    }
}
