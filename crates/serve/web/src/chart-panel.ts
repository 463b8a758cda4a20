/** The chart and its controls: kind, columns, saving. Draws again when the width or the result changes. */

import { resolveSettings } from "./chart-data.js";
import { byId, el } from "./dom.js";
import { saveable, saveBlob } from "./legend.js";
import { countText } from "./number.js";
import type { Sample } from "./sample.js";
import { CHARTS, type ChartKind, type ChartSettings } from "./state.js";

const NAMES: Record<ChartKind, string> = { line: "Line", bar: "Bars", histogram: "Histogram", scatter: "Scatter", map: "Map" };

/** The columns that each kind takes: the setting, its label, the roles that fit, and the text for "none". */
type Control = { key: "x" | "y" | "color" | "size"; label: string; roles: string; none?: string };
const X: Control = { key: "x", label: "x", roles: "number time text" };
const Y: Control = { key: "y", label: "y", roles: "number" };
const COLOR: Control = { key: "color", label: "colour", roles: "number time text", none: "none" };
const SIZE: Control = { key: "size", label: "size", roles: "number", none: "none" };
const CONTROLS: Record<ChartKind, Control[]> = {
    line: [X, Y, COLOR],
    bar: [X, { ...Y, none: "number of rows" }, COLOR],
    histogram: [{ ...X, roles: "number time" }],
    scatter: [X, { ...Y, roles: "number time" }, COLOR, SIZE],
    map: [{ ...X, label: "longitude", roles: "number" }, { ...Y, label: "latitude" }, COLOR, SIZE],
};
/** While rows arrive, the chart follows at this pace. */
const REDRAW_MS = 500;
/** The smallest and largest height of a chart, and the height where the page scrolls as a whole. */
const HEIGHTS = { least: 230, most: 560, scrolling: 340 };
/** Two lines of notes below the chart, and the padding. */
const NOTES_HEIGHT = 52;
/** The narrowest page on which panes have a height of their own; the same as in style.css. */
const PANES = "(min-width: 761px)";

export class ChartPanel {
    private sample: Sample | null = null;
    private timer: ReturnType<typeof setTimeout> | null = null;
    private lastDraw = 0;
    private size = "";
    private picture: SVGSVGElement | null = null;
    private drawing = 0;
    private readonly controls = byId("chart-controls");
    private readonly canvas = byId("chart");
    private readonly notes = byId("chart-notes");
    private readonly pane = byId("pane-chart");

    constructor(
        public settings: ChartSettings,
        private readonly onChange: (settings: ChartSettings) => void,
    ) {
        byId("chart-save").addEventListener("click", () => this.save());
        const observer = new ResizeObserver(() => {
            if (this.canvas.clientWidth > 0 && this.size !== this.room().join()) this.redraw();
        });
        observer.observe(this.canvas);
        observer.observe(this.pane);
    }

    /** The width and height that a chart has. */
    private room(): [number, number] {
        const width = Math.min(1400, this.canvas.clientWidth);
        if (!matchMedia(PANES).matches) return [width, HEIGHTS.scrolling];
        const above = this.canvas.getBoundingClientRect().top - this.pane.getBoundingClientRect().top + this.pane.scrollTop;
        const free = this.pane.clientHeight - above - NOTES_HEIGHT;
        return [width, Math.round(Math.min(HEIGHTS.most, Math.max(HEIGHTS.least, free)))];
    }

    /** A new result, or `null` while there is none. */
    show(sample: Sample | null): void {
        this.sample = sample;
        this.drawControls();
        this.redraw();
    }

    /** Rows were added. The last call after a pause is never lost. */
    grow(): void {
        if (this.timer !== null) return;
        const wait = Math.max(0, this.lastDraw + REDRAW_MS - performance.now());
        this.timer = setTimeout(() => this.redraw(), wait);
    }

    redraw(): void {
        if (this.timer !== null) clearTimeout(this.timer);
        this.timer = null;
        void this.draw();
    }

    private async draw(): Promise<void> {
        // Hidden behind the table: drawn when it is shown.
        if (this.canvas.clientWidth === 0) return;
        const [width, height] = this.room();
        this.size = `${width},${height}`;
        this.lastDraw = performance.now();
        const turn = ++this.drawing;
        const { sample } = this;
        if (!sample || sample.rows === 0) return this.say(sample ? "No rows to draw yet." : "Run a query to draw its result.");
        if (sample.columns.length === 0) return this.say("The result has no columns of numbers, times or text to draw.");
        const { draw } = await import("./chart-draw.js");
        if (turn !== this.drawing) return;
        const drawn = draw(sample, resolveSettings(this.settings, sample.columns), { width, height });
        if (!drawn) return this.say("These columns have nothing that this chart can draw. Choose others, or another chart.");
        this.picture = drawn.svg;
        this.canvas.replaceChildren(drawn.svg);
        this.notes.textContent = drawn.notes.length > 0 ? `Drawn: ${drawn.notes.join("; ")}.` : `Drawn: all ${countText(sample.total)} rows.`;
    }

    private say(text: string): void {
        this.picture = null;
        this.canvas.replaceChildren(el("p", { class: "dim empty" }, text));
        this.notes.textContent = "";
    }

    private drawControls(): void {
        const columns = this.sample?.columns ?? [];
        const resolved = resolveSettings(this.settings, columns);
        const kinds = CHARTS.map((kind) => [kind, NAMES[kind]] as const);
        const boxes = [select("chart", kinds, resolved.kind, (kind) => this.set({ kind: kind as ChartKind }))];
        for (const control of CONTROLS[resolved.kind]) {
            const fitting = columns.filter((column) => control.roles.includes(column.role)).map(({ name }) => [name, name] as const);
            const options = control.none === undefined ? fitting : [["", control.none] as const, ...fitting];
            boxes.push(select(control.label, options, resolved[control.key] ?? "", (name) => this.set({ [control.key]: name })));
        }
        this.controls.replaceChildren(...boxes);
    }

    private set(change: ChartSettings): void {
        const columns = this.sample?.columns ?? [];
        // What was chosen for the reader stays chosen: changing y must not move x.
        const before = resolveSettings(this.settings, columns);
        const own = this.settings.x === undefined || columns.some((column) => column.name === this.settings.x);
        this.settings = change.kind ? { ...(own ? this.settings : {}), ...change } : { ...before, ...change };
        this.onChange(this.settings);
        const focused = (document.activeElement as HTMLElement | null)?.id;
        this.drawControls();
        if (focused) document.getElementById(focused)?.focus();
        this.redraw();
    }

    private save(): void {
        if (this.picture) saveBlob(saveable(this.picture), "chart.svg");
    }
}

function select(name: string, options: readonly (readonly [string, string])[], value: string, onChange: (value: string) => void): HTMLElement {
    const box = el("select", { id: `chart-${name}`, onchange: () => onChange(box.value) });
    box.append(...options.map(([key, text]) => el("option", { value: key, selected: key === value }, text)));
    box.value = value;
    return el("label", { for: `chart-${name}` }, `${name} `, box);
}
