//! `floe layout`: where the bytes are.

use std::io::Write;
use std::path::PathBuf;

use floe_format::IpcLimits;
use floe_tools::{Description, MessageBytes, MessageId, describe};

use crate::error::{Failure, Outcome, Result};
use crate::input::Input;
use crate::output::Output;
use crate::term;

/// Where the bytes are: columns by batches by buffers, stored and raw
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file; `-` is standard input
    file: PathBuf,
    /// All columns and batches, however many there are
    #[arg(long)]
    all: bool,
    /// One batch only
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// Each buffer, of the batch that `--batch` names or of all
    #[arg(long)]
    buffers: bool,
    /// A picture to scale, with exact sizes on hover: a name that ends with `.svg` or `.html`
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(long)]
    force: bool,
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome> {
        let Self { file, all, batch, buffers, output, force } = self;
        let input = Input::open(&file)?;
        let found = describe(&input.source, &IpcLimits::default(), buffers || output.is_some());
        let found = found.map_err(|fault| Failure::fault(&input.name, &fault))?;
        if let Some(number) = batch
            && number >= found.contents.batches.len()
        {
            let n = found.contents.batches.len();
            return Err(Failure::of(
                &input.name,
                format!("there is no batch {number}: it has {n}, counted from 0"),
            ));
        }
        if let Some(path) = output {
            let page = match path.extension().and_then(std::ffi::OsStr::to_str) {
                Some("svg") => floe_tools::layout_svg(&input.name, &found),
                Some("html" | "htm") => floe_tools::layout_html(&input.name, &found),
                _ => {
                    return Err(Failure::of(path.display(), "the name of a picture ends with .svg or .html"));
                },
            };
            let mut out = Output::create(&path, force, false)?;
            out.write_all(page.as_bytes())?;
            out.commit()?;
            return Ok(Outcome::Good);
        }
        let text = if buffers { by_buffer(&found, batch) } else { by_column(&found, batch, all) };
        std::io::stdout().lock().write_all(text.as_bytes())?;
        Ok(Outcome::Good)
    }
}

fn bar(part: u64, most: u64, cells: usize) -> String {
    let eighths = (u128::from(part) * cells as u128 * 8).div_ceil(u128::from(most.max(1)));
    let eighths = usize::try_from(eighths).unwrap_or(0).min(cells * 8);
    let ends = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    format!("{}{}", "█".repeat(eighths / 8), ends.get(eighths % 8).unwrap_or(&""))
}

/// Lines that are shown without `--all`.
const SHOWN: usize = 40;

fn by_column(found: &Description, batch: Option<usize>, all: bool) -> String {
    let of_batch = batch.and_then(|number| batches(found).nth(number));
    let columns = of_batch.map_or(found.columns.as_slice(), |batch| batch.columns.as_slice());
    let mut parts: Vec<(String, u64, u64)> = found
        .column_names()
        .into_iter()
        .zip(columns)
        .map(|(name, bytes)| (name, bytes.stored, bytes.raw))
        .collect();
    let hidden = if all { 0 } else { parts.len().saturating_sub(SHOWN) };
    if hidden > 0 {
        parts.sort_by_key(|(_, stored, _)| std::cmp::Reverse(*stored));
        let rest = parts.split_off(SHOWN);
        let sum = |pick: fn(&(String, u64, u64)) -> u64| rest.iter().map(pick).sum();
        parts.push((format!("({hidden} smaller columns)"), sum(|part| part.1), sum(|part| part.2)));
    }
    let others: Vec<(&str, u64, u64)> = match of_batch {
        Some(batch) => vec![
            ("(padding)", batch.padding, batch.padding),
            ("(head)", batch.info.head_len, batch.info.head_len),
        ],
        None => vec![
            ("(dictionaries)", found.dictionaries.stored, found.dictionaries.raw),
            ("(padding)", found.padding, found.padding),
            ("(heads)", found.heads, found.heads),
            ("(footer)", found.footer, found.footer),
            ("(other)", found.other, found.other),
        ],
    };
    let others = others.into_iter().filter(|(_, stored, _)| *stored > 0);
    parts.extend(others.map(|(name, stored, raw)| (name.to_owned(), stored, raw)));
    let mut text = table(&parts);
    if batch.is_none() {
        text.push_str(&by_batch(found, all));
    }
    text
}

