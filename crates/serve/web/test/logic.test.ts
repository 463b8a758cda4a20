import { describe, expect, test } from "vitest";
import { Api, takeToken } from "../src/api.js";
import { errorSpan } from "../src/editor.js";
import { addToHistory, readHistory } from "../src/history.js";
import { columnText } from "../src/mini.js";
import { bytesText, decimalText } from "../src/number.js";
import { readState, writeState } from "../src/state.js";
import { quoted } from "../src/tables.js";
import { tableName, uploadText } from "../src/upload.js";
import { columnEdges, columnsInView, rowsInView, scrollTo } from "../src/viewport.js";

describe("rows and columns in view", () => {
    test("only what is seen, and some around it", () => {
        expect(rowsInView(0, 260, 26, 1_000_000, 8)).toEqual({ first: 0, end: 18 });
        expect(rowsInView(26 * 500_000, 260, 26, 1_000_000, 8)).toEqual({ first: 499_992, end: 500_018 });
        expect(rowsInView(26 * 999_990, 260, 26, 1_000_000, 8)).toEqual({ first: 999_982, end: 1_000_000 });
    });

    test("no rows, no height, a table that became shorter", () => {
        expect(rowsInView(0, 260, 26, 0)).toEqual({ first: 0, end: 0 });
        expect(rowsInView(0, 0, 26, 10)).toEqual({ first: 0, end: 0 });
        expect(rowsInView(26_000, 260, 26, 5)).toEqual({ first: 5, end: 5 });
    });

    test("columns of different widths, by their edges", () => {
        const edges = columnEdges([100, 50, 200, 80]);
        expect(edges).toEqual([0, 100, 150, 350, 430]);
        expect(columnsInView(edges, 0, 120, 0)).toEqual({ first: 0, end: 2 });
        expect(columnsInView(edges, 160, 100, 0)).toEqual({ first: 2, end: 3 });
        expect(columnsInView(edges, 160, 100, 1)).toEqual({ first: 1, end: 4 });
        expect(columnsInView([0], 0, 100)).toEqual({ first: 0, end: 0 });
    });

    test("scrolling moves no further than it must", () => {
        expect(scrollTo(100, 50, 110, 120)).toBe(100);
        expect(scrollTo(100, 50, 80, 90)).toBe(80);
        expect(scrollTo(100, 50, 150, 160)).toBe(110);
    });
});

describe("the address", () => {
    test("keeps the query and the chart", () => {
        const state = {
            sql: "SELECT \"a b\", 'x#y&z=ü'\nFROM t",
            view: "chart" as const,
            chart: { kind: "bar" as const, x: "a b", y: "", color: "c&d" },
        };
        expect(readState(`#${writeState(state)}`)).toEqual(state);
    });

    test("of an untouched page is empty, and one that was cut does no harm", () => {
        expect(writeState({ sql: "", view: "table", chart: {} })).toBe("");
        expect(readState("#sql=SELECT+1&chart=pie&view=%E0%A4%A")).toEqual({ sql: "SELECT 1", view: "table", chart: {} });
    });

    test("loses the token, and nothing else", () => {
        expect(takeToken("http://h:1/p/?a=1&token=t%20k#sql=x")).toEqual({ token: "t k", clean: "http://h:1/p/?a=1#sql=x" });
        expect(takeToken("http://h:1/")).toEqual({ token: null, clean: "http://h:1/" });
    });

    test("of a download carries any query, below the page's own", () => {
        const url = new URL(new Api("http://h/nested/", null).queryUrl("SELECT 'a&b'", "csv"));
        expect(url.pathname).toBe("/nested/api/query");
        expect(Object.fromEntries(url.searchParams)).toEqual({ sql: "SELECT 'a&b'", format: "csv" });
        expect(new Api("http://h/", null).fileUrl("../a b")).toBe("http://h/api/tables/..%2Fa%20b/file");
    });
});

