/** The status line: what a run did so far, in words. */

import { bytesText, countText, roughCount } from "./number.js";
import type { QueryRun } from "./run.js";

type Progress = Pick<QueryRun, "state" | "bytes" | "elapsed" | "firstRows" | "error"> & {
    store: { kept: number; total: number };
};

/** Rates of smaller results say nothing: the time is that of the request. */
const RATED_ROWS = 10_000;

const STATES = {
    waiting: "Waiting for the server",
    running: "Running",
    done: "Done",
    cancelled: "Cancelled",
    incomplete: "Incomplete",
    failed: "Failed",
} as const;

/** Parts of the line: state, rows, bytes, rate, time. */
export function statusParts(run: Progress): string[] {
    const seconds = run.elapsed / 1000;
    const parts: string[] = [STATES[run.state]];
    const { total } = run.store;
    if (run.state === "failed") return parts;
    if (run.state !== "waiting") parts.push(total === 1 ? "1 row" : `${countText(total)} rows`, bytesText(run.bytes));
    const large = total >= RATED_ROWS;
    if (large && seconds > 0) parts.push(`${roughCount(total / seconds)} rows/s`, `${bytesText(run.bytes / seconds)}/s`);
    parts.push(secondsText(seconds));
    if (large && run.firstRows !== null && run.state !== "running") parts.push(`first rows after ${secondsText(run.firstRows / 1000)}`);
    return parts;
}

/** What has to be known about the table below: that it is a part. Empty when it is the whole result. */
export function shownText(run: Progress): string {
    const { kept, total } = run.store;
    const notes: string[] = [];
    if (kept < total) notes.push(`Showing the first ${countText(kept)} of ${countText(total)} rows. Downloads have all of them.`);
    if (run.state === "cancelled") notes.push("Cancelled: the rows shown are a part of the result.");
    if (run.state === "incomplete") notes.push(`${run.error?.message ?? "The result is incomplete"}. The rows shown are a part of it.`);
    return notes.join(" ");
}

export function secondsText(seconds: number): string {
    return seconds < 0.1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
}
