//! Inputs: files, folders, patterns and standard input, told apart by content.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use floe_format::{IpcLimits, SourceFormat, sniff};
use floe_tools::{Contents, FileSource, ReadAt, scan};
use tempfile::TempPath;

use crate::error::{Failure, Result, explained};
use crate::signals;

/// An input that can be read at any place.
pub(crate) struct Input {
    /// As the user named it; `-` for standard input.
    pub(crate) name: String,
    /// Where it can be opened again.
    #[cfg_attr(
        not(feature = "frame"),
        expect(dead_code, reason = "frames are read by path, messages from the source")
    )]
    pub(crate) path: PathBuf,
    pub(crate) source: FileSource,
    /// Input from a pipe is kept in a temporary file, which goes with this.
    spool: Option<TempPath>,
}

impl Drop for Input {
    fn drop(&mut self) {
        if let Some(spool) = &self.spool {
            signals::forget(spool);
        }
    }
}

impl Input {
    /// Opens a path; `-` is standard input. Input that is no regular file is read to its end first.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let name = if path == Path::new("-") { "-".to_owned() } else { path.display().to_string() };
        let real = if name == "-" { Path::new("/dev/stdin") } else { path };
        let failed = |error: &io::Error| Failure::of(&name, crate::error::plain(error));
        if name == "-" && !cfg!(unix) {
            return Self::spool(name, &mut io::stdin().lock());
        }
        let mut file = match File::open(real) {
            Ok(file) => file,
            // A socket has no path to be opened by.
            Err(_) if name == "-" => return Self::spool(name, &mut io::stdin().lock()),
            Err(error) => return Err(failed(&error)),
        };
        let found = file.metadata().map_err(|error| failed(&error))?;
        if found.is_dir() {
            return Err(Failure::of(&name, "it is a folder, and this command takes a file: name one in it"));
        }
        if !found.is_file() {
            return if name == "-" {
                Self::spool(name, &mut io::stdin().lock())
            } else {
                Self::spool(name, &mut file)
            };
        }
        let source = FileSource::new(file).map_err(|error| failed(&error))?;
        Ok(Self { name, path: real.to_path_buf(), source, spool: None })
    }

    /// Keeps what comes through a pipe in a temporary file: a file has its index at the end.
    fn spool(name: String, from: &mut dyn Read) -> Result<Self> {
        let failed = |error: &io::Error| Failure::of(&name, crate::error::plain(error));
        let (mut file, temporary) = Self::temporary(&name)?;
        io::copy(from, &mut file).map_err(|error| failed(&error))?;
        file.rewind().map_err(|error| failed(&error))?;
        let source = FileSource::new(file).map_err(|error| failed(&error))?;
        Ok(Self::spooled(name, source, temporary))
    }

    /// A temporary file that goes whatever ends the process.
    pub(crate) fn temporary(name: &str) -> Result<(File, TempPath)> {
        let made = tempfile::Builder::new().prefix("floe-").tempfile();
        let (file, temporary) =
            made.map_err(|error| Failure::of(name, crate::error::plain(&error)))?.into_parts();
        signals::keep(&temporary);
        Ok((file, temporary))
    }

    /// An input whose bytes are in a temporary file.
    pub(crate) fn spooled(name: String, source: FileSource, temporary: TempPath) -> Self {
        Self { name, path: temporary.to_path_buf(), source, spool: Some(temporary) }
    }

    /// The first bytes, which tell the format.
    #[cfg(feature = "query")]
    pub(crate) fn start_bytes(&self) -> io::Result<Vec<u8>> {
        let len = usize::try_from(self.source.len()).unwrap_or(usize::MAX).min(SNIFFED);
        let mut start = vec![0; len];
        self.source.read_exact_at(&mut start, 0)?;
        Ok(start)
    }

    #[cfg(feature = "query")]
    pub(crate) fn start(&self) -> Result<Vec<u8>> {
        self.start_bytes().map_err(|error| Failure::of(&self.name, crate::error::plain(&error)))
    }

    #[cfg(feature = "query")]
    pub(crate) fn format(&self) -> Result<SourceFormat> {
        Ok(sniff(&self.start()?))
    }

    /// As [`open`](Self::open), for commands about rows: other formats will do as well, in builds that read them.
    pub(crate) fn open_rows(path: &Path) -> Result<Self> {
        let input = Self::open(path)?;
        #[cfg(feature = "query")]
        {
            let format = input.format()?;
            if crate::query::is_readable(format) {
                let rows = crate::query::scan_one(&input, format)?;
                return crate::query::spool(rows, &input.name);
            }
        }
        Ok(input)
    }

    /// As [`open_rows`](Self::open_rows), of all that the paths name: more than one file are one table.
    #[cfg(feature = "frame")]
    pub(crate) fn open_all_rows(paths: &[PathBuf]) -> Result<Self> {
        match paths {
            [path] if !is_many(path) => Self::open_rows(path),
            #[cfg(feature = "query")]
            paths => {
                let table = crate::query::table(paths)?;
                crate::query::spool(table.lf, &names(paths))
            },
            #[cfg(not(feature = "query"))]
            paths => Err(Failure::of(
                names(paths),
                format!("several files as one table need the feature `query`: {}", crate::error::INSTALL),
            )),
        }
    }

    /// Bytes of it.
    pub(crate) fn source_len(&self) -> u64 {
        self.source.len()
    }

    /// The messages, as far as they are whole.
    pub(crate) fn scan(&self) -> Result<Contents> {
        let contents = scan(&self.source, &IpcLimits::default(), &mut |_, _| Ok(()));
        contents.map_err(|fault| Failure::fault(&self.name, &fault))
    }

    /// The messages; a source that is not whole is an error.
    pub(crate) fn scan_whole(&self) -> Result<Contents> {
        let contents = self.scan()?;
        match &contents.fault {
            None => Ok(contents),
            Some(fault) => Err(Failure::of(&self.name, explained(&self.name, fault))),
        }
    }
}

