"""Writes with pyarrow what floe has to read: every type pyarrow has, every option its writers have.

`pyarrow_write.py DIR` leaves `<frame>.<variant>-<codec>.{arrows,arrow}` and the JSON beside them. pyarrow aligns
bodies to 8 bytes only; `legacy` is the framing from before 0.15, without markers; `v4` the metadata of that time.
"""

import struct
import sys
from decimal import Decimal
from pathlib import Path

import nanoarrow as na
import pyarrow as pa
from canonical import sidecar_of
from harness import Report, save

ipc, V4 = pa.ipc, pa.ipc.MetadataVersion.V4
VARIANTS = {
    "plain-none": {},
    "plain-lz4": {"compression": "lz4"},
    "plain-zstd": {"compression": "zstd"},
    "v4-none": {"metadata_version": V4},
    "legacy-none": {"metadata_version": V4, "use_legacy_format": True},
}
LONG = "a text that no view can hold inline"
ROWS = 7


def primitives() -> pa.Table:
    columns = {"null": pa.nulls(ROWS), "bool": [True, None, False, True, None, True, False]}
    for bits in (8, 16, 32, 64):
        low, high = -(1 << bits - 1), (1 << bits - 1) - 1
        columns[f"i{bits}"] = pa.array([low, None, -1, 0, 1, None, high], f"int{bits}")
        columns[f"u{bits}"] = pa.array([0, None, 1, 2, 3, None, 2 * high + 1], f"uint{bits}")
    for bits in (16, 32, 64):
        floats = [float("nan"), None, float("-inf"), -0.0, 1.5, 1e-7, 65504.0]
        columns[f"f{bits}"] = pa.array(floats, pa.float16() if bits == 16 else f"float{bits}")
    columns["no_nulls"] = pa.array(range(ROWS))
    return pa.table(columns)


def strings() -> pa.Table:
    texts = ["", "short", None, "twelve bytes", LONG, "日本語のテキスト 🦀", "a\0b"]
    blobs = [None if text is None else text.encode() + b"\xff" for text in texts]
    columns = {
        str(kind): pa.array(texts, kind) for kind in (pa.string(), pa.large_string(), pa.string_view())
    }
    columns |= {
        str(kind): pa.array(blobs, kind) for kind in (pa.binary(), pa.large_binary(), pa.binary_view())
    }
    columns["fixed"] = pa.array([b"abc", None, b"\0\1\2", b"xyz", b"...", None, b"end"], pa.binary(3))
    columns["fixed_16"] = pa.array([bytes([i] * 16) for i in range(ROWS)], pa.binary(16))
    columns["fixed_0"] = pa.array([b""] * 6 + [None], pa.binary(0))
    columns["views_no_buffer"] = pa.array(["a", "b", None, "", "c", "d", "e"], pa.string_view())
    columns["views_null"] = pa.array([None] * ROWS, pa.string_view())
    return pa.table(columns)


def temporal() -> pa.Table:
    days = [0, -719_162, None, 19_000, 1, 2, 3]
    ints = [0, -1, None, 1_357_034_700, -2_208_988_800, 1, 86_399]
    columns = {
        "date32": pa.array(days, pa.int32()).view(pa.date32()),
        "date64": pa.array([None if day is None else day * 86_400_000 for day in days], pa.int64()).view(
            pa.date64()
        ),
        "time32_s": pa.array([0, 86_399, None, 1, 2, 3, 4], pa.int32()).view(pa.time32("s")),
        "time32_ms": pa.array([0, 86_399_999, None, 1, 2, 3, 4], pa.int32()).view(pa.time32("ms")),
        "time64_us": pa.array([0, 86_399_999_999, None, 1, 2, 3, 4]).view(pa.time64("us")),
        "time64_ns": pa.array([0, 86_399_999_999_999, None, 1, 2, 3, 4]).view(pa.time64("ns")),
    }
    zones = [None, "UTC", "Europe/Zurich", "+05:30", "-08:00", "+00:00", "Mars/Olympus"]
    for unit in ("s", "ms", "us", "ns"):
        columns[f"duration_{unit}"] = pa.array(ints, pa.int64()).view(pa.duration(unit))
        for zone in zones:
            columns[f"timestamp_{unit}_{zone}"] = pa.array(ints, pa.int64()).view(pa.timestamp(unit, zone))
    return pa.table(columns)


