//! Where output goes: standard output, or a file that appears whole or not at all.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use floe_tools::{ReadAt, Sink};
use tempfile::TempPath;

use crate::error::{Failure, Result, WRITING_FAILED, plain};
use crate::signals;

/// An output that is being written.
pub(crate) struct Output {
    to: To,
    /// Its name in errors.
    name: String,
}

enum To {
    /// It has been committed.
    Nothing(io::Sink),
    Stdout(io::StdoutLock<'static>),
    /// A target that is no regular file: a pipe, a device.
    Straight(BufWriter<File>),
    File {
        file: BufWriter<File>,
        temporary: TempPath,
        target: PathBuf,
        replace: bool,
    },
}

impl Output {
    /// Opens an output; `-` is standard output. A file that exists is an error without `force`.
    pub(crate) fn create(path: &Path, force: bool, is_binary: bool) -> Result<Self> {
        let name = if path == Path::new("-") { "standard output".into() } else { path.display().to_string() };
        if path == Path::new("-") {
            let stdout = io::stdout();
            if is_binary && stdout.is_terminal() && !force {
                return Err(Failure::new(
                    "binary output is not written to a terminal: name a file, or ask for it with `-f arrows`",
                ));
            }
            return Ok(Self { to: To::Stdout(stdout.lock()), name });
        }
        let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let before = std::fs::metadata(&target).ok();
        match &before {
            Some(found) if found.is_dir() => {
                return Err(Failure::of(path.display(), "it is a folder: name a file"));
            },
            Some(found) if !found.is_file() => {
                let file =
                    File::options().write(true).open(&target).map_err(|error| Failure::io(path, &error))?;
                return Ok(Self { to: To::Straight(BufWriter::new(file)), name });
            },
            Some(_) if !force => {
                return Err(Failure::of(path.display(), "it exists already: `--force` replaces it"));
            },
            _ => {},
        }
        let folder =
            target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".floe-").suffix(".tmp");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // The process's mask takes from that what it takes from every new file.
            let mode = before.as_ref().map_or(0o666, |found| found.permissions().mode() & 0o777);
            builder.permissions(std::fs::Permissions::from_mode(mode));
        }
        let made = builder.tempfile_in(folder).map_err(|error| {
            let what = crate::error::plain(&error);
            Failure::of(path.display(), what.split(" at path").next().unwrap_or(&what))
        })?;
        let (file, temporary) = made.into_parts();
        signals::keep(&temporary);
        Ok(Self { to: To::File { file: BufWriter::new(file), temporary, target, replace: force }, name })
    }

    /// Gives a file its name; without it the output is gone.
    pub(crate) fn commit(mut self) -> Result<()> {
        self.flush()?;
        match std::mem::replace(&mut self.to, To::Nothing(io::sink())) {
            To::Nothing(_) | To::Stdout(_) | To::Straight(_) => Ok(()),
            To::File { file, temporary, target, replace } => {
                // On disk before it takes the place of another one.
                file.get_ref().sync_all().map_err(|error| failed(&self.name, &error))?;
                let name = temporary.to_path_buf();
                let done =
                    if replace { temporary.persist(&target) } else { temporary.persist_noclobber(&target) };
                signals::forget(&name);
                done.map_err(|failed| match failed.error.kind() {
                    io::ErrorKind::AlreadyExists => {
                        Failure::of(target.display(), "it exists already: `--force` replaces it")
                    },
                    _ => Failure::io(&target, &failed.error),
                })
            },
        }
    }

    fn writer(&mut self) -> &mut dyn Write {
        match &mut self.to {
            To::Nothing(nothing) => nothing,
            To::Stdout(stdout) => stdout,
            To::Straight(file) | To::File { file, .. } => file,
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let To::File { temporary, .. } = &self.to {
            signals::forget(temporary);
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer().write(bytes).map_err(|error| failed(&self.name, &error))
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer().write_all(bytes).map_err(|error| failed(&self.name, &error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer().flush().map_err(|error| failed(&self.name, &error))
    }
}

/// An error with the name of the output, which the writers in between do not know.
fn failed(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{name}: {WRITING_FAILED}: {}", plain(error)))
}

impl Sink for Output {
    /// From file to file the system copies, without a way through this process.
    fn copy(&mut self, source: &dyn ReadAt, range: Range<u64>) -> io::Result<()> {
        let len = range.end - range.start;
        if let (To::File { file, .. }, Some(mut from)) = (&mut self.to, source.as_file())
            && len >= 64 << 10
        {
            file.flush().map_err(|error| failed(&self.name, &error))?;
            from.seek(SeekFrom::Start(range.start))?;
            let copied = io::copy(&mut from.take(len), file.get_mut());
            let copied = copied.map_err(|error| failed(&self.name, &error))?;
            return if copied == len { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        let mut through = Through(self);
        Sink::copy(&mut through, source, range)
    }
}

/// Copies through memory, as the default does.
struct Through<'a>(&'a mut Output);

impl Write for Through<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Sink for Through<'_> {}

/// The output format, as `-f` or a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// A table for people
    Table,
    /// Comma-separated values
    Csv,
    /// Tab-separated values
    Tsv,
    /// An array of objects
    Json,
    /// An object a line
    Ndjson,
    /// A Markdown table
    Md,
    /// An Arrow IPC file
    Arrow,
    /// An Arrow IPC stream
    Arrows,
    /// Parquet, in builds with the feature `query`
    Parquet,
}

impl Format {
    /// The format that the ending of a name stands for.
    pub(crate) fn of_path(path: &Path) -> Option<Self> {
        let ending = path.extension().and_then(OsStr::to_str)?.to_ascii_lowercase();
        Some(match ending.as_str() {
            "arrow" | "feather" | "ipc" => Self::Arrow,
            "arrows" | "stream" => Self::Arrows,
            "csv" => Self::Csv,
            "tsv" => Self::Tsv,
            "json" => Self::Json,
            "ndjson" | "jsonl" => Self::Ndjson,
            "md" => Self::Md,
            "parquet" | "pq" => Self::Parquet,
            _ => return None,
        })
    }

    #[cfg(feature = "frame")]
    pub(crate) fn is_binary(self) -> bool {
        matches!(self, Self::Arrow | Self::Arrows | Self::Parquet)
    }

    /// The format asked for, or that of the output's name; nothing for standard output.
    pub(crate) fn of(asked: Option<Self>, output: &Path) -> Result<Option<Self>> {
        match asked.or_else(|| Self::of_path(output)) {
            #[cfg(not(feature = "query"))]
            Some(Self::Parquet) => Err(crate::error::built_without("Parquet", "query")),
            None if output != Path::new("-") => {
                Err(Failure::of(output.display(), "the name does not tell a format: say it with `-f`"))
            },
            format => Ok(format),
        }
    }
}
