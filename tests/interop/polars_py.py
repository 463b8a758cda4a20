"""Polars' Python package reads what floe wrote, and writes what floe has to read.

`polars_py.py read|write DIR`. `sink_ipc` is the streaming engine's writer: its schema message lacks the prefix,
so its files open through the footer only.
"""

import io
import json
import struct
import sys
from pathlib import Path

import polars as pl
from harness import Report, Skip, equal, files, frame, load, same_column, save

FLOATS = {pl.Float16: "<e", pl.Float32: "<f", pl.Float64: "<d"}
UNKNOWN = {
    "growing_deltas": "Polars rejects delta dictionaries",
    "array_zero": "Polars reads no arrays of width 0 from IPC",
}
LONG = "a text that no view can hold inline"


def dtype_of(dtype: pl.DataType) -> str:
    """The dtype's name in the JSON."""
    if isinstance(dtype, pl.BaseExtension):
        return dtype_of(dtype.ext_storage())
    if isinstance(dtype, pl.Array):
        inner = dtype_of(dtype.inner)
        return f"array[{inner},{dtype.size}]"
    if isinstance(dtype, pl.List):
        return f"list[{dtype_of(dtype.inner)}]"
    if isinstance(dtype, pl.Struct):
        return "struct{" + ",".join(f"{f.name}:{dtype_of(f.dtype)}" for f in dtype.fields) + "}"
    if isinstance(dtype, pl.Categorical):
        return "cat"
    if isinstance(dtype, pl.Enum):
        return "enum" + json.dumps(dtype.categories.to_list(), ensure_ascii=False, separators=(",", ":"))
    if isinstance(dtype, pl.Datetime):
        return f"datetime[{dtype.time_unit}{',' + dtype.time_zone if dtype.time_zone else ''}]"
    if isinstance(dtype, pl.Duration):
        return f"duration[{dtype.time_unit}]"
    if isinstance(dtype, pl.Decimal):
        return f"decimal[{dtype.precision},{dtype.scale}]"
    name = str(dtype)
    names = {"String": "str", "Binary": "bin", "Boolean": "bool"}
    for long, short in (("UInt", "u"), ("Int", "i"), ("Float", "f")):
        name = name.replace(long, short)
    return names.get(name, name.lower())


def values_of(series: pl.Series) -> list:
    """The values, as the JSON has them."""
    dtype = series.dtype
    if isinstance(dtype, pl.BaseExtension):
        return values_of(series.ext.storage())
    if isinstance(dtype, pl.Struct):
        columns = {field.name: values_of(series.struct.field(field.name)) for field in dtype.fields}
        rows = [{name: column[row] for name, column in columns.items()} for row in range(len(series))]
        return [None if null else row for row, null in zip(rows, series.is_null())]
    if isinstance(dtype, (pl.List, pl.Array)):
        return [None if null else values_of(series[row]) for row, null in enumerate(series.is_null())]
    if type(dtype) in FLOATS:
        return [float_text(value, FLOATS[type(dtype)]) for value in series.to_list()]
    if isinstance(dtype, (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Null)):
        return series.to_list()
    if dtype == pl.Binary:
        return [None if value is None else value.hex() for value in series.to_list()]
    return [None if value is None else str(value) for value in series.to_physical().to_list()]


def float_text(value: float | None, layout: str) -> str | None:
    if value is None or value != value:
        return None if value is None else "nan"
    return struct.pack(layout, value)[::-1].hex()


def compare(sidecar: dict, df: pl.DataFrame) -> None:
    equal("columns", df.columns, [column["name"] for column in sidecar["columns"]])
    equal("rows", df.height, sidecar["height"])
    for expected, series in zip(sidecar["columns"], df):
        dtype = dtype_of(series.dtype)
        # Python has one dtype for both kinds of Binary.
        same_column(
            {**expected, "dtype": expected["dtype"].replace("bin_offset", "bin")},
            series.name,
            dtype,
            values_of(series),
        )


def read(path: Path, reader) -> None:
    if why := UNKNOWN.get(frame(path)):
        raise Skip(why)
    compare(load(path), reader(path))


def readers(path: Path) -> dict:
    if path.suffix == ".arrows":
        return {"read_ipc_stream": pl.read_ipc_stream}
    return {
        "read_ipc": pl.read_ipc,
        "read_ipc, from bytes": lambda path: pl.read_ipc(io.BytesIO(path.read_bytes())),
        "scan_ipc": lambda path: pl.scan_ipc(path).collect(),
        "scan_ipc, streaming": lambda path: pl.scan_ipc(path).collect(engine="streaming"),
    }


