/** The batches that the page keeps: the first of the result, up to a budget. Later ones are counted and let go. */

import type { Data, RecordBatch, Vector } from "apache-arrow";

export interface Budget {
    bytes: number;
    rows: number;
}

/** Memory for the table on the page. One batch more may be held: the first one is kept whatever its size. */
export const BUDGET: Budget = { bytes: 64 * 1024 * 1024, rows: 200_000 };

/** What an Arrow array costs beside its buffers: JavaScript objects, about this large. Counts in narrow batches. */
const NODE_BYTES = 600;

export class BatchStore {
    private batches: RecordBatch[] = [];
    /** `starts[i]` is the row at which batch `i` begins. */
    private starts: number[] = [];
    private dictionaries = new Set<Vector>();
    private full = false;
    private rowsKept = 0;
    private rowsSeen = 0;
    private bytesKept = 0;

    constructor(private readonly budget: Budget = BUDGET) {}

    /** Rows that can be shown. */
    get kept(): number {
        return this.rowsKept;
    }

    /** Rows that arrived. */
    get total(): number {
        return this.rowsSeen;
    }

    get bytes(): number {
        return this.bytesKept;
    }

    /** Counts a batch, and keeps it while the budget lasts. After the first that is let go, so are all: no gaps. */
    add(batch: RecordBatch): boolean {
        this.rowsSeen += batch.numRows;
        const { bytes, dictionaries } = this.cost(batch);
        const fits = this.batches.length === 0 || this.bytesKept + bytes <= this.budget.bytes;
        if (this.full || !fits || this.rowsKept >= this.budget.rows) {
            this.full = true;
            return false;
        }
        this.batches.push(batch);
        this.starts.push(this.rowsKept);
        this.bytesKept += bytes;
        for (const dictionary of dictionaries) this.dictionaries.add(dictionary);
        this.rowsKept = Math.min(this.rowsKept + batch.numRows, this.budget.rows);
        return true;
    }

    /** The batch that holds a row, and the row's index in it; `null` for a row that is not kept. */
    locate(row: number): { batch: RecordBatch; index: number } | null {
        if (row < 0 || row >= this.rowsKept) return null;
        let low = 0;
        let high = this.starts.length - 1;
        while (low < high) {
            const middle = (low + high + 1) >> 1;
            if (this.starts[middle]! <= row) low = middle;
            else high = middle - 1;
        }
        return { batch: this.batches[low]!, index: row - this.starts[low]! };
    }

    /** The bytes that keeping a batch would add. Dictionaries are shared between batches and count once. */
    private cost(batch: RecordBatch): { bytes: number; dictionaries: Vector[] } {
        const dictionaries: Vector[] = [];
        const visit = (data: Data): number => {
            let bytes = NODE_BYTES;
            for (const buffer of [data.values, data.valueOffsets, data.nullBitmap, data.typeIds]) {
                bytes += (buffer as ArrayBufferView | undefined)?.byteLength ?? 0;
            }
            for (const buffer of data.variadicBuffers ?? []) bytes += buffer.byteLength;
            for (const child of data.children) bytes += visit(child);
            const dictionary = data.dictionary;
            if (dictionary && !this.dictionaries.has(dictionary) && !dictionaries.includes(dictionary)) {
                dictionaries.push(dictionary);
                for (const part of dictionary.data) bytes += visit(part);
            }
            return bytes;
        };
        return { bytes: visit(batch.data), dictionaries };
    }
}
