/** The server's API: one method for each route, errors with the server's kind, message and place. */

export interface Table {
    name: string;
    format: string;
    files: number;
    bytes: number;
    rows: number | null;
    columns: number | null;
    error: string | null;
    /** Whether the table came by upload, so that it can be removed. */
    upload: boolean;
}

export interface Field {
    name: string;
    type: string;
    nullable: boolean;
}

export interface Schema {
    name: string;
    rows: number | null;
    fields: Field[];
}

export interface ColumnSummary {
    name: string;
    type: string;
    nulls: number;
    min: string | null;
    max: string | null;
    histogram: number[] | null;
    edges: (number | string)[] | null;
    top: { value: string | null; count: number }[] | null;
}

export interface Summary {
    name: string;
    rows: number;
    sampled_rows: number;
    columns: ColumnSummary[];
}

export interface Uploaded {
    name: string;
    rows: number | null;
    recovered: boolean;
    leftover_bytes: number;
}

export type Format = "arrows" | "arrow" | "csv" | "ndjson" | "parquet";

/** An error of the server, or the lack of an answer (`kind` "network"). Line and column count from 1. */
export class ApiError extends Error {
    constructor(
        readonly kind: string,
        message: string,
        readonly status: number,
        readonly line?: number,
        readonly column?: number,
    ) {
        super(message);
        this.name = "ApiError";
    }
}

/** Takes `?token=` out of an address: the token, and the address without it. */
export function takeToken(address: string): { token: string | null; clean: string } {
    const url = new URL(address);
    const token = url.searchParams.get("token");
    url.searchParams.delete("token");
    return { token: token || null, clean: url.toString() };
}

/** Makes an error of an answer that is not a success. Bodies that are not the API's JSON are quoted, bounded. */
export async function errorOf(response: Response): Promise<ApiError> {
    const text = await response.text().catch(() => "");
    try {
        const error = (JSON.parse(text) as { error?: Record<string, unknown> }).error;
        if (error && typeof error["message"] === "string") {
            const number = (value: unknown) => (typeof value === "number" && value >= 1 ? value : undefined);
            return new ApiError(
                String(error["kind"] ?? "error"),
                error["message"],
                response.status,
                number(error["line"]),
                number(error["column"]),
            );
        }
    } catch {
        // Not JSON: a proxy's page, say.
    }
    const quoted = text.trim().slice(0, 300);
    return new ApiError("http", `The server answered ${response.status}${quoted ? `: ${quoted}` : ""}`, response.status);
}

export class Api {
    /** `base` is the page's address: the API lies beside the page, also when both are nested in another app. */
    constructor(
        private readonly base: string,
        private token: string | null,
        private readonly fetcher: typeof fetch = (input, init) => fetch(input, init),
    ) {}

    get hasToken(): boolean {
        return this.token !== null;
    }

    useToken(token: string): void {
        this.token = token;
    }

    async tables(): Promise<Table[]> {
        return (await this.json<{ tables: Table[] }>("api/tables")).tables;
    }

    schema(name: string): Promise<Schema> {
        return this.json(`${table(name)}/schema`);
    }

    summary(name: string): Promise<Summary> {
        return this.json(`${table(name)}/summary`);
    }

    /** The picture of the bytes, an SVG document. It is shown as an image, in which no script runs. */
    async layout(name: string): Promise<Blob> {
        const text = await (await this.request(`${table(name)}/layout`)).text();
        return new Blob([text], { type: "image/svg+xml" });
    }

    async upload(name: string, body: Blob, signal?: AbortSignal): Promise<Uploaded> {
        const init: RequestInit = { method: "PUT", body, headers: { "content-type": "application/octet-stream" } };
        if (signal) init.signal = signal;
        return (await (await this.request(table(name), init)).json()) as Uploaded;
    }

    async remove(name: string): Promise<void> {
        await this.request(table(name), { method: "DELETE" });
    }

    /** Runs a query; the answer's body is an Arrow stream that is still being computed. */
    query(sql: string, signal: AbortSignal): Promise<Response> {
        return this.request("api/query", {
            method: "POST",
            body: JSON.stringify({ sql, format: "arrows", codec: "none" }),
            headers: { "content-type": "application/json" },
            signal,
        });
    }

    /** Ends a query on the server. One that has ended already is no error. */
    async cancel(id: string): Promise<void> {
        await this.request(`api/queries/${encodeURIComponent(id)}`, { method: "DELETE" }).catch(() => undefined);
    }

    /** Where a link leads that downloads a result, or a table's file as it lies. Without a token only. */
    queryUrl(sql: string, format: Format): string {
        return new URL(`api/query?${new URLSearchParams({ sql, format })}`, this.base).toString();
    }

    fileUrl(name: string): string {
        return new URL(`${table(name)}/file`, this.base).toString();
    }

    /** A result as a blob, for queries that do not fit into an address, and for requests that need the token's header. */
    async downloadQuery(sql: string, format: Format): Promise<Blob> {
        const init = { method: "POST", body: JSON.stringify({ sql, format }), headers: { "content-type": "application/json" } };
        return (await this.request("api/query", init)).blob();
    }

    /** A table's file as a blob, for requests that need the token's header. */
    async download(url: string): Promise<Blob> {
        return (await this.request(url)).blob();
    }

    private async json<T>(path: string): Promise<T> {
        return (await (await this.request(path)).json()) as T;
    }

    private async request(path: string, init: RequestInit = {}): Promise<Response> {
        const headers = new Headers(init.headers);
        if (this.token !== null) headers.set("authorization", `Bearer ${this.token}`);
        let response: Response;
        try {
            response = await this.fetcher(new URL(path, this.base).toString(), { ...init, headers });
        } catch (error) {
            if (init.signal?.aborted) throw error;
            throw new ApiError("network", `The server cannot be reached: ${String((error as Error).message)}`, 0);
        }
        if (!response.ok) throw await errorOf(response);
        return response;
    }
}

function table(name: string): string {
    return `api/tables/${encodeURIComponent(name)}`;
}