def decimals() -> pa.Table:
    column = lambda kind, digits: pa.array([None if d is None else Decimal(d) for d in digits], kind)
    nines = "9" * 38
    return pa.table(
        {
            "d32": column(pa.decimal32(9, 2), ["1234567.89", None, "-0.01"]),
            "d64": column(pa.decimal64(18, 4), ["12345678901234.5678", None, "-0.0001"]),
            "d128": column(pa.decimal128(38, 10), [nines[:28] + "." + nines[28:], None, "-0.0000000001"]),
            "d256": column(pa.decimal256(76, 5), [nines[:33] + ".99999", None, "-" + nines[:33] + ".99999"]),
            "d256_small": column(pa.decimal256(20, 3), ["1.5", None, "-2.125"]),
            "d32_negative": column(pa.decimal32(5, -3), ["12345000", None, "-1000"]),
            "d128_negative": column(pa.decimal128(10, -2), ["1234567800", None, "-100"]),
            "d256_negative": column(pa.decimal256(40, -1), ["12345670", None, "-10"]),
        }
    )


def too_large() -> pa.Table:
    huge = pa.array([Decimal(1), Decimal("1" + "0" * 60)], pa.decimal256(76, 0))
    return pa.table({"first": [1, 2], "huge": huge, "last": ["a", "b"]})


def lists() -> pa.Table:
    numbers = [[1, None, 3], None, [], [4], [5, 6], [], [7]]
    texts = [["a", LONG], None, [], [None], ["b"], ["c", ""], ["d"]]
    columns = {}
    for make in (pa.list_, pa.large_list, pa.list_view, pa.large_list_view):
        columns[f"{make.__name__}_i32"] = pa.array(numbers, make(pa.int32()))
        columns[f"{make.__name__}_str"] = pa.array(texts, make(pa.string_view()))
        columns[f"{make.__name__}_deep"] = pa.array(
            [numbers[:3], None, [], [None], [[9]], [[]], []], make(make(pa.int16()))
        )
    columns["view_overlapping"] = pa.ListViewArray.from_arrays(
        [2, 0, 1, 0, 4, 2, 2],
        [3, 2, 0, 5, 1, 1, 0],
        pa.array(["a", "b", None, LONG, "e"]),
        mask=pa.array([False] * 6 + [True]),
    )
    fixed = [[1, 2], None, [3, None], [4, 5], [6, 7], None, [8, 9]]
    columns["fixed"] = pa.array(fixed, pa.list_(pa.int64(), 2))
    columns["fixed_0"] = pa.array([[], None, [], [], [], [], []], pa.list_(pa.int64(), 0))
    columns["of_bools"] = pa.array(
        [[True, None], [], None, [False] * 9, [True], [], []], pa.list_(pa.bool_())
    )
    columns["of_structs"] = pa.array(
        [[{"a": 1, "b": "x"}], None, [], [None], [{"a": None, "b": None}], [], []],
        pa.list_(pa.struct({"a": pa.int8(), "b": pa.string()})),
    )
    return pa.table(columns)


def maps() -> pa.Table:
    rows = [[("a", 1), ("b", None)], None, [], [(LONG, 3)], [], [("c", 4)], []]
    lists = [[(1, ["x", None])], None, [], [(2, None)], [(3, [])], [], []]
    return pa.table(
        {
            "str_i32": pa.array(rows, pa.map_(pa.string(), pa.int32())),
            "sorted": pa.array(rows, pa.map_(pa.large_string(), pa.int64(), keys_sorted=True)),
            "lists": pa.array(lists, pa.map_(pa.int16(), pa.list_(pa.string()))),
            "in_list": pa.array(
                [[rows[0], None], None, [], [rows[3]], [], [], []], pa.list_(pa.map_(pa.string(), pa.int32()))
            ),
        }
    )


