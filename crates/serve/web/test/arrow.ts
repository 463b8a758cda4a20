/** Arrow data for the tests. */

import {
    Field,
    RecordBatch,
    RecordBatchStreamWriter,
    Schema,
    Struct,
    makeData,
    type Data,
    type DataType,
} from "apache-arrow";

/** A batch of the given columns. */
export function batchOf(columns: Record<string, Data>): RecordBatch {
    const entries = Object.entries(columns);
    const fields = entries.map(([name, data]) => new Field(name, data.type as DataType, true));
    const length = entries[0]?.[1].length ?? 0;
    const data = makeData({ type: new Struct(fields), length, nullCount: 0, children: entries.map(([, child]) => child) });
    return new RecordBatch(new Schema(fields), data);
}

/** The bytes of a stream of batches, with its end marker. */
export function streamOf(batches: readonly RecordBatch[]): Uint8Array {
    const writer = new RecordBatchStreamWriter();
    for (const batch of batches) writer.write(batch);
    writer.finish();
    return writer.toUint8Array(true);
}

/** A validity bitmap. */
export function validity(bits: readonly boolean[]): Uint8Array {
    const bytes = new Uint8Array(Math.ceil(bits.length / 8));
    bits.forEach((bit, i) => {
        if (bit) bytes[i >> 3]! |= 1 << (i & 7);
    });
    return bytes;
}
