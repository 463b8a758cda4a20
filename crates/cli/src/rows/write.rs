//! Frames as text.

use std::io::Write;

use polars_core::prelude::*;

use super::value::{json, plain, quoted};
use crate::error::Result;
use crate::output::Format;
use crate::term;

/// Writes frames of one schema, one after another, in a format of text.
pub(crate) struct TextWriter<W: Write> {
    out: W,
    format: Format,
    begun: bool,
    rows: usize,
    text: String,
    /// Tables are as wide as their widest value: they are written at the end.
    held: Option<DataFrame>,
    width: Option<usize>,
}

impl<W: Write> TextWriter<W> {
    /// `width`: of a table; long cells are cut to it.
    pub(crate) fn new(out: W, format: Format, width: Option<usize>) -> Self {
        Self { out, format, begun: false, rows: 0, text: String::new(), held: None, width }
    }

    pub(crate) fn write(&mut self, frame: &DataFrame) -> Result<()> {
        if matches!(self.format, Format::Table | Format::Md) {
            match &mut self.held {
                None => self.held = Some(frame.clone()),
                Some(held) => drop(held.vstack_mut(frame)?),
            }
            return Ok(());
        }
        if !self.begun {
            self.begun = true;
            self.head(frame);
        }
        for row in 0..frame.height() {
            self.row(frame, row)?;
            if self.text.len() > 1 << 16 {
                self.out.write_all(self.text.as_bytes())?;
                self.text.clear();
            }
        }
        // The next rows may take a while to come.
        self.out.write_all(self.text.as_bytes())?;
        self.text.clear();
        Ok(())
    }

    fn head(&mut self, frame: &DataFrame) {
        match self.format {
            Format::Csv | Format::Tsv => {
                for (i, name) in frame.get_column_names().into_iter().enumerate() {
                    self.separated(i, name);
                }
                self.text.push('\n');
            },
            Format::Json => self.text.push('['),
            _ => {},
        }
    }

    fn separated(&mut self, i: usize, cell: &str) {
        let separator = if self.format == Format::Tsv { '\t' } else { ',' };
        if i > 0 {
            self.text.push(separator);
        }
        if cell.contains([separator, '"', '\n', '\r']) {
            self.text.extend(["\"", &cell.replace('"', "\"\""), "\""]);
        } else {
            self.text.push_str(cell);
        }
    }

    fn row(&mut self, frame: &DataFrame, row: usize) -> Result<()> {
        match self.format {
            Format::Csv | Format::Tsv => {
                let mut cell = String::new();
                for (i, column) in frame.columns().iter().enumerate() {
                    cell.clear();
                    let value = column.get(row)?;
                    plain(&value, &mut cell);
                    if cell.is_empty() && !value.is_null() {
                        // An empty text is no null.
                        self.text.push_str(if i == 0 {
                            "\"\""
                        } else if self.format == Format::Tsv {
                            "\t\"\""
                        } else {
                            ",\"\""
                        });
                    } else {
                        self.separated(i, &cell);
                    }
                }
            },
            _ => {
                self.text.push_str(if self.format == Format::Json && self.rows > 0 { ",\n{" } else { "{" });
                for (i, column) in frame.columns().iter().enumerate() {
                    self.text.push_str(if i == 0 { "" } else { "," });
                    quoted(column.name(), &mut self.text);
                    self.text.push(':');
                    json(&column.get(row)?, &mut self.text);
                }
                self.text.push('}');
            },
        }
        self.text.push_str(if self.format == Format::Json { "" } else { "\n" });
        self.rows += 1;
        Ok(())
    }

    /// Writes what is left.
    pub(crate) fn finish(mut self) -> Result<W> {
        match self.format {
            Format::Table => {
                let frame = self.held.take().unwrap_or_default();
                write_table(&frame, &mut self.out, self.width)?;
            },
            Format::Md => {
                let frame = self.held.take().unwrap_or_default();
                self.out.write_all(markdown(&frame)?.as_bytes())?;
            },
            Format::Json => self.out.write_all(if self.begun { b"]\n" } else { b"[]\n" })?,
            _ => {},
        }
        self.out.flush()?;
        Ok(self.out)
    }
}

