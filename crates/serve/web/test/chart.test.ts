import * as arrow from "apache-arrow";
import { describe, expect, test } from "vitest";
import { bars, centerLongitude, coordinates, histogram, MAX_BARS, MAX_POINTS, points, resolveSettings } from "../src/chart-data.js";
import { chartValue, Sample } from "../src/sample.js";
import { BatchStore } from "../src/store.js";
import { batchOf } from "./arrow.js";

const ints = (from: number, count: number) =>
    arrow.makeData({ type: new arrow.Int32(), data: new Int32Array(count).map((_, i) => from + i) });
const words = (values: (string | null)[]) => arrow.vectorFromArray(values, new arrow.Utf8()).data[0]!;

function sampleOf(columns: Record<string, arrow.Data>, limit?: number): Sample {
    const batch = batchOf(columns);
    const sample = new Sample(batch.schema, limit);
    sample.add(batch);
    return sample;
}

describe("the sample", () => {
    test("of a small result is the result", () => {
        const sample = sampleOf({ n: ints(0, 100) });
        expect(sample.complete).toBe(true);
        expect(sample.column("n")).toHaveLength(100);
        expect(sample.column("other")).toBeNull();
    });

    test.each([1, 3, 999, 4096, 100_000])("of a large one is bounded and even, in batches of %i", (size) => {
        const first = batchOf({ n: ints(0, 1) });
        const sample = new Sample(first.schema, 1000);
        const total = 100_000;
        for (let at = 0; at < total; at += size) sample.add(batchOf({ n: ints(at, Math.min(size, total - at)) }));
        expect(sample.total).toBe(total);
        expect(sample.stride).toBe(128);
        expect(sample.column("n")).toEqual(Array.from({ length: Math.ceil(total / 128) }, (_, i) => i * 128));
    });

    test("of many columns keeps fewer rows", () => {
        const columns = Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`c${i}`, ints(0, 5_000)]));
        expect(sampleOf(columns).rows).toBeLessThanOrEqual(4_000);
    });

    test("leaves out what has no place on an axis", () => {
        const list = arrow.vectorFromArray([[1]], new arrow.List(new arrow.Field("item", new arrow.Int32()))).data[0]!;
        const sample = sampleOf({ list, bin: arrow.vectorFromArray([new Uint8Array([1])], new arrow.Binary()).data[0]!, n: ints(0, 1) });
        expect(sample.columns).toEqual([{ name: "n", role: "number" }]);
    });
});

test("values of charts", () => {
    const value = (data: arrow.Data) => chartValue(data, 0);
    expect(value(arrow.makeData({ type: new arrow.Int64(), data: new BigInt64Array([5n]) }))).toBe(5);
    expect(value(arrow.makeData({ type: new arrow.Decimal(2, 20, 128), data: new Uint32Array([1234, 0, 0, 0]) }))).toBe(12.34);
    expect(value(arrow.makeData({ type: new arrow.DateDay(), data: new Int32Array([1]) }))).toEqual(new Date(86_400_000));
    const zoned = arrow.makeData({ type: new arrow.TimestampMillisecond("America/New_York"), data: new BigInt64Array([1357035300000n]) });
    expect(value(zoned)).toEqual(new Date("2013-01-01T05:15:00Z"));
    expect(value(words([null]))).toBeNull();
    expect(value(arrow.vectorFromArray([true], new arrow.Bool()).data[0]!)).toBe("true");
});

