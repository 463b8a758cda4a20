"""Flight with pyarrow on either side of floe, and ADBC's driver for Flight SQL.

`flight.py EXAMPLES DIR`: the folder of floe's example binaries, and the tables that floe (`DIR/floe`) and pyarrow
(`DIR/pyarrow`) wrote, with the JSON beside them.
"""

import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import adbc_driver_flightsql.dbapi as dbapi
import pyarrow as pa
import pyarrow.flight as fl
from adbc_driver_flightsql import DatabaseOptions
from harness import Report, Skip, equal, files, load
from pyarrow_read import compare

EXAMPLES, FOLDER = Path(sys.argv[1]), Path(sys.argv[2])
# Its decimals have more digits than Polars can hold.
TOO_LARGE = "too_large"


@contextmanager
def floe_server(*args: str):
    """The example server on a free port."""
    server = subprocess.Popen([EXAMPLES / "flight_server", *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        line = server.stdout.readline().decode().strip()
        yield f"{'grpc+tls' if '--tls' in args else 'grpc'}://{line.removeprefix('listening on ')}"
    finally:
        server.stdin.close()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            raise


class Tables(fl.FlightServerBase):
    """pyarrow's server, which keeps tables in memory."""

    def __init__(self):
        super().__init__("grpc://127.0.0.1:0")
        self.tables: dict[str, pa.Table] = {}

    def info(self, name: str) -> fl.FlightInfo:
        endpoint = fl.FlightEndpoint(name, [])
        table = self.tables[name]
        return fl.FlightInfo(table.schema, fl.FlightDescriptor.for_path(name), [endpoint], table.num_rows, -1)

    def list_flights(self, context, criteria):
        yield from [self.info(name) for name in sorted(self.tables)]

    def get_flight_info(self, context, descriptor):
        if not descriptor.path:
            raise NotImplementedError("commands")
        return self.info(descriptor.path[0].decode())

    def do_get(self, context, ticket):
        return fl.RecordBatchStream(self.tables[ticket.ticket.decode()])

    def do_put(self, context, descriptor, reader, writer):
        table = reader.read_all()
        table.validate(full=True)
        self.tables[descriptor.path[0].decode()] = table
        writer.write(f"{table.num_rows} rows".encode())

    def do_exchange(self, context, descriptor, reader, writer):
        writer.begin(reader.schema)
        for chunk in reader:
            writer.write_batch(chunk.data)


@contextmanager
def pyarrow_server():
    server = Tables()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server, f"grpc://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join(timeout=20)


def plain(sidecar: dict) -> dict:
    """Without what a DataFrame has no place for: metadata, and where batches ended."""
    return {key: value for key, value in sidecar.items() if key in ("columns", "height")}


def tables():
    """Every table that pyarrow can read, of every dtype: (name, expected, table)."""
    for writer in ("floe", "pyarrow"):
        seen = set()
        for path in files(FOLDER / writer, ".arrows"):
            frame = path.name.split(".")[0]
            sidecar = load(path)
            # One variant of each: the codec is the server's business.
            if frame in seen or frame == TOO_LARGE or not sidecar.get("columns"):
                continue
            with pa.OSFile(str(path)) as source:
                try:
                    table = pa.ipc.open_stream(source).read_all()
                except pa.ArrowInvalid as error:
                    if "legacy" in path.name:
                        continue
                    raise error
                except (pa.ArrowNotImplementedError, NotImplementedError):
                    continue
            seen.add(frame)
            yield f"{writer}-{frame}", plain(sidecar), table


def too_large() -> pa.Table:
    path = next(path for path in files(FOLDER / "pyarrow", ".arrows") if path.name.startswith(TOO_LARGE))
    return pa.ipc.open_stream(path.read_bytes()).read_all()


def put(client: fl.FlightClient, name: str, table: pa.Table) -> bytes:
    writer, reader = client.do_put(fl.FlightDescriptor.for_path(name), table.schema)
    with writer:
        writer.write_table(table)
        writer.done_writing()
        answer = reader.read()
    return answer.to_pybytes() if answer else b""


def get(client: fl.FlightClient, name: str) -> pa.Table:
    info = client.get_flight_info(fl.FlightDescriptor.for_path(name))
    return client.do_get(info.endpoints[0].ticket).read_all()


def exchange(client: fl.FlightClient, table: pa.Table) -> pa.Table:
    writer, reader = client.do_exchange(fl.FlightDescriptor.for_path("any"))
    with writer:
        writer.begin(table.schema)
        writer.write_table(table)
        writer.done_writing()
        return reader.read_all()


def both_ways(client: fl.FlightClient, name: str, expected: dict, table: pa.Table) -> None:
    equal("answer", put(client, name, table), f"{table.num_rows} rows".encode())
    back = get(client, name)
    compare(expected, back)
    descriptor = fl.FlightDescriptor.for_path(name)
    equal("schema", client.get_schema(descriptor).schema, back.schema)
    equal("schema of the info", client.get_flight_info(descriptor).schema, back.schema)
    if table.num_rows:
        compare(expected, exchange(client, table))


def with_client(report: Report, everything: list) -> None:
    with floe_server() as uri, fl.connect(uri) as client:
        for name, expected, table in everything:
            report.check(f"pyarrow client, {name}", both_ways, client, name, expected, table)
        listed = {info.descriptor.path[0].decode(): info.total_records for info in client.list_flights()}
        put_there = {name: table.num_rows for name, _, table in everything}
        report.check("list_flights", equal, "data sets", listed, put_there)
        report.check("metadata", metadata, client)
        report.check("large", large, client)
        report.check("do_action", lambda: equal("answer", drop(client), b"dropped large"))
        report.check("list_actions", lambda: list(client.list_actions()))
        report.check("not found", fails, pa.ArrowKeyError, "no table", get, client, "nothing")
        report.check("too large", fails, pa.ArrowInvalid, "38 digits", put, client, TOO_LARGE, too_large())


def drop(client: fl.FlightClient) -> bytes:
    return next(client.do_action(fl.Action("drop", b"large"))).body.to_pybytes()


def metadata(client: fl.FlightClient) -> None:
    """Metadata of the application comes back from an exchange beside its batch, and alone."""
    batch = pa.record_batch({"a": [1, 2]})
    writer, reader = client.do_exchange(fl.FlightDescriptor.for_path("any"))
    with writer:
        writer.begin(batch.schema)
        writer.write_with_metadata(batch, b"beside")
        writer.write_metadata(b"alone")
        writer.done_writing()
        chunks = [reader.read_chunk() for _ in range(2)]
    equal("rows", [chunk.data and chunk.data.num_rows for chunk in chunks], [2, None])
    equal("metadata", [chunk.app_metadata.to_pybytes() for chunk in chunks], [b"beside", b"alone"])


def large(client: fl.FlightClient) -> None:
    """A batch of 40 MB, which pyarrow sends in one message and floe in many."""
    table = pa.table({"n": range(5_000_000)})
    put(client, "large", table)
    reader = client.do_get(fl.Ticket(b"table:large"))
    batches = [chunk.data for chunk in reader]
    assert len(batches) >= 19, len(batches)
    assert max(batch.nbytes for batch in batches) <= 2 << 20
    assert pa.Table.from_batches(batches).equals(table)


def fails(kind, text: str, call, *args) -> None:
    try:
        call(*args)
    except kind as error:
        assert text in str(error), error
        return
    raise AssertionError(f"{call} did not fail")


def with_server(report: Report, everything: list) -> None:
    """floe's client: from pyarrow's server to floe's, and from floe's to another of pyarrow's."""
    with pyarrow_server() as (source, first), floe_server() as middle, pyarrow_server() as (target, last):
        source.tables = {name: table for name, _, table in everything}
        for step in ([first, middle], [middle, last]):
            report.check("flight_copy", run_example, "flight_copy", *step)
        for name, expected, _ in everything:
            report.check(f"pyarrow server, {name}", lambda: compare(expected, target.tables[name]))
    with pyarrow_server() as (_, uri):
        report.check("flight_client", run_example, "flight_client", uri)


def run_example(name: str, *args: str) -> None:
    subprocess.run([EXAMPLES / name, *args], check=True, stdout=subprocess.DEVNULL)


def access(report: Report) -> None:
    with floe_server("--token", "sesame", "--login", "ada:pass:word") as uri, fl.connect(uri) as client:
        listing = lambda options=None: list(client.list_flights(options=options))
        report.check("no token", fails, fl.FlightUnauthenticatedError, "token", listing)
        login = client.authenticate_basic_token
        report.check("wrong password", fails, fl.FlightUnauthenticatedError, "password", login, "ada", "word")
        report.check("token", lambda: listing(fl.FlightCallOptions(headers=[login("ada", "pass:word")])))
        report.check("ADBC without a token", fails, Exception, "token", select, uri, "SELECT 1 AS one")
        user = {DatabaseOptions.AUTHORIZATION_HEADER.value: "Bearer sesame"}
        report.check("ADBC with a token", select, uri, "SELECT 1 AS one", user)
        report.check("ADBC with a user", select, uri, "SELECT 1 AS one", {"username": "ada", "password": "pass:word"})


def tls(report: Report) -> None:
    certificate, key = FOLDER / "cert.pem", FOLDER / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        report.skipped["there is no openssl to make a certificate with"] += 1
        return
    with floe_server("--tls", f"{certificate}:{key}") as uri:
        uri = uri.replace("127.0.0.1", "localhost")
        trusted = certificate.read_bytes()
        with fl.connect(uri, tls_root_certs=trusted) as client:
            table = pa.table({"a": [1, 2]})
            report.check("TLS", lambda: (put(client, "a", table), equal("table", get(client, "a"), table)))
        with fl.connect(uri) as client:
            report.check("TLS, not trusted", fails, fl.FlightUnavailableError, "", lambda: list(client.list_flights()))
        options = {DatabaseOptions.TLS_ROOT_CERTS.value: trusted.decode()}
        report.check("ADBC over TLS", select, uri, "SELECT a FROM a", options)


def select(uri: str, query: str, options: dict | None = None) -> pa.Table:
    with dbapi.connect(uri, db_kwargs=options or {}, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        table = cursor.fetch_arrow_table()
    table.validate(full=True)
    return table


def adbc(report: Report, everything: list) -> None:
    cities = pa.table({"city": ["Nuuk", "Oslo", None, "Quito"], "people": [19_000, 717_000, 5, 2_011_000]})
    with floe_server() as uri:
        with fl.connect(uri) as client:
            put(client, "cities", cities)
            for name, _, table in everything:
                put(client, name, table)
        report.check("ADBC rows", rows, uri)
        report.check("ADBC errors", fails, Exception, "nothing is changed", select, uri, "DROP TABLE cities")
        report.check("ADBC catalog", describe, uri, {"cities", *(name for name, _, _ in everything)})
        for name, expected, table in everything:
            report.check(f"ADBC, {name}", select_all, uri, name, expected, table.schema)


def select_all(uri: str, name: str, expected: dict, schema: pa.Schema) -> None:
    """All columns that the driver can read."""
    if not any(has_no_width(field.type) for field in schema):
        compare(expected, select(uri, f'SELECT * FROM "{name}"'))
        return
    columns = [field.name for field in schema if not has_no_width(field.type)]
    if not columns:
        raise Skip("the driver, which is in Go, knows no fixed-size lists of no items")
    listed = ", ".join(f'"{column}"' for column in columns)
    kept = [column for column in expected["columns"] if column["name"] in columns]
    compare(expected | {"columns": kept}, select(uri, f'SELECT {listed} FROM "{name}"'))


def has_no_width(kind: pa.DataType) -> bool:
    if pa.types.is_fixed_size_list(kind) and kind.list_size == 0:
        return True
    return any(has_no_width(kind.field(index).type) for index in range(kind.num_fields))


def rows(uri: str) -> None:
    query = "SELECT city, people / 1000 AS thousands FROM cities WHERE people > 10 ORDER BY people DESC"
    found = select(uri, query).to_pydict()
    equal("rows", found, {"city": ["Quito", "Oslo", "Nuuk"], "thousands": [2011, 717, 19]})
    with dbapi.connect(uri, autocommit=True) as connection, connection.cursor() as cursor:
        # The same cursor again, and row by row.
        for limit in (1, 3):
            cursor.execute(f"SELECT city FROM cities LIMIT {limit}")
            equal("rows", len(cursor.fetchall()), limit)


def describe(uri: str, names: set[str]) -> None:
    with dbapi.connect(uri, autocommit=True) as connection:
        equal("types", connection.adbc_get_table_types(), ["TABLE"])
        equal("vendor", connection.adbc_get_info()["vendor_name"], "floe")
        schema = connection.adbc_get_table_schema("cities")
        equal("columns", schema.names, ["city", "people"])
        catalogs = connection.adbc_get_objects(depth="tables").read_all().to_pylist()
        found = {
            table["table_name"]
            for catalog in catalogs
            for schema in catalog["catalog_db_schemas"]
            for table in schema["db_schema_tables"]
        }
        equal("tables", found, names)


def main() -> None:
    report = Report("flight.py")
    everything = list(tables())
    report.check("tables", lambda: equal("enough", len(everything) > 20, True))
    with_client(report, everything)
    with_server(report, everything)
    access(report)
    tls(report)
    adbc(report, everything)
    report.done()


main()
