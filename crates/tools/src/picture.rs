//! A picture of a source's bytes, to scale, as SVG and as a page of HTML.
//!
//! A line is a message. Its segments are its head, each buffer, and padding, in the order of their bytes; the longest
//! message takes the whole width. Every segment states its bytes in `data-bytes`, and they sum to the file's size.

use std::fmt::Write;

use crate::describe::Description;
use crate::fault::MessageId;
use crate::text;

/// Width of the longest message.
const WIDTH: f64 = 1000.0;
/// Width of the labels in front of the lines.
const LEFT: f64 = 130.0;

struct Segment {
    bytes: u64,
    title: String,
    class: String,
}

/// A page of HTML with the picture on it, which needs nothing else. See [`layout_svg`] for an example.
#[must_use]
pub fn layout_html(name: &str, found: &Description) -> String {
    let name_ = escape(name);
    let body = layout_svg(name, found);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{name_}</title>\n<style>body{{margin:24px;\
         font:14px system-ui,sans-serif;background:#fff;color:#222}}svg{{max-width:100%;height:auto}}</style></head>\n\
         <body>\n{body}</body></html>\n"
    )
}

/// The picture of a description that lists its buffers.
///
/// ```
/// use floe_format::{IpcLimits, MessageEncoder, Schema, constants, write_head};
///
/// let mut stream = Vec::new();
/// write_head(&mut stream, MessageEncoder::new().schema(&Schema::default()), 0)?;
/// stream.extend_from_slice(&constants::END_OF_STREAM);
/// let found = floe_tools::describe(&stream, &IpcLimits::default(), true).unwrap();
/// assert!(floe_tools::layout_svg("empty.arrows", &found).starts_with("<svg"));
/// # Ok::<(), floe_format::Error>(())
/// ```
#[must_use]
pub fn layout_svg(name: &str, found: &Description) -> String {
    let names = found.column_names();
    let lines = lines(found);
    let longest = lines.iter().map(|(_, segments)| sum(segments)).max().unwrap_or(1).max(1);
    let height = (2400.0 / count(lines.len().max(1))).clamp(3.0, 20.0);
    let step = height + if height > 6.0 { 4.0 } else { 1.0 };
    let top = 64.0;
    let legend = top + step * count(lines.len()) + 24.0;
    let total = legend + 18.0 * count(names.len().div_ceil(5)) + 20.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {total:.0}\" font-family=\"system-ui,sans-serif\" font-size=\"12\">\n",
        WIDTH + LEFT + 20.0
    );
    svg.push_str(&styles(names.len()));
    let _ = writeln!(
        svg,
        "<text x=\"0\" y=\"20\" font-size=\"16\">{}</text>\n<text x=\"0\" y=\"42\" fill=\"#666\">{}, {} rows in {} batches, {} ({} raw). \
         A line is a message, to scale; point at a segment for its size.</text>",
        escape(name),
        found.contents.kind_name(),
        text::count(found.contents.rows()),
        text::count(found.contents.batches.len() as u64),
        text::bytes(found.contents.len),
        text::bytes(found.buffers().raw),
    );
    let mut y = top;
    for (label, segments) in &lines {
        if height > 8.0 {
            let _ = writeln!(svg, "<text x=\"0\" y=\"{:.1}\">{}</text>", y + height - 5.0, escape(label));
        }
        let mut x = LEFT;
        for Segment { bytes, title, class } in segments {
            let width = scaled(*bytes, longest);
            let _ = writeln!(
                svg,
                "<rect class=\"{class}\" x=\"{x:.3}\" y=\"{y:.1}\" width=\"{width:.3}\" height=\"{height:.1}\" data-bytes=\"{bytes}\"><title>{}</title></rect>",
                escape(&format!("{label}: {title}"))
            );
            x += width;
        }
        y += step;
    }
    for (i, name) in names.iter().enumerate() {
        let (x, y) = (count(i % 5) * 226.0, legend + 18.0 * count(i / 5));
        let _ = writeln!(
            svg,
            "<rect class=\"c{i}\" x=\"{x:.0}\" y=\"{:.0}\" width=\"11\" height=\"11\"/><text x=\"{:.0}\" y=\"{y:.0}\">{}</text>",
            y - 10.0,
            x + 16.0,
            escape(&text::cut(name, 28))
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// Numbers of lines and columns, which a picture has few of.
fn count(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

/// A share of the width, exact to a thousandth.
fn scaled(bytes: u64, longest: u64) -> f64 {
    let parts = u128::from(bytes) * 1_000_000 / u128::from(longest);
    f64::from(u32::try_from(parts).unwrap_or(u32::MAX)) * WIDTH / 1_000_000.0
}

fn sum(segments: &[Segment]) -> u64 {
    segments.iter().map(|segment| segment.bytes).sum()
}

fn styles(columns: usize) -> String {
    let mut text = "<style>rect{stroke:#fff;stroke-width:.2}rect:hover{stroke:#000;stroke-width:1.5}.head{fill:#444}.pad{fill:#ddd}.foot{fill:#888}".to_owned();
    for i in 0..columns {
        // The golden angle: neighbours differ, however many there are.
        let hue = (i * 137) % 360;
        let light = [52, 64, 42].get(i % 3).unwrap_or(&52);
        let _ = write!(text, ".c{i}{{fill:hsl({hue},58%,{light}%)}}");
    }
    text.push_str("</style>\n");
    text
}

fn segment(bytes: u64, title: String, class: impl Into<String>) -> Segment {
    Segment { bytes, title, class: class.into() }
}

/// The lines of the picture: the schema and what frames the messages, the messages, the footer.
fn lines(found: &Description) -> Vec<(String, Vec<Segment>)> {
    let schemas = found.contents.streams.iter().filter_map(|stream| stream.schema_message);
    let schema: u64 = schemas.map(|schema| schema.head_len).sum();
    let mut first = vec![segment(schema, format!("{schema} bytes of schema"), "head")];
    if found.other > 0 {
        first.push(segment(
            found.other,
            format!("{} bytes of magic, end markers and gaps", found.other),
            "foot",
        ));
    }
    let mut lines = vec![("schema".to_owned(), first)];
    let mut messages: Vec<_> = found.messages.iter().collect();
    messages.sort_by_key(|message| message.info.offset);
    for message in messages {
        let info = &message.info;
        let label = match info.id {
            MessageId::Batch(number) => format!("batch {number}"),
            _ => format!("dictionary {}", info.dictionary.map_or(0, |(id, _)| id)),
        };
        let mut segments = vec![segment(info.head_len, format!("head, {} bytes", info.head_len), "head")];
        let mut at = 0;
        for (number, buffer) in message.buffers.iter().enumerate() {
            if buffer.spec.len == 0 {
                continue;
            }
            let gap = buffer.spec.offset.saturating_sub(at);
            if gap > 0 {
                segments.push(segment(gap, format!("{gap} bytes of padding"), "pad"));
            }
            let title = format!(
                "{}, {} (buffer {number}): {} bytes, {} raw, {}",
                buffer.path,
                buffer.kind.name(),
                buffer.spec.len,
                buffer.raw,
                text::ratio(buffer.raw, buffer.spec.len)
            );
            segments.push(segment(buffer.spec.len, title, format!("c{}", buffer.column)));
            at = buffer.spec.offset.saturating_add(buffer.spec.len);
        }
        let rest = info.body_len.saturating_sub(at);
        if rest > 0 {
            segments.push(segment(rest, format!("{rest} bytes of padding"), "pad"));
        }
        lines.push((label, segments));
    }
    if found.footer > 0 {
        lines.push((
            "footer".into(),
            vec![segment(found.footer, format!("{} bytes of footer", found.footer), "foot")],
        ));
    }
    lines
}

fn escape(text: &str) -> String {
    text::printable(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
