/** The result as a table of which only the cells in view exist as elements. Grows while rows arrive. */

import type { Schema } from "apache-arrow";
import { el } from "./dom.js";
import { cellOf, kindOf } from "./format.js";
import type { BatchStore } from "./store.js";
import { typeText } from "./types.js";
import { columnEdges, columnsInView, rowsInView, scrollTo } from "./viewport.js";

const ROW_HEIGHT = 26;
const HEAD_HEIGHT = 44;
const CHAR_WIDTH = 7.6;
const MIN_WIDTH = 72;
const MAX_WIDTH = 340;
/** Rows by whose text the columns' widths are chosen. */
const MEASURED_ROWS = 50;
/** Columns that are measured; a table of tens of thousands gets a fixed width for the others. */
const MEASURED_COLUMNS = 400;

export interface GridEvents {
    /** A cell was opened with Enter or a double click. */
    onOpen(column: string, type: string, text: string): void;
}

export class Grid {
    private readonly head = el("div", { class: "grid-head", role: "row", "aria-rowindex": 1 });
    private readonly body = el("div", { class: "grid-body", role: "rowgroup" });
    private schema: Schema | null = null;
    private store: BatchStore | null = null;
    private edges: number[] = [0];
    private measured = 0;
    private drawn = "";
    private active = { row: 0, column: 0 };
    private scheduled = false;

    constructor(
        private readonly root: HTMLElement,
        private readonly events: GridEvents,
    ) {
        root.append(el("div", { role: "rowgroup", class: "grid-head-group" }, this.head), this.body);
        root.addEventListener("scroll", () => this.schedule(), { passive: true });
        root.addEventListener("keydown", (event) => this.onKey(event));
        root.addEventListener("focus", () => this.redraw());
        this.body.addEventListener("pointerdown", (event) => this.onPoint(event));
        this.body.addEventListener("dblclick", () => this.open());
        new ResizeObserver(() => this.schedule()).observe(root);
    }

    /** Starts a new result. */
    show(schema: Schema, store: BatchStore): void {
        this.schema = schema;
        this.store = store;
        this.measured = 0;
        this.active = { row: 0, column: 0 };
        this.root.scrollTo(0, 0);
        this.root.setAttribute("aria-colcount", String(schema.fields.length));
        this.measure();
        this.grow();
    }

    clear(): void {
        this.schema = null;
        this.store = null;
        this.body.replaceChildren();
        this.head.replaceChildren();
        this.body.style.height = "0";
    }

    /** Rows were added to the store. */
    grow(): void {
        if (!this.store) return;
        if (this.measured < MEASURED_ROWS && this.store.kept > this.measured) this.measure();
        this.body.style.height = `${this.store.kept * ROW_HEIGHT}px`;
        this.root.setAttribute("aria-rowcount", String(this.store.kept + 1));
        this.schedule();
    }

