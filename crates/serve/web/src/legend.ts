/** The legend of a chart, drawn into its SVG, so that a saved picture has it; and the saving. */

import { svg as make } from "./dom.js";

export interface LegendItem {
    text: string;
    color: string;
}

const MAX_TEXT = 18;
/** Below the label of the y axis, which stands at the very top. */
const BELOW_LABEL = 20;
/** The margin that a plot with a legend needs above it. */
export const LEGEND_MARGIN = BELOW_LABEL + 32;

/** Puts swatches into the margin above the plot. Those that do not fit into the width are left out with an ellipsis. */
export function addLegend(chart: SVGSVGElement, items: readonly LegendItem[], top = BELOW_LABEL): void {
    const width = Number(chart.getAttribute("width"));
    const group = make("g", { "font-size": 11, fill: "currentColor", "text-anchor": "start", class: "legend" });
    let x = 8;
    for (const { text, color } of items) {
        const short = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text;
        const space = 24 + short.length * 6.4;
        if (x + space > width - 14) {
            group.append(make("text", { x, y: top + 9 }, "…"));
            break;
        }
        group.append(make("rect", { x, y: top, width: 10, height: 10, fill: color, rx: 2 }));
        group.append(make("text", { x: x + 14, y: top + 9 }, short));
        x += space;
    }
    chart.append(group);
}

/** The chart as a document of its own: colours that came from the page's style are written into it. */
export function saveable(chart: SVGSVGElement): Blob {
    const copy = chart.cloneNode(true) as SVGSVGElement;
    const style = getComputedStyle(chart);
    const root = getComputedStyle(document.documentElement);
    const accent = root.getPropertyValue("--accent").trim();
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.setAttribute("style", `color:${style.color};background:${root.getPropertyValue("--surface").trim()};font-family:sans-serif`);
    copy.setAttribute("font-family", "sans-serif");
    const text = new XMLSerializer().serializeToString(copy).replaceAll("var(--accent)", accent);
    return new Blob(['<?xml version="1.0" encoding="UTF-8"?>\n', text], { type: "image/svg+xml" });
}

/** Hands a blob to the browser as a download. */
export function saveBlob(blob: Blob, name: string): void {
    const url = URL.createObjectURL(blob);
    const link = document.createElement("a");
    link.href = url;
    link.download = name;
    link.click();
    // The download reads the blob after this turn.
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
