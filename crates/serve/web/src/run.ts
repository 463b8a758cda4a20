/** One query from start to end: its stream, what is kept of it, and its progress. */

import type { Schema } from "apache-arrow";
import { type Api, ApiError } from "./api.js";
import { Sample } from "./sample.js";
import { BatchStore, type Budget, BUDGET } from "./store.js";
import { IncompleteError, readStream } from "./stream.js";

export type RunState = "waiting" | "running" | "done" | "cancelled" | "incomplete" | "failed";

export interface RunEvents {
    onSchema(run: QueryRun): void;
    /** Rows were added, or the state changed. At most some times a second while rows arrive. */
    onProgress(run: QueryRun): void;
}

/** Between two reports of progress. Faster than this the eye does not read. */
const REPORT_MS = 100;
/** The page is given a turn after so much work: typing and scrolling go on while a stream arrives. */
const TURN_MS = 16;

export class QueryRun {
    state: RunState = "waiting";
    schema: Schema | null = null;
    sample: Sample | null = null;
    error: ApiError | Error | null = null;
    bytes = 0;
    /** Milliseconds from the start: to the first rows, and to now or the end. */
    firstRows: number | null = null;
    readonly store: BatchStore;
    private readonly controller = new AbortController();
    private readonly started: number;
    private ended: number | null = null;
    private queryId: string | null = null;
    private reported = 0;
    private turn = 0;

    constructor(
        private readonly api: Api,
        readonly sql: string,
        private readonly events: RunEvents,
        budget: Budget = BUDGET,
        private readonly now: () => number = () => performance.now(),
    ) {
        this.store = new BatchStore(budget);
        this.started = now();
    }

    get elapsed(): number {
        return (this.ended ?? this.now()) - this.started;
    }

    get active(): boolean {
        return this.state === "waiting" || this.state === "running";
    }

    /** Runs to the end. Never rejects: the outcome is in `state` and `error`. */
    async start(): Promise<void> {
        try {
            const response = await this.api.query(this.sql, this.controller.signal);
            this.queryId = response.headers.get("x-floe-query-id");
            if (!response.body) throw new IncompleteError(0);
            await readStream(
                response.body,
                {
                    onSchema: (schema) => this.onSchema(schema),
                    onBatch: (batch) => {
                        this.store.add(batch);
                        this.sample?.add(batch);
                        this.firstRows ??= this.elapsed;
                        this.report();
                    },
                    onBytes: (bytes) => {
                        this.bytes += bytes;
                    },
                    pause: () => this.pause(),
                },
                this.controller.signal,
            );
            this.state = "done";
        } catch (error) {
            this.fail(error);
        }
        this.ended = this.now();
        this.events.onProgress(this);
    }

    /** Stops reading, and tells the server, which may be computing without having sent anything. */
    async cancel(): Promise<void> {
        if (!this.active) return;
        this.controller.abort();
        // Before the answer's head there is no id: the server sees that its client has left.
        if (this.queryId) await this.api.cancel(this.queryId);
    }

    private onSchema(schema: Schema): void {
        this.schema = schema;
        this.sample = new Sample(schema);
        this.state = "running";
        this.events.onSchema(this);
    }

    private fail(error: unknown): void {
        if (this.controller.signal.aborted) {
            this.state = "cancelled";
            return;
        }
        this.state = error instanceof IncompleteError ? "incomplete" : "failed";
        this.error = error instanceof Error ? error : new Error(String(error));
    }

    private report(): void {
        const now = this.now();
        // The first rows are shown at once.
        if (this.reported !== 0 && now - this.reported < REPORT_MS) return;
        this.reported = now;
        this.events.onProgress(this);
    }

    private async pause(): Promise<void> {
        const now = this.now();
        if (now - this.turn < TURN_MS) return;
        await nextTurn();
        this.turn = this.now();
    }
}

/** Lets the browser handle input and draw. Timers would do, but those of pages in the background run once a second. */
function nextTurn(): Promise<void> {
    return new Promise((resolve) => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => {
            channel.port1.close();
            resolve();
        };
        channel.port2.postMessage(null);
    });
}
