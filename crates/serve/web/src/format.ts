/** A value of an Arrow array as text for a cell. Reads the buffers themselves: `Vector.get` rounds times to milliseconds. */

import {
    DataType,
    IntervalUnit,
    Precision,
    Type,
    type Data,
    type Decimal,
    type Dictionary,
    type Duration,
    type Field,
    type Float,
    type Interval,
    type Time,
    type Timestamp,
    type Union,
    type Vector,
} from "apache-arrow";
import { decimalInteger, decimalText, float16, float32Text, floatText } from "./number.js";
import { dateText, durationText, timestampText, timeText, type Unit } from "./time.js";
import { WideInt, wideIntAt } from "./wide-int.js";

/** How a cell is shown: numbers to the right, nulls and empty strings unlike any text. */
export type CellKind = "null" | "number" | "text" | "empty" | "bool" | "time" | "binary" | "nested";

export interface Cell {
    text: string;
    kind: CellKind;
    /** Whether the text was cut at the limit. */
    cut: boolean;
}

const CELL_CHARS = 240;

/** The cell of one value. `limit` bounds the characters, also of lists with millions of items. */
export function cellOf(data: Data, index: number, limit = CELL_CHARS): Cell {
    const place = resolve(data, index);
    if (!place) return { text: "null", kind: "null", cut: false };
    if (isText(place.data.type)) {
        const text = textAt(place.data, place.index);
        if (text === "") return { text: "empty", kind: "empty", cut: false };
        return { text: text.slice(0, limit), kind: "text", cut: text.length > limit };
    }
    const out = new Text(limit);
    write(place.data, place.index, out);
    return { text: out.text.slice(0, limit), kind: kindOf(place.data.type), cut: out.full };
}

/** The kind that a type's values have. */
export function kindOf(type: DataType): CellKind {
    if (DataType.isDictionary(type)) return kindOf((type as Dictionary).dictionary);
    if (type instanceof WideInt || DataType.isInt(type) || DataType.isFloat(type) || DataType.isDecimal(type)) return "number";
    if (DataType.isBool(type)) return "bool";
    if (DataType.isNull(type)) return "null";
    if (isText(type)) return "text";
    if (isBinary(type)) return "binary";
    if (TIMES.has(type.typeId)) return "time";
    return "nested";
}

const TIMES = new Set<number>([Type.Date, Type.Time, Type.Timestamp, Type.Duration, Type.Interval]);

export function isText(type: DataType): boolean {
    return DataType.isUtf8(type) || DataType.isLargeUtf8(type) || DataType.isUtf8View(type);
}

export function isBinary(type: DataType): boolean {
    return (
        DataType.isBinary(type) || DataType.isLargeBinary(type) || DataType.isBinaryView(type) || DataType.isFixedSizeBinary(type)
    );
}

/** Follows dictionaries and unions to the array that holds the value; `null` for a null on the way. */
export function resolve(data: Data, index: number): { data: Data; index: number } | null {
    if (DataType.isNull(data.type) || !data.getValid(index)) return null;
    if (DataType.isDictionary(data.type)) {
        const key = Number((data.values as ArrayLike<number | bigint>)[index]);
        return data.dictionary ? inVector(data.dictionary, key) : null;
    }
    if (DataType.isUnion(data.type)) {
        const union = data.type as Union;
        const child = data.children[union.typeIdToChildIndex[(data.typeIds as Int8Array)[index]!]!];
        if (!child) return null;
        return resolve(child, DataType.isDenseUnion(union) ? Number((data.valueOffsets as Int32Array)[index]) : index);
    }
    return { data, index };
}

/** A dictionary that grew by deltas consists of several arrays. */
function inVector(vector: Vector, index: number): { data: Data; index: number } | null {
    let at = index;
    for (const data of vector.data) {
        if (at < data.length) return at < 0 ? null : resolve(data, at);
        at -= data.length;
    }
    return null;
}

/** Text that stops to grow at its limit. */
class Text {
    text = "";
    constructor(private readonly limit: number) {}
    get full(): boolean {
        return this.text.length > this.limit;
    }
    push(part: string): void {
        if (!this.full) this.text += part.slice(0, this.limit + 1);
    }
}

/** The value as it stands inside of a list or struct: text in quotes. */
function nested(data: Data, index: number, out: Text): void {
    if (out.full) return;
    const place = resolve(data, index);
    if (!place) out.push("null");
    else if (isText(place.data.type)) out.push(JSON.stringify(textAt(place.data, place.index)));
    else write(place.data, place.index, out);
}

function write(data: Data, index: number, out: Text): void {
    const { type } = data;
    if (type instanceof WideInt) return out.push(String(wideIntAt(type, data.values as Uint8Array, index)));
    switch (type.typeId) {
        case Type.Bool:
            return out.push(boolAt(data, index) ? "true" : "false");
        case Type.List:
        case Type.LargeList: {
            const offsets = data.valueOffsets as unknown as ArrayLike<number | bigint>;
            return list(data.children[0], Number(offsets[index]), Number(offsets[index + 1]), out);
        }
        case Type.FixedSizeList:
            return list(data.children[0], index * data.stride, (index + 1) * data.stride, out);
        case Type.Map:
            return map(data, index, out);
        case Type.Struct:
            return struct(data, index, out);
        default:
            return out.push(isBinary(type) ? hex(bytesAt(data, index)) : scalar(data, index));
    }
}

