/** The page: puts the parts together. Each part is a module of its own and knows nothing of the others. */

import { Api, ApiError } from "./api.js";
import { ChartPanel } from "./chart-panel.js";
import { closeDialog, showDialog } from "./dialog.js";
import { byId, el } from "./dom.js";
import { Downloads } from "./downloads.js";
import { Editor } from "./editor.js";
import { Grid } from "./grid.js";
import { addToHistory, clearHistory, readHistory } from "./history.js";
import { countText } from "./number.js";
import { QueryRun } from "./run.js";
import { readState, writeState, type View } from "./state.js";
import { shownText, statusParts } from "./status.js";
import { TableList } from "./tables.js";
import { askToken, findToken } from "./token.js";
import { acceptDrops, upload } from "./upload.js";

/** Tables appear when files do. */
const REFRESH_MS = 5_000;
/** A screen reader is told of progress no more often than this. */
const ANNOUNCE_MS = 8_000;

const api = new Api(document.baseURI.replace(/[?#].*$/, ""), findToken());
const state = readState(location.hash);
const downloads = new Downloads(api, showError);
let run: QueryRun | null = null;
let announced = 0;

const grid = new Grid(byId("grid"), {
    onOpen: (column, type, text) => showDialog(`${column}: ${type}`, el("pre", { tabindex: 0 }, text)),
});
const chart = new ChartPanel(state.chart, (settings) => {
    state.chart = settings;
    saveState();
});
const editor = new Editor(byId("sql"), state.sql, {
    onRun: start,
    onChange: (text) => {
        state.sql = text;
        saveState();
    },
});
const tables = new TableList(
    byId("tables"),
    api,
    {
        onQuery: (sql) => {
            editor.text = sql;
            start();
        },
        onName: (name) => editor.insert(name),
        onLayout: (table) => void showLayout(table.name),
        onFile: (table) => downloads.file(table.name),
        onRemove: (table) => void remove(table.name),
        onNames: (names) => editor.setNames(names),
    },
);

function saveState(): void {
    const hash = writeState(state);
    history.replaceState(null, "", `${location.pathname}${location.search}${hash === "" ? "" : `#${hash}`}`);
}

function start(): void {
    const sql = editor.text.trim();
    if (sql === "") return;
    void run?.cancel();
    addToHistory(localStorage, sql, Date.now());
    showError(null);
    grid.clear();
    chart.show(null);
    run = new QueryRun(api, sql, {
        onSchema: (current) => {
            if (current !== run || !current.schema) return;
            grid.show(current.schema, current.store);
            chart.show(current.sample);
        },
        onProgress: (current) => {
            if (current === run) showProgress(current);
        },
    });
    announced = performance.now();
    announce("Running the query");
    downloads.offer(sql);
    showProgress(run);
    void run.start();
    tick(run);
}

/** The clock of the status line goes on while no rows come. */
function tick(current: QueryRun): void {
    if (current !== run || !current.active) return;
    showStatus(current);
    setTimeout(() => tick(current), 200);
}

function showProgress(current: QueryRun): void {
    grid.grow();
    if (current.schema) chart.grow();
    showStatus(current);
    if (current.active) {
        if (performance.now() - announced > ANNOUNCE_MS) {
            announced = performance.now();
            announce(statusParts(current).join(", "));
        }
        return;
    }
    announce(`${statusParts(current).join(", ")}. ${shownText(current)}`);
    if (current.error && current.state === "failed") showError(current.error);
}

function showStatus(current: QueryRun): void {
    byId("status").textContent = statusParts(current).join(" · ");
    byId("status").dataset["state"] = current.state;
    byId("shown").textContent = shownText(current);
    byId<HTMLButtonElement>("cancel").disabled = !current.active;
}

function announce(text: string): void {
    byId("announce").textContent = text;
}

function showError(error: Error | null): void {
    byId("error").textContent = error === null ? "" : errorText(error);
    editor.clearError();
    if (error instanceof ApiError && error.line !== undefined) editor.showError(error.message, error.line, error.column);
}

function errorText(error: Error): string {
    if (!(error instanceof ApiError)) return error.message;
    if (error.line === undefined) return error.message;
    return `Line ${error.line}${error.column === undefined ? "" : `, column ${error.column}`}: ${error.message}`;
}

async function showLayout(name: string): Promise<void> {
    try {
        const url = URL.createObjectURL(await api.layout(name));
        const image = el("img", { src: url, alt: `Where the bytes of each column of ${name} lie, batch by batch` });
        showDialog(`Layout of ${name}`, image, () => URL.revokeObjectURL(url));
    } catch (error) {
        showDialog(`Layout of ${name}`, el("p", { class: "table-error" }, (error as Error).message));
    }
}

async function remove(name: string): Promise<void> {
    if (!confirm(`Remove the table ${name}?`)) return;
    await api.remove(name).catch((error: Error) => showError(error));
    await refresh();
}

function uploadFiles(files: File[]): void {
    void upload(files, api, () => tables.current.map((table) => table.name), {
        onStatus: (text) => {
            byId("upload-status").textContent = text;
        },
        onError: showError,
        onTable: () => void refresh(),
        confirm: (name) => confirm(`There is a table ${name} already. Replace it?`),
    });
}

function showHistory(): void {
    const entries = readHistory(localStorage);
    const list = el("div", {});
    for (const entry of entries) {
        const use = () => {
            closeDialog();
            editor.text = entry.sql;
            editor.focus();
        };
        const title = new Date(entry.at).toLocaleString();
        list.append(el("button", { type: "button", class: "history-entry", title, onclick: use }, entry.sql));
    }
    const clear = () => {
        clearHistory(localStorage);
        closeDialog();
    };
    if (entries.length === 0) list.append(el("p", { class: "dim" }, "Queries that were run are kept here, in this browser only."));
    else list.append(el("button", { type: "button", class: "small", onclick: clear }, "Clear the history"));
    showDialog("History", list);
}

function setView(view: View): void {
    state.view = view;
    byId("panes").dataset["view"] = view;
    for (const name of ["table", "chart"] as const) {
        const tab = byId(`tab-${name}`);
        tab.setAttribute("aria-selected", String(name === view));
        tab.tabIndex = name === view ? 0 : -1;
    }
    if (view === "chart") chart.redraw();
    else grid.grow();
}

function setUpTabs(): void {
    for (const name of ["table", "chart"] as const) {
        byId(`tab-${name}`).addEventListener("click", () => {
            setView(name);
            saveState();
        });
        byId(`tab-${name}`).addEventListener("keydown", (event) => {
            if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
            const other = name === "table" ? "chart" : "table";
            byId(`tab-${other}`).click();
            byId(`tab-${other}`).focus();
        });
    }
    setView(state.view);
}

let reachable = true;

async function refresh(): Promise<void> {
    try {
        await tables.refresh();
        const count = tables.current.length;
        byId("summary").textContent = count === 1 ? "1 table" : `${countText(count)} tables`;
        if (!reachable) showError(null);
        reachable = true;
    } catch (error) {
        // Said once: the page goes on asking.
        if (!reachable) return;
        reachable = false;
        showError(error as Error);
        if (error instanceof ApiError && error.status === 401) askToken(withToken);
    }
}

function withToken(token: string): void {
    api.useToken(token);
    // A wrong one is asked for again.
    reachable = true;
    showError(null);
    void refresh();
}

function poll(): void {
    setTimeout(() => void (document.visibilityState === "visible" ? refresh() : Promise.resolve()).then(poll), REFRESH_MS);
}

byId("run").addEventListener("click", start);
byId("cancel").addEventListener("click", () => void run?.cancel());
byId("history").addEventListener("click", showHistory);
byId("upload").addEventListener("click", () => byId("upload-file").click());
byId<HTMLInputElement>("upload-file").addEventListener("change", (event) => {
    const input = event.target as HTMLInputElement;
    uploadFiles([...(input.files ?? [])]);
    input.value = "";
});
acceptDrops(document.body, uploadFiles, (over) => document.body.classList.toggle("dragging", over));
setUpTabs();
chart.show(null);
void refresh().then(poll);
// A shared link shows its result. Queries only read, and the server bounds what they cost.
if (state.sql.trim() !== "") start();
else editor.focus();