describe("what is drawn", () => {
    const columns = { carrier: words(["UA", "B6", "UA", null]), n: ints(1, 4) };

    test("fits the result", () => {
        const sample = sampleOf(columns);
        expect(resolveSettings({}, sample.columns)).toMatchObject({ kind: "bar", x: "carrier", y: "n" });
        expect(resolveSettings({}, sampleOf({ a: ints(0, 1), b: ints(0, 1) }).columns)).toMatchObject({ kind: "scatter", x: "a", y: "b" });
        expect(resolveSettings({}, sampleOf({ a: ints(0, 1) }).columns)).toMatchObject({ kind: "histogram", x: "a" });
        const places = sampleOf({ name: words(["x"]), lat: ints(0, 1), lon: ints(0, 1) }).columns;
        expect(coordinates(places)).toEqual({ x: "lon", y: "lat" });
        expect(resolveSettings({}, places)).toMatchObject({ kind: "map", x: "lon", y: "lat" });
        const series = sampleOf({ day: arrow.makeData({ type: new arrow.DateDay(), data: new Int32Array([1]) }), n: ints(0, 1) });
        expect(resolveSettings({}, series.columns)).toMatchObject({ kind: "line", x: "day", y: "n" });
    });

    test("forgets columns that are gone", () => {
        const sample = sampleOf(columns);
        expect(resolveSettings({ kind: "scatter", x: "gone", y: "n" }, sample.columns)).toMatchObject({ kind: "bar", x: "carrier" });
        expect(resolveSettings({ kind: "bar", x: "carrier", y: "gone", color: "gone" }, sample.columns)).toMatchObject({ y: "n", color: undefined });
    });

    test("bars sum y, or count rows; nulls are a bar of their own", () => {
        const sample = sampleOf(columns);
        expect(bars(sample, { kind: "bar", x: "carrier", y: "n" }).bars).toEqual([
            { x: "UA", y: 4, color: null },
            { x: "B6", y: 2, color: null },
            { x: "null", y: 4, color: null },
        ]);
        expect(bars(sample, { kind: "bar", x: "carrier", y: "" }).bars.map((bar) => bar.y)).toEqual([2, 1, 1]);
    });

    test("the largest bars stay when there are too many", () => {
        const sample = sampleOf({ k: words(Array.from({ length: 200 }, (_, i) => `k${i}`)), n: ints(0, 200) });
        const shown = bars(sample, { kind: "bar", x: "k", y: "n" });
        expect(shown.of).toBe(200);
        expect(shown.bars).toHaveLength(MAX_BARS);
        expect(shown.bars[0]).toMatchObject({ x: "k160", y: 160 });
    });

    test("points are bounded, and lines are in order", () => {
        const sample = sampleOf({ a: ints(0, 10_000), b: ints(0, 10_000) });
        const scatter = points(sample, { kind: "scatter", x: "a", y: "b" });
        expect(scatter.of).toBe(10_000);
        expect(scatter.points.length).toBeLessThanOrEqual(MAX_POINTS);
        const back = sampleOf({ a: arrow.makeData({ type: new arrow.Int32(), data: new Int32Array([3, 1, 2]) }), b: ints(0, 3) });
        expect(points(back, { kind: "line", x: "a", y: "b" }).points.map((point) => point.x)).toEqual([1, 2, 3]);
    });

    test("colours beyond ten become one", () => {
        const sample = sampleOf({ a: ints(0, 60), b: ints(0, 60), c: words(Array.from({ length: 60 }, (_, i) => `c${i % 20}`)) });
        const colors = new Set(points(sample, { kind: "scatter", x: "a", y: "b", color: "c" }).points.map((point) => point.color));
        expect(colors.size).toBe(10);
        expect(colors).toContain("other");
    });

    test("histograms have round edges and every value", () => {
        const bins = histogram(Array.from({ length: 1000 }, (_, i) => i / 10));
        expect(bins.reduce((sum, bin) => sum + bin.count, 0)).toBe(1000);
        expect(bins[0]).toEqual({ from: 0, to: 5, count: 50 });
        expect(histogram([7, 7, null, NaN])).toEqual([{ from: 6.5, to: 7.5, count: 2 }]);
        expect(histogram([null])).toEqual([]);
        expect(histogram([0, 1e300]).reduce((sum, bin) => sum + bin.count, 0)).toBe(2);
    });

    test("a map's middle lies on the short way round", () => {
        expect(centerLongitude([-75, -125])).toBeCloseTo(-100);
        expect(centerLongitude([170, -170])).toBeCloseTo(-180);
        expect(centerLongitude([10])).toBeCloseTo(10);
    });
});

describe("the batches that are kept", () => {
    const batch = batchOf({ n: ints(0, 1000) });

    test("end at the rows of the budget", () => {
        const store = new BatchStore({ bytes: 1 << 30, rows: 2500 });
        const kept = [1, 2, 3, 4].map(() => store.add(batch));
        expect(kept).toEqual([true, true, true, false]);
        expect([store.kept, store.total]).toEqual([2500, 4000]);
        expect(store.locate(2499)).toMatchObject({ index: 499 });
        expect(store.locate(2500)).toBeNull();
        expect(store.locate(-1)).toBeNull();
    });

    test("end at its bytes, without gaps after", () => {
        const store = new BatchStore({ bytes: 12_000, rows: 1 << 30 });
        const small = batchOf({ n: ints(0, 1) });
        expect([batch, batch, batch, small].map((each) => store.add(each))).toEqual([true, true, false, false]);
        expect(store.bytes).toBeLessThanOrEqual(12_000);
        expect([store.kept, store.total]).toEqual([2000, 3001]);
    });

    test("have at least the first, so that there is something to see", () => {
        const store = new BatchStore({ bytes: 10, rows: 100 });
        expect(store.add(batch)).toBe(true);
        expect(store.kept).toBe(100);
    });

    test("count a shared dictionary once", () => {
        const dictionary = arrow.vectorFromArray([`${"x".repeat(100_000)}`], new arrow.Utf8());
        const type = new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32());
        const coded = () => batchOf({ d: arrow.makeData({ type, length: 2, nullCount: 0, data: new Int32Array([0, 0]), dictionary }) });
        const store = new BatchStore({ bytes: 1 << 30, rows: 1 << 30 });
        store.add(coded());
        const first = store.bytes;
        store.add(coded());
        expect(first).toBeGreaterThan(100_000);
        expect(store.bytes - first).toBeLessThan(3_000);
    });

    test("find any row", () => {
        const store = new BatchStore();
        for (const size of [1, 1000, 3, 500]) store.add(batchOf({ n: ints(store.total, size) }));
        for (const row of [0, 1, 500, 1000, 1001, 1003, 1004, 1503]) {
            const { batch: found, index } = store.locate(row)!;
            expect(found.getChildAt(0)!.get(index)).toBe(row);
        }
    });
});