def structs() -> pa.Table:
    inner = pa.struct({"a": pa.int32(), "b": pa.string_view(), "c": pa.list_(pa.int8())})
    row = {"a": 1, "b": LONG, "c": [1, None]}
    rows = [row, None, {"a": None, "b": None, "c": None}, row, None, row, {"a": 2, "b": "", "c": []}]
    double = pa.StructArray.from_arrays([pa.array(range(ROWS)), pa.array(["x"] * ROWS)], ["twice", "twice"])
    return pa.table(
        {
            "plain": pa.array(rows, inner),
            "deep": pa.array([{"s": row, "n": 1} for row in rows], pa.struct({"s": inner, "n": pa.int8()})),
            "empty": pa.array([{}, None, {}, {}, {}, None, {}], pa.struct([])),
            "double": double,
        }
    )


def unions() -> pa.Table:
    ids = pa.array([5, 7, 5, 5, 7, 9, 9], pa.int8())
    ints, texts = pa.array([1, None, 3]), pa.array(["a", LONG])
    lists = pa.array([[1], None], pa.list_(pa.int8()))
    offsets = pa.array([0, 0, 1, 2, 1, 0, 1], pa.int32())
    dense = pa.UnionArray.from_dense(ids, offsets, [ints, texts, lists], ["i", "s", "l"], [5, 7, 9])
    columns = [pa.array(range(ROWS)), pa.array(["x"] * 6 + [None]), pa.array([0.5] * ROWS)]
    sparse = pa.UnionArray.from_sparse(ids, columns, ["i", "s", "f"], [5, 7, 9])
    same = pa.UnionArray.from_sparse(pa.array([0, 1] * 3 + [0], pa.int8()), columns[:2], ["c", "c"])
    nested = pa.StructArray.from_arrays([dense, sparse], ["dense", "sparse"])
    return pa.table({"dense": dense, "sparse": sparse, "same_names": same, "in_struct": nested})


def run_ends() -> pa.Table:
    make = lambda ends, kind, values: pa.RunEndEncodedArray.from_arrays(pa.array(ends, kind), values)
    return pa.table(
        {
            "ints": make([1, 4, 7], pa.int16(), pa.array([10, None, 30])),
            "strs": make([3, 5, 7], pa.int32(), pa.array(["a", LONG, None])),
            "bools": make([2, 7], pa.int64(), pa.array([True, None])),
            "lists": make([6, 7], pa.int32(), pa.array([[1, 2], None])),
            "structs": make([6, 7], pa.int32(), pa.array([{"x": 1}, None])),
            "stamps": make([6, 7], pa.int32(), pa.array([1, None]).cast(pa.timestamp("s", "+01:00"))),
        }
    )


def intervals() -> tuple[pa.Table, dict]:
    """pyarrow's arrays know one kind of interval; its writer takes the others too, made by nanoarrow."""
    layouts = {"months": ("<i", na.interval_months()), "day_time": ("<ii", na.interval_day_time())}
    layouts["month_day_nano"] = ("<iiq", na.interval_month_day_nano())
    names = {
        "months": ["months"],
        "day_time": ["days", "milliseconds"],
        "month_day_nano": ["months", "days", "nanoseconds"],
    }
    rows, arrays, columns = {"months": [(1,), (0,), (-7,)]}, [], []
    rows["day_time"] = [(1, 2), (0, 0), (-7, 86_400_000)]
    rows["month_day_nano"] = [(1, 2, 3), (0, 0, 0), (-7, -8, -(2**62))]
    for name, (layout, kind) in layouts.items():
        data = b"".join(struct.pack(layout, *row) for row in rows[name])
        arrays.append(na.c_array_from_buffers(kind, 3, [b"\x05", data]))
        parts = names[name]
        values = [dict(zip(parts, map(str, row))) for row in rows[name]]
        values[1] = None
        fields = ",".join(f"{part}:{'i64' if part == 'nanoseconds' else 'i32'}" for part in parts)
        columns.append({"name": name, "dtype": f"struct{{{fields}}}", "values": values})
    whole = na.struct({name: kind for name, (_, kind) in layouts.items()})
    batch = pa.record_batch(na.c_array_from_buffers(whole, 3, [None], children=arrays))
    return pa.Table.from_batches([batch]), {"height": 3, "columns": columns}


