/** Record batches out of a response's body, one by one as they arrive. */

import { RecordBatchReader, type RecordBatch, type Schema } from "apache-arrow";
import { Framing } from "./framing.js";
import { allowWideInts } from "./wide-int.js";

/** The stream broke off: what was read is a part of the result. `cause` says how, if anything did. */
export class IncompleteError extends Error {
    constructor(
        readonly rows: number,
        cause?: unknown,
    ) {
        const reason = cause instanceof Error && cause.message ? ` (${cause.message})` : "";
        super(`The result is incomplete: the server ended it early${reason}`, { cause });
        this.name = "IncompleteError";
    }
}

/** The stream goes on, but arrow-js does not know something in it. */
export class UnreadableError extends Error {
    constructor(cause: unknown) {
        super(`This page cannot read the result (${(cause as Error).message}). Downloads have it`, { cause });
        this.name = "UnreadableError";
    }
}

export interface StreamEvents {
    onSchema(schema: Schema): void;
    onBatch(batch: RecordBatch): void;
    onBytes(bytes: number): void;
    /** Called between batches, so that the page can draw. */
    pause(): Promise<void>;
}

/**
 * Reads a stream to its end marker. The body is pulled as batches are taken, so a slow page slows the server down.
 *
 * Throws `IncompleteError` for a stream without its end marker, `UnreadableError` for what arrow-js does not know, and the
 * signal's reason after `abort()`.
 */
export async function readStream(body: ReadableStream<Uint8Array>, events: StreamEvents, signal?: AbortSignal): Promise<void> {
    const framing = new Framing();
    const source = { broke: false };
    let rows = 0;
    try {
        const reader = await RecordBatchReader.from(chunks(body, framing, events, source));
        await reader.open();
        if (reader.schema) {
            allowWideInts(reader.schema);
            events.onSchema(reader.schema);
            for await (const batch of reader) {
                if (signal?.aborted) break;
                rows += batch.numRows;
                if (batch.numRows > 0) events.onBatch(batch);
                await events.pause();
            }
        }
    } catch (error) {
        if (signal?.aborted) throw signal.reason;
        throw source.broke ? new IncompleteError(rows, error) : new UnreadableError(error);
    }
    if (signal?.aborted) throw signal.reason;
    if (!framing.ended) throw new IncompleteError(rows);
}

/** The body's pieces. `source.broke` tells that it ended, in whatever way, before its end marker. */
async function* chunks(body: ReadableStream<Uint8Array>, framing: Framing, events: StreamEvents, source: { broke: boolean }) {
    const reader = body.getReader();
    let done = false;
    try {
        for (;;) {
            const next = await reader.read().catch((error: unknown) => {
                source.broke = true;
                throw error;
            });
            if (next.done) {
                done = true;
                source.broke = !framing.ended;
                return;
            }
            framing.push(next.value);
            events.onBytes(next.value.byteLength);
            yield next.value;
        }
    } finally {
        // The decoder stops at the end marker, or at an error: the connection is let go either way.
        if (!done) await reader.cancel().catch(() => undefined);
    }
}
