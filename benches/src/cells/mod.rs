//! The cells of the peer comparison, by what is done: writes, reads, and what is special.

pub mod lazy;
pub mod random;
pub mod read;
pub mod select;
pub mod small;
pub mod socket;
pub mod write;
pub mod zero_copy;

use polars_core::prelude::*;

use crate::contenders::pyarrow::Pyarrow;
use crate::contenders::{CODECS, Codec, Format, floe};
use crate::results::{Cell, Goal};
use crate::runner::Bench;

/// Rows of a batch in files that are read: what all writers here make by default.
pub const BATCH_ROWS: usize = 512 * 512;

/// A frame to be written and read by everybody.
pub struct Subject {
    /// The names of the cells.
    pub group: String,
    /// The frame.
    pub df: DataFrame,
    /// Rows of a batch in the files that are read.
    pub batch_rows: usize,
    /// Whether chunks of their own are measured beside contiguous columns.
    pub both_rechunks: bool,
}

impl Subject {
    /// A frame in batches of the usual size.
    #[must_use]
    pub fn new(group: &str, df: DataFrame) -> Self {
        Self { group: group.into(), df, batch_rows: BATCH_ROWS, both_rechunks: false }
    }

    /// With rechunk on and off measured.
    #[must_use]
    pub fn both_rechunks(self) -> Self {
        Self { both_rechunks: true, ..self }
    }

    /// In batches of this many rows.
    #[must_use]
    pub fn in_batches_of(self, batch_rows: usize) -> Self {
        Self { batch_rows, ..self }
    }

    fn cell(&self, name: &str, codec: Codec, goals: Vec<Goal>) -> Cell {
        let bytes = Some(self.df.estimated_size() as u64);
        let (group, codec) = (self.group.clone(), codec.name().into());
        Cell { group, name: name.into(), codec, bytes, goals, ..Cell::default() }
    }

    /// Whether any cell of this frame may be asked for: they all begin with its name.
    #[must_use]
    pub fn is_wanted(group: &str, bench: &Bench) -> bool {
        let only = &bench.args.only;
        let any = |name: &str| {
            CODECS.iter().any(|codec| format!("{group}: {name}, {}", codec.name()).contains(only.as_str()))
        };
        group.contains(only.as_str()) || write::NAMES.iter().chain(&read::NAMES).any(|name| any(name))
    }

    /// Everything about this frame: all codecs, both formats, writing and reading.
    pub fn run(&self, bench: &mut Bench, pyarrow: Option<&Pyarrow>) {
        for format in Format::BOTH {
            let pyarrow = pyarrow.filter(|pyarrow| self.load(bench, pyarrow, format));
            for codec in CODECS {
                write::run(self, bench, pyarrow, format, codec);
                read::run(self, bench, pyarrow, format, codec);
            }
            if let Some(pyarrow) = pyarrow {
                pyarrow.forget("subject");
            }
        }
    }

    /// Gives pyarrow the frame, as floe writes it.
    fn load(&self, bench: &mut Bench, pyarrow: &Pyarrow, format: Format) -> bool {
        let path = bench.path("subject");
        std::fs::write(&path, floe::to_vec(&self.df, format, Codec::Raw, None)).expect("written");
        let loaded = pyarrow.load("subject", format, &path);
        std::fs::remove_file(&path).expect("removed");
        if let Err(why) = &loaded {
            bench.note(format!(
                "pyarrow does not take part in \"{}\" ({}): {why}",
                self.group,
                format.name()
            ));
        }
        loaded.is_ok()
    }
}
