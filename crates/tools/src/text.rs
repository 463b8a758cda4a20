//! Numbers and names for people.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// `27,004`.
///
/// ```
/// assert_eq!(floe_tools::text::count(27_004), "27,004");
/// ```
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.14 MiB`.
///
/// ```
/// assert_eq!(floe_tools::text::bytes(1536), "1.50 KiB");
/// ```
#[must_use]
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let mut unit = 0;
    let mut scaled = number;
    while scaled >= 1024 * 1024 && unit + 1 < UNITS.len() {
        scaled /= 1024;
        unit += 1;
    }
    let hundredths = scaled * 100 / 1024;
    let unit = UNITS.get(unit).unwrap_or(&"KiB");
    match hundredths {
        0..1000 => format!("{}.{:02} {unit}", hundredths / 100, hundredths % 100),
        1000..10_000 => format!("{}.{} {unit}", hundredths / 100, hundredths / 10 % 10),
        _ => format!("{} {unit}", hundredths / 100),
    }
}

/// `3.35x`, of raw bytes over stored ones.
///
/// ```
/// assert_eq!(floe_tools::text::ratio(335, 100), "3.35x");
/// ```
#[must_use]
pub fn ratio(raw: u64, stored: u64) -> String {
    if stored == 0 {
        return "-".into();
    }
    let hundredths = u128::from(raw) * 100 / u128::from(stored);
    format!("{}.{:02}x", hundredths / 100, hundredths % 100)
}

/// How wide a text is on a terminal, in cells.
///
/// ```
/// assert_eq!(floe_tools::text::text_width("日本"), 4);
/// ```
#[must_use]
pub fn text_width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// The text in at most this many cells, with an ellipsis where it is cut.
///
/// ```
/// assert_eq!(floe_tools::text::cut("abcdef", 4), "abc…");
/// ```
#[must_use]
pub fn cut(text: &str, cells: usize) -> String {
    if text_width(text) <= cells {
        return text.to_owned();
    }
    let mut cutted = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > cells {
            break;
        }
        cutted.push(c);
    }
    cutted.push('…');
    cutted
}

/// Control characters as they are escaped, so that no input steers the terminal.
///
/// ```
/// assert_eq!(floe_tools::text::printable("a\u{1b}[31m"), "a\\u{1b}[31m");
/// ```
#[must_use]
pub fn printable(text: &str) -> String {
    if text.chars().any(char::is_control) {
        text.chars()
            .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
            .collect()
    } else {
        text.to_owned()
    }
}
