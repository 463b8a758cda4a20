//! The sources of a scan: paths and their expansions, or bytes.

use std::path::{Path, PathBuf};

use polars_buffer::Buffer;
use polars_core::prelude::*;
use polars_core::runtime::ASYNC;
use polars_io::path_utils::expand_paths_hive;
use polars_utils::pl_path::PlRefPath;

use crate::cloud::{Cloud, is_url};
use crate::committed;
use crate::error::io_error;

/// The source of a scan: a path, a glob, a folder (with all that is below it), a list of those, or bytes in memory.
/// Files whose names begin with a dot are left out of folders and globs.
/// With the feature `cloud` a path may be the URL of a store, where a folder ends with a slash.
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

/// `From` for one path, and for lists of it. One impl over all that is a path would overlap with those of bytes.
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

/// How paths are expanded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expansion {
    /// Whether patterns are.
    pub(super) glob: bool,
    /// Whether the names of a folder's files may end in several ways.
    pub(super) mixed: bool,
    /// Whether only files count that markers name.
    pub(super) committed_only: bool,
}

/// The sources to scan, one by one.
pub(super) enum Sources {
    Files {
        paths: Buffer<PlRefPath>,
        /// Where in each path the names of hive folders may begin.
        hive_start: usize,
    },
    Bytes(Vec<Buffer<u8>>),
}

impl Sources {
    /// Expands folders and patterns, as Polars does.
    pub(super) fn find(source: IpcScanSource, how: Expansion, cloud: &mut Cloud) -> PolarsResult<Self> {
        let glob = how.glob;
        let paths = match source.0 {
            Source::Bytes(_) if how.committed_only => {
                polars_bail!(InvalidOperation: "bytes have no commit markers: leave out with_committed_only")
            },
            Source::Bytes(bytes) if bytes.is_empty() => {
                polars_bail!(ComputeError: "no source to scan was given")
            },
            Source::Bytes(bytes) => return Ok(Self::Bytes(bytes)),
            Source::Paths(paths) => paths,
        };
        polars_ensure!(!paths.is_empty(), ComputeError: "no path to scan was given");
        let paths = paths.iter().map(|path| reachable(path)).collect::<PolarsResult<Vec<PlRefPath>>>()?;
        let names_hidden = |path: &PlRefPath| {
            let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            hidden && !path.as_std_path().is_dir()
        };
        // One that is asked for by name is not hidden.
        let hidden: &[PlSmallStr] =
            if paths.iter().any(names_hidden) { &[] } else { &[PlSmallStr::from_static(".")] };
        let (found, hive_start) = expand(&paths, how, hidden, cloud)?;
        if found.is_empty() {
            let given: Vec<&str> = paths.iter().map(PlRefPath::as_str).collect();
            let taken = |path: &&PlRefPath| glob && is_pattern(path) && path.as_std_path().is_file();
            let hint = match paths.iter().find(taken) {
                Some(path) => format!("; {path} is there, but taken for a pattern: use with_glob(false)"),
                None => String::new(),
            };
            polars_bail!(ComputeError: "found nothing to scan at {}{hint}", given.join(", "));
        }
        Ok(Self::Files { paths: found.into(), hive_start })
    }

    /// The first source alone.
    pub(super) fn first(self) -> Self {
        match self {
            Self::Files { paths, hive_start } => {
                let one = paths.len().min(1);
                Self::Files { paths: paths.sliced(..one), hive_start }
            },
            Self::Bytes(mut bytes) => {
                bytes.truncate(1);
                Self::Bytes(bytes)
            },
        }
    }

    /// An error with the source that it is about, unless it names the path itself.
    pub(super) fn place(&self, source: usize, error: PolarsError) -> PolarsError {
        place(error, &self.place_of(source))
    }

    /// The name of a source in messages.
    pub(super) fn place_of(&self, source: usize) -> String {
        match self {
            Self::Files { .. } => self.name(source).to_owned(),
            Self::Bytes(_) => format!("source {source} (bytes)"),
        }
    }

    /// The name of a source.
    pub(super) fn name(&self, source: usize) -> &str {
        match self {
            Self::Files { paths, .. } => paths.get(source).map_or("", PlRefPath::as_str),
            Self::Bytes(_) => "in-memory",
        }
    }
}

