/** What a chart shows, worked out of the sample: settings that fit the columns, and a bounded number of marks. */

import type { ChartColumn, ChartValue, Sample } from "./sample.js";
import type { ChartKind, ChartSettings } from "./state.js";

/** More marks than this neither help the eye nor leave the page quick: SVG has an element for each. */
export const MAX_POINTS = 4_000;
export const MAX_BARS = 40;
export const MAX_COLORS = 10;
const BINS = 30;

export interface Point {
    x: ChartValue;
    y: ChartValue;
    color: ChartValue;
    size: number | null;
}

export interface Bar {
    x: string;
    y: number;
    color: ChartValue;
}

export interface Bin {
    from: number;
    to: number;
    count: number;
}

/** The settings with every column of theirs chosen, so that the controls can show them. */
export type Resolved = ChartSettings & { kind: ChartKind };

const LONGITUDE = /^(lon|long|lng|longitude|origin_lon|dest_lon)$/i;
const LATITUDE = /^(lat|latitude|origin_lat|dest_lat)$/i;

/** Columns of coordinates, by their names. */
export function coordinates(columns: readonly ChartColumn[]): { x: string; y: string } | null {
    const find = (pattern: RegExp) => columns.find((column) => column.role === "number" && pattern.test(column.name));
    const x = find(LONGITUDE);
    const y = find(LATITUDE);
    return x && y ? { x: x.name, y: y.name } : null;
}

/** Fills what is not set, and drops what the result does not have. Settings of another result's columns begin anew. */
export function resolveSettings(chosen: ChartSettings, columns: readonly ChartColumn[]): Resolved {
    const stale = chosen.x !== undefined && !columns.some((column) => column.name === chosen.x);
    const settings: ChartSettings = stale ? {} : chosen;
    const kind = settings.kind ?? defaultKind(columns);
    const known = (name: string | undefined, roles: string) =>
        columns.find((column) => column.name === name && roles.includes(column.role))?.name;
    const first = (roles: string, ...not: (string | undefined)[]) =>
        columns.find((column) => roles.includes(column.role) && !not.includes(column.name))?.name;
    const color = known(settings.color, "number time text");
    const size = known(settings.size, "number");
    if (kind === "map") {
        const at = coordinates(columns);
        const x = known(settings.x, "number") ?? at?.x ?? first("number");
        return { kind, x, y: known(settings.y, "number") ?? at?.y ?? first("number", x), color, size };
    }
    if (kind === "histogram") return { kind, x: known(settings.x, "number time") ?? first("number") ?? first("time") };
    if (kind === "bar") {
        const x = known(settings.x, "number time text") ?? first("text") ?? first("time") ?? first("number");
        // An empty y that was chosen counts rows.
        const y = settings.y === "" ? "" : (known(settings.y, "number") ?? first("number", x) ?? "");
        return { kind, x, y, color };
    }
    const x = known(settings.x, "number time text") ?? (kind === "line" ? first("time") : undefined) ?? first("number") ?? first("time");
    const y = known(settings.y, "number time") ?? first("number", x);
    return kind === "scatter" ? { kind, x, y, color, size } : { kind, x, y, color };
}

function defaultKind(columns: readonly ChartColumn[]): ChartKind {
    const count = (role: string) => columns.filter((column) => column.role === role).length;
    if (coordinates(columns)) return "map";
    if (count("time") > 0 && count("number") > 0) return "line";
    if (count("text") > 0) return "bar";
    return count("number") > 1 ? "scatter" : "histogram";
}

/** Points of line, scatter and map: rows without both coordinates are left out, then every n-th is taken. */
export function points(sample: Sample, settings: Resolved): { points: Point[]; of: number } {
    const x = sample.column(settings.x);
    const y = sample.column(settings.y);
    if (!x || !y) return { points: [], of: 0 };
    const color = sample.column(settings.color);
    const size = sample.column(settings.size);
    const groups = color ? colorGroups(color) : null;
    const out: Point[] = [];
    for (let i = 0; i < x.length; i++) {
        if (!drawable(x[i]) || !drawable(y[i])) continue;
        const area = size?.[i];
        out.push({
            x: x[i]!,
            y: y[i]!,
            color: color ? (groups ? groups(color[i]) : color[i]!) : null,
            size: typeof area === "number" && area >= 0 ? area : null,
        });
    }
    const every = Math.max(1, Math.ceil(out.length / MAX_POINTS));
    const thinned = every === 1 ? out : out.filter((_, i) => i % every === 0);
    if (settings.kind === "line") thinned.sort((a, b) => order(a.x, b.x));
    return { points: thinned, of: out.length };
}