def dictionaries() -> pa.Table:
    keys = lambda kind: pa.array([0, 1, None, 2, 0, 1, 1], kind)
    encode = lambda values, kind=pa.int32(), **more: pa.DictionaryArray.from_arrays(
        keys(kind), pa.array(values), **more
    )
    texts = ["a", "b", LONG]
    columns = {
        f"str_{kind}": encode(texts, kind)
        for kind in map(pa.type_for_alias, ("int8", "uint8", "int16", "uint16", "int32", "int64", "uint64"))
    }
    return pa.table(
        columns
        | {
            "null_value": encode(["a", None, "c"]),
            "large": encode(pa.array(texts, pa.large_string())),
            "view": encode(pa.array(texts, pa.string_view())),
            "ordered": encode(texts, ordered=True),
            "unused": encode([*texts, "never"]),
            "ints": encode([10, None, 30]),
            "floats": encode([0.5, 1.5, 2.5]),
            "bools": encode([True, False, None]),
            "dates": encode(pa.array([0, 1, 2], pa.int32()).view(pa.date32())),
            "stamps": encode(pa.array([0, 1, 2]).view(pa.timestamp("s", "UTC"))),
            "bytes": encode([b"x", b"", b"\xff"]),
            "decimals": encode([Decimal("1.5"), Decimal("2.5"), None]),
            "lists": encode([["a"], [], None]),
            "structs": encode([{"x": 1}, {"x": 2}, None]),
        }
    )


def nested_dictionaries() -> pa.Table:
    texts = pa.DictionaryArray.from_arrays(pa.array([0, None, 1, 1, 0, 2, 0], pa.int8()), ["a", "b", LONG])
    numbers = pa.DictionaryArray.from_arrays(
        pa.array([0, None, 1, 1, 0, 1, 0], pa.int8()), pa.array([100, 200])
    )
    inner = pa.StructArray.from_arrays([texts, numbers], ["t", "n"])
    outer = pa.DictionaryArray.from_arrays(pa.array([2, 3, None], pa.int16()), inner)
    return pa.table(
        {
            "list": pa.ListArray.from_arrays([0, 3, 3, 7], texts),
            "struct": inner.slice(1, 3),
            "fixed": pa.FixedSizeListArray.from_arrays(texts.slice(0, 6), 2),
            "dict_of_struct": outer,
            "dict_of_list": pa.DictionaryArray.from_arrays(
                pa.array([1, None, 0], pa.int32()), pa.ListArray.from_arrays([0, 3, 7], texts)
            ),
            "map": pa.MapArray.from_arrays([0, 1, 1, 2], pa.array(["k", "l"]), texts.slice(2, 2)),
        }
    )


class Point(pa.ExtensionType):
    """An extension type that nobody else knows."""

    def __init__(self):
        super().__init__(pa.struct({"x": pa.float64(), "y": pa.float64()}), "floe.point")

    def __arrow_ext_serialize__(self) -> bytes:
        return b"xy"

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type, serialized):
        return cls()


def extensions() -> pa.Table:
    wrap = pa.ExtensionArray.from_storage
    tensor = pa.fixed_shape_tensor(pa.int32(), [2, 2])
    return pa.table(
        {
            "uuid": wrap(pa.uuid(), pa.array([bytes(16), None], pa.binary(16))),
            "json": wrap(pa.json_(pa.string()), pa.array(["{}", None])),
            "bool8": wrap(pa.bool8(), pa.array([1, None], pa.int8())),
            "opaque": wrap(pa.opaque(pa.string(), "t", "v"), pa.array(["x", None])),
            "tensor": wrap(tensor, pa.array([[1, 2, 3, 4], None], tensor.storage_type)),
            "point": wrap(Point(), pa.array([{"x": 1.0, "y": None}, None], Point().storage_type)),
        }
    )


def names() -> pa.Table:
    columns = [pa.array([i, None]) for i in range(5)]
    return pa.table(columns, ["a", "a", "b", "a", ""])


def annotated() -> pa.Table:
    field = pa.field("a", pa.int32(), metadata={"unit": "m/s"})
    return pa.table(
        [pa.array([1, 2], pa.int32())],
        pa.schema([field], {"origin": "pyarrow", "ключ": "значение", "empty": ""}),
    )


def sliced() -> pa.Table:
    wide = [primitives(), strings(), lists(), maps(), structs(), dictionaries(), unions(), run_ends()]
    columns = {
        f"{i}_{name}": column
        for i, table in enumerate(wide)
        for name, column in zip(table.schema.names, table.columns)
    }
    return pa.table(columns).slice(1, 5)


