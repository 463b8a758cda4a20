import * as arrow from "apache-arrow";
import { describe, expect, test } from "vitest";
import { cellOf } from "../src/format.js";
import { typeText } from "../src/types.js";
import { allowWideInts, WideInt } from "../src/wide-int.js";
import { batchOf, streamOf, validity } from "./arrow.js";

/** The texts of a column after a trip through a stream, as the page gets it. */
function texts(data: arrow.Data): string[] {
    const [batch] = [...arrow.RecordBatchReader.from(streamOf([batchOf({ c: data })]))];
    const column = batch!.data.children[0]!;
    return Array.from({ length: batch!.numRows }, (_, i) => cellOf(column, i).text);
}

function kinds(data: arrow.Data): string[] {
    return Array.from({ length: data.length }, (_, i) => cellOf(data, i).kind);
}

const vectorData = (values: unknown[], type: arrow.DataType): arrow.Data => arrow.vectorFromArray(values as never, type).data[0]!;

describe("numbers", () => {
    test("64-bit integers keep every digit", () => {
        const data = arrow.makeData({ type: new arrow.Int64(), data: new BigInt64Array([9007199254740993n, -(2n ** 63n)]) });
        expect(texts(data)).toEqual(["9007199254740993", "-9223372036854775808"]);
        expect(texts(arrow.makeData({ type: new arrow.Uint64(), data: new BigUint64Array([2n ** 64n - 1n]) }))).toEqual(["18446744073709551615"]);
    });

    test("small integers", () => {
        expect(texts(arrow.makeData({ type: new arrow.Int8(), data: new Int8Array([-128, 127]) }))).toEqual(["-128", "127"]);
        expect(texts(arrow.makeData({ type: new arrow.Uint16(), data: new Uint16Array([65535]) }))).toEqual(["65535"]);
        expect(texts(arrow.makeData({ type: new arrow.Uint32(), data: new Uint32Array([4294967295]) }))).toEqual(["4294967295"]);
    });

    test("floats in their shortest form, and what is not a number", () => {
        const values = new Float64Array([0.1, 2, -0, NaN, Infinity, -Infinity, 1e300]);
        expect(texts(arrow.makeData({ type: new arrow.Float64(), data: values }))).toEqual(["0.1", "2.0", "-0.0", "NaN", "inf", "-inf", "1e+300"]);
        const single = new Float32Array([0.1, 3.4028235e38, 16777216, 1 / 3]);
        expect(texts(arrow.makeData({ type: new arrow.Float32(), data: single }))).toEqual(["0.1", "3.4028235e+38", "16777216.0", "0.33333334"]);
        const half = new Uint16Array([0x3c00, 0x3555, 0xfc00, 0x0001]);
        expect(texts(arrow.makeData({ type: new arrow.Float16(), data: half }))).toEqual(["1.0", "0.33325195", "-inf", "5.9604645e-8"]);
    });

    test("decimals of 128 and 256 bits are not rounded", () => {
        const words = new Uint32Array(new BigUint64Array([BigInt.asUintN(64, -12345678901234567890123n), BigInt.asUintN(64, -12345678901234567890123n >> 64n)]).buffer);
        expect(texts(arrow.makeData({ type: new arrow.Decimal(2, 38, 128), data: words }))).toEqual(["-123456789012345678901.23"]);
        const wide = new Uint32Array([5, 0, 0, 0, 0, 0, 0, 0]);
        expect(texts(arrow.makeData({ type: new arrow.Decimal(3, 76, 256), data: wide }))).toEqual(["0.005"]);
    });
});

test("128-bit integers, which arrow-js does not know, also inside of others", () => {
    const bytes = (value: bigint) => new Uint8Array(new BigUint64Array([BigInt.asUintN(64, value), BigInt.asUintN(64, value >> 64n)]).buffer);
    for (const [signed, value] of [[true, -(2n ** 100n)], [false, 2n ** 128n - 1n]] as const) {
        const wide = new arrow.Field("w", new arrow.Int(signed, 128 as 64), true);
        const list = new arrow.Field("l", new arrow.List(wide), true);
        allowWideInts(new arrow.Schema([wide, list]));
        const data = arrow.makeData({ type: wide.type as unknown as WideInt, data: bytes(value) });
        expect(cellOf(data, 0)).toMatchObject({ text: String(value), kind: "number" });
        expect(typeText(wide.type)).toBe(signed ? "Int128" : "Uint128");
        expect((list.type as arrow.List).children[0]!.type).toBeInstanceOf(WideInt);
    }
});