/// Does something on a thread of its own. Polars waits for its runtime in a way that panics on a thread
/// of another runtime, if that has no other thread.
fn apart<T: Send>(work: impl FnOnce() -> PolarsResult<T> + Send) -> PolarsResult<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("floe-scan".into()).spawn_scoped(scope, work)?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// A path on this machine, or a URL.
fn reachable(path: &Path) -> PolarsResult<PlRefPath> {
    let path = PlRefPath::try_from_path(path)?;
    match path.scheme() {
        None => Ok(path),
        Some(scheme) if scheme.is_file() => Ok(PlRefPath::new(path.strip_scheme())),
        #[cfg(feature = "cloud")]
        Some(_) => Ok(path),
        #[cfg(not(feature = "cloud"))]
        Some(_) => Err(crate::cloud::missing(&path)),
    }
}

/// An error with its subject in front of its text, unless that is there already.
pub(super) fn place(error: PolarsError, place: &str) -> PolarsError {
    error.wrap_msg(|msg| if msg.starts_with(place) { msg.to_owned() } else { format!("{place}: {msg}") })
}

fn is_dir(path: &PlRefPath) -> bool {
    path.as_std_path().is_dir()
}

/// Whether a path is taken for a pattern.
fn is_pattern(path: &PlRefPath) -> bool {
    path.as_str().contains(['*', '?', '['])
}

/// The files that paths stand for, and where the names of hive folders may begin in them: each folder's
/// and each pattern's in the order of their names.
fn expand(
    paths: &[PlRefPath],
    how: Expansion,
    hidden: &[PlSmallStr],
    cloud: &mut Cloud,
) -> PolarsResult<(Vec<PlRefPath>, usize)> {
    let Expansion { glob, mixed, committed_only } = how;
    let mut found = Vec::with_capacity(paths.len());
    let mut hive_start = usize::MAX;
    for path in paths {
        if committed_only {
            found.extend(committed_files(path, cloud)?);
            hive_start = hive_start.min(path.as_str().len());
        } else if is_dir(path) {
            let first = found.len();
            files_below(path.as_std_path(), hidden, &mut found)?;
            let own = found.get_mut(first..).unwrap_or_default();
            own.sort_unstable();
            if !mixed && paths.len() == 1 {
                one_extension(own)?;
            }
            hive_start = hive_start.min(path.as_str().len());
        } else if is_url(path) || (glob && is_pattern(path)) {
            // As Polars does: of a URL that ends with a slash all below, of a pattern what fits, of another that object.
            let one = std::slice::from_ref(path);
            let (more, start) =
                apart(|| ASYNC.block_in_place_on(expand_paths_hive(one, glob, hidden, cloud, false)))
                    .map_err(|e| place(e, path.as_str()))?;
            found.extend(more.iter().cloned());
            hive_start = hive_start.min(start);
        } else {
            found.push(path.clone());
            hive_start = 0;
        }
    }
    Ok((found, hive_start))
}

/// The files below a folder that markers name, in the order of their names.
fn committed_files(path: &PlRefPath, cloud: &Cloud) -> PolarsResult<Vec<PlRefPath>> {
    let mut found = if is_dir(path) {
        committed::files(path.as_std_path())?
    } else if is_url(path) && path.as_str().ends_with('/') {
        committed::objects(path, cloud)?
    } else {
        polars_bail!(
            InvalidOperation: "{path} is no folder, nor a URL that ends with a slash: only those have commit markers"
        )
    };
    found.sort_unstable();
    // A file that was replaced by one of the same name.
    found.dedup();
    Ok(found)
}

/// Fails for files whose names end in several ways: some of them are likely something else.
fn one_extension(paths: &[PlRefPath]) -> PolarsResult<()> {
    let extension = |path: &PlRefPath| path.as_std_path().extension().map(std::ffi::OsStr::to_os_string);
    let Some(first) = paths.first() else { return Ok(()) };
    if let Some(other) = paths.iter().find(|path| extension(path) != extension(first)) {
        polars_bail!(
            InvalidOperation: "the folder has files of different extensions: {first} and {other}; choose with a pattern \
            (as in 'folder/**/*.arrow'), or use scan_ipc if both are Arrow IPC"
        );
    }
    Ok(())
}

/// All files below a folder, but for hidden and empty ones.
fn files_below(folder: &Path, hidden: &[PlSmallStr], found: &mut Vec<PlRefPath>) -> PolarsResult<()> {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|e| io_error(e, &folder))? {
            let path = entry.map_err(|e| io_error(e, &folder))?.path();
            let metadata = path.metadata().map_err(|e| io_error(e, &path))?;
            let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
            if metadata.is_dir() {
                folders.push(path);
            } else if metadata.len() > 0 && !hidden.iter().any(|prefix| name.starts_with(prefix.as_str())) {
                found.push(PlRefPath::try_from_path(&path)?);
            }
        }
    }
    Ok(())
}