FRAMES = [primitives, strings, temporal, decimals, lists, maps, structs, unions, run_ends, dictionaries,
          nested_dictionaries, extensions, names, annotated, sliced]  # fmt: skip


def write(
    folder: Path, frame: str, table: pa.Table, rows: int | None = None, endings=("arrows", "arrow"), **more
) -> None:
    """One table in every variant."""
    for variant, options in VARIANTS.items():
        for ending in endings:
            make = ipc.new_stream if ending == "arrows" else ipc.new_file
            path = folder / f"{frame}.{variant}.{ending}"
            with make(path, table.schema, options=ipc.IpcWriteOptions(**options, **more)) as writer:
                writer.write_table(table, rows)


def whole(folder: Path, make) -> None:
    table = make()
    extra = {
        "schema_metadata": {"origin": "pyarrow", "ключ": "значение", "empty": ""},
        "field_metadata": {"a": {"unit": "m/s"}},
    }
    save(folder, make.__name__, sidecar_of(table, **(extra if make is annotated else {})))
    write(folder, make.__name__, table)


def special(folder: Path) -> None:
    table, sidecar = intervals()
    save(folder, "intervals", sidecar)
    write(folder, "intervals", table)
    table = too_large()
    save(folder, "too_large", sidecar_of(table, unreadable=["huge"]))
    write(folder, "too_large", table)
    no_rows = sliced().slice(0, 0)
    save(folder, "no_rows", sidecar_of(no_rows))
    write(folder, "no_rows", no_rows)
    save(folder, "empty_batch", sidecar_of(no_rows, batches=[0]))
    for path, make in (
        (folder / "empty_batch.plain-none.arrows", ipc.new_stream),
        (folder / "empty_batch.plain-none.arrow", ipc.new_file),
    ):
        with make(path, no_rows.schema) as writer:
            writer.write_batch(
                pa.record_batch([column.combine_chunks() for column in no_rows.columns], no_rows.schema)
            )
    rows = pa.table({"i": range(10_000), "s": [LONG] * 10_000, "n": [None, 1.5] * 5_000})
    save(folder, "batches", sidecar_of(rows, batches=[3000, 3000, 3000, 1000]))
    write(folder, "batches", rows, 3000)
    no_columns = pa.table({"x": range(5)}).select([])
    save(folder, "no_columns", sidecar_of(no_columns))
    write(folder, "no_columns", no_columns)


def growing(folder: Path) -> None:
    """Dictionaries that grow: by deltas, and, in streams only, replaced."""
    encode = lambda values, categories: pa.DictionaryArray.from_arrays(
        pa.array([None if value is None else categories.index(value) for value in values], pa.int8()),
        pa.array(categories),
    )
    steps = [
        ([1, 2, None], [1, 2]),
        ([3, 1, 2], [1, 2, 3]),
        ([3, 3, 3], [1, 2, 3]),
        ([None, 4, 1], [1, 2, 3, 4]),
    ]
    batches = []
    for values, categories in steps:
        texts = [None if value is None else f"category {value}" for value in values]
        texts = encode(texts, [f"category {category}" for category in categories])
        batches.append(
            pa.record_batch(
                {
                    "str": texts,
                    "int": encode(values, categories),
                    "list": pa.ListArray.from_arrays([0, 2, 2, 3], texts),
                }
            )
        )
    table = pa.Table.from_batches(batches)
    save(folder, "deltas", sidecar_of(table, batches=[3] * 4))
    write(folder, "deltas", table, emit_dictionary_deltas=True)
    save(folder, "replaced", sidecar_of(table, batches=[3] * 4))
    write(folder, "replaced", table, endings=("arrows",))
    save(folder, "unified", sidecar_of(table, batches=[3] * 4))
    write(folder, "unified", table, endings=("arrow",), unify_dictionaries=True)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    report = Report("pyarrow_write.py")
    for make in FRAMES:
        report.check(make.__name__, whole, folder, make)
    report.check("special", special, folder)
    report.check("growing", growing, folder)
    report.done()


if __name__ == "__main__":
    main()
