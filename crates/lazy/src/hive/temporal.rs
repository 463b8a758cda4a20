//! Dates and times as text and back, over the whole range of the integers that they are.
//!
//! The text is Polars' own. Polars panics on days that its calendar does not have. Its casts to text write neither the
//! fractions of a time nor a duration. So this is done here.

use polars_core::prelude::TimeUnit;

const SECONDS_A_DAY: i64 = 86_400;

/// Units in a second, and the digits of their fraction.
fn resolution(unit: TimeUnit) -> (i64, usize) {
    match unit {
        TimeUnit::Milliseconds => (1_000, 3),
        TimeUnit::Microseconds => (1_000_000, 6),
        TimeUnit::Nanoseconds => (1_000_000_000, 9),
    }
}

/// Year, month and day of the Gregorian calendar, of days since 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    // Eras of 400 years that begin on the first of March.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// Days since 1970-01-01; `None` if there is no such day.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year.abs() > 1 << 40 {
        return None;
    }
    let shifted = if month > 2 { year } else { year - 1 };
    let (era, year_of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    // The 31st of April would be another day.
    (civil(days) == (year, month, day)).then_some(days)
}

/// `2013-01-15`, years beyond four digits with a sign.
pub(super) fn date(days: i64) -> String {
    let (year, month, day) = civil(days);
    match year {
        0..=9999 => format!("{year:04}-{month:02}-{day:02}"),
        10_000.. => format!("+{year}-{month:02}-{day:02}"),
        _ => format!("-{:04}-{month:02}-{day:02}", -year),
    }
}

/// `2013-01-15 06:00:00.000000`, with as many digits as the unit has; instants in UTC, with `+00:00`.
pub(super) fn datetime(value: i64, unit: TimeUnit, is_instant: bool) -> String {
    let (units, digits) = resolution(unit);
    let (seconds, fraction) = (value.div_euclid(units), value.rem_euclid(units));
    let date = date(seconds.div_euclid(SECONDS_A_DAY));
    let clock = clock(seconds.rem_euclid(SECONDS_A_DAY));
    let offset = if is_instant { "+00:00" } else { "" };
    format!("{date} {clock}.{fraction:0digits$}{offset}")
}

fn clock(seconds: i64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// `06:00:00`, and a fraction if there is one.
pub(super) fn time(nanoseconds: i64) -> String {
    let (seconds, fraction) = (nanoseconds.div_euclid(1_000_000_000), nanoseconds.rem_euclid(1_000_000_000));
    if !(0..SECONDS_A_DAY).contains(&seconds) {
        // Polars has no such time, but nothing keeps the integer from being one.
        return nanoseconds.to_string();
    }
    let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:09}") };
    format!("{}{}", clock(seconds), fraction.trim_end_matches('0'))
}

/// `P1DT2H3M4.5S`, as ISO 8601 writes it.
pub(super) fn duration(value: i64, unit: TimeUnit) -> String {
    let (units, digits) = resolution(unit);
    let (units, magnitude) = (units.unsigned_abs(), value.unsigned_abs());
    let (seconds, fraction) = (magnitude / units, magnitude % units);
    let mut text = if value < 0 { "-P".to_owned() } else { "P".to_owned() };
    let parts = [(seconds / 86_400, 'D'), (seconds / 3_600 % 24, 'H'), (seconds / 60 % 60, 'M')];
    for (i, (count, letter)) in parts.into_iter().enumerate() {
        if count > 0 {
            text.push_str(&format!("{count}{letter}"));
        }
        if i == 0 {
            text.push('T');
        }
    }
    let rest = seconds % 60;
    if fraction > 0 {
        let fraction = format!("{fraction:0digits$}");
        text.push_str(&format!("{rest}.{}S", fraction.trim_end_matches('0')));
    } else if rest > 0 || value == 0 {
        text.push_str(&format!("{rest}S"));
    }
    text.trim_end_matches('T').to_owned()
}

/// The rest behind leading digits, and their number.
fn digits(text: &str) -> Option<(i64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    Some((number.parse().ok()?, rest))
}

/// Two digits, and the rest.
fn two(text: &str) -> Option<(i64, &str)> {
    let (number, rest) = text.split_at_checked(2)?;
    number.bytes().all(|b| b.is_ascii_digit()).then_some((number.parse().ok()?, rest))
}

