//! What is scanned: paths and what they stand for, or bytes.

use std::path::{Path, PathBuf};

use polars_buffer::Buffer;
use polars_core::prelude::*;
use polars_core::runtime::ASYNC;
use polars_io::path_utils::expand_paths_hive;
use polars_utils::pl_path::PlRefPath;

/// What a scan reads: a path, a glob, a folder (with all that is below it), a list of those, or bytes
/// in memory. Files whose names begin with a dot are left out of folders and globs.
///
/// ```
/// use floe_lazy::IpcScanSource;
/// use std::path::PathBuf;
///
/// let _: IpcScanSource = "flights/*.arrow".into();
/// let _: IpcScanSource = vec![PathBuf::from("a.arrow"), PathBuf::from("b.arrow")].into();
/// let _: IpcScanSource = std::fs::read("Cargo.toml")?.into();
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug, Clone)]
pub struct IpcScanSource(Source);

#[derive(Debug, Clone)]
enum Source {
    Paths(Vec<PathBuf>),
    Bytes(Vec<Buffer<u8>>),
}

/// `From` for one path, and for lists of it.
macro_rules! from_paths {
    ($($path:ty),*) => {$(
        impl From<$path> for IpcScanSource {
            fn from(path: $path) -> Self {
                Self(Source::Paths(vec![PathBuf::from(path)]))
            }
        }

        impl From<Vec<$path>> for IpcScanSource {
            fn from(paths: Vec<$path>) -> Self {
                Self(Source::Paths(paths.into_iter().map(PathBuf::from).collect()))
            }
        }

        impl From<&[$path]> for IpcScanSource {
            fn from(paths: &[$path]) -> Self {
                paths.to_vec().into()
            }
        }

        impl From<&Vec<$path>> for IpcScanSource {
            fn from(paths: &Vec<$path>) -> Self {
                paths.clone().into()
            }
        }

        impl<const N: usize> From<[$path; N]> for IpcScanSource {
            fn from(paths: [$path; N]) -> Self {
                Vec::from(paths).into()
            }
        }

        impl<const N: usize> From<&[$path; N]> for IpcScanSource {
            fn from(paths: &[$path; N]) -> Self {
                paths.to_vec().into()
            }
        }
    )*};
}

from_paths!(&str, String, &String, &Path, PathBuf, &PathBuf);

impl From<Vec<u8>> for IpcScanSource {
    fn from(bytes: Vec<u8>) -> Self {
        Buffer::from(bytes).into()
    }
}

impl From<Buffer<u8>> for IpcScanSource {
    fn from(bytes: Buffer<u8>) -> Self {
        Self(Source::Bytes(vec![bytes]))
    }
}

impl From<Vec<Buffer<u8>>> for IpcScanSource {
    fn from(bytes: Vec<Buffer<u8>>) -> Self {
        Self(Source::Bytes(bytes))
    }
}

impl From<floe_frame::OwnedBytes> for IpcScanSource {
    fn from(bytes: floe_frame::OwnedBytes) -> Self {
        Buffer::from_owner(bytes).into()
    }
}

/// What there is to scan, one by one.
pub(super) enum Sources {
    Files {
        paths: Buffer<PlRefPath>,
        /// Where in each path the names of hive folders may begin.
        hive_start: usize,
    },
    Bytes(Vec<Buffer<u8>>),
}

impl Sources {
    /// Expands folders and globs, as Polars does.
    pub(super) fn find(source: IpcScanSource) -> PolarsResult<Self> {
        let paths = match source.0 {
            Source::Bytes(bytes) if bytes.is_empty() => {
                polars_bail!(ComputeError: "no source to scan was given")
            },
            Source::Bytes(bytes) => return Ok(Self::Bytes(bytes)),
            Source::Paths(paths) => paths,
        };
        polars_ensure!(!paths.is_empty(), ComputeError: "no path to scan was given");
        let paths = paths.iter().map(|path| local(path)).collect::<PolarsResult<Vec<PlRefPath>>>()?;
        let names_hidden = |path: &PlRefPath| {
            let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            hidden && !path.as_std_path().is_dir()
        };
        // One that is asked for by name is not hidden.
        let hidden: &[PlSmallStr] =
            if paths.iter().any(names_hidden) { &[] } else { &[PlSmallStr::from_static(".")] };
        let (found, hive_start) =
            ASYNC.block_in_place_on(expand_paths_hive(&paths, true, hidden, &mut None, false))?;
        if found.is_empty() {
            let given: Vec<&str> = paths.iter().map(PlRefPath::as_str).collect();
            polars_bail!(ComputeError: "found nothing to scan at {}", given.join(", "));
        }
        Ok(Self::Files { paths: found, hive_start })
    }

    /// What a source is called.
    pub(super) fn name(&self, source: usize) -> &str {
        match self {
            Self::Files { paths, .. } => paths.get(source).map_or("", PlRefPath::as_str),
            Self::Bytes(_) => "in-memory",
        }
    }
}

/// A path on this machine.
fn local(path: &Path) -> PolarsResult<PlRefPath> {
    let path = PlRefPath::try_from_path(path)?;
    match path.scheme() {
        None => Ok(path),
        Some(scheme) if scheme.is_file() => Ok(PlRefPath::new(path.strip_scheme())),
        Some(_) => polars_bail!(
            InvalidOperation: "{path}: only local paths can be scanned; download it, or pass its bytes"
        ),
    }
}
