/** Downloads: links where a link can do it, requests with the token's header where it cannot. */

import type { Api, Format } from "./api.js";
import { byId, el } from "./dom.js";
import { saveBlob } from "./legend.js";

/** Longer queries do not fit into an address that all servers and proxies take. */
const MAX_URL = 4_000;

export class Downloads {
    constructor(
        private readonly api: Api,
        private readonly onError: (error: Error) => void,
    ) {}

    /** Points the links at the result of a query. */
    offer(sql: string): void {
        for (const format of ["arrow", "csv", "parquet"] as const) {
            const link = byId<HTMLAnchorElement>(`download-${format}`);
            link.href = this.api.queryUrl(sql, format);
            link.download = `result.${format}`;
            link.onclick = (event) => {
                if (!this.api.hasToken && link.href.length <= MAX_URL) return;
                event.preventDefault();
                this.result(sql, format);
            };
        }
    }

    /** A table's file as it lies on the server. */
    file(name: string): void {
        const url = this.api.fileUrl(name);
        if (this.api.hasToken) this.save(this.api.download(url), name);
        else el("a", { href: url, download: "" }).click();
    }

    private result(sql: string, format: Format): void {
        this.save(this.api.downloadQuery(sql, format), `result.${format}`);
    }

    private save(blob: Promise<Blob>, name: string): void {
        blob.then((bytes) => saveBlob(bytes, name), this.onError);
    }
}
