/** Charts as SVG, by Observable Plot. Loaded when the first chart is drawn: it is the larger part of the page's code. */

import * as Plot from "@observablehq/plot";
import { feature, mesh } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import world from "world-atlas/countries-110m.json";
import { bars, centerLongitude, histogram, label, points, type Point, type Resolved } from "./chart-data.js";
import { addLegend, LEGEND_MARGIN, type LegendItem } from "./legend.js";
import { countText } from "./number.js";
import type { Sample } from "./sample.js";

export interface Drawn {
    svg: SVGSVGElement;
    /** Everything that the reader would otherwise not know: how much of the result is drawn. */
    notes: string[];
    /** The chart in a sentence, for those who do not see it. */
    description: string;
}

const FILL = "var(--accent)";
const SCHEME = ["#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#ff8ab7", "#a463f2", "#97bbf5", "#9c6b4e", "#9498a0"];

/** Pixels. */
export interface Size {
    width: number;
    height: number;
}

/** Draws a chart. `null` when the result has no columns for this kind of chart. */
export function draw(sample: Sample, settings: Resolved, size: Size): Drawn | null {
    const { kind } = settings;
    const drawn =
        kind === "bar"
            ? drawBars(sample, settings, size)
            : kind === "histogram"
              ? drawHistogram(sample, settings, size)
              : kind === "map"
                ? drawMap(sample, settings, size)
                : drawPoints(sample, settings, size);
    if (!drawn) return null;
    if (!sample.complete) {
        drawn.notes.unshift(`of every ${ordinal(sample.stride)} row: ${countText(sample.rows)} of ${countText(sample.total)}`);
    }
    drawn.svg.setAttribute("role", "img");
    drawn.svg.setAttribute("aria-label", drawn.description);
    return drawn;
}

function drawBars(sample: Sample, settings: Resolved, size: Size): Drawn | null {
    const { bars: shown, of } = bars(sample, settings);
    if (shown.length === 0) return null;
    const measure = settings.y || "rows";
    const names = [...new Set(shown.map((bar) => bar.x))];
    const colors = colorScale(shown.map((bar) => bar.color));
    const longest = Math.max(...names.map((name) => name.length));
    const tilted = longest * 7 * names.length > size.width - 80;
    const svg = plot(size, {
        marginBottom: tilted ? 30 + Math.min(110, longest * 6) : 40,
        marginLeft: 70,
        x: { domain: names, label: settings.x ?? null, ...(tilted ? { tickRotate: -60 } : {}) },
        y: { label: measure, grid: true, zero: true },
        ...colors.scale,
        marks: [
            Plot.barY(shown, {
                x: "x",
                y: "y",
                fill: colors.fill,
                title: (bar) => `${bar.x}${bar.color === null ? "" : `, ${bar.color}`}: ${exact(bar.y)}`,
                ariaLabel: (bar) => `${bar.x}: ${exact(bar.y)}`,
            }),
            Plot.ruleY([0]),
        ],
    });
    if (colors.items.length > 0) addLegend(svg, colors.items);
    const notes = of > names.length ? [`the ${names.length} largest of ${countText(of)} values of ${settings.x}`] : [];
    const largest = shown.reduce((a, b) => (b.y > a.y ? b : a));
    return { svg, notes, description: `Bar chart of ${measure} by ${settings.x}: ${names.length} bars, largest ${largest.x} with ${exact(largest.y)}` };
}

function drawHistogram(sample: Sample, settings: Resolved, size: Size): Drawn | null {
    const values = sample.column(settings.x);
    const bins = values ? histogram(values) : [];
    if (bins.length === 0) return null;
    const time = sample.columns.find((column) => column.name === settings.x)?.role === "time";
    const edge = (value: number) => (time ? new Date(value) : value);
    const text = (value: number) => (time ? label(new Date(value)) : exact(value));
    const svg = plot(size, {
        marginLeft: 60,
        x: { label: settings.x ?? null, ...(time ? { type: "utc" as const } : {}) },
        y: { label: "rows", grid: true },
        marks: [
            Plot.rectY(bins, {
                x1: (bin) => edge(bin.from),
                x2: (bin) => edge(bin.to),
                y: "count",
                fill: FILL,
                title: (bin) => `${text(bin.from)} to ${text(bin.to)}: ${countText(bin.count)}`,
                ariaLabel: (bin) => `${text(bin.from)} to ${text(bin.to)}: ${bin.count}`,
            }),
            Plot.ruleY([0]),
        ],
    });
    const counted = bins.reduce((sum, bin) => sum + bin.count, 0);
    const missing = sample.rows - counted;
    const notes = missing > 0 ? [`${countText(missing)} rows without a value are left out`] : [];
    return { svg, notes, description: `Histogram of ${settings.x}: ${countText(counted)} values in ${bins.length} bins` };
}

