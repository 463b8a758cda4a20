/** Arrow types in few words. Those that differ only in the width of their offsets are called the same. */

import { DataType, TimeUnit, Type, type Decimal, type Dictionary, type Duration, type FixedSizeList, type Time, type Timestamp } from "apache-arrow";
import { isBinary, isText } from "./format.js";
import { WideInt } from "./wide-int.js";

const UNITS: Record<TimeUnit, string> = {
    [TimeUnit.SECOND]: "s",
    [TimeUnit.MILLISECOND]: "ms",
    [TimeUnit.MICROSECOND]: "µs",
    [TimeUnit.NANOSECOND]: "ns",
};

/** `Int64`, `text`, `timestamp(µs, Europe/Berlin)`, `list of Int64`. */
export function typeText(type: DataType): string {
    if (type instanceof WideInt) return String(type);
    if (isText(type)) return "text";
    if (isBinary(type)) return "binary";
    const inner = () => typeText(type.children[0]!.type);
    switch (type.typeId) {
        case Type.Dictionary:
            return `dictionary of ${typeText((type as Dictionary).dictionary)}`;
        case Type.Decimal:
            return `decimal(${(type as Decimal).precision}, ${(type as Decimal).scale})`;
        case Type.Date:
            return "date";
        case Type.Time:
            return `time(${UNITS[(type as Time).unit]})`;
        case Type.Duration:
            return `duration(${UNITS[(type as Duration).unit]})`;
        case Type.Timestamp: {
            const { unit, timezone } = type as Timestamp;
            return `timestamp(${UNITS[unit]}${timezone ? `, ${timezone}` : ""})`;
        }
        case Type.List:
        case Type.LargeList:
            return `list of ${inner()}`;
        case Type.FixedSizeList:
            return `list of ${(type as FixedSizeList).listSize} ${inner()}`;
        case Type.Struct:
            return `struct of ${type.children.map((field) => field.name).join(", ")}`;
        default:
            return String(type);
    }
}