function list(child: Data | undefined, begin: number, end: number, out: Text): void {
    out.push("[");
    for (let i = begin; child && i < end && !out.full; i++) {
        if (i > begin) out.push(", ");
        nested(child, i, out);
    }
    out.push("]");
}

function map(data: Data, index: number, out: Text): void {
    const offsets = data.valueOffsets as unknown as ArrayLike<number>;
    const [keys, values] = data.children[0]?.children ?? [];
    out.push("{");
    for (let i = offsets[index]!; keys && values && i < offsets[index + 1]! && !out.full; i++) {
        if (i > offsets[index]!) out.push(", ");
        nested(keys, i, out);
        out.push(": ");
        nested(values, i, out);
    }
    out.push("}");
}

function struct(data: Data, index: number, out: Text): void {
    out.push("{");
    data.children.forEach((child, i) => {
        if (out.full) return;
        const field = data.type.children[i] as Field;
        out.push(`${i > 0 ? ", " : ""}${field.name}: `);
        nested(child, index, out);
    });
    out.push("}");
}

/** Binary values may be images: as much as anyone reads of one. */
const HEX_BYTES = 4096;

function hex(bytes: Uint8Array): string {
    const shown = bytes.subarray(0, HEX_BYTES);
    return `0x${Array.from(shown, (byte) => byte.toString(16).padStart(2, "0")).join("")}${shown.length < bytes.length ? "…" : ""}`;
}

export function boolAt(data: Data, index: number): boolean {
    const at = data.offset + index;
    return ((data.values as Uint8Array)[at >> 3]! & (1 << (at & 7))) !== 0;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export function textAt(data: Data, index: number): string {
    return decoder.decode(bytesAt(data, index));
}

/** The bytes of a text or binary value. Empty where offsets point outside of the buffer. */
function bytesAt(data: Data, index: number): Uint8Array {
    const values = data.values as Uint8Array;
    if (DataType.isFixedSizeBinary(data.type)) return values.subarray(index * data.stride, (index + 1) * data.stride);
    if (DataType.isUtf8View(data.type) || DataType.isBinaryView(data.type)) {
        const view = new DataView(values.buffer, values.byteOffset + 16 * index, 16);
        const length = view.getInt32(0, true);
        if (length <= 12) return values.subarray(16 * index + 4, 16 * index + 4 + length);
        const begin = view.getInt32(12, true);
        return data.variadicBuffers[view.getInt32(8, true)]?.subarray(begin, begin + length) ?? new Uint8Array();
    }
    const offsets = data.valueOffsets as unknown as ArrayLike<number | bigint>;
    return values.subarray(Number(offsets[index]), Number(offsets[index + 1]));
}

/** A value of fixed width that is not binary. */
function scalar(data: Data, index: number): string {
    const { type } = data;
    const values = data.values as ArrayLike<number | bigint>;
    switch (type.typeId) {
        case Type.Int:
            return String(values[index]);
        case Type.Float:
            return float(data, index);
        case Type.Decimal:
            return decimalText(decimalAt(data, index), (type as Decimal).scale);
        case Type.Date:
            return dateText(dayAt(data, index));
        case Type.Time:
            return timeText(BigInt(values[index]!), (type as Time).unit as Unit);
        case Type.Timestamp:
            return timestampText(BigInt(values[index]!), (type as Timestamp).unit as Unit, (type as Timestamp).timezone);
        case Type.Duration:
            return durationText(BigInt(values[index]!), (type as Duration).unit as Unit);
        case Type.Interval:
            return interval(data, index);
        default:
            return `(${type})`;
    }
}

export function decimalAt(data: Data, index: number): bigint {
    // The width is that of the type: 32, 64, 128 or 256 bits, always in words of 32.
    const words = (data.type as Decimal).bitWidth / 32;
    return decimalInteger((data.values as Uint32Array).subarray(words * index, words * (index + 1)));
}

/** Days since 1970, with a fraction for the rare date in milliseconds that is not midnight. */
export function dayAt(data: Data, index: number): number {
    const value = Number((data.values as ArrayLike<number | bigint>)[index]);
    return data.values instanceof BigInt64Array ? value / 86_400_000 : value;
}

export function floatAt(data: Data, index: number): number {
    const value = (data.values as Float64Array | Uint16Array)[index]!;
    return (data.type as Float).precision === Precision.HALF ? float16(value) : value;
}

function float(data: Data, index: number): string {
    const precision = (data.type as Float).precision;
    const value = floatAt(data, index);
    return precision === Precision.DOUBLE ? floatText(value) : float32Text(value);
}

function interval(data: Data, index: number): string {
    const values = data.values as Int32Array;
    const unit = (data.type as Interval).unit as IntervalUnit;
    if (unit === IntervalUnit.YEAR_MONTH) {
        const months = values[index]!;
        return `${Math.trunc(months / 12)}y ${months % 12}mo`;
    }
    if (unit === IntervalUnit.DAY_TIME) return `${values[2 * index]}d ${values[2 * index + 1]}ms`;
    const view = new DataView(values.buffer, values.byteOffset + 16 * index, 16);
    return `${view.getInt32(0, true)}mo ${view.getInt32(4, true)}d ${view.getBigInt64(8, true)}ns`;
}
