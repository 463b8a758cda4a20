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
            return Err(Failure::of(&name, "it is a folder"));
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

    /// As [`open`](Self::open), for commands about rows: CSV and Parquet will do as well, in builds that read them.
    pub(crate) fn open_rows(path: &Path) -> Result<Self> {
        let input = Self::open(path)?;
        #[cfg(feature = "formats")]
        {
            let len = usize::try_from(input.source.len()).unwrap_or(usize::MAX).min(4 << 10);
            let mut start = vec![0; len];
            let read = input.source.read_exact_at(&mut start, 0);
            read.map_err(|error| Failure::of(&input.name, crate::error::plain(&error)))?;
            let format = sniff(&start);
            if crate::formats::is_readable(format) {
                return crate::formats::as_ipc(input, format);
            }
        }
        Ok(input)
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

/// Files of what the user named: folders are looked through, patterns that no shell has expanded as well.
pub(crate) fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            files.push(path.clone());
        } else if path.is_dir() {
            let before = files.len();
            walk(path, &mut files)?;
            if files.len() == before {
                return Err(Failure::of(path.display(), "the folder has no Arrow IPC in it"));
            }
        } else if !path.exists() && path.to_str().is_some_and(|text| text.contains(['*', '?', '['])) {
            pattern(path, &mut files)?;
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn pattern(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let text = path.to_str().unwrap_or_default();
    let found = glob::glob(text).map_err(|error| Failure::of(text, error))?;
    let before = files.len();
    for path in found {
        let path = path.map_err(|error| Failure::io(error.path(), error.error()))?;
        if path.is_file() {
            files.push(path);
        }
    }
    match files.len() == before {
        true => Err(Failure::of(text, "the pattern matches no file")),
        false => Ok(()),
    }
}

/// The files of a folder that are Arrow IPC, in the order of their names. Hidden files are left out, as hive has it,
/// and so are links to folders: their files would be counted twice, or again and again.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
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
            let mut start = Vec::new();
            let read = File::open(&path).and_then(|file| file.take(4 << 10).read_to_end(&mut start));
            read.map_err(|error| Failure::io(&path, &error))?;
            if matches!(sniff(&start), SourceFormat::IpcFile | SourceFormat::IpcStream) {
                files.push(path);
            }
        }
    }
    Ok(())
}
