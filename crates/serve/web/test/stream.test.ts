import { setTimeout as sleep } from "node:timers/promises";
import { Int64, makeData, type RecordBatch } from "apache-arrow";
import { describe, expect, test } from "vitest";
import { Framing } from "../src/framing.js";
import { IncompleteError, readStream, UnreadableError } from "../src/stream.js";
import { batchOf, streamOf } from "./arrow.js";

/** Batches whose bytes look like an end marker: the number 4294967295 in 64 bits, to the last byte of the body. */
const MARKERS = new BigInt64Array(8).fill(0xffffffffn);
const batches = [0, 1, 2].map(() => batchOf({ n: makeData({ type: new Int64(), data: MARKERS }) }));
const whole = streamOf(batches);

function bodyOf(bytes: Uint8Array, size = 7, fail?: Error): ReadableStream<Uint8Array> {
    let at = 0;
    return new ReadableStream({
        pull(controller) {
            if (at >= bytes.length) return fail ? controller.error(fail) : controller.close();
            controller.enqueue(bytes.slice(at, at + size));
            at += size;
        },
    });
}

async function read(body: ReadableStream<Uint8Array>, signal?: AbortSignal, onBatch?: (batch: RecordBatch) => void) {
    const seen = { rows: 0, batches: 0, bytes: 0, fields: [] as string[] };
    const events = {
        onSchema: (schema: { names: PropertyKey[] }) => void (seen.fields = schema.names.map(String)),
        onBatch: (batch: RecordBatch) => {
            seen.rows += batch.numRows;
            seen.batches++;
            onBatch?.(batch);
        },
        onBytes: (bytes: number) => void (seen.bytes += bytes),
        pause: () => Promise.resolve(),
    };
    const error = await readStream(body, events as never, signal).then(
        () => null,
        (thrown: unknown) => thrown,
    );
    return { ...seen, error };
}

describe("a stream's end", () => {
    test.each([1, 7, 64, 1 << 20])("is found in chunks of %i bytes", async (size) => {
        const seen = await read(bodyOf(whole, size));
        expect(seen.error).toBeNull();
        expect(seen).toMatchObject({ rows: 24, batches: 3, fields: ["n"], bytes: whole.length });
    });

    test("is missed wherever the stream is cut", async () => {
        for (let cut = 0; cut < whole.length; cut++) {
            const seen = await read(bodyOf(whole.slice(0, cut), 4096));
            expect(seen.error, `cut at ${cut} of ${whole.length}`).toBeInstanceOf(IncompleteError);
        }
    });

    test("is not taken for values that look like it", () => {
        const framing = new Framing();
        // All but the marker itself: the last bytes are those of the last value, and look the same.
        framing.push(whole.subarray(0, whole.length - 8));
        const tail = whole.subarray(whole.length - 16, whole.length - 8);
        expect([...tail]).toEqual([255, 255, 255, 255, 0, 0, 0, 0]);
        expect(framing.ended).toBe(false);
        framing.push(whole.subarray(whole.length - 8));
        expect(framing.ended).toBe(true);
    });

    test("that never comes because the connection broke is told with its reason", async () => {
        const seen = await read(bodyOf(whole.slice(0, whole.length - 20), 64, new TypeError("network error")));
        expect(seen.error).toBeInstanceOf(IncompleteError);
        expect((seen.error as Error).message).toContain("network error");
        expect(seen.rows).toBeGreaterThan(0);
    });
});

test("bytes that are no Arrow stream are an error, not an empty result", async () => {
    const seen = await read(bodyOf(new TextEncoder().encode("<html>a proxy's page</html>")));
    expect(seen.error).toBeInstanceOf(IncompleteError);
});

test("what arrow-js does not know is not called incomplete", async () => {
    // An integer of 24 bits.
    const strange = whole.slice();
    const schema = new DataView(strange.buffer, strange.byteOffset, 8 + new DataView(strange.buffer, strange.byteOffset).getInt32(4, true));
    for (let at = 8; at + 4 <= schema.byteLength; at += 4) if (schema.getInt32(at, true) === 64) schema.setInt32(at, 24, true);
    expect(strange).not.toEqual(whole);
    const seen = await read(bodyOf(strange, 100_000));
    expect(seen.error).toBeInstanceOf(UnreadableError);
    expect((seen.error as Error).message).toContain("cannot read");
});

test("a stream without batches has its schema and ends well", async () => {
    const empty = streamOf([batchOf({ n: makeData({ type: new Int64(), length: 0 }) })]);
    const seen = await read(bodyOf(empty));
    expect(seen).toMatchObject({ rows: 0, batches: 0, fields: ["n"], error: null });
});

test("the body is pulled as fast as batches are taken, not faster", async () => {
    let sent = 0;
    const many = streamOf(Array.from({ length: 50 }, () => batches[0]!));
    const body = new ReadableStream<Uint8Array>(
        {
            pull(controller) {
                if (sent >= many.length) return controller.close();
                controller.enqueue(many.slice(sent, sent + 256));
                sent += 256;
            },
        },
        { highWaterMark: 1 },
    );
    let release = () => {};
    const stopped = new Promise<void>((resolve) => (release = resolve));
    let taken = 0;
    const reading = readStream(body, {
        onSchema: () => {},
        onBatch: () => void taken++,
        onBytes: () => {},
        pause: () => stopped,
    });
    await sleep(50);
    expect(taken).toBe(1);
    expect(sent).toBeLessThan(many.length / 10);
    release();
    await reading;
    expect(taken).toBe(50);
});