/// A fraction behind a point, in units; none if there is no point. More digits than the unit has must be 0.
fn fraction(text: &str, places: usize) -> Option<(i64, &str)> {
    let Some(text) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (written, rest) = text.split_at(end);
    let kept = written.get(..places.min(written.len()))?;
    let lost = written.get(kept.len()..)?;
    let fraction = format!("{kept:0<places$}").parse().ok()?;
    (!written.is_empty() && lost.bytes().all(|digit| digit == b'0')).then_some((fraction, rest))
}

/// Days, and the rest behind the date.
fn leading_date(text: &str) -> Option<(i64, &str)> {
    let (sign, text) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (if text.starts_with('-') { -1 } else { 1 }, rest),
        None => (1, text),
    };
    if text.find('-')? < 4 {
        return None;
    }
    let (year, rest) = digits(text)?;
    let (month, rest) = two(rest.strip_prefix('-')?)?;
    let (day, rest) = two(rest.strip_prefix('-')?)?;
    Some((days(sign * year, month, day)?, rest))
}

/// Seconds, a fraction in units of which there are `places` digits, and the rest.
fn leading_clock(text: &str, places: usize) -> Option<(i64, i64, &str)> {
    let (hour, rest) = two(text)?;
    let (minute, rest) = two(rest.strip_prefix(':')?)?;
    let (second, rest) = match rest.strip_prefix(':') {
        Some(rest) => two(rest)?,
        None => (0, rest),
    };
    let (fraction, rest) = fraction(rest, places)?;
    (hour < 24 && minute < 60 && second < 60).then_some((hour * 3_600 + minute * 60 + second, fraction, rest))
}

/// The days of a date.
pub(super) fn parse_date(text: &str) -> Option<i64> {
    let (days, rest) = leading_date(text)?;
    rest.is_empty().then_some(days)
}

/// How the text of a datetime says where on earth it is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offset {
    /// It does not: a clock on some wall.
    None,
    /// It has to: an instant.
    Needed,
    /// UTC, if it does not.
    OrUtc,
}

/// Units since 1970-01-01 of a date, or of a date and a time.
pub(super) fn parse_datetime(text: &str, unit: TimeUnit, offset: Offset) -> Option<i64> {
    let (units, places) = resolution(unit);
    let (days, rest) = leading_date(text)?;
    let (clock, fraction, rest) = match rest.strip_prefix([' ', 'T']) {
        Some(rest) => leading_clock(rest, places)?,
        None => (0, 0, rest),
    };
    let shift = match (rest, offset) {
        ("", Offset::None | Offset::OrUtc) => 0,
        (rest, Offset::Needed | Offset::OrUtc) => parse_offset(rest)?,
        (_, Offset::None) => return None,
    };
    // Wide enough for all on the way to what fits.
    let seconds = i128::from(days) * i128::from(SECONDS_A_DAY) + i128::from(clock - shift);
    i64::try_from(seconds * i128::from(units) + i128::from(fraction)).ok()
}

