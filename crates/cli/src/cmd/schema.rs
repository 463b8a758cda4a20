//! `floe schema`: the columns and their types.

use std::io::Write;
use std::path::PathBuf;

use floe_format::{Field, IntType, Schema};

use super::schema_json;
use crate::error::{Outcome, Result};
use crate::input::{Input, expand};
use crate::term;

/// The columns: Arrow's type, nullable, dictionary, metadata, and what Polars makes of it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files, folders and patterns; `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// As the JSON of Arrow's integration tests, an object a file
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome> {
        let Self { files, json } = self;
        let files = expand(&files)?;
        let mut out = std::io::stdout().lock();
        for file in &files {
            let input = Input::open(file)?;
            let contents = input.scan()?;
            for stream in &contents.streams {
                if json {
                    writeln!(out, "{}", schema_json::schema(&stream.schema))?;
                    continue;
                }
                if files.len() > 1 || contents.streams.len() > 1 {
                    writeln!(out, "{}:", input.name)?;
                }
                let polars = polars(&input, &stream.schema);
                out.write_all(as_text(&stream.schema, &polars).as_bytes())?;
            }
        }
        Ok(Outcome::Good)
    }
}

/// The Polars type of each column, and whether that is another type.
#[cfg(feature = "frame")]
fn polars(input: &Input, schema: &Schema) -> Vec<Option<(String, bool)>> {
    crate::rows::dtypes(input, schema)
}

#[cfg(not(feature = "frame"))]
fn polars(_: &Input, schema: &Schema) -> Vec<Option<(String, bool)>> {
    vec![None; schema.fields.len()]
}

fn as_text(schema: &Schema, polars: &[Option<(String, bool)>]) -> String {
    let with_polars = polars.iter().any(Option::is_some);
    let mut head = vec!["column".to_owned(), "Arrow".into(), "nullable".into()];
    if with_polars {
        head.push("Polars".into());
    }
    head.push(String::new());
    let mut lines = vec![head];
    for (i, field) in schema.fields.iter().enumerate() {
        let dtype = match polars.get(i) {
            Some(Some((dtype, true))) => format!("{dtype} *"),
            Some(Some((dtype, false))) => dtype.clone(),
            _ => String::new(),
        };
        add(field, 0, with_polars.then_some(dtype), &mut lines);
    }
    let mut text = term::aligned(&lines, &[]);
    if polars.iter().flatten().any(|(_, differs)| *differs) {
        text.push_str("* not the type that was written, but the nearest one that Polars has\n");
    }
    for (key, value) in &schema.metadata {
        let (key, value) = (term::printable(key), term::printable(value));
        text.push_str(&format!("metadata {key} = {}\n", term::cut(&value, 80)));
    }
    text
}

fn add(field: &Field, depth: usize, polars: Option<String>, lines: &mut Vec<Vec<String>>) {
    let Field { name, nullable, data_type, children, dictionary, metadata } = field;
    let arrow = match dictionary {
        None => data_type.to_string(),
        Some(dictionary) => {
            let IntType { bits, signed } = dictionary.index;
            let ordered = if dictionary.ordered { ", ordered" } else { "" };
            let sign = if signed { "int" } else { "uint" };
            format!("dictionary {} of {data_type} by {sign}{bits}{ordered}", dictionary.id)
        },
    };
    let metadata: Vec<String> = metadata
        .iter()
        .map(|(key, value)| format!("{}={}", term::printable(key), term::cut(&term::printable(value), 40)))
        .collect();
    let mut line = vec![format!("{}{}", "  ".repeat(depth), term::printable(name)), arrow];
    line.push(if *nullable { "yes" } else { "no" }.into());
    let below = polars.as_ref().map(|_| String::new());
    line.extend(polars);
    line.push(metadata.join(" "));
    lines.push(line);
    for child in children {
        add(child, depth + 1, below.clone(), lines);
    }
}
