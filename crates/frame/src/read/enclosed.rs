//! A stream inside of a file, which is read from front to back: its footer is compared with the messages read.
//!
//! A reader that only reads cannot see the footer before the batches. So the messages between the magics are read like
//! those of any stream. The footer says afterwards whether they were the file's: a file may list its batches in another
//! order, or leave some out.

use floe_format::constants::FILE_SUFFIX_LEN;
use floe_format::{Block, IpcLimits, decode_footer, footer_len};
use polars_core::prelude::*;

use super::begin::rest;
use super::message_source::MessageSource;
use crate::error::{format_error, is_io};

/// The places of messages, from the magic on.
#[derive(Debug)]
pub(super) struct Enclosed {
    /// Where the magic is.
    start: u64,
    pub(super) batches: Vec<u64>,
    pub(super) dictionaries: Vec<u64>,
    /// Whether the footer has been found to list them.
    pub(super) is_checked: bool,
}

/// Said of whatever else is wrong, since the footer is the way in.
const HINT: &str = "this is an Arrow IPC file, read from front to back as a stream: if its schema does not come first, or \
    dictionaries lie behind the batches that need them, only `IpcReader` reads it";

impl Enclosed {
    pub(super) fn new(start: u64) -> Self {
        Self { start, batches: Vec::new(), dictionaries: Vec::new(), is_checked: false }
    }

    /// A position in the source as the footer counts.
    pub(super) fn place(&self, position: u64) -> u64 {
        position.saturating_sub(self.start)
    }

    /// An error of a stream that lies in a file.
    pub(super) fn hint(error: PolarsError) -> PolarsError {
        if is_io(&error) {
            return error;
        }
        error.wrap_msg(|msg| if msg.ends_with(HINT) { msg.to_owned() } else { format!("{msg}; {HINT}") })
    }

    /// Reads the rest of the source behind the end marker, which has to be the footer of the messages read.
    pub(super) fn check(&self, source: &mut dyn MessageSource, limits: &IpcLimits) -> PolarsResult<()> {
        let most = limits.max_metadata_bytes.saturating_add(2 * FILE_SUFFIX_LEN);
        let rest = rest(source, most).map_err(|e| e.wrap_msg(|msg| format!("the footer: {msg}")))?;
        let Some((front, suffix)) = rest.split_last_chunk::<FILE_SUFFIX_LEN>() else {
            polars_bail!(ComputeError: "the Arrow IPC file is cut off: it has no footer; IpcReader::recover reads its complete batches");
        };
        let footer = footer_len(suffix, limits).and_then(|len| {
            let start = front.len().checked_sub(len);
            let footer = start.and_then(|start| front.get(start..));
            // A footer that is longer than the rest is no footer: no bytes are an error as well.
            decode_footer(footer.unwrap_or_default(), limits)
        });
        let footer = footer.map_err(|e| {
            let error = format_error(e);
            error.wrap_msg(|msg| {
                format!("what follows the end marker of the Arrow IPC file is not its footer: {msg}")
            })
        })?;
        let offsets = |blocks: &[Block]| blocks.iter().map(|block| block.offset).collect::<Vec<u64>>();
        let mut dictionaries = offsets(&footer.dictionaries);
        dictionaries.sort_unstable();
        polars_ensure!(
            offsets(&footer.batches) == self.batches && dictionaries == self.dictionaries,
            ComputeError: "the footer of this Arrow IPC file lists {} record batches and {} dictionaries, which are not the {} and {} \
            that were read from front to back, or not in this order; `IpcReader` reads those of the footer",
            footer.batches.len(), dictionaries.len(), self.batches.len(), self.dictionaries.len()
        );
        Ok(())
    }
}
