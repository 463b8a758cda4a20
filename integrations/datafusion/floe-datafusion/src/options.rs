//! The options of the format.

use std::collections::HashMap;

use datafusion::common::{DataFusionError, Result};
use floe::{IpcIndexOptions, IpcLimits};

/// How files and streams are read.
///
/// ```
/// use floe_datafusion::FloeOptions;
///
/// let options = FloeOptions { statistics: false, ..FloeOptions::default() };
/// assert_ne!(options, FloeOptions::default());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FloeOptions {
    /// Whether the statistics in a file's footer are taken by their word: they answer `min` and `max`, and leave batches out.
    /// Defaults to true, as DataFusion does with Parquet's. Turn it off for files of writers that you do not trust.
    pub statistics: bool,
    /// Bytes at the end of a file that are read at once, to find its footer in them. Defaults to 256 KiB.
    pub tail_bytes: u64,
    /// Ranges with at most this many bytes between them are read by one request. Defaults to 64 KiB.
    pub gap_bytes: u64,
    /// The end of the names of files in a folder; others are passed over. Defaults to `.arrow`. A URL of one file, or with
    /// a `*`, says itself what is meant.
    pub extension: String,
    /// Caps on what a file or stream may claim.
    pub limits: IpcLimits,
}

impl Default for FloeOptions {
    fn default() -> Self {
        let index = IpcIndexOptions::default();
        Self {
            statistics: true,
            tail_bytes: index.tail_bytes(),
            gap_bytes: index.gap_bytes(),
            extension: ".arrow".to_owned(),
            limits: IpcLimits::default(),
        }
    }
}

impl FloeOptions {
    pub(crate) fn index_options(&self) -> IpcIndexOptions {
        let Self { statistics, tail_bytes, gap_bytes, extension: _, limits } = self;
        IpcIndexOptions::default()
            .with_trusted_statistics(*statistics)
            // A footer's end has to be in there.
            .with_tail_bytes((*tail_bytes).max(16))
            .with_gap_bytes(*gap_bytes)
            .with_limits(*limits)
    }

    /// The options of SQL's `OPTIONS (..)`, by name: `statistics`, `tail_bytes`, `gap_bytes`, `extension`.
    pub(crate) fn of_sql(options: &HashMap<String, String>) -> Result<Self> {
        let mut out = Self::default();
        for (key, value) in options {
            let name = key.strip_prefix("format.").unwrap_or(key);
            match name {
                "statistics" => out.statistics = parsed(name, value)?,
                "tail_bytes" => out.tail_bytes = parsed(name, value)?,
                "gap_bytes" => out.gap_bytes = parsed(name, value)?,
                "extension" => out.extension = value.clone(),
                _ => {
                    let text = format!(
                        "no option `{name}`: there are statistics, tail_bytes, gap_bytes and extension"
                    );
                    return Err(DataFusionError::Configuration(text));
                },
            }
        }
        Ok(out)
    }
}

fn parsed<T: std::str::FromStr>(name: &str, value: &str) -> Result<T> {
    value.parse().map_err(|_| DataFusionError::Configuration(format!("option `{name}` cannot be `{value}`")))
}
