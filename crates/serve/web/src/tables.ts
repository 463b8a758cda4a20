/** The list of tables. A table that is opened shows its columns, each with a small picture of its values. */

import type { Api, Field, Summary, Table } from "./api.js";
import { el } from "./dom.js";
import { miniPicture } from "./mini.js";
import { bytesText, countText } from "./number.js";

export interface TableEvents {
    /** A query for the editor. */
    onQuery(sql: string): void;
    /** A column's name for the editor. */
    onName(name: string): void;
    onLayout(table: Table): void;
    onFile(table: Table): void;
    onRemove(table: Table): void;
    /** The names that completion offers have changed. */
    onNames(names: Record<string, string[]>): void;
}

/** Tables of which the columns are asked for completion, without being opened. */
const EAGER_SCHEMAS = 40;
/** Columns shown of a wide table. */
const MAX_COLUMNS = 300;

export class TableList {
    private tables: Table[] = [];
    private readonly open = new Set<string>();
    private readonly names: Record<string, string[]> = {};
    /** Built once for each table as long as its size does not change: pictures are computed from the data. */
    private readonly panels = new Map<string, HTMLElement>();
    private last = "";

    constructor(
        private readonly root: HTMLElement,
        private readonly api: Api,
        private readonly events: TableEvents,
    ) {}

    get current(): readonly Table[] {
        return this.tables;
    }

    /** Asks for the tables; draws only when something changed, so that focus stays where it is. */
    async refresh(): Promise<void> {
        const tables = await this.api.tables();
        const text = JSON.stringify(tables);
        if (text === this.last) return;
        for (const table of tables) {
            const before = this.tables.find((known) => known.name === table.name);
            if (before && JSON.stringify(before) !== JSON.stringify(table)) this.panels.delete(table.name);
        }
        this.last = text;
        this.tables = tables;
        this.draw();
        void this.loadNames();
    }

    private draw(): void {
        const focused = (document.activeElement as HTMLElement | null)?.dataset["table"];
        this.root.replaceChildren(...this.tables.map((table) => this.item(table)));
        if (this.tables.length === 0) {
            this.root.append(el("li", { class: "dim" }, "No tables yet. Upload a file, or put one into the folder that is served."));
        }
        if (focused) this.root.querySelector<HTMLElement>(`[data-table=${CSS.escape(focused)}]`)?.focus();
    }

    private item(table: Table): HTMLElement {
        const opened = this.open.has(table.name);
        const panelId = `table-${table.name}`;
        const size = table.rows === null ? bytesText(table.bytes) : `${countText(table.rows)} rows`;
        const button = el(
            "button",
            {
                type: "button",
                class: "table-name",
                "aria-expanded": String(opened),
                "aria-controls": panelId,
                "data-table": table.name,
                onclick: () => this.toggle(table),
            },
            el("span", { class: "name" }, table.name),
            el("span", { class: "dim" }, size),
        );
        const item = el("li", {}, button);
        if (table.error) item.append(el("p", { class: "table-error" }, table.error));
        if (opened) item.append(this.panel(table, panelId));
        return item;
    }

    private toggle(table: Table): void {
        if (!this.open.delete(table.name)) this.open.add(table.name);
        this.draw();
    }

    private panel(table: Table, id: string): HTMLElement {
        const known = this.panels.get(table.name);
        if (known) return known;
        const columns = el("div", { class: "columns" }, el("p", { class: "dim" }, "Loading …"));
        const panel = el("div", { id, class: "table-panel" }, this.actions(table), columns);
        this.panels.set(table.name, panel);
        void this.load(table, columns);
        return panel;
    }

    private actions(table: Table): HTMLElement {
        const button = (text: string, title: string, run: () => void) =>
            el("button", { type: "button", class: "small", title, "aria-label": `${text}: ${table.name}`, onclick: run }, text);
        const what = `${table.format}, ${bytesText(table.bytes)}${table.files === 1 ? "" : `, ${countText(table.files)} files`}`;
        const row = el("div", { class: "actions" }, el("span", { class: "dim" }, what));
        row.append(
            button("Query", "Query its first rows", () => this.events.onQuery(`SELECT * FROM ${quoted(table.name)} LIMIT 1000`)),
            button("Layout", "Where the bytes of each column lie", () => this.events.onLayout(table)),
        );
        if (table.files === 1) row.append(button("File", "Download the file as it lies", () => this.events.onFile(table)));
        if (table.upload) {
            row.append(button("Remove", "Remove this uploaded table", () => this.events.onRemove(table)));
        }
        return row;
    }

    /** The schema first, which is quick; then the pictures, for which the server reads data. */
    private async load(table: Table, into: HTMLElement): Promise<void> {
        try {
            const { fields } = await this.api.schema(table.name);
            this.addNames(table.name, fields);
            this.fill(into, fields, null);
            this.fill(into, fields, await this.api.summary(table.name));
        } catch (error) {
            this.panels.delete(table.name);
            into.prepend(el("p", { class: "table-error" }, (error as Error).message));
        }
    }

    private fill(into: HTMLElement, fields: readonly Field[], summary: Summary | null): void {
        const list = el("ul", { class: "column-list" });
        fields.slice(0, MAX_COLUMNS).forEach((field) => {
            const column = summary?.columns.find((known) => known.name === field.name);
            const name = el(
                "button",
                { type: "button", class: "column", title: `Put ${field.name} into the query`, onclick: () => this.events.onName(quoted(field.name)) },
                el("span", { class: "column-name" }, field.name),
                el("span", { class: "column-type" }, field.type),
            );
            list.append(el("li", {}, name, column && summary ? miniPicture(column, summary.sampled_rows) : el("span", { class: "mini" })));
        });
        const notes: string[] = [];
        if (fields.length > MAX_COLUMNS) notes.push(`${countText(fields.length - MAX_COLUMNS)} more columns`);
        if (summary && summary.sampled_rows < summary.rows) {
            notes.push(`pictures of ${countText(summary.sampled_rows)} of ${countText(summary.rows)} rows`);
        }
        into.replaceChildren(list, ...notes.map((note) => el("p", { class: "dim" }, note)));
    }

    private async loadNames(): Promise<void> {
        this.publish();
        for (const table of this.tables.slice(0, EAGER_SCHEMAS)) {
            if (this.names[table.name] || table.error) continue;
            const schema = await this.api.schema(table.name).catch(() => null);
            if (schema) this.addNames(table.name, schema.fields);
        }
    }

    private addNames(table: string, fields: readonly Field[]): void {
        this.names[table] = fields.map((field) => field.name);
        this.publish();
    }

    private publish(): void {
        // A dot would stand for a schema's name in front of the table's.
        const known = this.tables.map((table) => [table.name.replace(/\./g, "\\."), this.names[table.name] ?? []] as const);
        this.events.onNames(Object.fromEntries(known));
    }
}

const PLAIN = /^[a-z_][a-z0-9_]*$/;
/** Words that SQL would take for itself. Quoting more than needed does no harm. */
const WORDS = new Set(
    "all and any as asc between by case cast cross date day desc distinct else end except exists false first from full group having hour if in inner intersect interval is join last left like limit minute month natural not null offset on or order outer right second select set table then time timestamp true union using values when where with year".split(
        " ",
    ),
);

/** A name as SQL reads it back: in quotes unless it is plain. */
export function quoted(name: string): string {
    return PLAIN.test(name) && !WORDS.has(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
