"""pyarrow reads all that floe wrote: values, metadata, batches, dictionaries, and the layout of the bytes.

`pyarrow_read.py DIR`. Every file is also opened as a stream, from behind its magic.
"""

import sys
from pathlib import Path

import pyarrow as pa
from canonical import dtype_of, values_of
from harness import Report, Skip, codec, contains, equal, files, frame, load, same_column

ipc = pa.ipc
UNKNOWN = {"int128": "pyarrow has no 128-bit integers"}
# Their dictionaries grow while batches arrive; in a file the last of them may follow the batches.
GROWING = {"growing"}


def compare(sidecar: dict, table: pa.Table) -> None:
    table.validate(full=True)
    equal("rows", table.num_rows, sidecar["height"])
    equal("columns", table.schema.names, [column["name"] for column in sidecar["columns"]])
    for expected, field, column in zip(sidecar["columns"], table.schema, table.columns):
        same_column(expected, field.name, dtype_of(field), values_of(column))
    contains("schema metadata", table.schema.metadata, sidecar.get("schema_metadata", {}))
    for name, entries in sidecar.get("field_metadata", {}).items():
        contains(f"metadata of {name!r}", table.schema.field(name).metadata, entries)


def batches_of(reader) -> tuple[list[pa.RecordBatch], list[dict]]:
    """The batches of a stream or of a file, and their metadata."""
    if isinstance(reader, ipc.RecordBatchFileReader):
        pairs = [reader.get_batch_with_custom_metadata(i) for i in range(reader.num_record_batches)]
    else:
        pairs = list(reader.iter_batches_with_custom_metadata())
    return [batch for batch, _ in pairs], [metadata for _, metadata in pairs]


def read(sidecar: dict, reader) -> None:
    batches, metadata = batches_of(reader)
    for batch in batches:
        batch.validate(full=True)
    if "batches" in sidecar:
        equal("rows of the batches", [batch.num_rows for batch in batches], sidecar["batches"])
    for entries in metadata:
        contains("batch metadata", entries, sidecar.get("batch_metadata", {}))
    if not batches[:1] or batches[0].num_columns:
        table = pa.Table.from_batches(batches, reader.schema)
        compare(sidecar, table)
    else:
        equal("rows", sum(batch.num_rows for batch in batches), sidecar["height"])


def read_path(path: Path) -> None:
    open_it = ipc.open_stream if path.suffix == ".arrows" else ipc.open_file
    with pa.OSFile(str(path)) as source:
        read(load(path), open_it(source))


def read_memory_map(path: Path) -> None:
    open_it = ipc.open_stream if path.suffix == ".arrows" else ipc.open_file
    with pa.memory_map(str(path)) as source:
        compare(load(path), open_it(source).read_all())


def as_stream(path: Path) -> None:
    """What stands behind the first 8 bytes of a file is a stream, with the schema that the footer has."""
    data = path.read_bytes()
    if frame(path) in GROWING:
        raise Skip("files whose dictionaries grew batch by batch need not open as streams")
    equal("the magic", data[:8], b"ARROW1\0\0")
    reader = ipc.open_stream(data[8:])
    footer = ipc.open_file(data).schema
    equal("metadata in the footer", footer.metadata, reader.schema.metadata)
    if not footer.equals(reader.schema, check_metadata=True):
        raise AssertionError(f"the footer's schema {footer} is not the stream's {reader.schema}")
    read(load(path), reader)


def bodies(path: Path) -> None:
    """Bodies start at and are multiples of 64 bytes; so are uncompressed buffers; what pads them is zero."""
    data = pa.py_buffer(path.read_bytes())
    source = pa.BufferReader(data)
    if path.suffix == ".arrow":
        source.seek(8)
    schema = ipc.read_schema(source)
    has_dictionaries = any(uses_dictionary(field.type) for field in schema)
    # The end marker is no message: pyarrow says so with `EOFError`.
    while (message := next_message(source)) is not None:
        if message.body is None or not message.body.size:
            continue
        equal(
            f"start of the body of a {message.type}, modulo 64", (message.body.address - data.address) % 64, 0
        )
        equal(f"length of the body of a {message.type}, modulo 64", message.body.size % 64, 0)
        if not has_dictionaries and codec(path) == "none" and message.type == "record batch":
            batch = ipc.read_record_batch(message, schema)
            check_buffers(message.body, [buffer for column in batch.columns for buffer in column.buffers()])


def next_message(source: pa.BufferReader):
    try:
        return ipc.read_message(source)
    except EOFError:
        return None


def check_buffers(body: pa.Buffer, buffers: list[pa.Buffer | None]) -> None:
    data, padding = bytes(body), bytearray(body)
    for buffer in buffers:
        if buffer is None or not buffer.size:
            continue
        start = buffer.address - body.address
        # pyarrow makes some buffers itself, such as those of views that were null.
        if 0 <= start < len(data):
            equal("start of a buffer, modulo 64", start % 64, 0)
            padding[start : start + buffer.size] = bytes(buffer.size)
    equal("bytes of padding that are not zero", sum(map(bool, padding)), 0)


def uses_dictionary(kind: pa.DataType) -> bool:
    children = [kind.field(i).type for i in range(kind.num_fields)]
    return pa.types.is_dictionary(kind) or any(map(uses_dictionary, children))


def dictionaries(path: Path) -> None:
    """A categorical written with all its rows at hand has one dictionary: the categories in use, each once."""
    if frame(path).startswith("growing"):
        raise Skip("batches arrived one by one: dictionaries hold what had been seen")
    table = pa.table({})
    with pa.OSFile(str(path)) as source:
        table = (ipc.open_stream if path.suffix == ".arrows" else ipc.open_file)(source).read_all()
    for field, column in zip(table.schema, table.columns):
        if dtype_of(field) == "cat":
            found = {tuple(chunk.dictionary.to_pylist()) for chunk in column.chunks}
            equal(f"dictionaries of {field.name!r}", len(found) <= 1, True)
            used = sorted(set(value for value in column.to_pylist() if value is not None))
            if column.num_chunks:
                equal(f"categories of {field.name!r}", sorted(column.chunk(0).dictionary.to_pylist()), used)


def main() -> None:
    report = Report("pyarrow_read.py")
    for path in files(Path(sys.argv[1]), ".arrows", ".arrow"):
        if why := UNKNOWN.get(frame(path)):
            report.skipped[why] += 1
            continue
        report.check(f"{path}", read_path, path)
        report.check(f"{path}, mapped", read_memory_map, path)
        report.check(f"{path}, its bodies", bodies, path)
        report.check(f"{path}, its dictionaries", dictionaries, path)
        if path.suffix == ".arrow":
            report.check(f"{path}, from byte 8", as_stream, path)
    report.done()


if __name__ == "__main__":
    main()