/// Seconds east of Greenwich: `Z`, `+05:30`, `+0530`, `+05`.
fn parse_offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, rest) = two(text.strip_prefix(['+', '-'])?)?;
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let (minutes, rest) = if rest.is_empty() { (0, rest) } else { two(rest)? };
    (rest.is_empty() && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Nanoseconds since midnight.
pub(super) fn parse_time(text: &str) -> Option<i64> {
    if !text.contains(':') {
        return text.parse().ok();
    }
    let (seconds, fraction, rest) = leading_clock(text, 9)?;
    rest.is_empty().then_some(seconds * 1_000_000_000 + fraction)
}

/// Units of a duration.
pub(super) fn parse_duration(text: &str, unit: TimeUnit) -> Option<i64> {
    let (units, places) = resolution(unit);
    let (sign, rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let rest = rest.strip_prefix('P')?;
    let (date, time) = rest.split_once('T').unwrap_or((rest, ""));
    let mut total = 0i128;
    let mut add = |text: &mut &str, letter: char, seconds: i128| -> Option<()> {
        if text.contains(letter) {
            let (count, rest) = digits(text)?;
            let (fraction, rest) = if letter == 'S' { fraction(rest, places)? } else { (0, rest) };
            *text = rest.strip_prefix(letter)?;
            total += i128::from(count) * seconds * i128::from(units) + i128::from(fraction);
        }
        Some(())
    };
    let (mut date, mut time) = (date, time);
    add(&mut date, 'D', 86_400)?;
    add(&mut time, 'H', 3_600)?;
    add(&mut time, 'M', 60)?;
    add(&mut time, 'S', 1)?;
    let whole = date.is_empty() && time.is_empty() && text.ends_with(|c: char| c.is_ascii_alphabetic());
    if whole && !text.ends_with(['P', 'T']) { i64::try_from(sign * total).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNITS: [TimeUnit; 3] = [TimeUnit::Milliseconds, TimeUnit::Microseconds, TimeUnit::Nanoseconds];

    /// Small ones, large ones, and those between.
    fn numbers() -> Vec<i64> {
        let mut numbers = vec![0, 1, -1, i64::MAX, i64::MIN, 951_782_400_000_000, 59_999_999_999];
        let mut random = 7u64;
        for shift in (0..63).cycle().take(500) {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            numbers.push(random.cast_signed() >> shift);
        }
        numbers
    }

    #[test]
    fn every_number_comes_back() {
        for n in numbers() {
            let day = n >> 32;
            assert_eq!(parse_date(&date(day)), Some(day), "{day}: {}", date(day));
            assert_eq!(parse_time(&time(n)), Some(n), "{n}: {}", time(n));
            for unit in UNITS {
                let text = duration(n, unit);
                assert_eq!(parse_duration(&text, unit), Some(n), "{n} {unit:?}: {text}");
                for (is_instant, offset) in
                    [(true, Offset::Needed), (true, Offset::OrUtc), (false, Offset::None)]
                {
                    let text = datetime(n, unit, is_instant);
                    assert_eq!(parse_datetime(&text, unit, offset), Some(n), "{n} {unit:?}: {text}");
                }
            }
        }
    }

    #[test]
    fn texts_are_those_of_polars() {
        assert_eq!(date(15_720), "2013-01-15");
        assert_eq!(date(-719_529), "-0001-12-31");
        assert_eq!(date(2_932_897), "+10000-01-01");
        assert_eq!(datetime(1_358_233_200_500, TimeUnit::Milliseconds, false), "2013-01-15 07:00:00.500");
        assert_eq!(datetime(-1, TimeUnit::Microseconds, true), "1969-12-31 23:59:59.999999+00:00");
        assert_eq!(time(21_600_000_000_000), "06:00:00");
        assert_eq!(time(86_399_500_000_000), "23:59:59.5");
        assert_eq!(duration(0, TimeUnit::Nanoseconds), "PT0S");
        assert_eq!(duration(93_784_500, TimeUnit::Milliseconds), "P1DT2H3M4.5S");
        assert_eq!(duration(-86_400_000_000, TimeUnit::Microseconds), "-P1D");
    }

    #[test]
    fn what_others_write_is_read_and_nonsense_is_not() {
        let at = |text, offset| parse_datetime(text, TimeUnit::Milliseconds, offset);
        assert_eq!(at("2013-01-15", Offset::None), Some(1_358_208_000_000));
        assert_eq!(at("2013-01-15T07:00:00Z", Offset::Needed), Some(1_358_233_200_000));
        assert_eq!(at("2013-01-15 12:30+0530", Offset::Needed), Some(1_358_233_200_000));
        assert_eq!(at("2013-01-15 07:00:00.000000", Offset::OrUtc), Some(1_358_233_200_000));
        assert_eq!(at("2013-01-15 07:00:00.0001", Offset::None), None, "more than the unit has");
        assert_eq!(at("2013-01-15 07:00:00", Offset::Needed), None);
        assert_eq!(at("2013-01-15 07:00:00Z", Offset::None), None);
        for text in ["", "2013", "2013-1-15", "2013-02-29", "2013-01-15x", "13-01-15", "-", "+2013-+1-01"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
        for text in ["", "P", "PT", "-P", "P1", "PT1D", "P1H", "1D", "PT1.S", "P1DT", "PT1S1S"] {
            assert_eq!(parse_duration(text, TimeUnit::Nanoseconds), None, "{text}");
        }
        for text in ["", "24:00:00", "06", "06:60", "6:00:00", "06:00:00."] {
            assert_eq!(parse_time(text).filter(|_| text.contains(':')), None, "{text}");
        }
    }
}