def read_slice(path: Path) -> None:
    """Polars takes rows out of the middle by the batch lengths in the file's metadata."""
    sidecar, (start, rows) = load(path), (sum(load(path)["batches"]) // 3, 4)
    for column in sidecar["columns"]:
        column["values"] = column["values"][start : start + rows]
    compare({**sidecar, "height": rows}, pl.scan_ipc(path).slice(start, rows).collect(engine="streaming"))


def numbers() -> pl.DataFrame:
    columns = {"null": pl.Series([None] * 5), "bool": [True, None, False, True, None]}
    for bits in (8, 16, 32, 64, 128):
        low, high = -(1 << bits - 1), (1 << bits - 1) - 1
        columns[f"i{bits}"] = pl.Series([low, None, -1, 0, high], dtype=getattr(pl, f"Int{bits}"))
        columns[f"u{bits}"] = pl.Series([0, None, 1, 2, 2 * high + 1], dtype=getattr(pl, f"UInt{bits}"))
    for dtype in FLOATS:
        columns[str(dtype)] = pl.Series([float("nan"), None, -0.0, 1.5, float("inf")], dtype=dtype)
    columns["decimal"] = pl.Series(["1.5", None, "-0.01", "99999999.99", "0"]).cast(pl.Decimal(10, 2))
    return pl.DataFrame(columns)


def texts() -> pl.DataFrame:
    strings = ["", None, "short", LONG, "日本語のテキスト 🦀"]
    return pl.DataFrame(
        {"str": strings, "bin": [None if s is None else s.encode() + b"\xff" for s in strings]}
    )


def times() -> pl.DataFrame:
    ints = pl.Series([0, None, -1, 1_357_034_700_123, 86_399])
    columns = {
        "date": pl.Series([0, None, -719_162, 19_000, 1], dtype=pl.Int32).cast(pl.Date),
        "time": ints.abs().cast(pl.Time),
    }
    for unit in ("ms", "us", "ns"):
        columns[f"duration_{unit}"] = ints.cast(pl.Duration(unit))
        for zone in (None, "UTC", "Europe/Zurich"):
            columns[f"datetime_{unit}_{zone}"] = ints.cast(pl.Datetime(unit, zone))
    return pl.DataFrame(columns)


def nested() -> pl.DataFrame:
    rows = [
        {"a": 1, "b": [LONG, None]},
        None,
        {"a": None, "b": None},
        {"a": 2, "b": []},
        {"a": 3, "b": ["x"]},
    ]
    return pl.DataFrame(
        {
            "list": pl.Series([[1, None], None, [], [3], [4, 5]], dtype=pl.List(pl.Int16)),
            "deep": pl.Series(
                [[["a"], None], None, [], [[], [LONG]], [["b"]]], dtype=pl.List(pl.List(pl.String))
            ),
            "array": pl.Series([[1, 2], None, [3, None], [4, 5], [6, 7]], dtype=pl.Array(pl.Int32, 2)),
            "struct": pl.Series(rows, dtype=pl.Struct({"a": pl.Int64, "b": pl.List(pl.String)})),
            "list_struct": pl.Series(
                [[row, None] for row in rows],
                dtype=pl.List(pl.Struct({"a": pl.Int64, "b": pl.List(pl.String)})),
            ),
        }
    )


def categories() -> pl.DataFrame:
    words, enum = ["a", None, "b", LONG, "a"], pl.Enum(["unused", LONG, "b", "a"])
    lists = [["a", None], None, [], ["b"], [LONG, "a"]]
    return pl.DataFrame(
        {
            "cat": pl.Series(words, dtype=pl.Categorical),
            "named": pl.Series(words, dtype=pl.Categorical(pl.Categories("named", "floe", pl.UInt8))),
            "enum": pl.Series(words, dtype=enum),
            "cat_list": pl.Series(lists, dtype=pl.List(pl.Categorical)),
            "enum_list": pl.Series(lists, dtype=pl.List(enum)),
            "cat_struct": pl.Series([{"c": word} for word in words], dtype=pl.Struct({"c": pl.Categorical})),
            "enum_array": pl.Series([[word, "b"] for word in words], dtype=pl.Array(enum, 2)),
        }
    )


def many() -> pl.DataFrame:
    """Enough rows for several batches, and sorted columns."""
    i = pl.int_range(10_000, eager=True)
    return pl.DataFrame(
        {
            "sorted": i.set_sorted(),
            "text": (i % 7).cast(pl.String),
            "cat": (i // 3000).cast(pl.String).cast(pl.Categorical),
            "nullable": pl.Series([None if row % 5 == 0 else row / 3 for row in range(10_000)]),
        }
    )


def no_rows() -> pl.DataFrame:
    frames = [numbers(), texts(), times(), nested(), categories()]
    return pl.concat([df.clear() for df in frames], how="horizontal")


FRAMES = [numbers, texts, times, nested, categories, many, no_rows]


def write(folder: Path, make) -> None:
    df, name = make(), make.__name__
    columns = [{"name": s.name, "dtype": dtype_of(s.dtype), "values": values_of(s)} for s in df]
    save(folder, name, {"height": df.height, "columns": columns})
    for codec in ("uncompressed", "lz4", "zstd"):
        for level in ("oldest", "newest"):
            compat = getattr(pl.CompatLevel, level)()
            df.write_ipc(
                folder / f"{name}.write_ipc-{level}-{codec}.arrow", compression=codec, compat_level=compat
            )
            df.write_ipc_stream(
                folder / f"{name}.write_ipc_stream-{level}-{codec}.arrows",
                compression=codec,
                compat_level=compat,
            )
        for statistics in (False, True):
            path = folder / f"{name}.sink_ipc-{'statistics' if statistics else 'plain'}-{codec}.arrow"
            df.lazy().sink_ipc(
                path, compression=codec, record_batch_size=3000, _record_batch_statistics=statistics
            )


def main() -> None:
    what, folder = sys.argv[1], Path(sys.argv[2])
    report = Report(f"polars_py.py {what}")
    if what == "write":
        folder.mkdir(parents=True, exist_ok=True)
        for make in FRAMES:
            report.check(make.__name__, write, folder, make)
    else:
        for path in files(folder, ".arrows", ".arrow"):
            for name, reader in readers(path).items():
                report.check(f"{path}, {name}", read, path, reader)
            if path.suffix == ".arrow" and load(path).get("batches"):
                report.check(f"{path}, a slice", read_slice, path)
    report.done()


if __name__ == "__main__":
    main()
