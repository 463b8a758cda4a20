//! `floe recover`: the whole batches of a broken or unfinished file.

use std::path::PathBuf;

use floe_format::{Field, IpcLimits};
use floe_tools::{Contents, Copier, CopyError, Target};

use crate::error::{Failure, Outcome, Result, explained};
use crate::input::Input;
use crate::output::{Format, Output};
use crate::term;

/// Save the complete batches of a broken or unfinished file or stream
///
/// They are copied byte for byte, and get a new footer.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The broken file; `-` is standard input
    input: PathBuf,
    /// The file to be written; `-` is standard output
    output: PathBuf,
    /// The output format, `arrow` (a file) or `arrows` (a stream); by default as the name ends, else a file
    #[arg(short, long, value_enum)]
    format: Option<Format>,
    /// Replace a file that exists
    #[arg(long)]
    force: bool,
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome> {
        let Self { input, output, format, force } = self;
        let input = Input::open(&input)?;
        let contents = input.scan()?;
        let target = match format.or_else(|| Format::of_path(&output)).unwrap_or(Format::Arrow) {
            Format::Arrow => Target::File,
            Format::Arrows => Target::Stream,
            _ => {
                return Err(Failure::new(
                    "`recover` writes `arrow` or `arrows`; `floe convert` makes others of them",
                ));
            },
        };
        let out = Output::create(&output, force || format.is_some() && output.as_os_str() == "-", true)?;
        let mut copier = Copier::new(out, target, None, IpcLimits::default());
        let progress = crate::cmd::convert::progress(input.source_len());
        let copied = copier.copy_all(&input.source, &contents, &mut |_, at| progress.set_position(at));
        progress.finish_and_clear();
        copied.map_err(|error| failure(&input.name, &error))?;
        let (out, copied) = copier.finish(&Vec::new()).map_err(|error| failure(&input.name, &error))?;
        out.commit()?;
        let saved = contents
            .dictionaries
            .iter()
            .chain(&contents.batches)
            .map(|message| message.head_len + message.body_len);
        let left = match &contents.footer {
            None => contents.len.saturating_sub(contents.end),
            Some(footer) => {
                let listed = footer.dictionaries.iter().chain(&footer.batches);
                let listed = listed.map(|block| u64::from(block.metadata_len).saturating_add(block.body_len));
                listed.fold(0, u64::saturating_add).saturating_sub(saved.fold(0, u64::saturating_add))
            },
        };
        term::tell(&format!(
            "{}: {} rows in {} batches saved, {} left behind",
            input.name,
            term::count(copied.rows),
            term::count(copied.batches as u64),
            term::bytes(if contents.is_whole() { 0 } else { left })
        ));
        if let Some(fault) = &contents.fault {
            let text = explained(&input.name, fault);
            term::tell(&format!("{}: {}", input.name, text.split("; `floe recover").next().unwrap_or(&text)));
        }
        for column in without_dictionary(&contents) {
            term::tell(&format!(
                "{}: column {column:?}: its dictionary had not been written, its values are lost",
                input.name
            ));
        }
        Ok(Outcome::Good)
    }
}

fn failure(name: &str, error: &CopyError) -> Failure {
    match error {
        CopyError::Impossible(why) => {
            Failure::of(name, format!("{why}: save it as a stream, with `-f arrows`"))
        },
        other => Failure::copy(name, other),
    }
}

/// The columns whose dictionaries are not among what is whole.
fn without_dictionary(contents: &Contents) -> Vec<String> {
    fn lacks(field: &Field, known: &dyn Fn(i64) -> bool) -> bool {
        field.dictionary.as_ref().is_some_and(|dictionary| !known(dictionary.id))
            || field.children.iter().any(|child| lacks(child, known))
    }
    if contents.batches.is_empty() {
        return Vec::new();
    }
    let known =
        |id| contents.dictionaries.iter().any(|found| found.dictionary.is_some_and(|(known, _)| known == id));
    let fields = contents.streams.iter().flat_map(|stream| &stream.schema.fields);
    fields.filter(|field| lacks(field, &known)).map(|field| field.name.to_string()).collect()
}
