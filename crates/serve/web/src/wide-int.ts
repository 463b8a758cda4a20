/** 128-bit integers, which Polars has and arrow-js does not: it refuses the whole stream for one such column. */

import { DataType, Field, FixedSizeBinary, type Int, type Schema } from "apache-arrow";
import { decimalInteger } from "./number.js";

const WIDTH = 16;

/** Arrow's `Int` of 128 bits. Its buffers are those of binary values of 16 bytes, as which arrow-js loads them. */
export class WideInt extends FixedSizeBinary {
    constructor(readonly isSigned: boolean) {
        super(WIDTH);
    }

    override toString(): string {
        return this.isSigned ? "Int128" : "Uint128";
    }
}

/** Puts `WideInt` into a schema that was read, before its batches are. */
export function allowWideInts(schema: Schema): void {
    schema.fields.forEach(allowIn);
}

function allowIn(field: Field): void {
    const { type } = field;
    if (DataType.isInt(type) && (type as Int).bitWidth === WIDTH * 8) {
        // The reader holds on to this very object.
        (field as { type: DataType }).type = new WideInt((type as Int).isSigned);
        return;
    }
    // Dictionaries' values and primitive types have no children.
    (type.children ?? []).forEach(allowIn);
}

export function wideIntAt(type: WideInt, values: Uint8Array, index: number): bigint {
    // Buffers of streams begin at multiples of 8 only in their message: read by bytes.
    const words = new Uint32Array(values.slice(index * WIDTH, (index + 1) * WIDTH).buffer);
    const value = decimalInteger(words);
    return type.isSigned ? value : BigInt.asUintN(WIDTH * 8, value);
}
