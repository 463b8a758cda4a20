"""Which engine queries which type, from which container: the tables of docs/engines.md.

    engines.py FLOE_BINARY [PAGE]

Each type is written by floe as a file with the default options, as one for interop, compressed, and as a stream. Each
engine then counts, filters, groups by the column and sorts by it. A cell says what fails. The page between its markers must be what this
finds; with `FLOE_UPDATE=1` it is written anew. What is written for interop has to work in every engine.
"""

import datetime as dt
import decimal
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import datafusion
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.ipc

ROWS = 60


def cycle(values):
    """Values over and over, with nulls."""
    return [None if row % 7 == 3 else values[row % len(values)] for row in range(ROWS)]


def types():
    day, time = dt.date(2013, 1, 1), dt.time(5, 17)
    moment, span = dt.datetime(2013, 1, 1, 5, 17), dt.timedelta(minutes=11)
    texts = ["JFK", "LGA", "a string that no view holds inline"]
    ints = [0, 1, 100]
    yield from ((str(t), pl.Series("x", cycle(ints), t)) for t in (pl.Int8, pl.Int16, pl.Int32, pl.Int64))
    yield from ((str(t), pl.Series("x", cycle(ints), t)) for t in (pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64))
    yield "Int128", pl.Series("x", cycle(ints), pl.Int128)
    yield from ((str(t), pl.Series("x", cycle([0.5, -1.0]), t)) for t in (pl.Float32, pl.Float64))
    yield "Boolean", pl.Series("x", cycle([True, False]))
    yield "String", pl.Series("x", cycle(texts))
    yield "Binary", pl.Series("x", cycle([text.encode() for text in texts]))
    yield "Categorical", pl.Series("x", cycle(texts), pl.Categorical)
    yield "Enum", pl.Series("x", cycle(texts), pl.Enum(texts))
    yield "Date", pl.Series("x", cycle([day]))
    yield "Time", pl.Series("x", cycle([time]))
    yield "Datetime", pl.Series("x", cycle([moment]), pl.Datetime("us"))
    yield "Datetime, UTC", pl.Series("x", cycle([moment]), pl.Datetime("us", "UTC"))
    yield "Duration", pl.Series("x", cycle([span]), pl.Duration("us"))
    yield "Decimal(12, 2)", pl.Series("x", cycle([decimal.Decimal("1.25")]), pl.Decimal(12, 2))
    yield "List(Int64)", pl.Series("x", cycle([[1, 2], []]), pl.List(pl.Int64))
    yield "List(Categorical)", pl.Series("x", cycle([["a", "b"], []]), pl.List(pl.Categorical))
    yield "Array(Int64, 2)", pl.Series("x", cycle([[1, 2], [3, 4]]), pl.Array(pl.Int64, 2))
    yield "Struct", pl.Series("x", cycle([{"a": 1, "b": "x"}]))
    yield "Null", pl.Series("x", [None] * ROWS)


CONTAINERS = {
    "file": ["--batch-rows", "20"],
    "file, `with_interop`": ["--batch-rows", "20", "--compat", "interop"],
    "file, LZ4": ["--batch-rows", "20", "--compression", "lz4"],
    "stream": ["--batch-rows", "20"],
}


class DataFusion:
    name = f"DataFusion {datafusion.__version__}"

    def __init__(self, path):
        self.context = datafusion.SessionContext()
        self.context.sql(f"CREATE EXTERNAL TABLE t STORED AS ARROW LOCATION '{path}'")

    def rows(self, sql):
        return sum(batch.num_rows for batch in self.context.sql(sql).collect())

    def count(self):
        return self.context.sql("SELECT count(x) AS n FROM t").collect()[0].column(0)[0].as_py()

    def filter(self):
        return self.rows("SELECT x FROM t WHERE n < 30 AND x IS NOT NULL")

    def group(self):
        return self.rows("SELECT x, count(*) AS n FROM t GROUP BY x")

    def sort(self):
        return self.rows("SELECT x FROM t ORDER BY x")


class DuckDB(DataFusion):
    name = f"DuckDB {duckdb.__version__}, through pyarrow"

    def __init__(self, path):
        self.connection = duckdb.connect()
        self.connection.register("t", table(path))

    def rows(self, sql):
        return len(self.connection.execute(sql).fetchall())

    def count(self):
        return self.connection.execute("SELECT count(x) FROM t").fetchone()[0]


class Dataset:
    name = f"pyarrow.dataset {pa.__version__.split('.')[0]}"

    def __init__(self, path):
        self.data = ds.dataset(path, format="ipc")

    def count(self):
        return self.data.scanner(filter=pc.field("x").is_valid()).count_rows()

    def filter(self):
        return self.data.to_table(filter=(pc.field("n") < 30) & pc.field("x").is_valid()).num_rows

    def group(self):
        return self.data.to_table().group_by("x").aggregate([("n", "count")]).num_rows

    def sort(self):
        return self.data.sort_by("x").to_table().num_rows


