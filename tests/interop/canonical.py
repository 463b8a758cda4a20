"""pyarrow's arrays in the form of the JSON: which Polars type each Arrow type becomes, and its values.

Values come from the buffers, bit by bit: pyarrow's own conversions round nanoseconds, and fail on dates before
the year 1. A type that Polars lacks gets the value that floe promises for it, so the same two functions say what
a file holds when pyarrow has written it, and what pyarrow found when floe has.
"""

import json

import pyarrow as pa
import pyarrow.compute as pc

UNKNOWN_ZONES = {"Mars/Olympus"}
MAX_PRECISION = 38
T = pa.types


def unique(names: list[str]) -> list[str]:
    """Names as Polars tells them apart: `a`, `a_duplicated_0`."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        count = seen.get(name, 0)
        seen[name] = count + 1
        result.append(f"{name}_duplicated_{count - 1}" if count else name)
    return result


def dtype_of(field: pa.Field) -> str:
    """The dtype that Polars has for a field."""
    kind, metadata = field.type, field.metadata or {}
    if isinstance(kind, pa.BaseExtensionType):
        return dtype_of(pa.field(field.name, kind.storage_type))
    if T.is_dictionary(kind):
        if not is_text(kind.value_type):
            return dtype_of(pa.field("", kind.value_type))
        categories = metadata.get(b"_PL_ENUM_VALUES2")
        return (
            "cat"
            if categories is None
            else "enum" + json.dumps(texts(categories), ensure_ascii=False, separators=(",", ":"))
        )
    if T.is_large_binary(kind) and metadata.get(b"pl") == b"maintain_type":
        return "bin_offset"
    if is_list(kind) or T.is_map(kind):
        inner = kind.field(0)
        return f"list[{dtype_of(inner)}]"
    if T.is_fixed_size_list(kind):
        return f"array[{dtype_of(kind.value_field)},{kind.list_size}]"
    if T.is_struct(kind):
        return struct_of([(f.name, dtype_of(f)) for f in kind])
    if T.is_union(kind):
        children = [kind.field(i) for i in range(kind.num_fields)]
        return struct_of([("type_id", "i8"), *((f.name, dtype_of(f)) for f in children)])
    if T.is_run_end_encoded(kind):
        return dtype_of(pa.field("", kind.value_type))
    return leaf(kind)


def struct_of(fields: list[tuple[str, str]]) -> str:
    names = unique([name for name, _ in fields])
    return "struct{" + ",".join(f"{name}:{dtype}" for name, (_, dtype) in zip(names, fields)) + "}"


def texts(encoded: bytes) -> list[str]:
    """Polars' `length;text`, repeated."""
    found = []
    while encoded:
        length, encoded = encoded.split(b";", 1)
        found.append(encoded[: int(length)].decode())
        encoded = encoded[int(length) :]
    return found


def leaf(kind: pa.DataType) -> str:
    if T.is_integer(kind):
        return f"{'u' if T.is_unsigned_integer(kind) else 'i'}{kind.bit_width}"
    if T.is_floating(kind):
        return f"f{kind.bit_width}"
    if T.is_decimal(kind):
        scale = max(kind.scale, 0)
        return f"decimal[{max(min(kind.precision - min(kind.scale, 0), MAX_PRECISION), scale)},{scale}]"
    if T.is_timestamp(kind):
        return f"datetime[{unit(kind)}{zone(kind.tz)}]"
    if T.is_duration(kind):
        return f"duration[{unit(kind)}]"
    if is_interval(kind):
        return struct_of([(name, f"i{8 * size}") for name, size in INTERVALS[str(kind)]])
    if is_text(kind):
        return "str"
    if is_bytes(kind):
        return "bin"
    names = {pa.null(): "null", pa.bool_(): "bool", pa.date32(): "date", pa.date64(): "datetime[ms]"}
    return "time" if T.is_time(kind) else names[kind]


def unit(kind: pa.DataType) -> str:
    return "ms" if kind.unit == "s" else kind.unit


def zone(name: str | None) -> str:
    if not name:
        return ""
    if name in UNKNOWN_ZONES:
        return ",UTC"
    if name[0] in "+-":
        # Whole hours have names, with the sign turned; what has none is the same instant in UTC.
        hours, minutes = int(name[1:3]), name[4:6]
        has_name = minutes == "00" and 0 < hours <= (14 if name[0] == "+" else 12)
        return f",Etc/GMT{'-' if name[0] == '+' else '+'}{hours}" if has_name else ",UTC"
    return f",{name}"


def is_text(kind: pa.DataType) -> bool:
    return T.is_string(kind) or T.is_large_string(kind) or T.is_string_view(kind)


def is_bytes(kind: pa.DataType) -> bool:
    return (
        T.is_binary(kind) or T.is_large_binary(kind) or T.is_binary_view(kind) or T.is_fixed_size_binary(kind)
    )


def is_list(kind: pa.DataType) -> bool:
    return T.is_list(kind) or T.is_large_list(kind) or is_list_view(kind)


def is_list_view(kind: pa.DataType) -> bool:
    return T.is_list_view(kind) or T.is_large_list_view(kind)


# pyarrow makes only the last of them.
INTERVALS = {
    "month_interval": [("months", 4)],
    "day_time_interval": [("days", 4), ("milliseconds", 4)],
    "month_day_nano_interval": [("months", 4), ("days", 4), ("nanoseconds", 8)],
}