describe("times", () => {
    test("nanoseconds survive, trailing zeros do not", () => {
        const type = new arrow.TimestampNanosecond();
        const data = arrow.makeData({ type, data: new BigInt64Array([1357017300123456789n, 1357017300000000000n, -1n]) });
        expect(texts(data)).toEqual(["2013-01-01 05:15:00.123456789", "2013-01-01 05:15:00", "1969-12-31 23:59:59.999999999"]);
    });

    test("time zones show the wall clock and its offset", () => {
        const type = new arrow.TimestampMicrosecond("America/New_York");
        const data = arrow.makeData({ type, data: new BigInt64Array([1357035300000000n, 1373000000000000n]) });
        expect(texts(data)).toEqual(["2013-01-01 05:15:00-05:00", "2013-07-05 00:53:20-04:00"]);
        const utc = arrow.makeData({ type: new arrow.TimestampMillisecond("UTC"), data: new BigInt64Array([0n]) });
        expect(texts(utc)).toEqual(["1970-01-01 00:00:00+00:00"]);
        const odd = arrow.makeData({ type: new arrow.TimestampSecond("Mars/Olympus"), data: new BigInt64Array([0n]) });
        expect(texts(odd)).toEqual(["1970-01-01 00:00:00 UTC (Mars/Olympus)"]);
    });

    test("moments that no calendar of the browser has", () => {
        const data = arrow.makeData({ type: new arrow.TimestampSecond(), data: new BigInt64Array([2n ** 62n]) });
        expect(texts(data)).toEqual(["4611686018427387904 s since 1970"]);
    });

    test("dates", () => {
        expect(texts(arrow.makeData({ type: new arrow.DateDay(), data: new Int32Array([15706, -1]) }))).toEqual(["2013-01-01", "1969-12-31"]);
        const data = arrow.makeData({ type: new arrow.DateMillisecond(), data: new BigInt64Array([1356998400000n]) });
        expect(texts(data)).toEqual(["2013-01-01"]);
    });

    test("times of day and durations in every unit", () => {
        expect(texts(arrow.makeData({ type: new arrow.TimeSecond(), data: new Int32Array([18900]) }))).toEqual(["05:15:00"]);
        expect(texts(arrow.makeData({ type: new arrow.TimeNanosecond(), data: new BigInt64Array([18900000000001n]) }))).toEqual(["05:15:00.000000001"]);
        const durations = new BigInt64Array([93784005n, -1n, 0n]);
        expect(texts(arrow.makeData({ type: new arrow.DurationMillisecond(), data: durations }))).toEqual(["1d 2h 3m 4s 5ms", "-1ms", "0ms"]);
        expect(texts(arrow.makeData({ type: new arrow.DurationNanosecond(), data: new BigInt64Array([1000001001n]) }))).toEqual(["1s 1µs 1ns"]);
    });

    test("intervals", () => {
        expect(texts(arrow.makeData({ type: new arrow.IntervalYearMonth(), data: new Int32Array([14]) }))).toEqual(["1y 2mo"]);
        expect(texts(arrow.makeData({ type: new arrow.IntervalDayTime(), data: new Int32Array([3, 4]) }))).toEqual(["3d 4ms"]);
        expect(texts(arrow.makeData({ type: new arrow.IntervalMonthDayNano(), data: new Int32Array([1, 2, 3, 0]) }))).toEqual(["1mo 2d 3ns"]);
    });
});

