import type { ServerResponse } from "node:http";
import { Int32, Utf8, makeData, vectorFromArray } from "apache-arrow";
import { describe, expect, test } from "vitest";
import { Api, ApiError } from "../src/api.js";
import { QueryRun } from "../src/run.js";
import { shownText, statusParts } from "../src/status.js";
import { batchOf, streamOf } from "./arrow.js";
import { serve } from "./server.js";

const batch = batchOf({
    n: makeData({ type: new Int32(), data: new Int32Array(1000).map((_, i) => i) }),
    s: vectorFromArray(Array.from({ length: 1000 }, (_, i) => `s${i % 7}`), new Utf8()).data[0]!,
});
const whole = streamOf(Array.from({ length: 20 }, () => batch));

/** Runs a query against a server that answers it this way; the requests that came, too. */
async function run(answer: (response: ServerResponse) => void, during?: (run: QueryRun) => unknown, budget?: { bytes: number; rows: number }) {
    const requests: string[] = [];
    const bodies: string[] = [];
    const server = await serve((request, response) => {
        requests.push(`${request.method} ${request.url} ${request.headers.authorization ?? ""}`.trim());
        request.on("data", (chunk: Buffer) => bodies.push(chunk.toString()));
        if (request.method === "DELETE") return response.writeHead(204).end();
        response.setHeader("x-floe-query-id", "q/7");
        return answer(response);
    });
    const progress: number[] = [];
    const acts: unknown[] = [];
    const query = new QueryRun(
        new Api(server.base, "secret"),
        "SELECT 1",
        { onSchema: () => {}, onProgress: (current) => (progress.push(current.store.total), acts.push(during?.(current))) },
        budget,
    );
    await query.start();
    await Promise.all(acts);
    await server.close();
    return { query, requests, bodies, progress };
}

describe("a query", () => {
    test("streams, counts and samples its rows, with the token", async () => {
        const { query, requests, bodies } = await run((response) => response.end(whole));
        expect(query.state).toBe("done");
        expect(query.store.total).toBe(20_000);
        expect(query.bytes).toBe(whole.length);
        expect(query.sample?.total).toBe(20_000);
        expect(requests).toEqual(["POST /api/query Bearer secret"]);
        expect(JSON.parse(bodies.join(""))).toEqual({ sql: "SELECT 1", format: "arrows", codec: "none" });
        expect(statusParts(query).slice(0, 2)).toEqual(["Done", "20,000 rows"]);
        expect(shownText(query)).toBe("");
    });

    test("shows rows before the last ones are computed", async () => {
        let finish = () => {};
        const { query, progress } = await run(
            (response) => {
                response.write(whole.subarray(0, whole.length / 2));
                finish = () => response.end(whole.subarray(whole.length / 2));
            },
            (current) => current.store.total > 0 && current.state === "running" && finish(),
        );
        expect(query.state).toBe("done");
        expect(progress[0]).toBeGreaterThan(0);
        expect(progress[0]).toBeLessThan(20_000);
    });

    test("keeps the first rows only, and says so", async () => {
        const { query } = await run((response) => response.end(whole), undefined, { bytes: 1 << 30, rows: 2_500 });
        expect(query.store.kept).toBe(2_500);
        expect(query.store.total).toBe(20_000);
        expect(shownText(query)).toBe("Showing the first 2,500 of 20,000 rows. Downloads have all of them.");
    });

    test("that the server cuts off is incomplete", async () => {
        const { query } = await run((response) => {
            response.write(whole.subarray(0, whole.length - 3000), () => setTimeout(() => response.destroy(), 20));
        });
        expect(query.state).toBe("incomplete");
        expect(query.store.total).toBeGreaterThan(0);
        expect(shownText(query)).toMatch(/incomplete.*part/);
    });

    test("that ends well-formed but early is incomplete, too", async () => {
        const { query } = await run((response) => response.end(whole.subarray(0, whole.length - 8)));
        expect(query.state).toBe("incomplete");
        expect(query.store.total).toBe(20_000);
    });

    test("that is cancelled tells the server and keeps what came", async () => {
        const { query, requests } = await run(
            (response) => response.write(whole.subarray(0, whole.length / 2)),
            (current) => current.cancel(),
        );
        expect(query.state).toBe("cancelled");
        expect(query.store.total).toBeGreaterThan(0);
        expect(requests[1]).toBe("DELETE /api/queries/q%2F7 Bearer secret");
    });

    test("that is wrong has the server's error with its place", async () => {
        const error = { kind: "sql", message: "unknown column: carier", line: 2, column: 8 };
        const { query } = await run((response) => response.writeHead(400).end(JSON.stringify({ error })));
        expect(query.state).toBe("failed");
        expect(query.error).toBeInstanceOf(ApiError);
        expect(query.error).toMatchObject({ ...error, status: 400 });
    });

    test("that a proxy answers quotes it", async () => {
        const { query } = await run((response) => response.writeHead(502).end("<h1>Bad gateway</h1>"));
        expect(query.error?.message).toBe("The server answered 502: <h1>Bad gateway</h1>");
    });
});

test("a server that is gone is a network error", async () => {
    const server = await serve(() => {});
    await server.close();
    const query = new QueryRun(new Api(server.base, null), "SELECT 1", { onSchema: () => {}, onProgress: () => {} });
    await query.start();
    expect(query.error).toMatchObject({ kind: "network" });
});