def is_interval(kind: pa.DataType) -> bool:
    return str(kind) in INTERVALS


def values_of(array: pa.Array | pa.ChunkedArray) -> list:
    """The values of a column, as the JSON has them."""
    if isinstance(array, pa.ChunkedArray):
        return [value for chunk in array.chunks for value in values_of(chunk)]
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return values_of(array.storage)
    if T.is_run_end_encoded(kind):
        return values_of(pc.run_end_decode(array))
    if T.is_null(kind):
        return [None] * len(array)
    if T.is_union(kind):
        return union_values(array)
    values = valid_values(array)
    return [value if valid else None for value, valid in zip(values, array.is_valid().to_pylist())]


def valid_values(array: pa.Array) -> list:
    """As `values_of`; what stands in place of a null does not matter."""
    kind = array.type
    if T.is_boolean(kind) or is_text(kind):
        return array.to_pylist()
    if is_bytes(kind):
        return [None if value is None else value.hex() for value in array.to_pylist()]
    if T.is_floating(kind):
        bits = fixed(array, kind.bit_width // 8, signed=False)
        return [float_text(value, kind.bit_width) for value in bits]
    if T.is_dictionary(kind):
        dictionary = values_of(array.dictionary)
        return [None if index is None else dictionary[index] for index in array.indices.to_pylist()]
    if is_list(kind) or T.is_map(kind):
        return list_values(array)
    if T.is_fixed_size_list(kind):
        items, width = values_of(array.values), kind.list_size
        return [items[(array.offset + row) * width :][:width] for row in range(len(array))]
    if T.is_struct(kind):
        return struct_values(
            unique([f.name for f in kind]), [array.field(i) for i in range(kind.num_fields)], len(array)
        )
    if is_interval(kind):
        return interval_values(array)
    factor = scale_factor(kind)
    return [
        str(value * factor) for value in fixed(array, kind.bit_width // 8, not T.is_unsigned_integer(kind))
    ]


def float_text(bits: int, width: int) -> str:
    """The hex of the bits; all NaNs are one."""
    exponent, mantissa = {16: (0x7C00, 0x3FF), 32: (0x7F800000, 0x7FFFFF), 64: (0x7FF << 52, (1 << 52) - 1)}[
        width
    ]
    is_nan = bits & exponent == exponent and bits & mantissa
    return "nan" if is_nan else f"{bits:0{width // 4}x}"


def scale_factor(kind: pa.DataType) -> int:
    """From the unit of the Arrow type to that of the Polars type."""
    if T.is_time(kind):
        return {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}[kind.unit]
    if T.is_timestamp(kind) or T.is_duration(kind):
        return 1000 if kind.unit == "s" else 1
    return 10 ** max(-kind.scale, 0) if T.is_decimal(kind) else 1


def fixed(array: pa.Array, width: int, signed: bool, buffer: int = 1) -> list[int]:
    """Integers of so many bytes, nulls too."""
    found = array.buffers()[buffer]
    data = b"" if found is None else bytes(found)[array.offset * width :]
    return [int.from_bytes(data[row * width :][:width], "little", signed=signed) for row in range(len(array))]


def list_values(array: pa.Array) -> list:
    kind = array.type
    if T.is_map(kind):
        names = [kind.field(0).type.field(i).name for i in (0, 1)]
        items = struct_values(names, [array.keys, array.items], len(array.keys))
    else:
        items = values_of(array.values)
    offsets = array.offsets.to_pylist()
    sizes = array.sizes.to_pylist() if is_list_view(kind) else [b - a for a, b in zip(offsets, offsets[1:])]
    return [items[offset : offset + size] for offset, size in zip(offsets, sizes)]


def struct_values(names: list[str], children: list[pa.Array], length: int) -> list:
    columns = [values_of(child) for child in children]
    return [{name: column[row] for name, column in zip(names, columns)} for row in range(length)]


def union_values(array: pa.UnionArray) -> list:
    kind = array.type
    children = [values_of(array.field(i)) for i in range(kind.num_fields)]
    names = unique(["type_id", *(kind.field(i).name for i in range(kind.num_fields))])[1:]
    # `type_codes` and `offsets` start at the parent's first row, also in a slice.
    codes = fixed(array, 1, signed=True)
    offsets = fixed(array, 4, signed=True, buffer=2) if kind.mode == "dense" else range(len(array))
    rows = []
    for code, offset in zip(codes, offsets):
        chosen = kind.type_codes.index(code)
        row = {name: children[i][offset] if i == chosen else None for i, name in enumerate(names)}
        rows.append({"type_id": str(code), **row})
    return rows


def interval_values(array: pa.Array) -> list:
    parts = INTERVALS[str(array.type)]
    width = sum(size for _, size in parts)
    data, rows = bytes(array.buffers()[1])[array.offset * width :], []
    for row in range(len(array)):
        at, value = row * width, {}
        for name, size in parts:
            value[name] = str(int.from_bytes(data[at : at + size], "little", signed=True))
            at += size
        rows.append(value)
    return rows


def sidecar_of(table: pa.Table, **more) -> dict:
    """The JSON of a table."""
    names = unique(table.schema.names)
    columns = [
        {"name": name, "dtype": dtype_of(field), "values": values_of(column)}
        for name, field, column in zip(names, table.schema, table.columns)
    ]
    return {"height": table.num_rows, "columns": columns, **more}