describe("text, binary and nested values", () => {
    test("null, empty and the word null are three things", () => {
        const data = vectorData([null, "", "null", "<b>&"], new arrow.Utf8());
        expect(texts(data)).toEqual(["null", "empty", "null", "<b>&"]);
        expect(kinds(data)).toEqual(["null", "empty", "text", "text"]);
    });

    test("large text and views", () => {
        expect(texts(vectorData(["ä", null], new arrow.LargeUtf8()))).toEqual(["ä", "null"]);
        const views = new Uint8Array(32);
        const view = new DataView(views.buffer);
        view.setInt32(0, 2, true);
        views.set(new TextEncoder().encode("hi"), 4);
        view.setInt32(16, 14, true);
        view.setInt32(28, 1, true);
        const buffers = [new TextEncoder().encode("_out of line 14")];
        const data = arrow.makeData({ type: new arrow.Utf8View(), length: 2, nullCount: 0, views, variadicBuffers: buffers });
        expect([0, 1].map((i) => cellOf(data, i).text)).toEqual(["hi", "out of line 14"]);
    });

    test("long text is cut, and says so", () => {
        const cell = cellOf(vectorData(["x".repeat(1000)], new arrow.Utf8()), 0);
        expect(cell.cut).toBe(true);
        expect(cell.text).toHaveLength(240);
    });

    test("binary in hexadecimal digits", () => {
        expect(texts(vectorData([new Uint8Array([0, 255])], new arrow.Binary()))).toEqual(["0x00ff"]);
        const data = arrow.makeData({ type: new arrow.FixedSizeBinary(2), data: new Uint8Array([1, 2, 3, 4]) });
        expect(texts(data)).toEqual(["0x0102", "0x0304"]);
    });

    test("bools and nulls", () => {
        expect(texts(vectorData([true, false, null], new arrow.Bool()))).toEqual(["true", "false", "null"]);
        expect(texts(arrow.makeData({ type: new arrow.Null(), length: 1 }))).toEqual(["null"]);
    });

    test("lists, with nulls inside and outside", () => {
        const type = new arrow.List(new arrow.Field("item", new arrow.Utf8(), true));
        expect(texts(vectorData([["a", null, 'say "b"'], null, []], type))).toEqual(['["a", null, "say \\"b\\""]', "null", "[]"]);
    });

    test("large and fixed-size lists", () => {
        const child = arrow.makeData({ type: new arrow.Int32(), data: new Int32Array([1, 2, 3, 4]) });
        const field = new arrow.Field("item", new arrow.Int32(), true);
        const large = arrow.makeData({ type: new arrow.LargeList(field), length: 2, nullCount: 0, valueOffsets: new BigInt64Array([0n, 1n, 4n]), child });
        expect(texts(large)).toEqual(["[1]", "[2, 3, 4]"]);
        const fixed = arrow.makeData({ type: new arrow.FixedSizeList(2, field), length: 2, nullCount: 0, child });
        expect(texts(fixed)).toEqual(["[1, 2]", "[3, 4]"]);
    });

    test("a list of a million items costs no more than its cell", () => {
        const child = arrow.makeData({ type: new arrow.Int32(), data: new Int32Array(1_000_000) });
        const type = new arrow.List(new arrow.Field("item", new arrow.Int32(), true));
        const data = arrow.makeData({ type, length: 1, nullCount: 0, valueOffsets: new Int32Array([0, 1_000_000]), child });
        const cell = cellOf(data, 0);
        expect(cell.cut).toBe(true);
        expect(cell.text.length).toBeLessThanOrEqual(240);
    });

    test("structs, maps and dictionaries", () => {
        const fields = [new arrow.Field("a", new arrow.Int32(), true), new arrow.Field("b", new arrow.Utf8(), true)];
        expect(texts(vectorData([{ a: 1, b: "x" }, { a: null, b: "" }, null], new arrow.Struct(fields)))).toEqual(['{a: 1, b: "x"}', '{a: null, b: ""}', "null"]);
        const entries = new arrow.Field("entries", new arrow.Struct<{ key: arrow.Utf8; value: arrow.Int32 }>([new arrow.Field("key", new arrow.Utf8(), false), new arrow.Field("value", new arrow.Int32(), true)]), false);
        expect(texts(vectorData([new Map([["k", 1]])], new arrow.Map_(entries)))).toEqual(['{"k": 1}']);
        expect(texts(vectorData(["x", "y", null, "x"], new arrow.Dictionary(new arrow.Utf8(), new arrow.Uint32())))).toEqual(["x", "y", "null", "x"]);
    });

    test("unions take the value of the child that is meant", () => {
        const children = [
            arrow.makeData({ type: new arrow.Int32(), data: new Int32Array([7, 0]) }),
            vectorData(["", "seven"], new arrow.Utf8()),
        ];
        const fields = [new arrow.Field("i", new arrow.Int32()), new arrow.Field("s", new arrow.Utf8())];
        const data = arrow.makeData({ type: new arrow.SparseUnion(new Int32Array([0, 1]), fields), length: 2, nullCount: 0, typeIds: new Int8Array([0, 1]), children });
        expect([0, 1].map((i) => cellOf(data, i).text)).toEqual(["7", "seven"]);
    });

    test("validity", () => {
        const data = arrow.makeData({ type: new arrow.Int32(), length: 2, nullCount: 1, data: new Int32Array([1, 2]), nullBitmap: validity([false, true]) });
        expect(texts(data)).toEqual(["null", "2"]);
    });
});

test("types in few words", () => {
    expect(typeText(new arrow.TimestampMicrosecond("Europe/Berlin"))).toBe("timestamp(µs, Europe/Berlin)");
    expect(typeText(new arrow.TimestampMillisecond())).toBe("timestamp(ms)");
    expect(typeText(new arrow.Dictionary(new arrow.LargeUtf8(), new arrow.Uint32()))).toBe("dictionary of text");
    expect(typeText(new arrow.Decimal(2, 38, 128))).toBe("decimal(38, 2)");
    const item = new arrow.Field("item", new arrow.LargeUtf8());
    const types = [new arrow.LargeList(item), new arrow.FixedSizeList(2, item), new arrow.Struct([item]), new arrow.LargeBinary(), new arrow.DateDay()];
    expect(types.map(typeText)).toEqual(["list of text", "list of 2 text", "struct of item", "binary", "date"]);
    expect([new arrow.TimeNanosecond(), new arrow.DurationMillisecond(), new arrow.Int64()].map(typeText)).toEqual(["time(ns)", "duration(ms)", "Int64"]);
});
