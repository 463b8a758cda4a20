/** A bounded sample of a stream's rows, for charts: every row of a small result, every n-th of a large one. */

import { DataType, Type, type Data, type Decimal, type Dictionary, type RecordBatch, type Schema, type Timestamp } from "apache-arrow";
import { boolAt, dayAt, decimalAt, floatAt, isText, kindOf, resolve, textAt } from "./format.js";
import { chartMilliseconds, type Unit } from "./time.js";
import { WideInt, wideIntAt } from "./wide-int.js";

/** What charts can put on an axis. Lists, structs and binary columns have none. */
export type Role = "number" | "time" | "text";
export type ChartValue = number | string | Date | null;

export interface ChartColumn {
    name: string;
    role: Role;
    /** The time zone in whose wall clock times are given. */
    zone?: string;
}

/** Rows kept at most, and values kept at most over all columns. */
const MAX_ROWS = 10_000;
const MAX_VALUES = 600_000;
const MAX_COLUMNS = 200;
const MAX_TEXT = 80;

export function roleOf(type: DataType): Role | null {
    const inner = DataType.isDictionary(type) ? (type as Dictionary).dictionary : type;
    if (DataType.isDate(inner) || DataType.isTimestamp(inner)) return "time";
    const kind = kindOf(inner);
    if (kind === "number") return "number";
    return kind === "text" || kind === "bool" ? "text" : null;
}

/**
 * Keeps row 0 and each `stride`-th after it. When the rows kept exceed the limit, the stride doubles and every second
 * row goes. So the sample is even over the whole result, in its order, and the same each time.
 */
export class Sample {
    readonly columns: ChartColumn[] = [];
    private readonly places: number[] = [];
    private values: ChartValue[][] = [];
    private readonly limit: number;
    private step = 1;
    private seen = 0;

    constructor(schema: Schema, limit = MAX_ROWS) {
        schema.fields.forEach((field, place) => {
            const role = roleOf(field.type);
            if (!role || this.columns.length >= MAX_COLUMNS) return;
            const zone = DataType.isTimestamp(field.type) ? (field.type as Timestamp).timezone : null;
            this.columns.push({ name: field.name, role, ...(zone ? { zone } : {}) });
            this.places.push(place);
            this.values.push([]);
        });
        this.limit = Math.max(2, Math.min(limit, Math.floor(MAX_VALUES / Math.max(1, this.columns.length))));
    }

    /** Rows in the sample. */
    get rows(): number {
        return this.values[0]?.length ?? 0;
    }

    /** Rows that the sample stands for. */
    get total(): number {
        return this.seen;
    }

    get stride(): number {
        return this.step;
    }

    get complete(): boolean {
        return this.step === 1;
    }

    add(batch: RecordBatch): void {
        let index = (this.step - (this.seen % this.step)) % this.step;
        while (index < batch.numRows) {
            this.places.forEach((place, i) => this.values[i]!.push(chartValue(batch.data.children[place]!, index)));
            if (this.rows > this.limit) this.thin();
            // After thinning, the next row of the wider stride is the next one.
            const row = this.seen + index;
            index += this.step - (row % this.step);
        }
        this.seen += batch.numRows;
    }

    /** The values of a column by name; `null` for one that is not there or cannot be drawn. */
    column(name: string | undefined): readonly ChartValue[] | null {
        const at = this.columns.findIndex((column) => column.name === name);
        return at < 0 ? null : this.values[at]!;
    }

    private thin(): void {
        this.step *= 2;
        this.values = this.values.map((column) => column.filter((_, i) => i % 2 === 0));
    }
}

/** A value for an axis. Times with a zone are moved to its wall clock; 64-bit integers become floats. */
export function chartValue(data: Data, index: number): ChartValue {
    const place = resolve(data, index);
    if (!place) return null;
    const { data: inner, index: at } = place;
    const type = inner.type;
    const values = inner.values as ArrayLike<number | bigint>;
    if (type instanceof WideInt) return Number(wideIntAt(type, inner.values as Uint8Array, at));
    switch (type.typeId) {
        case Type.Int:
            return Number(values[at]);
        case Type.Float:
            return floatAt(inner, at);
        case Type.Decimal:
            return Number(decimalAt(inner, at)) / 10 ** (type as Decimal).scale;
        case Type.Date:
            return new Date(dayAt(inner, at) * 86_400_000);
        case Type.Timestamp: {
            const { unit, timezone } = type as Timestamp;
            return new Date(chartMilliseconds(BigInt(values[at]!), unit as Unit, timezone));
        }
        case Type.Bool:
            return boolAt(inner, at) ? "true" : "false";
        default:
            return isText(type) ? textAt(inner, at).slice(0, MAX_TEXT) : null;
    }
}