fn table(parts: &[(String, u64, u64)]) -> String {
    let whole: u64 = parts.iter().map(|(_, stored, _)| stored).sum();
    let most = parts.iter().map(|(_, stored, _)| *stored).max().unwrap_or(0);
    let cells = term::width().saturating_sub(70).clamp(10, 40);
    let mut lines = vec![["column", "stored", "share", "raw", "ratio", ""].map(str::to_owned).to_vec()];
    for (name, stored, raw) in parts {
        lines.push(vec![
            term::cut(name, 30),
            term::bytes(*stored),
            term::percent(*stored, whole),
            term::bytes(*raw),
            term::ratio(*raw, *stored),
            bar(*stored, most, cells),
        ]);
    }
    lines.push(vec!["all".into(), term::bytes(whole), "100.0%".into()]);
    term::aligned(&lines, &[1, 2, 3, 4])
}

fn batches(found: &Description) -> impl Iterator<Item = &MessageBytes> {
    found.messages.iter().filter(|message| message.info.dictionary.is_none())
}

fn by_batch(found: &Description, all: bool) -> String {
    let most = batches(found).map(|batch| batch.info.body_len).max().unwrap_or(0);
    let shown = if all { usize::MAX } else { SHOWN };
    let mut lines =
        vec![["batch", "at byte", "rows", "head", "body", "codec", ""].map(str::to_owned).to_vec()];
    for message in found.messages.iter().take(shown) {
        let info = &message.info;
        let name = match (info.id, info.dictionary) {
            (MessageId::Batch(number), _) => number.to_string(),
            (_, Some((id, true))) => format!("dictionary {id}, delta"),
            (_, Some((id, false))) => format!("dictionary {id}"),
            _ => String::new(),
        };
        lines.push(vec![
            name,
            info.offset.to_string(),
            term::count(info.rows as u64),
            term::bytes(info.head_len),
            term::bytes(info.body_len),
            info.codec.map_or("none".into(), |codec| codec.to_string()),
            bar(info.body_len, most, 20),
        ]);
    }
    let hidden = found.messages.len().saturating_sub(shown);
    let rest = if hidden > 0 {
        format!("and {} more: `--all` shows them\n", term::count(hidden as u64))
    } else {
        String::new()
    };
    format!("\n{}{rest}", term::aligned(&lines, &[1, 2, 3, 4]))
}

fn by_buffer(found: &Description, batch: Option<usize>) -> String {
    let mut lines = vec![
        ["batch", "buffer", "column", "holds", "at byte", "stored", "raw", "ratio"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for message in &found.messages {
        let (wanted, name) = match message.info.id {
            MessageId::Batch(number) => (batch.is_none_or(|batch| batch == number), number.to_string()),
            _ => {
                let id = message.info.dictionary.map_or(0, |(id, _)| id);
                (batch.is_none(), format!("dictionary {id}"))
            },
        };
        for (number, buffer) in message.buffers.iter().enumerate().filter(|_| wanted) {
            lines.push(vec![
                name.clone(),
                number.to_string(),
                term::printable(&buffer.path),
                buffer.kind.name().into(),
                message.info.body().saturating_add(buffer.spec.offset).to_string(),
                buffer.spec.len.to_string(),
                buffer.raw.to_string(),
                term::ratio(buffer.raw, buffer.spec.len),
            ]);
        }
    }
    term::aligned(&lines, &[1, 4, 5, 6, 7])
}
