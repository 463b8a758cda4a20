//! `floe info`: what a file is, from its heads alone.

use std::io::Write;
use std::path::PathBuf;

use floe_format::{Endianness, Field, IpcLimits, KeyValues, Schema};
use floe_tools::{Contents, Description, Kind, describe};
use serde_json::{Value, json};

use crate::error::{Failure, Outcome, Result, explained};
use crate::input::{Input, expand};
use crate::term;

/// Describe a file: format, rows, batches, columns, codec, where the bytes go, metadata
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files, folders and patterns; `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Print the value of one key of the schema's or footer's metadata, in full
    #[arg(long, value_name = "KEY")]
    metadata: Option<String>,
    /// As JSON, an object a file
    #[arg(long, conflicts_with = "metadata")]
    json: bool,
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome> {
        let Self { files, metadata, json } = self;
        let mut out = std::io::stdout().lock();
        for file in expand(&files)? {
            let input = Input::open(&file)?;
            if let Some(key) = &metadata {
                writeln!(out, "{}", value_of(&input, key)?)?;
                continue;
            }
            let found = describe(&input.source, &IpcLimits::default(), false);
            let found = found.map_err(|fault| Failure::fault(&input.name, &fault))?;
            if json {
                writeln!(out, "{}", as_json(&input.name, &found))?;
            } else {
                out.write_all(as_text(&input.name, &found).as_bytes())?;
            }
        }
        Ok(Outcome::Good)
    }
}

fn value_of(input: &Input, key: &str) -> Result<String> {
    let contents = input.scan()?;
    let footer = contents.footer.iter().flat_map(|footer| &footer.metadata);
    let mut all = contents.streams.iter().flat_map(|stream| &stream.schema.metadata).chain(footer);
    match all.find(|(known, _)| known == key) {
        Some((_, value)) => Ok(value.to_string()),
        None => Err(Failure::of(
            &input.name,
            format!("it has no metadata of the key {key:?}; `floe info` lists the keys"),
        )),
    }
}

fn schema_of(found: &Description) -> Schema {
    found.contents.streams.first().map(|stream| stream.schema.clone()).unwrap_or_default()
}

/// Types with how many columns are of each, the most frequent first.
fn types(schema: &Schema) -> Vec<(String, usize)> {
    let mut types: Vec<(String, usize)> = Vec::new();
    for field in &schema.fields {
        let name = match &field.dictionary {
            Some(_) => format!("dictionary of {}", field.data_type),
            None => field.data_type.to_string(),
        };
        match types.iter_mut().find(|(known, _)| *known == name) {
            Some((_, n)) => *n += 1,
            None => types.push((name, 1)),
        }
    }
    types.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    types
}

fn codecs(contents: &Contents) -> Vec<String> {
    let mut codecs: Vec<String> = Vec::new();
    for message in contents.dictionaries.iter().chain(&contents.batches) {
        let name = message.codec.map_or("none".to_owned(), |codec| codec.to_string());
        if !codecs.contains(&name) {
            codecs.push(name);
        }
    }
    codecs
}

fn batches(contents: &Contents) -> String {
    let rows: Vec<u64> = contents.batches.iter().map(|batch| batch.rows as u64).collect();
    let Some((last, rest)) = rows.split_last() else { return "0, without a batch".into() };
    let count = term::count(rows.len() as u64);
    let sizes = match rest.first() {
        None => String::new(),
        Some(first) if rest.iter().all(|rows| rows == first) => {
            format!(
                " of {}{}",
                term::count(*first),
                if last == first { String::new() } else { format!(", the last of {}", term::count(*last)) }
            )
        },
        Some(_) => {
            let (least, most) = (rows.iter().min().copied(), rows.iter().max().copied());
            format!(" of {} to {}", term::count(least.unwrap_or(0)), term::count(most.unwrap_or(0)))
        },
    };
    let batches = if rows.len() == 1 { "batch" } else { "batches" };
    format!("{} in {count} {batches}{sizes}", term::count(contents.rows()))
}

/// Who wrote it, where metadata shows that.
fn writer(schema: &Schema, footer: &KeyValues, batch_keys: &[String]) -> Option<&'static str> {
    let has = |key: &str| schema.metadata.iter().chain(footer).any(|(known, _)| known == key);
    let in_batch = |key: &str| batch_keys.iter().any(|known| known == key);
    if in_batch("floe:statistics") || has("floe:statistics") {
        return Some("floe");
    }
    if has("__POLARS_IPC_METADATA") || in_batch("polars:statistics:v1") {
        return Some("Polars or floe");
    }
    if has("pandas") {
        return Some("pandas, through pyarrow");
    }
    if has("r") {
        return Some("R's arrow");
    }
    fn is_polars(field: &Field) -> bool {
        field.metadata.iter().any(|(key, _)| key.starts_with("_PL_")) || field.children.iter().any(is_polars)
    }
    schema.fields.iter().any(is_polars).then_some("Polars or floe")
}

fn hint(contents: &Contents, name: &str) -> Option<String> {
    let n = contents.batches.len() as u64;
    let bytes: u64 = contents.batches.iter().map(|batch| batch.body_len).sum();
    let largest = contents.batches.iter().map(|batch| batch.body_len).max().unwrap_or(0);
    if n >= 100 && contents.rows() / n < 1_000 && bytes / n < 64 << 10 {
        return Some(format!(
            "many small batches: `floe convert {name} OUT --batch-rows 100000` makes larger ones, which are read faster"
        ));
    }
    (largest > 1 << 30).then(|| {
        format!("a batch of {} has to be in memory as a whole: `floe convert {name} OUT --batch-rows 250000` makes smaller ones", term::bytes(largest))
    })
}

fn as_text(name: &str, found: &Description) -> String {
    let contents = &found.contents;
    let schema = schema_of(found);
    let mut text = format!("{}: {}, {}\n", name, contents.kind_name(), term::bytes(contents.len));
    let mut line = |label: &str, value: String| text.push_str(&format!("  {label:<13}{value}\n"));
    if let Some(fault) = &contents.fault {
        line("not whole", explained(name, fault));
        line("whole", format!("{} of {}", term::bytes(contents.end), term::bytes(contents.len)));
    }
    line("rows", batches(contents));
    let types: Vec<String> = types(&schema).iter().map(|(name, n)| format!("{n} {name}")).collect();
    line(
        "columns",
        format!("{}{}{}", schema.fields.len(), if types.is_empty() { "" } else { ": " }, types.join(", ")),
    );
    let all = found.buffers();
    line(
        "codec",
        format!(
            "{}, {} ({} raw)",
            codecs(contents).join(" and "),
            term::ratio(all.raw, all.stored),
            term::bytes(all.raw)
        ),
    );
    let columns: u64 = found.columns.iter().map(|column| column.stored).sum();
    let kinds = [
        ("columns", columns),
        ("dictionaries", found.dictionaries.stored),
        ("padding", found.padding),
        ("heads", found.heads),
        ("footer", found.footer),
        ("other", found.other),
    ];
    let kinds = kinds.iter().filter(|(_, bytes)| *bytes > 0);
    let kinds: Vec<String> = kinds
        .map(|(name, bytes)| {
            format!("{name} {} ({})", term::bytes(*bytes), term::percent(*bytes, contents.len))
        })
        .collect();
    line("bytes", kinds.join(", "));
    line("format", format_line(found, &schema));
    if !contents.dictionaries.is_empty() {
        let deltas =
            contents.dictionaries.iter().filter(|message| message.dictionary.is_some_and(|(_, delta)| delta));
        line(
            "dictionaries",
            format!("{} batches, {} of them deltas", contents.dictionaries.len(), deltas.count()),
        );
    }
    let footer = contents.footer.as_ref().map(|footer| footer.metadata.clone()).unwrap_or_default();
    if found.batch_keys.iter().any(|key| key == "floe:statistics") {
        line("statistics", "smallest and largest values, nulls of every batch (floe)".into());
    }
    for (of, metadata) in [("schema", &schema.metadata), ("footer", &footer)] {
        for (key, value) in metadata {
            let shown = term::cut(&term::printable(value), 60);
            line("metadata", format!("{of}: {} = {shown}", term::printable(key)));
        }
    }
    if let Some(writer) = writer(&schema, &footer, &found.batch_keys) {
        line("written by", writer.into());
    }
    if let Some(hint) = hint(contents, name) {
        line("hint", hint);
    }
    text
}

fn format_line(found: &Description, schema: &Schema) -> String {
    let contents = &found.contents;
    let messages = contents.dictionaries.iter().chain(&contents.batches);
    let schemas = contents.streams.iter().filter_map(|stream| stream.schema_message);
    let version =
        messages.map(|message| message.version).chain(schemas.map(|message| message.version)).next();
    let order = if schema.endianness == Endianness::Little { "little-endian" } else { "big-endian" };
    let end = match contents.kind {
        Kind::File => "footer",
        Kind::Unfinished => "no footer",
        Kind::Streams if contents.streams.last().is_some_and(|last| last.ended) => "end marker",
        Kind::Streams => "no end marker",
    };
    format!(
        "metadata {:?}, {order}, buffers aligned to {} bytes, {end}",
        version.unwrap_or_default(),
        found.alignment
    )
}

fn as_json(name: &str, found: &Description) -> Value {
    let contents = &found.contents;
    let schema = schema_of(found);
    let footer = contents.footer.as_ref().map(|footer| footer.metadata.clone()).unwrap_or_default();
    let pairs = |metadata: &KeyValues| {
        let pairs = metadata.iter().map(|(key, value)| json!({"key": key.as_str(), "value": value.as_str()}));
        pairs.collect::<Vec<_>>()
    };
    let columns = schema.fields.iter().zip(&found.columns).map(|(field, bytes)| {
        json!({"name": field.name.as_str(), "type": field.data_type.to_string(), "dictionary": field.dictionary.is_some(),
            "stored_bytes": bytes.stored, "raw_bytes": bytes.raw, "nulls": bytes.nulls})
    });
    let batches = contents.batches.iter().map(|batch| {
        json!({"offset": batch.offset, "head_bytes": batch.head_len, "body_bytes": batch.body_len, "rows": batch.rows,
            "codec": batch.codec.map(|codec| codec.to_string())})
    });
    let column_bytes: u64 = found.columns.iter().map(|column| column.stored).sum();
    json!({
        "path": name,
        "format": match contents.kind { Kind::File => "file", Kind::Unfinished => "unfinished file", Kind::Streams => "stream" },
        "streams": contents.streams.len(),
        "bytes": contents.len,
        "whole": contents.is_whole(),
        "fault": contents.fault.as_ref().map(|fault| explained(name, fault)),
        "whole_bytes": contents.end,
        "ended": contents.streams.last().is_some_and(|last| last.ended),
        "rows": contents.rows(),
        "endianness": if schema.endianness == Endianness::Little { "little" } else { "big" },
        "alignment": found.alignment,
        "codecs": codecs(contents),
        "raw_bytes": found.buffers().raw,
        "bytes_by_kind": {"columns": column_bytes, "dictionaries": found.dictionaries.stored, "padding": found.padding,
            "heads": found.heads, "footer": found.footer, "other": found.other},
        "dictionary_batches": contents.dictionaries.len(),
        "statistics": found.batch_keys.iter().any(|key| key == "floe:statistics"),
        "written_by": writer(&schema, &footer, &found.batch_keys),
        "metadata": {"schema": pairs(&schema.metadata), "footer": pairs(&footer)},
        "columns": columns.collect::<Vec<_>>(),
        "batches": batches.collect::<Vec<_>>(),
    })
}
