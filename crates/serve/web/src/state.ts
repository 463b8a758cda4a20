/** What the address says after `#`: the query, the view, the chart. A link with it shows the same page elsewhere. */

export const CHARTS = ["line", "bar", "histogram", "scatter", "map"] as const;
export type ChartKind = (typeof CHARTS)[number];

/** Columns by name; an absent one is chosen from the result. */
export interface ChartSettings {
    kind?: ChartKind | undefined;
    x?: string | undefined;
    y?: string | undefined;
    color?: string | undefined;
    size?: string | undefined;
}

export type View = "table" | "chart";

export interface PageState {
    sql: string;
    view: View;
    chart: ChartSettings;
}

const COLUMNS = ["x", "y", "color", "size"] as const;

/** Text for `location.hash`, without the `#`. Defaults are left out. */
export function writeState(state: PageState): string {
    const out = new URLSearchParams();
    if (state.sql !== "") out.set("sql", state.sql);
    if (state.view !== "table") out.set("view", state.view);
    if (state.chart.kind) out.set("chart", state.chart.kind);
    for (const name of COLUMNS) {
        const column = state.chart[name];
        if (column !== undefined) out.set(name, column);
    }
    return out.toString();
}

/** Reads what `writeState` wrote. Whatever it does not know is left out: links are typed and cut by people. */
export function readState(hash: string): PageState {
    const given = new URLSearchParams(hash.replace(/^#/, ""));
    const chart: ChartSettings = {};
    const kind = CHARTS.find((known) => known === given.get("chart"));
    if (kind) chart.kind = kind;
    for (const name of COLUMNS) {
        const column = given.get(name);
        if (column !== null) chart[name] = column;
    }
    return { sql: given.get("sql") ?? "", view: given.get("view") === "chart" ? "chart" : "table", chart };
}
