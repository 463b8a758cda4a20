//! Numbers and tables for people.

use std::io::{IsTerminal, Write};

pub(crate) use floe_tools::text::{bytes, count, cut, printable, ratio, text_width};

/// The width of the terminal, or of a piece of paper where there is none.
pub(crate) fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    match terminal_size::terminal_size() {
        Some((terminal_size::Width(width), _)) if std::io::stdout().is_terminal() => width.into(),
        _ => columns.unwrap_or(100),
    }
}

/// Rows that fit a terminal below a few lines of others.
#[cfg(feature = "frame")]
pub(crate) fn rows() -> usize {
    match terminal_size::terminal_size() {
        Some((_, terminal_size::Height(height))) => usize::from(height).saturating_sub(8).clamp(3, 40),
        None => 10,
    }
}

/// `98.9%`.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let tenths = if whole == 0 { 0 } else { u128::from(part) * 1000 / u128::from(whole) };
    format!("{}.{}%", tenths / 10, tenths % 10)
}

/// How a text stands out on a terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Paint {
    #[cfg(feature = "frame")]
    Bold,
    #[cfg(feature = "frame")]
    Dim,
    Good,
    Bad,
}

/// Whether standard output is a terminal, and nobody asks for it to be plain (<https://no-color.org>).
fn has_colors() -> bool {
    let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !is_plain && std::io::stdout().is_terminal()
}

/// A text as it goes to standard output.
pub(crate) fn painted(text: &str, paint: Paint) -> String {
    if !has_colors() {
        return text.to_owned();
    }
    let code = match paint {
        #[cfg(feature = "frame")]
        Paint::Bold => "1",
        #[cfg(feature = "frame")]
        Paint::Dim => "2",
        Paint::Good => "32",
        Paint::Bad => "1;31",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// A line for people beside the output. Standard error may be closed, which is no reason to fail.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Lines of columns, each as wide as it needs. The columns named in `right` are aligned to the right.
pub(crate) fn aligned(lines: &[Vec<String>], right: &[usize]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width_of = |i: usize| lines.iter().filter_map(|line| line.get(i)).map(|cell| text_width(cell)).max();
    let widths: Vec<usize> = (0..columns).map(|i| width_of(i).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let mut row = String::new();
        for (i, cell) in line.iter().enumerate() {
            let pad = widths.get(i).copied().unwrap_or(0).saturating_sub(text_width(cell));
            let space = " ".repeat(pad);
            row.push_str(if i == 0 { "" } else { "  " });
            if right.contains(&i) {
                row.extend([space.as_str(), cell])
            } else {
                row.extend([cell.as_str(), &space])
            }
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(
            [0, 999, 1000, 27_004, 1_234_567].map(count),
            ["0", "999", "1,000", "27,004", "1,234,567"]
        );
        assert_eq!(
            [0, 1023, 1024, 1536, 1 << 20, 10 << 20].map(bytes),
            ["0 B", "1023 B", "1.00 KiB", "1.50 KiB", "1.00 MiB", "10.0 MiB"]
        );
        assert_eq!((ratio(335, 100), ratio(1, 0)), ("3.35x".to_owned(), "-".to_owned()));
        assert_eq!(percent(989, 1000), "98.9%");
    }

    #[test]
    fn cells_are_cut_by_their_width() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(printable("a\u{1b}[31m"), "a\\u{1b}[31m");
    }
}
