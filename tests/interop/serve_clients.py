"""`floe serve` as other clients see it: pyarrow, Polars' Python package, DuckDB through pyarrow, and curl into `floe head`.

Usage: serve_clients.py FLOE        Starts the server on loopback, on a table that pyarrow makes, and compares values.
"""

import datetime
import io
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from pyarrow import ipc

from harness import Report

ROWS = 250_000


def table():
    """Numbers, text, nulls, a dictionary, a list, a timestamp."""
    ids = pa.array(range(ROWS), pa.int64())
    start = datetime.datetime(2013, 1, 1)
    return pa.table(
        {
            "id": ids,
            "delay": pa.array([None if i % 7 == 0 else i * 0.5 for i in range(ROWS)], pa.float64()),
            "text": pa.array([None if i % 5 == 0 else f"row {i}" for i in range(ROWS)], pa.string()),
            "carrier": pa.array([("UA", "B6", "DL")[i % 3] for i in range(ROWS)]).dictionary_encode(),
            "tags": pa.array([[i, i + 1] if i % 2 else [] for i in range(ROWS)], pa.list_(pa.int64())),
            "at": pa.array([start + datetime.timedelta(minutes=i) for i in range(ROWS)], pa.timestamp("us")),
        }
    )


class Server:
    """A process of `floe serve`, ended with the block."""

    def __init__(self, floe, *paths):
        self.command = [floe, "serve", "--no-open", *map(str, paths)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            assert self.process.wait(30) == 0, self.process.returncode
        finally:
            self.process.kill()

    def query_url(self, sql, **options):
        return f"{self.url}api/query?" + urllib.parse.urlencode({"sql": sql, **options})

    def query(self, sql, accept=None, **options):
        headers = {} if accept is None else {"Accept": accept}
        return urllib.request.urlopen(urllib.request.Request(self.query_url(sql, **options), headers=headers))


def as_python(rows):
    """Rows as Python has them, whatever the types of Arrow are."""
    return rows.to_pylist()


def check(report, floe, folder, server, made):
    sql = "SELECT * FROM t WHERE id % 3 = 1 ORDER BY id"
    wanted = [row for row in as_python(made) if row["id"] % 3 == 1]

    def pyarrow_stream():
        with server.query(sql) as body:
            reader = ipc.open_stream(body)
            batches = list(reader)
            assert pa.types.is_dictionary(reader.schema.field("carrier").type), reader.schema
        for batch in batches:
            batch.validate(full=True)
        assert as_python(pa.Table.from_batches(batches)) == wanted

    def pyarrow_codec(codec):
        with server.query(sql, f"application/vnd.apache.arrow.stream; codecs={codec}") as body:
            assert as_python(ipc.open_stream(body).read_all()) == wanted

    def pyarrow_file():
        with server.query(sql, format="arrow", codec="zstd") as body:
            found = ipc.open_file(pa.BufferReader(body.read())).read_all()
        assert as_python(found) == wanted

    def pyarrow_parquet():
        with server.query(sql, "application/vnd.apache.parquet") as body:
            found = pyarrow.parquet.read_table(io.BytesIO(body.read()))
        assert as_python(found) == wanted

    def pyarrow_csv():
        convert = pyarrow.csv.ConvertOptions(strings_can_be_null=True)
        with server.query("SELECT id, delay, text FROM t ORDER BY id", "text/csv") as body:
            found = pyarrow.csv.read_csv(io.BytesIO(body.read()), convert_options=convert)
        assert as_python(found) == as_python(made.select(["id", "delay", "text"]))

    def ndjson():
        with server.query("SELECT id, text, tags FROM t WHERE id < 100 ORDER BY id", format="ndjson") as body:
            found = [json.loads(line) for line in body]
        assert found == as_python(made.select(["id", "text", "tags"]).slice(0, 100))

    def pyarrow_remote_file():
        """The file as it lies: the footer, and one batch, by ranges."""

        class Remote(io.RawIOBase):
            def __init__(self, url):
                self.url, self.at, self.requests = url, 0, 0
                head = urllib.request.Request(url, method="HEAD")
                with urllib.request.urlopen(head) as answer:
                    self.len, self.tag = int(answer.headers["Content-Length"]), answer.headers["ETag"]

            def seekable(self):
                return True

            def readable(self):
                return True

            def seek(self, offset, whence=0):
                self.at = offset + (0, self.at, self.len)[whence]
                return self.at

            def tell(self):
                return self.at

            def readinto(self, out):
                if self.at >= self.len or not out:
                    return 0
                self.requests += 1
                headers = {"Range": f"bytes={self.at}-{self.at + len(out) - 1}", "If-Range": self.tag}
                with urllib.request.urlopen(urllib.request.Request(self.url, headers=headers)) as answer:
                    assert answer.status == 206, answer.status
                    bytes_ = answer.read()
                out[: len(bytes_)] = bytes_
                self.at += len(bytes_)
                return len(bytes_)

        remote = Remote(f"{server.url}api/tables/t/file")
        reader = ipc.open_file(pa.PythonFile(remote, mode="r"))
        batch = reader.get_batch(1)
        assert as_python(batch) == as_python(made.slice(100_000, batch.num_rows))
        assert remote.requests > 1

    def python_polars():
        with server.query(sql) as body:
            found = pl.read_ipc_stream(body.read())
        expected = pl.from_arrow(made).filter(pl.col("id") % 3 == 1)
        assert found.with_columns(pl.col("carrier").cast(pl.String)).equals(
            expected.with_columns(pl.col("carrier").cast(pl.String))
        )
        with server.query(sql, compat="newest") as body:
            assert pl.read_ipc_stream(body.read()).height == expected.height

    def duck():
        with server.query("SELECT carrier, delay FROM t") as body:
            reader = ipc.open_stream(body)
            found = duckdb.sql("SELECT carrier, count(delay) AS n, max(delay) AS m FROM reader GROUP BY ALL ORDER BY ALL")
            found = found.fetchall()
        mine = made
        own = duckdb.sql("SELECT carrier, count(delay) AS n, max(delay) AS m FROM mine GROUP BY ALL ORDER BY ALL").fetchall()
        assert found == own and len(found) == 3, found

    def curl_head():
        curl = subprocess.Popen(["curl", "-sSf", "--max-time", "60", server.query_url("SELECT id, text FROM t ORDER BY id")], stdout=subprocess.PIPE)
        shown = subprocess.run([floe, "head", "-n", "3", "-"], stdin=curl.stdout, capture_output=True, text=True)
        curl.stdout.close()
        curl.wait(30)
        assert shown.stdout == 'id,text\n0,\n1,row 1\n2,row 2\n', (shown.stdout, shown.stderr)

    def upload():
        sink = io.BytesIO()
        with ipc.new_stream(sink, made.schema) as writer:
            writer.write_table(made.slice(0, 1000), 100)
        request = urllib.request.Request(f"{server.url}api/tables/up", data=sink.getvalue(), method="PUT")
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["rows"] == 1000
        with server.query("SELECT * FROM up") as body:
            assert as_python(ipc.open_stream(body).read_all()) == as_python(made.slice(0, 1000))

    def broken_off():
        """An error in the middle: no client takes the part for the whole."""
        failing = "SELECT CAST(text AS BIGINT) AS n FROM t WHERE id % 5 = 0 OR id > 200000"
        try:
            with server.query(failing) as body:
                ipc.open_stream(body).read_all()
        except (pa.ArrowInvalid, OSError, urllib.error.HTTPError):
            return
        raise AssertionError("a part was taken for the whole")

    report.check("pyarrow open_stream", pyarrow_stream)
    report.check("pyarrow, LZ4", pyarrow_codec, "lz4")
    report.check("pyarrow, ZSTD", pyarrow_codec, "zstd")
    report.check("pyarrow open_file", pyarrow_file)
    report.check("pyarrow Parquet", pyarrow_parquet)
    report.check("pyarrow CSV", pyarrow_csv)
    report.check("NDJSON", ndjson)
    report.check("pyarrow by ranges", pyarrow_remote_file)
    report.check("Polars' Python package", python_polars)
    report.check("DuckDB through pyarrow", duck)
    report.check("curl into floe head", curl_head)
    report.check("an upload of pyarrow", upload)
    report.check("an answer that breaks off", broken_off)


def main():
    floe = sys.argv[1]
    report = Report("serve")
    os.environ.pop("FLOE_TOKEN", None)
    # A server that hangs is a failure, not a build that hangs.
    socket.setdefaulttimeout(60)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        made = table()
        with ipc.new_file(str(folder / "t.arrow"), made.schema) as writer:
            writer.write_table(made, 100_000)
        with Server(floe, folder) as server:
            check(report, floe, folder, server, made)
    report.done()


if __name__ == "__main__":
    main()
