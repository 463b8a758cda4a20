/** Files that come by the picker or by drop, sent to the server one after the other. */

import type { Api, Uploaded } from "./api.js";
import { bytesText, countText } from "./number.js";

/** The server takes names of at most 100 characters and 240 bytes. */
const MAX_NAME = 90;
const MAX_NAME_BYTES = 230;

export interface UploadEvents {
    onStatus(text: string): void;
    onError(error: Error): void;
    /** A file has become a table. */
    onTable(): void;
    /** Whether a table of this name may be replaced. */
    confirm(name: string): boolean;
}

/** A table's name out of a file's: without its extensions, of letters, digits and underscores. */
export function tableName(file: string): string {
    const base = file.replace(/^.*[\\/]/, "").replace(/\.(gz|zst|zstd)$/i, "").replace(/\.[^.]+$/, "");
    const plain = base
        .normalize("NFC")
        .replace(/[^\p{L}\p{Nd}_]+/gu, "_")
        .replace(/^_+|_+$/g, "");
    return named(shortened(plain));
}

/** The first characters of a text, none of them cut. */
function shortened(text: string): string {
    const encoder = new TextEncoder();
    let short = "";
    let bytes = 0;
    for (const character of [...text].slice(0, MAX_NAME)) {
        bytes += encoder.encode(character).length;
        if (bytes > MAX_NAME_BYTES) break;
        short += character;
    }
    return short;
}

function named(plain: string): string {
    return plain === "" ? "upload" : /^\d/.test(plain) ? `t${plain}` : plain;
}

/** What the server answered, in a sentence. A repaired file is said to be one. */
export function uploadText(file: string, answer: Uploaded): string {
    const rows = answer.rows === null ? "" : `: ${countText(answer.rows)} rows`;
    const text = `${file} is now the table ${answer.name}${rows}`;
    if (!answer.recovered) return text;
    return `${text}. The file was damaged: these rows were recovered, ${bytesText(answer.leftover_bytes)} at its end were not`;
}

export async function upload(files: Iterable<File>, api: Api, taken: () => readonly string[], events: UploadEvents): Promise<void> {
    for (const file of files) {
        const name = tableName(file.name);
        if (taken().includes(name) && !events.confirm(name)) continue;
        events.onStatus(`Uploading ${file.name}, ${bytesText(file.size)} …`);
        try {
            const answer = await api.upload(name, file);
            events.onTable();
            events.onStatus(uploadText(file.name, answer));
        } catch (error) {
            events.onStatus("");
            events.onError(new Error(`${file.name}: ${(error as Error).message}`));
        }
    }
}

/** Makes the whole page a place to drop files on. `dragging` says whether files hang above it. */
export function acceptDrops(target: HTMLElement, onFiles: (files: File[]) => void, dragging: (over: boolean) => void): void {
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    let depth = 0;
    target.addEventListener("dragenter", (event) => {
        if (hasFiles(event) && ++depth === 1) dragging(true);
    });
    target.addEventListener("dragleave", (event) => {
        if (hasFiles(event) && --depth <= 0) dragging(((depth = 0), false));
    });
    target.addEventListener("dragover", (event) => {
        if (hasFiles(event)) event.preventDefault();
    });
    target.addEventListener("drop", (event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        depth = 0;
        dragging(false);
        onFiles([...(event.dataTransfer?.files ?? [])]);
    });
}
