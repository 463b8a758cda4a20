//! `floe convert`: from one format, codec or size of batches to another.

use std::path::{Path, PathBuf};

use floe_format::{IpcLimits, KeyValues};
use floe_tools::{Compression, Contents, Copier, CopyError, ReadAt, Recompression, Target, check_copy};
use indicatif::{ProgressBar, ProgressStyle};

use crate::error::{Failure, Outcome, Result};
use crate::input::{Input, expand};
use crate::output::{Format, Output};

/// Convert between Arrow IPC files and streams, codecs, and formats of text
///
/// From IPC to IPC nothing is lost, of any type: messages are copied, and with `--compression` buffers are compressed
/// anew without decoding arrays. Conversions that need rows go through Polars' types, and changes of types are
/// reported. With the feature `query`, CSV and NDJSON (also with gzip or zstd) and Parquet are read as well, and Parquet
/// is written; folders called `key=value` become columns.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The inputs, and last the output; `-` is standard input or output
    #[arg(required = true, num_args = 2.., value_name = "IN... OUT")]
    paths: Vec<PathBuf>,
    /// The output format, by default as the name of the output ends; on standard output a stream
    #[arg(short, long, value_enum)]
    format: Option<Format>,
    /// Replace a file that exists
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    options: Options,
}

/// Options for the rows and buffers.
#[derive(Debug, Default, Clone, clap::Args)]
pub(crate) struct Options {
    /// The codec: none, lz4, zstd, or zstd with a level as in zstd:9. By default as in the input
    #[arg(long, value_parser = codec)]
    pub(crate) compression: Option<Recompression>,
    /// Rows per batch; the last one has the rest
    #[cfg(feature = "frame")]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) batch_rows: Option<u32>,
    /// These columns only, in this order
    #[cfg(feature = "frame")]
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub(crate) columns: Option<Vec<String>>,
    /// How types are written: strings by `oldest` for every reader, by `newest` as views; by `interop` only what every
    /// engine can query, so categoricals become strings
    #[cfg(feature = "frame")]
    #[arg(long, value_enum)]
    pub(crate) compat: Option<Compat>,
    /// Write the smallest and largest values of each column with every batch
    #[cfg(feature = "frame")]
    #[arg(long)]
    pub(crate) statistics: bool,
    /// The rows for which this holds: an expression in SQL, as in "delay > 60 AND origin = 'JFK'"
    #[cfg(feature = "query")]
    #[arg(long = "where", value_name = "SQL")]
    pub(crate) filter: Option<String>,
    /// Sort by these columns; `-a` is from large to small. Nulls come last, and equal rows stay in their order
    #[cfg(feature = "query")]
    #[arg(long, value_delimiter = ',', value_name = "A,-B", allow_hyphen_values = true)]
    pub(crate) sort_by: Option<Vec<String>>,
    /// Write a folder OUT with a file for each value of these columns, as in OUT/year=2013/part-0.arrow
    #[cfg(feature = "query")]
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub(crate) partition_by: Option<Vec<String>>,
}

/// Levels of compatibility, as Polars counts them, and what other engines can query.
#[cfg(feature = "frame")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Compat {
    Oldest,
    Newest,
    Interop,
}

fn codec(text: &str) -> std::result::Result<Recompression, String> {
    let zstd = |level: i32| Recompression::To(Compression::Zstd { level });
    match text.split_once(':') {
        None if text == "none" => Ok(Recompression::Raw),
        None if text == "lz4" => Ok(Recompression::To(Compression::Lz4)),
        None if text == "zstd" => Ok(zstd(3)),
        Some(("zstd", level)) => match level.parse() {
            Ok(level @ 1..=22) => Ok(zstd(level)),
            _ => Err("levels of zstd are 1 to 22".into()),
        },
        _ => Err("there are none, lz4, zstd and zstd:LEVEL".into()),
    }
}

impl Options {
    /// The first option that needs rows, and not messages alone.
    pub(crate) fn row_option(&self) -> Option<&'static str> {
        #[cfg(feature = "query")]
        if let Some(option) = self.query_option() {
            return Some(option);
        }
        #[cfg(feature = "frame")]
        {
            let asked = [
                (self.batch_rows.is_some(), "--batch-rows"),
                (self.columns.is_some(), "--columns"),
                (self.compat.is_some(), "--compat"),
                (self.statistics, "--statistics"),
            ];
            asked.into_iter().find_map(|(is_asked, name)| is_asked.then_some(name))
        }
        #[cfg(not(feature = "frame"))]
        {
            let Self { compression: _ } = self;
            None
        }
    }

    /// The first option that needs a query.
    #[cfg(feature = "query")]
    pub(crate) fn query_option(&self) -> Option<&'static str> {
        let Self {
            compression: _,
            batch_rows: _,
            columns: _,
            compat: _,
            statistics: _,
            filter,
            sort_by,
            partition_by,
        } = self;
        let asked = [
            (filter.is_some(), "--where"),
            (sort_by.is_some(), "--sort-by"),
            (partition_by.is_some(), "--partition-by"),
        ];
        asked.into_iter().find_map(|(is_asked, name)| is_asked.then_some(name))
    }
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome> {
        let Self { mut paths, format, force, options } = self;
        // clap has seen to it that there are two.
        let output = paths.pop().unwrap_or_default();
        run(&paths, output, format, force, options)
    }
}