describe("the history", () => {
    const storage = () => {
        const items = new Map<string, string>();
        return {
            getItem: (key: string) => items.get(key) ?? null,
            setItem: (key: string, value: string) => void items.set(key, value),
            removeItem: (key: string) => void items.delete(key),
        };
    };

    test("has the newest first, each once, and an end", () => {
        const store = storage();
        for (let i = 0; i < 60; i++) addToHistory(store, `SELECT ${i}`, i);
        addToHistory(store, " SELECT 58 ", 99);
        const entries = readHistory(store);
        expect(entries).toHaveLength(50);
        expect(entries.slice(0, 3).map((entry) => entry.sql)).toEqual(["SELECT 58", "SELECT 59", "SELECT 57"]);
    });

    test("survives storage that is full, forbidden or of another program", () => {
        const full = { ...storage(), setItem: () => { throw new Error("quota"); } };
        expect(addToHistory(full, "SELECT 1", 1)).toHaveLength(1);
        expect(readHistory({ ...storage(), getItem: () => "{not json" })).toEqual([]);
        expect(readHistory({ ...storage(), getItem: () => '[{"sql":1},null,{"sql":"a","at":2}]' })).toEqual([{ sql: "a", at: 2 }]);
    });
});

describe("an error's place", () => {
    const text = 'SELECT carier,\n  "a b" + ümlaut FROM flights';
    const word = (line: number, column: number) => {
        const { from, to } = errorSpan(text, line, column);
        return text.slice(from, to);
    };

    test("is the word there", () => {
        expect(word(1, 8)).toBe("carier");
        expect(word(2, 3)).toBe('"a b"');
        expect(word(2, 11)).toBe("ümlaut");
        expect(errorSpan("😀 x", 1, 3)).toEqual({ from: 3, to: 4 });
    });

    test("outside of the text is its end", () => {
        expect(word(2, 400)).toBe("s");
        expect(word(9, 1)).toBe("s");
        expect(errorSpan("", 1, 1)).toEqual({ from: 0, to: 0 });
    });
});

test("names are quoted where SQL would not read them back", () => {
    expect([quoted("flights"), quoted("Air Time"), quoted('a"b'), quoted("order"), quoted("1st")]).toEqual(["flights", '"Air Time"', '"a""b"', '"order"', '"1st"']);
});

test("tables are named after files", () => {
    expect(["flights.csv.gz", "C:\\data\\Größe 1.parquet", "2013.arrow", "..", "日本.csv"].map(tableName)).toEqual(["flights", "Größe_1", "t2013", "upload", "日本"]);
    const long = ["x".repeat(200), "中".repeat(200), "𠮷".repeat(200)].map((name) => tableName(`${name}.csv`));
    expect(long).toEqual(["x".repeat(90), "中".repeat(76), "𠮷".repeat(57)]);
});

test("an upload that was repaired says so", () => {
    const answer = { name: "t", rows: 1200, recovered: true, leftover_bytes: 3400 };
    expect(uploadText("t.arrow", answer)).toBe("t.arrow is now the table t: 1,200 rows. The file was damaged: these rows were recovered, 3.40 kB at its end were not");
    expect(uploadText("t.arrow", { ...answer, recovered: false })).toBe("t.arrow is now the table t: 1,200 rows");
});

test("a column in words", () => {
    const column = { name: "c", type: "str", nulls: 5, min: "EWR", max: "LGA", histogram: null, edges: null, top: [{ value: "EWR", count: 9893 }] };
    expect(columnText(column, 100)).toBe("EWR to LGA; EWR 9,893; 5 nulls (5.0 %)");
    expect(columnText({ ...column, nulls: 0, min: null, max: null, top: null }, 0)).toBe("no values");
});

test("sizes and decimals", () => {
    expect([bytesText(0), bytesText(999), bytesText(1000), bytesText(999_999), bytesText(12_345_678)]).toEqual(["0 B", "999 B", "1.00 kB", "1.00 MB", "12.3 MB"]);
    expect([decimalText(-5n, 2), decimalText(1234n, 0), decimalText(12n, -2)]).toEqual(["-0.05", "1234", "1200"]);
});