function drawPoints(sample: Sample, settings: Resolved, size: Size): Drawn | null {
    const { points: shown, of } = points(sample, settings);
    if (shown.length === 0) return null;
    const colors = colorScale(shown.map((point) => point.color));
    const line = settings.kind === "line";
    const text = shown.some((point) => typeof point.x === "string");
    const mark = line
        ? Plot.lineY(shown, { x: "x", y: "y", stroke: colors.fill, z: colors.items.length > 0 ? "color" : null, strokeWidth: 1.5 })
        : Plot.dot(shown, { x: "x", y: "y", ...dots(colors.fill, shown, 2.5) });
    const svg = plot(size, {
        marginLeft: 60,
        marginBottom: 40,
        x: { label: axisLabel(sample, settings.x), ...(text ? { type: "point" as const } : {}) },
        y: { label: axisLabel(sample, settings.y), grid: true },
        r: { range: [1, 14] },
        ...colors.scale,
        marks: [mark],
    });
    if (colors.items.length > 0) addLegend(svg, colors.items);
    const name = line ? "Line chart" : "Scatter chart";
    return {
        svg,
        notes: thinned(shown, of),
        description: `${name} of ${settings.y} by ${settings.x}: ${countText(shown.length)} points`,
    };
}

const topology = world as unknown as Topology<{ countries: GeometryCollection; land: GeometryCollection }>;

function drawMap(sample: Sample, settings: Resolved, size: Size): Drawn | null {
    const { points: all, of } = points(sample, settings);
    const shown = all.filter((point) => Math.abs(Number(point.x)) <= 360 && Math.abs(Number(point.y)) <= 85);
    if (shown.length === 0) return null;
    // Large dots below small ones.
    shown.sort((a, b) => (b.size ?? 0) - (a.size ?? 0));
    const colors = colorScale(shown.map((point) => point.color));
    const coordinates = shown.map((point) => [Number(point.x), Number(point.y)]);
    const center = centerLongitude(coordinates.map(([x]) => x!));
    const svg = plot(size, {
        projection: { type: "mercator", rotate: [-center, 0], domain: { type: "MultiPoint", coordinates }, inset: 24 },
        r: { range: [1, 16] },
        ...colors.scale,
        marginTop: colors.items.length > 0 ? 28 : 4,
        marks: [
            Plot.geo(feature(topology, topology.objects.land), { fill: "currentColor", fillOpacity: 0.09 }),
            Plot.geo(mesh(topology, topology.objects.countries), { stroke: "currentColor", strokeOpacity: 0.3, strokeWidth: 0.6 }),
            Plot.dot(shown, { x: "x", y: "y", ...dots(colors.fill, shown, 2.5) }),
        ],
    });
    if (colors.items.length > 0) addLegend(svg, colors.items, 4);
    const notes = thinned(shown, all.length === shown.length ? of : all.length);
    return { svg, notes, description: `Map of ${countText(shown.length)} points by ${settings.x} and ${settings.y}` };
}

function dots(fill: string, shown: readonly Point[], radius: number) {
    const sized = shown.some((point) => point.size !== null);
    return {
        fill,
        fillOpacity: 0.65,
        r: sized ? "size" : radius,
        title: (point: Point) =>
            [label(point.x), label(point.y), point.color === null ? "" : label(point.color), sized ? label(point.size) : ""]
                .filter((part) => part !== "")
                .join(", "),
    };
}

function plot(size: Size, options: Plot.PlotOptions): SVGSVGElement {
    return Plot.plot({ ...size, marginTop: 32, ...options, style: { background: "none", overflow: "hidden" } }) as SVGSVGElement;
}

/** A scale for the colours that occur, and its legend. Text gets distinct colours, numbers and times a ramp. */
function colorScale(values: readonly unknown[]): { fill: string; scale: Plot.PlotOptions; items: LegendItem[] } {
    const present = values.filter((value) => value !== null && value !== undefined);
    if (present.length === 0) return { fill: FILL, scale: {}, items: [] };
    if (present.some((value) => typeof value === "string")) {
        const domain = [...new Set(present as string[])];
        const range = domain.map((_, i) => SCHEME[i % SCHEME.length]!);
        const items = domain.map((text, i) => ({ text, color: range[i]! }));
        return { fill: "color", scale: { marginTop: LEGEND_MARGIN, color: { type: "ordinal", domain, range } }, items };
    }
    const numbers = present.map(Number);
    const low = numbers.reduce((a, b) => Math.min(a, b));
    const high = numbers.reduce((a, b) => Math.max(a, b));
    const scale = Plot.scale({ color: { type: "linear", domain: [low, high], scheme: "viridis" } });
    const time = present[0] instanceof Date;
    const items = [0, 0.25, 0.5, 0.75, 1].map((part) => {
        const value = low + (high - low) * part;
        return { text: time ? label(new Date(value)) : String(Number(value.toPrecision(3))), color: String(scale.apply(value)) };
    });
    return { fill: "color", scale: { marginTop: LEGEND_MARGIN, color: { type: "linear", domain: [low, high], scheme: "viridis" } }, items };
}

function axisLabel(sample: Sample, name: string | undefined): string | null {
    const zone = sample.columns.find((column) => column.name === name)?.zone;
    return name === undefined ? null : zone ? `${name} (${zone})` : name;
}

function thinned(shown: readonly unknown[], of: number): string[] {
    return of > shown.length ? [`${countText(shown.length)} of ${countText(of)} points are drawn`] : [];
}

function ordinal(value: number): string {
    const last = value % 100 > 10 && value % 100 < 14 ? 0 : value % 10;
    return countText(value) + (["th", "st", "nd", "rd"][last] ?? "th");
}

/** A sum without the noise of floats: 0.1 + 0.2 is 0.3 here. */
function exact(value: number): string {
    return String(Number(value.toPrecision(12)));
}