    private measure(): void {
        const { schema, store } = this;
        if (!schema || !store) return;
        this.measured = Math.min(store.kept, MEASURED_ROWS);
        const widths = schema.fields.map((field, column) => {
            let chars = Math.max(field.name.length + 1, Math.min(24, typeText(field.type).length * 0.86));
            for (let row = 0; row < this.measured && column < MEASURED_COLUMNS; row++) {
                chars = Math.max(chars, this.cell(row, column)?.text.length ?? 0);
            }
            return Math.round(Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, chars * CHAR_WIDTH + 20)));
        });
        this.edges = columnEdges(widths);
        this.drawn = "";
        const width = `${this.edges[this.edges.length - 1]}px`;
        this.head.style.width = width;
        this.body.style.width = width;
    }

    private cell(row: number, column: number) {
        const place = this.store?.locate(row);
        const data = place?.batch.data.children[column];
        return place && data ? cellOf(data, place.index) : null;
    }

    private schedule(): void {
        if (this.scheduled) return;
        this.scheduled = true;
        requestAnimationFrame(() => {
            this.scheduled = false;
            this.draw();
        });
    }

    private redraw(): void {
        this.drawn = "";
        this.schedule();
    }

    private draw(): void {
        const { schema, store, root } = this;
        if (!schema || !store) return;
        const rows = rowsInView(root.scrollTop, root.clientHeight - HEAD_HEIGHT, ROW_HEIGHT, store.kept);
        const columns = columnsInView(this.edges, root.scrollLeft, root.clientWidth);
        // Rows that arrive below the view change nothing in it.
        const key = [rows.first, rows.end, columns.first, columns.end, this.active.row, this.active.column].join();
        if (key === this.drawn) return;
        this.drawn = key;
        const indexes = Array.from({ length: columns.end - columns.first }, (_, i) => columns.first + i);
        this.head.replaceChildren(...indexes.map((column) => this.headCell(schema, column)));
        const lines: HTMLElement[] = [];
        for (let row = rows.first; row < rows.end; row++) {
            const line = el("div", { role: "row", class: "grid-row", "aria-rowindex": row + 2 });
            line.style.transform = `translateY(${row * ROW_HEIGHT}px)`;
            line.append(...indexes.map((column) => this.bodyCell(row, column)));
            lines.push(line);
        }
        this.body.replaceChildren(...lines);
        this.root.setAttribute("aria-activedescendant", this.cellId(this.active.row, this.active.column));
    }

    private headCell(schema: Schema, column: number): HTMLElement {
        const field = schema.fields[column]!;
        const type = typeText(field.type);
        const cell = el(
            "div",
            { role: "columnheader", class: `grid-cell kind-${kindOf(field.type)}`, "aria-colindex": column + 1, title: `${field.name}: ${type}` },
            el("span", { class: "column-name" }, field.name),
            el("span", { class: "column-type" }, type),
        );
        this.place(cell, column);
        return cell;
    }

    private bodyCell(row: number, column: number): HTMLElement {
        const value = this.cell(row, column);
        const isActive = row === this.active.row && column === this.active.column;
        const cell = el("div", {
            role: "gridcell",
            id: this.cellId(row, column),
            class: `grid-cell kind-${value?.kind ?? "null"}${isActive ? " active" : ""}`,
            "aria-colindex": column + 1,
            "aria-selected": isActive ? "true" : undefined,
            "data-row": row,
            "data-column": column,
        });
        cell.textContent = value ? value.text.replace(/\s/g, " ") + (value.cut ? "…" : "") : "";
        this.place(cell, column);
        return cell;
    }

    private place(cell: HTMLElement, column: number): void {
        cell.style.left = `${this.edges[column]}px`;
        cell.style.width = `${this.edges[column + 1]! - this.edges[column]!}px`;
    }

    private cellId(row: number, column: number): string {
        return `cell-${row}-${column}`;
    }

    private onPoint(event: Event): void {
        const cell = (event.target as HTMLElement).closest<HTMLElement>("[data-row]");
        if (cell) this.moveTo(Number(cell.dataset["row"]), Number(cell.dataset["column"]));
    }

    private onKey(event: KeyboardEvent): void {
        const { row, column } = this.active;
        const page = Math.max(1, Math.floor((this.root.clientHeight - HEAD_HEIGHT) / ROW_HEIGHT) - 1);
        const far = Number.MAX_SAFE_INTEGER;
        const all = event.ctrlKey || event.metaKey;
        const moves: Record<string, [number, number]> = {
            ArrowDown: [row + 1, column],
            ArrowUp: [row - 1, column],
            ArrowRight: [row, column + 1],
            ArrowLeft: [row, column - 1],
            PageDown: [row + page, column],
            PageUp: [row - page, column],
            Home: [all ? 0 : row, 0],
            End: [all ? far : row, far],
        };
        const move = moves[event.key];
        if (move) {
            event.preventDefault();
            this.moveTo(...move);
        } else if (event.key === "Enter") {
            event.preventDefault();
            this.open();
        } else if (event.key === "c" && all && !getSelection()?.toString()) {
            event.preventDefault();
            void navigator.clipboard?.writeText(this.fullText().text);
        }
    }

    private moveTo(row: number, column: number): void {
        const { store, schema, root } = this;
        if (!store || !schema || store.kept === 0) return;
        const to = {
            row: Math.max(0, Math.min(row, store.kept - 1)),
            column: Math.max(0, Math.min(column, schema.fields.length - 1)),
        };
        this.active = to;
        root.scrollTop = scrollTo(root.scrollTop, root.clientHeight - HEAD_HEIGHT, to.row * ROW_HEIGHT, (to.row + 1) * ROW_HEIGHT);
        root.scrollLeft = scrollTo(root.scrollLeft, root.clientWidth, this.edges[to.column]!, this.edges[to.column + 1]!);
        this.draw();
    }

    private fullText(): { text: string; cut: boolean } {
        const place = this.store?.locate(this.active.row);
        const data = place?.batch.data.children[this.active.column];
        return place && data ? cellOf(data, place.index, 100_000) : { text: "", cut: false };
    }

    private open(): void {
        const field = this.schema?.fields[this.active.column];
        if (!field || !this.store?.kept) return;
        const { text, cut } = this.fullText();
        this.events.onOpen(field.name, typeText(field.type), text + (cut ? "\n…" : ""));
    }
}
