//! `floe follow`: rows of a stream that grows, as batches arrive.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use floe::prelude::*;
use floe_format::constants::{FILE_MAGIC, FILE_PREFIX};

use crate::error::{Failure, Outcome, Result};
use crate::output::Format;
use crate::rows::TextWriter;
use crate::term;

/// Show the rows of a growing stream, or file without a footer yet, as batches arrive
///
/// Ends at the end marker. A file that is replaced is begun anew.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file; `-` is standard input
    file: PathBuf,
    /// Print how many rows there are so far, instead of the rows
    #[arg(long)]
    count: bool,
    /// These columns only, in this order
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    columns: Option<Vec<String>>,
    /// How rows are shown: csv (the default), tsv or ndjson
    #[arg(short, long, value_enum, default_value_t = Format::Csv)]
    format: Format,
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome> {
        let Self { file, count, columns, format } = self;
        if !matches!(format, Format::Csv | Format::Tsv | Format::Ndjson) {
            return Err(Failure::new("`follow` shows rows as csv, tsv or ndjson, which have no end"));
        }
        if file == Path::new("-") {
            follow(std::io::stdin(), count, columns, format)?;
            return Ok(Outcome::Good);
        }
        loop {
            let growing = Growing::open(&file)?;
            match follow(growing, count, columns.clone(), format) {
                Err(Failure::Message(text)) if text.contains(REPLACED) => {
                    term::tell(&format!("{}: it was replaced: beginning anew", file.display()));
                },
                Err(Failure::Message(text)) => return Err(Failure::of(file.display(), text)),
                done => return done.map(|()| Outcome::Good),
            }
        }
    }
}

fn follow<R: Read + 'static>(
    source: R,
    count: bool,
    columns: Option<Vec<String>>,
    format: Format,
) -> Result<()> {
    let reader = IpcStreamReader::new(source).with_columns(columns).with_parallel(false);
    let mut out = std::io::stdout().lock();
    let mut text = TextWriter::new(std::io::stdout(), format, None);
    let mut rows = 0u64;
    for frame in reader.batches()? {
        let frame = frame?;
        rows += frame.height() as u64;
        if count {
            writeln!(out, "{}", term::count(rows))?;
            out.flush()?;
        } else {
            text.write(&frame)?;
        }
    }
    Ok(())
}

/// The text of a replaced file's error, which comes back through the reader as text.
const REPLACED: &str = "the file was replaced while it was followed";
/// The time between two looks at a file.
const PAUSE: Duration = Duration::from_millis(100);

/// A file that waits for more at its end.
struct Growing {
    file: File,
    path: PathBuf,
    position: u64,
}

impl Growing {
    /// Opens a file, and passes over the magic, for which it waits if need be.
    fn open(path: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| Failure::io(path, &error);
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(Failure::of(
                path.display(),
                "it is a folder, and `follow` takes a file: name one in it",
            ));
        }
        let mut growing = Self { file, path: path.to_path_buf(), position: 0 };
        let mut start = [0; FILE_MAGIC.len()];
        growing.read_exact(&mut start).map_err(failed)?;
        let skip = if start == FILE_MAGIC { FILE_PREFIX.len() as u64 } else { 0 };
        growing.file.seek(SeekFrom::Start(skip)).map_err(failed)?;
        growing.position = skip;
        Ok(growing)
    }

    /// Whether another file has the name now, or this one has become shorter.
    fn is_replaced(&self) -> std::io::Result<bool> {
        let here = self.file.metadata()?;
        let Ok(named) = std::fs::metadata(&self.path) else { return Ok(false) };
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            if (here.dev(), here.ino()) != (named.dev(), named.ino()) {
                return Ok(true);
            }
        }
        Ok(named.len() < self.position || here.len() < self.position)
    }
}

impl Read for Growing {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let n = self.file.read(out)?;
            if n > 0 || out.is_empty() {
                self.position += n as u64;
                return Ok(n);
            }
            if self.is_replaced()? {
                return Err(std::io::Error::other(REPLACED));
            }
            std::thread::sleep(PAUSE);
        }
    }
}
