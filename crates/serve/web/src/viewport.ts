/** Which rows and columns of a large table are in view. */

export interface Span {
    /** The first that is drawn. */
    first: number;
    /** One past the last. */
    end: number;
}

/** Rows of equal height in view, and some above and below, so that a small scroll shows no gap. */
export function rowsInView(scrollTop: number, height: number, rowHeight: number, rows: number, overscan = 8): Span {
    if (rows <= 0 || height <= 0) return { first: 0, end: 0 };
    const first = Math.floor(Math.max(0, scrollTop) / rowHeight) - overscan;
    const end = Math.ceil((Math.max(0, scrollTop) + height) / rowHeight) + overscan;
    return { first: clamp(first, 0, rows), end: clamp(end, 0, rows) };
}

/** Where columns of the given widths begin, with the end of the last: one entry more than there are columns. */
export function columnEdges(widths: readonly number[]): number[] {
    const edges = [0];
    for (const width of widths) edges.push(edges[edges.length - 1]! + width);
    return edges;
}

/** Columns in view, by binary search: there may be tens of thousands. */
export function columnsInView(edges: readonly number[], scrollLeft: number, width: number, overscan = 2): Span {
    const columns = edges.length - 1;
    if (columns <= 0 || width <= 0) return { first: 0, end: 0 };
    const first = lastAtOrBefore(edges, scrollLeft) - overscan;
    const end = lastAtOrBefore(edges, scrollLeft + width) + 1 + overscan;
    return { first: clamp(first, 0, columns), end: clamp(end, 0, columns) };
}

/** The scroll position that brings a span into view with the least movement. */
export function scrollTo(position: number, view: number, start: number, end: number): number {
    if (start < position) return start;
    if (end > position + view) return end - view;
    return position;
}

function lastAtOrBefore(edges: readonly number[], position: number): number {
    let low = 0;
    let high = edges.length - 1;
    while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (edges[middle]! <= position) low = middle;
        else high = middle - 1;
    }
    return low;
}

function clamp(value: number, low: number, high: number): number {
    return Math.min(Math.max(value, low), high);
}
