/** The queries that were run, newest first, in the browser's local storage. */

const KEY = "floe.history";
const MAX_ENTRIES = 50;
/** Storage is small (5 MB for a site in most browsers); one query of generated SQL must not fill it. */
const MAX_CHARS = 200_000;

export interface Entry {
    sql: string;
    /** Milliseconds since 1970. */
    at: number;
}

/** Storage that may be missing or full: private windows refuse it. */
type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

export function readHistory(store: Store): Entry[] {
    try {
        const parsed: unknown = JSON.parse(store.getItem(KEY) ?? "[]");
        if (!Array.isArray(parsed)) return [];
        return parsed.filter(
            (entry): entry is Entry =>
                typeof entry === "object" && entry !== null && typeof entry.sql === "string" && typeof entry.at === "number",
        );
    } catch {
        return [];
    }
}

/** Puts a query in front. The same text further back goes, and so do the oldest entries beyond the limits. */
export function addToHistory(store: Store, sql: string, at: number): Entry[] {
    const text = sql.trim();
    if (text === "" || text.length > MAX_CHARS) return readHistory(store);
    const entries = [{ sql: text, at }, ...readHistory(store).filter((entry) => entry.sql !== text)].slice(0, MAX_ENTRIES);
    let chars = 0;
    const kept = entries.filter((entry) => (chars += entry.sql.length) <= MAX_CHARS);
    try {
        store.setItem(KEY, JSON.stringify(kept));
    } catch {
        // A full or forbidden storage costs the history, not the query.
    }
    return kept;
}

export function clearHistory(store: Store): void {
    store.removeItem(KEY);
}
