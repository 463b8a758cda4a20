//! Plots, as SVG: ratios and sizes as dots, growth as curves, pipelines as bars over time.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Page;
use super::growth::Curve;
use crate::results::{Cell, Role, Run, Timeline, Unit};

type Drawn<T> = Result<T, Box<dyn std::error::Error>>;

/// A plot as text; a page without one says why.
fn svg(
    size: (u32, u32),
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Drawn<()>,
) -> String {
    let mut text = String::new();
    let drawn = {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE).map_err(Into::into).and_then(|()| draw(&area)).and_then(|()| Ok(area.present()?))
    };
    match drawn {
        Ok(()) => text,
        Err(error) => format!("<svg xmlns=\"http://www.w3.org/2000/svg\"><!-- {error} --></svg>"),
    }
}

/// Whose dot it is: variants of a contender share one, and so do all limits.
fn family(who: &str, role: Role) -> &'static str {
    match (who, role) {
        (_, Role::Limit) => "limits",
        (_, Role::Floe) => "floe",
        _ if who.starts_with("Polars s") => "Polars streaming",
        _ if who.starts_with("Polars") => "Polars eager",
        _ if who.starts_with("arrow-rs") => "arrow-rs",
        _ => "pyarrow",
    }
}

/// A colour for each of those, the same in all plots.
fn colour(family: &str) -> RGBColor {
    match family {
        "floe" => RGBColor(0, 0, 0),
        "Polars eager" => RGBColor(31, 119, 180),
        "Polars streaming" => RGBColor(23, 190, 207),
        "arrow-rs" => RGBColor(214, 95, 14),
        "pyarrow" => RGBColor(44, 140, 44),
        _ => RGBColor(150, 150, 150),
    }
}

/// The plots of a benchmark's cells: ratios by codec, or megabytes.
pub(super) fn of_run(name: &str, run: &Run) -> Vec<Page> {
    // Few cells, or contenders that the other plots have not.
    if matches!(name, "stages" | "servers" | "flight") {
        return Vec::new();
    }
    if name == "memory" {
        let cells: Vec<&Cell> = run.cells.iter().collect();
        return vec![Page::new("memory.svg", sizes(&cells))];
    }
    let mut codecs: Vec<&str> = Vec::new();
    for cell in run.cells.iter().filter(|cell| cell.ratio().is_some()) {
        if !codecs.contains(&cell.codec.as_str()) {
            codecs.push(&cell.codec);
        }
    }
    let plot = |codec: &str| {
        let cells = run.cells.iter().filter(|cell| cell.codec == codec && cell.ratio().is_some());
        let slug: String = codec.chars().filter(char::is_ascii_alphanumeric).collect();
        let title = format!("{name}, {codec}: time of each over floe's");
        Page::new(format!("{name}-{}.svg", slug.to_lowercase()), ratios(&title, &cells.collect::<Vec<_>>()))
    };
    codecs.into_iter().map(plot).collect()
}

/// One line of dots.
struct Line {
    label: String,
    dots: Vec<(&'static str, f64)>,
}

/// Peers' times over floe's, on a logarithmic axis; left of 1 floe is slower.
fn ratios(title: &str, cells: &[&Cell]) -> String {
    let line = |cell: &&Cell| {
        let floe = cell.floe().map_or(1.0, |floe| floe.value);
        let dots = cell.entries.iter().filter(|entry| entry.role != Role::Floe);
        let dots = dots.map(|entry| (family(&entry.who, entry.role), entry.value / floe.max(1e-9))).collect();
        Line { label: format!("{}: {}", cell.group, cell.name), dots }
    };
    dots(
        title,
        &cells.iter().map(line).collect::<Vec<_>>(),
        1.0,
        "times floe's time (right of the line: slower than floe)",
    )
}

/// Peak megabytes, on a logarithmic axis.
fn sizes(cells: &[&Cell]) -> String {
    let line = |cell: &&Cell| {
        let dots =
            cell.entries.iter().map(|entry| (family(&entry.who, entry.role), entry.value.max(1.0))).collect();
        Line { label: cell.title(), dots }
    };
    dots(
        "peak memory beyond the frame or the result",
        &cells.iter().map(line).collect::<Vec<_>>(),
        64.0,
        "MB (the line: 64 MB)",
    )
}

fn dots(title: &str, lines: &[Line], mark: f64, axis: &str) -> String {
    let n = u32::try_from(lines.len()).unwrap_or(0);
    let values = || lines.iter().flat_map(|line| &line.dots).map(|(_, value)| *value);
    let low = values().fold(mark / 2.0, f64::min).max(1e-3);
    let high = values().fold(mark * 4.0, f64::max);
    let mut names: Vec<&'static str> = Vec::new();
    for (who, _) in lines.iter().flat_map(|line| &line.dots) {
        if !names.contains(who) {
            names.push(who);
        }
    }
    svg((980, 120 + 18 * n), |area| {
        let rows = f64::from(n);
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 18))
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(400)
            .build_cartesian_2d((low / 1.3..high * 1.3).log_scale(), 0.0..rows)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_labels(0)
            .x_desc(axis)
            .x_label_formatter(&|x| format!("{x}"))
            .draw()?;
        // Every line has its own label: the mesh would leave some out.
        let style = TextStyle::from(("sans-serif", 12)).pos(Pos::new(HPos::Right, VPos::Center));
        for (i, line) in (0..n).zip(lines) {
            let y = rows - 0.5 - f64::from(i);
            let (px, py) = chart.backend_coord(&(low / 1.3, y));
            area.draw(&Text::new(line.label.clone(), (px - 10, py), style.clone()))?;
            chart.draw_series([PathElement::new(
                vec![(low / 1.3, y), (high * 1.3, y)],
                RGBColor(235, 235, 235),
            )])?;
        }
        chart.draw_series([PathElement::new(vec![(mark, 0.0), (mark, rows)], BLACK.stroke_width(2))])?;
        for who in names {
            let at = |(i, line): (usize, &Line)| {
                let y = rows - 0.5 - f64::from(u32::try_from(i).unwrap_or(0));
                let own = line.dots.iter().filter(|(name, _)| *name == who);
                own.map(|(_, value)| (value.max(low), y)).collect::<Vec<_>>()
            };
            let points: Vec<(f64, f64)> = lines.iter().enumerate().flat_map(at).collect();
            let ink = colour(who);
            chart
                .draw_series(points.into_iter().map(|point| Circle::new(point, 4, ink.filled())))?
                .label(who)
                .legend(move |(x, y)| Circle::new((x + 8, y), 4, ink.filled()));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(WHITE.mix(0.85))
            .border_style(RGBColor(200, 200, 200))
            .draw()?;
        Ok(())
    })
}