fn is_number(dtype: &DataType) -> bool {
    dtype.is_primitive_numeric() || matches!(dtype, DataType::Decimal(..))
}

/// The cells of a frame, as text of one line each; null is `null` where text could be empty.
fn cells(frame: &DataFrame, most: usize) -> Result<Vec<Vec<String>>> {
    let mut lines = Vec::with_capacity(frame.height());
    for row in 0..frame.height() {
        let mut line = Vec::with_capacity(frame.width());
        for column in frame.columns() {
            let value = column.get(row)?;
            let mut cell = String::new();
            if value.is_null() {
                cell.push_str("null")
            } else {
                plain(&value, &mut cell)
            }
            line.push(term::cut(&term::printable(&cell), most));
        }
        lines.push(line);
    }
    Ok(lines)
}

/// Cells wider than this are cut.
const WIDEST: usize = 32;

/// A table with the types under the names. Columns that do not fit the width are left out, and told.
pub(crate) fn write_table(frame: &DataFrame, out: &mut impl Write, width: Option<usize>) -> Result<()> {
    let mut lines = vec![Vec::new(), Vec::new()];
    for column in frame.columns() {
        lines[0].push(term::cut(&term::printable(column.name()), WIDEST));
        lines[1].push(term::cut(&column.dtype().to_string(), WIDEST));
    }
    lines.extend(cells(frame, if width.is_some() { WIDEST } else { usize::MAX })?);
    let widths: Vec<usize> = (0..frame.width())
        .map(|i| {
            lines.iter().filter_map(|line| line.get(i)).map(|cell| term::text_width(cell)).max().unwrap_or(0)
        })
        .collect();
    let mut used = 0;
    let fits = |cells: &usize| {
        used += cells + 2;
        width.is_none_or(|width| used <= width + 2)
    };
    let shown = widths
        .iter()
        .take_while({
            let mut fits = fits;
            move |cells| fits(cells)
        })
        .count()
        .max(1)
        .min(frame.width());
    for line in &mut lines {
        line.truncate(shown);
    }
    let right: Vec<usize> = frame
        .columns()
        .iter()
        .enumerate()
        .filter(|(_, column)| is_number(column.dtype()))
        .map(|(i, _)| i)
        .collect();
    let text = term::aligned(&lines, &right);
    for (i, line) in text.split_inclusive('\n').enumerate() {
        match (i, width) {
            (0, Some(_)) => writeln!(out, "{}", term::painted(line.trim_end(), term::Paint::Bold))?,
            (1, Some(_)) => writeln!(out, "{}", term::painted(line.trim_end(), term::Paint::Dim))?,
            _ => out.write_all(line.as_bytes())?,
        }
    }
    if shown < frame.width() {
        let hidden: Vec<String> =
            frame.columns().iter().skip(shown).map(|column| term::printable(column.name())).collect();
        let text = format!("and {} more columns: {}", hidden.len(), hidden.join(", "));
        writeln!(out, "{}", term::cut(&text, width.unwrap_or(usize::MAX)))?;
    }
    Ok(())
}

fn markdown(frame: &DataFrame) -> Result<String> {
    let escape = |text: &str| text.replace('|', "\\|");
    let mut text = String::new();
    let mut line = |cells: Vec<String>| text.push_str(&format!("| {} |\n", cells.join(" | ")));
    line(frame.columns().iter().map(|column| escape(&term::printable(column.name()))).collect());
    line(
        frame
            .columns()
            .iter()
            .map(|column| if is_number(column.dtype()) { "--:" } else { "---" }.to_owned())
            .collect(),
    );
    for cells in cells(frame, usize::MAX)? {
        line(cells.iter().map(|cell| escape(cell)).collect());
    }
    Ok(text)
}
