/** Record batches out of a response's body, one by one as they arrive. */

import { RecordBatchReader, type RecordBatch, type Schema } from "apache-arrow";
import { Framing } from "./framing.js";

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

export interface StreamEvents {
    onSchema(schema: Schema): void;
    /** `true` when the batch was kept, for whoever counts. */
    onBatch(batch: RecordBatch): void;
    onBytes(bytes: number): void;
    /** Called between batches, so that the page can draw. */
    pause(): Promise<void>;
}

/**
 * Reads a stream to its end marker. The body is pulled as batches are taken, so a slow page slows the server down.
 *
 * Throws `IncompleteError` for a stream without its end marker, and the signal's reason after `abort()`.
 */
export async function readStream(body: ReadableStream<Uint8Array>, events: StreamEvents, signal?: AbortSignal): Promise<void> {
    const framing = new Framing();
    let rows = 0;
    try {
        const reader = await RecordBatchReader.from(chunks(body, framing, events));
        await reader.open();
        if (reader.schema) {
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
        throw new IncompleteError(rows, error);
    }
    if (signal?.aborted) throw signal.reason;
    if (!framing.ended) throw new IncompleteError(rows);
}

async function* chunks(body: ReadableStream<Uint8Array>, framing: Framing, events: StreamEvents) {
    const reader = body.getReader();
    let done = false;
    try {
        for (;;) {
            const next = await reader.read();
            if (next.done) {
                done = true;
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
