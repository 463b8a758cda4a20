/** The small pictures beside a column's name: a histogram, or the most frequent values. */

import type { ColumnSummary } from "./api.js";
import { el, svg } from "./dom.js";
import { countText } from "./number.js";

const WIDTH = 108;
const HEIGHT = 26;
const MAX_TOP = 8;

/** A picture of a column's values with a text for it; only text when the summary has no counts. */
export function miniPicture(column: ColumnSummary, sampledRows: number): HTMLElement {
    const text = columnText(column, sampledRows);
    const counts = column.histogram ?? column.top?.slice(0, MAX_TOP).map((value) => value.count) ?? [];
    const box = el("span", { class: "mini", title: text });
    if (counts.length > 0) box.append(barsOf(column, counts, text));
    else box.append(el("span", { class: "dim" }, text));
    return box;
}

function barsOf(column: ColumnSummary, counts: readonly number[], text: string): SVGElement {
    const most = Math.max(1, ...counts);
    const step = WIDTH / counts.length;
    const picture = svg("svg", { width: WIDTH, height: HEIGHT, role: "img", "aria-label": text, class: "bars" });
    counts.forEach((count, i) => {
        // A count that is not zero stays visible beside a large one.
        const height = count === 0 ? 0 : Math.max(1.5, (count / most) * (HEIGHT - 2));
        const bar = svg(
            "rect",
            { x: i * step, y: HEIGHT - height, width: Math.max(0.5, step - 1), height },
            svg("title", {}, `${barText(column, i)}: ${countText(count)}`),
        );
        picture.append(bar);
    });
    return picture;
}

function barText(column: ColumnSummary, bar: number): string {
    if (column.histogram) {
        const edges = column.edges ?? [];
        return edges.length > bar + 1 ? `${edges[bar]} to ${edges[bar + 1]}` : `bin ${bar + 1}`;
    }
    return column.top?.[bar]?.value ?? "null";
}

/** "10 to 4983, 3 nulls", "EWR 9893, JFK 9161, LGA 7950", for titles and screen readers. */
export function columnText(column: ColumnSummary, sampledRows: number): string {
    const parts: string[] = [];
    if (column.min !== null && column.max !== null) parts.push(`${column.min} to ${column.max}`);
    if (!column.histogram && column.top?.length) {
        parts.push(column.top.slice(0, 4).map((value) => `${value.value ?? "null"} ${countText(value.count)}`).join(", "));
    }
    if (column.nulls > 0) {
        const part = sampledRows > 0 ? ` (${((100 * column.nulls) / sampledRows).toFixed(1)} %)` : "";
        parts.push(`${countText(column.nulls)} nulls${part}`);
    }
    return parts.join("; ") || "no values";
}
