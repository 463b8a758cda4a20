//! A path of which it is not known which of the two formats it is.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use floe_format::constants::FILE_MAGIC;
use polars_core::prelude::*;
use polars_io::SerReader;

use super::{IpcReader, IpcStreamReader};
use crate::error::io_error;

/// Reads an Arrow IPC file or an Arrow IPC stream, whichever the path is, into a DataFrame.
///
/// A pipe is read as a stream, and may hold a file as well (see [`IpcStreamReader`]). To choose columns, rows or limits,
/// or to read batch by batch, use the reader of the format: [`sniff`](fn@crate::sniff) says which one it is.
/// [`IpcIndex::open`](crate::IpcIndex::open) opens both formats for reading at random.
///
/// ```
/// use floe_frame::{IpcStreamWriter, IpcWriter, read_ipc};
/// use polars_core::prelude::*;
/// use polars_io::SerWriter;
/// use std::fs::File;
///
/// let path = std::env::temp_dir().join(format!("floe-read-ipc-{}", std::process::id()));
/// let mut df = DataFrame::new(3, vec![Column::new("days".into(), [0, 1, 2])])?;
/// IpcWriter::new(File::create(&path)?).finish(&mut df)?;
/// assert_eq!(read_ipc(&path)?, df);
/// IpcStreamWriter::new(File::create(&path)?).finish(&mut df)?;
/// assert_eq!(read_ipc(&path)?, df);
/// # std::fs::remove_file(&path)?;
/// # PolarsResult::Ok(())
/// ```
///
/// # Errors
/// When the path cannot be read, is neither format (the error names the one that it is), or is not valid. Also when
/// several streams follow one another in it, which
/// [`IpcStreamReader::next_stream`] reads. The error names the path.
pub fn read_ipc(path: impl AsRef<Path>) -> PolarsResult<DataFrame> {
    let path = path.as_ref();
    read(path).map_err(|e| e.wrap_msg(|msg| format!("{}: {msg}", path.display())))
}

fn read(path: &Path) -> PolarsResult<DataFrame> {
    let failed = |e| io_error(e, "opening an Arrow IPC source");
    let mut file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_file() {
        let mut start = Vec::new();
        (&file).take(FILE_MAGIC.len() as u64).read_to_end(&mut start).map_err(failed)?;
        file.rewind().map_err(failed)?;
        if start == FILE_MAGIC {
            return IpcReader::new(file).finish();
        }
    }
    IpcStreamReader::new(file).finish()
}