/// Times above, memory below, both axes logarithmic.
pub(super) fn growth(title: &str, all: &[Curve]) -> String {
    svg((980, 820), |area| {
        let (above, below) = area.split_vertically(480);
        let pick = |unit: Unit| all.iter().filter(|curve| curve.unit == unit).collect::<Vec<_>>();
        curves(&above, title, "ms", &pick(Unit::Ms))?;
        let memory = pick(Unit::Mb);
        if !memory.is_empty() {
            curves(&below, "peak memory beyond the frame or the result", "MB", &memory)?;
        }
        Ok(())
    })
}

fn curves(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    title: &str,
    unit: &str,
    all: &[&Curve],
) -> Drawn<()> {
    let points = || all.iter().flat_map(|curve| &curve.points);
    let (x0, x1) = points().fold((f64::MAX, 1.0f64), |(low, high), (x, _)| (low.min(*x), high.max(*x)));
    let (y0, y1) =
        points().fold((f64::MAX, 1.0f64), |(low, high), (_, y)| (low.min(y.max(0.01)), high.max(*y)));
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(35)
        .y_label_area_size(60)
        .build_cartesian_2d((x0 / 1.2..x1 * 12.0).log_scale(), (y0 / 1.5..y1 * 1.5).log_scale())?;
    chart.configure_mesh().y_desc(unit).light_line_style(WHITE).draw()?;
    let inks = [
        RGBColor(0, 0, 0),
        RGBColor(200, 30, 30),
        RGBColor(120, 60, 170),
        RGBColor(30, 110, 200),
        RGBColor(30, 140, 60),
    ];
    let mut next = 0;
    for curve in all {
        let ink = if curve.role == Role::Floe {
            next += 1;
            inks[(next - 1) % inks.len()].mix(1.0)
        } else {
            colour(family(curve.name.rsplit(": ").next().unwrap_or(""), curve.role)).mix(0.45)
        };
        let width = if curve.role == Role::Floe { 2 } else { 1 };
        let line = curve.points.iter().map(|(x, y)| (*x, y.max(0.01)));
        chart
            .draw_series(LineSeries::new(line, ink.stroke_width(width)).point_size(2))?
            .label(curve.name.as_str())
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], ink.stroke_width(width)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(200, 200, 200))
        .draw()?;
    Ok(())
}

/// The kind of work, and its colour.
const KINDS: [(&str, RGBColor); 5] = [
    ("encode", RGBColor(120, 180, 230)),
    ("compress", RGBColor(230, 140, 60)),
    ("write", RGBColor(60, 60, 60)),
    ("read", RGBColor(110, 110, 110)),
    ("decode", RGBColor(110, 190, 110)),
];

/// A line of bars for each thread.
pub(super) fn timeline(timeline: &Timeline) -> String {
    let n = u32::try_from(timeline.threads.len()).unwrap_or(0);
    let end = timeline.spans.iter().map(|span| span.end).fold(1.0, f64::max) / 1e3;
    svg((980, 130 + 46 * n), |area| {
        let rows = f64::from(n);
        let mut chart = ChartBuilder::on(area)
            .caption(&timeline.title, ("sans-serif", 18))
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(110)
            .build_cartesian_2d(0.0..end * 1.2, 0.0..rows)?;
        chart.configure_mesh().disable_mesh().y_labels(0).x_desc("milliseconds").draw()?;
        for (i, name) in timeline.threads.iter().enumerate() {
            let y = rows - 0.5 - f64::from(u32::try_from(i).unwrap_or(0));
            let (px, py) = chart.backend_coord(&(0.0, y));
            area.draw(&Text::new(name.clone(), (px - 100, py - 6), ("sans-serif", 13)))?;
        }
        for (what, ink) in KINDS {
            let mut spans: Vec<_> = timeline.spans.iter().filter(|span| span.what == what).collect();
            if spans.is_empty() {
                continue;
            }
            // Work within work is drawn on top of it.
            spans.sort_by(|a, b| (b.end - b.start).total_cmp(&(a.end - a.start)));
            let bars = spans.into_iter().map(|span| {
                let top = rows - 0.15 - f64::from(u32::try_from(span.thread).unwrap_or(0));
                Rectangle::new([(span.start / 1e3, top - 0.7), (span.end / 1e3, top)], ink.filled())
            });
            chart
                .draw_series(bars)?
                .label(what)
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], ink.filled()));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE.mix(0.85))
            .border_style(RGBColor(200, 200, 200))
            .draw()?;
        Ok(())
    })
}