/// Converts, or concatenates.
pub(crate) fn run(
    files: &[PathBuf],
    output: PathBuf,
    format: Option<Format>,
    force: bool,
    options: Options,
) -> Result<Outcome> {
    #[cfg(feature = "query")]
    if let Some(why) = super::convert_query::why(files, &options)? {
        return super::convert_query::run(files, output, format, force, options, &why);
    }
    Job::new(files, output, format, force, options)?.run()
}

/// How far something has come, on a terminal.
pub(crate) fn progress(len: u64) -> ProgressBar {
    // A copy that takes no time needs no bar.
    if len < 64 << 20 {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(len);
    let style = ProgressStyle::with_template(
        "{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left {msg}",
    );
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Why rows are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// The output is no Arrow IPC, or an input is none.
    Format,
    /// Folders are called `key=value`, which are columns.
    #[cfg(feature = "query")]
    Keys,
    /// An option asks for them.
    Option(&'static str),
    /// Messages cannot be copied.
    Impossible(String),
}

/// Inputs that become one output.
pub(crate) struct Job {
    pub(crate) inputs: Vec<(Input, Contents)>,
    pub(crate) output: PathBuf,
    pub(crate) format: Format,
    pub(crate) force: bool,
    pub(crate) options: Options,
}

impl Job {
    pub(crate) fn new(
        files: &[PathBuf],
        output: PathBuf,
        format: Option<Format>,
        force: bool,
        options: Options,
    ) -> Result<Self> {
        let is_stdout = output == Path::new("-");
        let chosen = Format::of(format, &output)?.unwrap_or(Format::Arrows);
        let mut inputs = Vec::new();
        for file in expand(files)? {
            let input = Input::open_rows(&file)?;
            let contents = input.scan_whole()?;
            inputs.push((input, contents));
        }
        // Onto a terminal only what was asked for by name.
        let force = force || (is_stdout && format.is_some());
        Ok(Self { inputs, output, format: chosen, force, options })
    }

    pub(crate) fn run(self) -> Result<Outcome> {
        let target = match self.format {
            Format::Arrow => Target::File,
            Format::Arrows => Target::Stream,
            _ => return self.rows(Why::Format),
        };
        if let Some(option) = self.options.row_option() {
            return self.rows(Why::Option(option));
        }
        let sources: Vec<(&dyn ReadAt, &Contents)> =
            self.inputs.iter().map(|(input, contents)| (&input.source as &dyn ReadAt, contents)).collect();
        match check_copy(&sources, target, self.options.compression, IpcLimits::default()) {
            Ok(()) => self.copy(target),
            Err(CopyError::Impossible(why)) => self.rows(Why::Impossible(why)),
            Err(error) => Err(Failure::copy(&self.output.display().to_string(), &error)),
        }
    }

    fn copy(&self, target: Target) -> Result<Outcome> {
        let out = Output::create(&self.output, self.force, true)?;
        let output = self.output.display().to_string();
        let named = |name: &str, error: CopyError| match &error {
            CopyError::Write(..) => Failure::copy(&output, &error),
            _ => Failure::copy(name, &error),
        };
        let mut copier = Copier::new(out, target, self.options.compression, IpcLimits::default());
        let bar = progress(self.inputs.iter().map(|(input, _)| input.source_len()).sum());
        let mut before = 0;
        for (input, contents) in &self.inputs {
            let copied = copier.copy_all(&input.source, contents, &mut |rows, at| {
                bar.set_position(before + at);
                bar.set_message(format!("{rows} rows"));
            });
            copied.map_err(|error| named(&input.name, error))?;
            before += input.source_len();
        }
        bar.finish_and_clear();
        let (out, _) = copier.finish(&self.footer_metadata()).map_err(|error| named(&output, error))?;
        out.commit()?;
        Ok(Outcome::Good)
    }

    /// The metadata of the footer says what is in the file: of one input it stays true.
    fn footer_metadata(&self) -> KeyValues {
        match self.inputs.as_slice() {
            [(_, contents)] => {
                contents.footer.as_ref().map(|footer| footer.metadata.clone()).unwrap_or_default()
            },
            _ => KeyValues::new(),
        }
    }

    #[cfg(not(feature = "frame"))]
    fn rows(self, why: Why) -> Result<Outcome> {
        let why = match why {
            Why::Format => "other formats are made of rows".to_owned(),
            Why::Option(option) => format!("{option} needs rows"),
            Why::Impossible(why) => format!("messages cannot be copied ({why})"),
        };
        Err(Failure::new(format!(
            "{why}, and this floe was built without the feature `frame`: `cargo install --path crates/cli`"
        )))
    }

    #[cfg(feature = "frame")]
    fn rows(self, why: Why) -> Result<Outcome> {
        super::convert_rows::run(self, &why)
    }
}