class Polars:
    name = f"Polars {pl.__version__.split('.')[0]}, Python"

    def __init__(self, path):
        stream = path.endswith(".arrows")
        self.frame = (pl.read_ipc_stream(path) if stream else pl.scan_ipc(path)).lazy()

    def count(self):
        return self.frame.select(pl.col("x").count()).collect().item()

    def filter(self):
        return self.frame.filter((pl.col("n") < 30) & pl.col("x").is_not_null()).collect().height

    def group(self):
        return self.frame.group_by("x").len().collect().height

    def sort(self):
        return self.frame.sort("x").collect().height


ENGINES = [DataFusion, DuckDB, Dataset, Polars]


def table(path):
    opened = pa.ipc.open_stream(path) if path.endswith(".arrows") else pa.ipc.open_file(path)
    return opened.read_all()


def works(engine, path, expected):
    """What of the four is not right: nothing, or the names."""
    try:
        opened = engine(path)
    # A Rust panic of an engine is a BaseException, and no Exception.
    except BaseException as error:  # noqa: BLE001
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return ["open"], error
    faults, first = [], None
    for what, wanted in expected.items():
        try:
            found = getattr(opened, what)()
            if found != wanted:
                raise ValueError(f"{found} instead of {wanted}")
        except BaseException as error:  # noqa: BLE001
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            faults.append(what)
            first = first or error
    return faults, first


def expectations(series):
    frame = pl.DataFrame({"n": range(ROWS), "x": series})
    valid = series.is_not_null()
    return {
        "count": int(valid.sum()),
        "filter": int((valid & (frame["n"] < 30)).sum()),
        "group": len({repr(value) for value in series.to_list()}),
        "sort": ROWS,
    }


def tables(floe, folder):
    cells, faults = {}, []
    for name, series in types():
        source = folder / "source.arrow"
        pl.DataFrame({"n": range(ROWS), "x": series}).write_ipc(source)
        for container, options in CONTAINERS.items():
            path = folder / ("t.arrows" if container == "stream" else "t.arrow")
            done = subprocess.run(
                [floe, "convert", source, path, "--force", *options], capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                for engine in ENGINES:
                    cells[name, container, engine] = "refused"
                if "interop" not in container or "128-bit" not in done.stderr:
                    faults.append(f"{name}, {container}: {done.stderr}")
                continue
            for engine in ENGINES:
                what, why = works(engine, str(path), expectations(series))
                cells[name, container, engine] = "yes" if not what else "no " + ", ".join(what)
                # No file makes an engine sort or group nested values that it has no order for.
                known = series.dtype.is_nested() and set(what) <= {"group", "sort"}
                if what and "interop" in container and not known:
                    faults.append(f"{name}, {container}, {engine.name}: {why}")
    return cells, faults


def page(cells):
    names = list(dict.fromkeys(name for name, _, _ in cells))
    out = []
    for container in CONTAINERS:
        out += [f"### {container[0].upper()}{container[1:]}", ""]
        shut = [e for e in ENGINES if all(cells[name, container, e] == "no open" for name in names)]
        out += [line for engine in shut for line in (f"{engine.name} opens none.", "")]
        engines = [engine for engine in ENGINES if engine not in shut]
        odd = [name for name in names if any(cells[name, container, engine] != "yes" for engine in engines)]
        out += ["| type | " + " | ".join(engine.name for engine in engines) + " |", "|---" * (len(engines) + 1) + "|"]
        out += ["| " + " | ".join([name, *(cells[name, container, engine] for engine in engines)]) + " |" for name in odd]
        out += ["", f"The other {len(names) - len(odd)} types work in each engine.", ""]
    return "\n".join(out)


def main():
    floe, at = sys.argv[1], pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    # Engines whose panics are caught print them.
    sys.stdout.reconfigure(line_buffering=True)
    with tempfile.TemporaryDirectory() as folder:
        cells, faults = tables(floe, pathlib.Path(folder))
    found = page(cells)
    if at is None:
        print(found)
    else:
        old = at.read_text()
        new = re.sub(r"(<!-- engines -->\n).*?(<!-- /engines -->)", lambda m: m[1] + found + m[2], old, flags=re.DOTALL)
        if new != old and os.environ.get("FLOE_UPDATE") == "1":
            at.write_text(new)
        elif new != old:
            faults.append(f"{at} is not what engines do: FLOE_UPDATE=1 writes it anew")
    if faults:
        sys.exit("\n".join(faults))
    print(f"engines: {sum(cell == 'yes' for cell in cells.values())} of {len(cells)} cells are yes")


main()