/// Bytes at the start that tell the format.
const SNIFFED: usize = 4 << 10;

/// The name of several paths in messages.
#[cfg(feature = "frame")]
pub(crate) fn names(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    names.join(", ")
}

/// Whether a path stands for the files in a folder, or for those that a pattern matches which no shell has expanded.
pub(crate) fn is_many(path: &Path) -> bool {
    path.is_dir() || is_pattern(path)
}

fn is_pattern(path: &Path) -> bool {
    !path.exists() && path.to_str().is_some_and(|text| text.contains(['*', '?', '[']))
}

/// A file in a folder or of a pattern.
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) format: SourceFormat,
}

/// The files of a folder or a pattern in the order of their names, each with its format; empty ones are left out.
pub(crate) fn find(path: &Path) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    if path.is_dir() {
        walk(path, &mut found)?;
    } else {
        pattern(path, &mut found)?;
    }
    Ok(found)
}

/// Whether a folder between a path and one of its files is called `key=value`.
#[cfg(feature = "query")]
pub(crate) fn is_partitioned(path: &Path) -> Result<bool> {
    Ok(find(path)?.iter().any(|file| has_key(path, &file.path)))
}

/// Whether a folder between the two is called `key=value`.
#[cfg(feature = "query")]
pub(crate) fn has_key(root: &Path, file: &Path) -> bool {
    let below = file.strip_prefix(root).unwrap_or(file);
    let mut folders = below.parent().into_iter().flat_map(Path::components);
    folders.any(|folder| folder.as_os_str().to_string_lossy().contains('='))
}

/// Whether a path, or one of a pattern's files, is of another format that floe reads.
#[cfg(feature = "query")]
pub(crate) fn is_other(path: &Path) -> bool {
    match path.is_dir() || is_pattern(path) {
        true => find(path).is_ok_and(|found| {
            let is_ipc =
                |file: &Found| matches!(file.format, SourceFormat::IpcFile | SourceFormat::IpcStream);
            !found.iter().any(is_ipc) && found.iter().any(|file| crate::query::is_readable(file.format))
        }),
        false => path.is_file() && format_of(path).is_ok_and(crate::query::is_readable),
    }
}

/// Files of what the user named; of folders those that are Arrow IPC.
pub(crate) fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path != Path::new("-") && is_many(path) {
            let is_folder = path.is_dir();
            let is_ipc = |format| matches!(format, SourceFormat::IpcFile | SourceFormat::IpcStream);
            let before = files.len();
            let found = find(path)?.into_iter().filter(|file| !is_folder || is_ipc(file.format));
            files.extend(found.map(|file| file.path));
            if files.len() == before {
                return Err(Failure::of(path.display(), "the folder has no Arrow IPC in it"));
            }
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn pattern(path: &Path, files: &mut Vec<Found>) -> Result<()> {
    let text = path.to_str().unwrap_or_default();
    let found = glob::glob(text).map_err(|error| Failure::of(text, error))?;
    for path in found {
        let path = path.map_err(|error| Failure::io(error.path(), error.error()))?;
        if path.is_file() {
            files.push(Found { format: format_of(&path)?, path });
        }
    }
    match files.is_empty() {
        true => Err(Failure::of(text, "the pattern matches no file")),
        false => Ok(()),
    }
}

fn format_of(path: &Path) -> Result<SourceFormat> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(SNIFFED as u64).read_to_end(&mut start));
    read.map_err(|error| Failure::io(path, &error))?;
    Ok(sniff(&start))
}

/// The files of a folder, in the order of their names. Hidden and empty ones are left out, as hive has it, and so are
/// links to folders: their files would be counted twice, or again and again.
fn walk(folder: &Path, files: &mut Vec<Found>) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(|error| Failure::io(folder, &error))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(|error| Failure::io(folder, &error))?.path());
    }
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(['.', '_']) {
            continue;
        }
        if path.is_dir() {
            if !path.is_symlink() {
                walk(&path, files)?;
            }
        } else if path.is_file() {
            match format_of(&path)? {
                SourceFormat::Empty => {},
                format => files.push(Found { path, format }),
            }
        }
    }
    Ok(())
}