/** Colours of text: the most frequent ones, and "other" for the rest. `null` for numbers and times, which have a scale. */
function colorGroups(values: readonly ChartValue[]): ((value: ChartValue | undefined) => ChartValue) | null {
    if (!values.some((value) => typeof value === "string")) return null;
    const counts = new Map<string, number>();
    for (const value of values) counts.set(label(value), (counts.get(label(value)) ?? 0) + 1);
    if (counts.size <= MAX_COLORS) return (value) => label(value);
    const kept = new Set([...counts].sort((a, b) => b[1] - a[1]).slice(0, MAX_COLORS - 1).map(([name]) => name));
    return (value) => (kept.has(label(value)) ? label(value) : "other");
}

/** Bars: y summed, or rows counted, per x and colour. The largest stay when there are too many. */
export function bars(sample: Sample, settings: Resolved): { bars: Bar[]; of: number } {
    const x = sample.column(settings.x);
    if (!x) return { bars: [], of: 0 };
    const y = settings.y ? sample.column(settings.y) : null;
    const color = sample.column(settings.color);
    const groups = color ? (colorGroups(color) ?? ((value: ChartValue | undefined) => label(value))) : null;
    const totals = new Map<string, number>();
    const parts = new Map<string, Bar>();
    for (let i = 0; i < x.length; i++) {
        const value = y ? y[i] : 1;
        if (typeof value !== "number" || !Number.isFinite(value)) continue;
        const name = label(x[i]);
        totals.set(name, (totals.get(name) ?? 0) + value);
        const group = groups ? groups(color![i]) : null;
        const key = JSON.stringify([name, group]);
        const bar = parts.get(key) ?? { x: name, y: 0, color: group };
        bar.y += value;
        parts.set(key, bar);
    }
    let kept = new Set(totals.keys());
    if (totals.size > MAX_BARS) {
        kept = new Set([...totals].sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, MAX_BARS).map(([name]) => name));
    }
    return { bars: [...parts.values()].filter((bar) => kept.has(bar.x)), of: totals.size };
}

/** Bins of equal width with round edges. Values that are not finite are left out. */
export function histogram(values: readonly ChartValue[], bins = BINS): Bin[] {
    const numbers = values.filter(drawable).map(Number).filter(Number.isFinite);
    if (numbers.length === 0) return [];
    let low = Infinity;
    let high = -Infinity;
    for (const value of numbers) {
        low = Math.min(low, value);
        high = Math.max(high, value);
    }
    if (low === high) return [{ from: low - 0.5, to: high + 0.5, count: numbers.length }];
    const width = roundStep((high - low) / bins);
    const start = Math.floor(low / width) * width;
    const count = Math.min(Math.floor((high - start) / width) + 1, bins * 3);
    const counts = new Array<number>(count).fill(0);
    for (const value of numbers) {
        const at = Math.min(count - 1, Math.max(0, Math.floor((value - start) / width)));
        counts[at] = counts[at]! + 1;
    }
    return counts.map((of, i) => ({ from: start + i * width, to: start + (i + 1) * width, count: of }));
}

/** 1, 2 or 5 times a power of ten, at least the given step. */
function roundStep(step: number): number {
    const power = 10 ** Math.floor(Math.log10(step));
    const rest = step / power;
    return power * (rest <= 1 ? 1 : rest <= 2 ? 2 : rest <= 5 ? 5 : 10);
}

/**
 * The longitude in the middle of the points, on the short way round: airports on both sides of the date line are
 * neighbours. It is opposite to the middle of the widest gap.
 */
export function centerLongitude(longitudes: readonly number[]): number {
    const sorted = [...longitudes].sort((a, b) => a - b);
    if (sorted.length === 0) return 0;
    let gap = sorted[0]! + 360 - sorted[sorted.length - 1]!;
    let middle = sorted[sorted.length - 1]! + gap / 2;
    for (let i = 1; i < sorted.length; i++) {
        const width = sorted[i]! - sorted[i - 1]!;
        if (width > gap) {
            gap = width;
            middle = sorted[i - 1]! + width / 2;
        }
    }
    const center = middle + 180;
    return ((((center + 180) % 360) + 360) % 360) - 180;
}

export function label(value: ChartValue | undefined): string {
    if (value === null || value === undefined) return "null";
    if (value instanceof Date) return value.toISOString().replace("T", " ").replace(/( 00:00:00)?(\.000)?Z$/, "");
    return String(value);
}

function drawable(value: ChartValue | undefined): value is number | string | Date {
    if (value === null || value === undefined) return false;
    return typeof value === "string" || Number.isFinite(Number(value));
}

function order(a: ChartValue, b: ChartValue): number {
    if (typeof a === "string" || typeof b === "string") return 0;
    return Number(a) - Number(b);
}
