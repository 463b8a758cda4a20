"""pyarrow's part of the peer comparison: does what it is told on standard input, one command a line, and answers
each with a line: `ok` and the seconds it took (or, for peak_*, the megabytes), or `error` and what went wrong.

Fields are separated by tabs:

    load    NAME FORMAT PATH                     keeps the table of a file or stream under a name
    drop    NAME
    write   NAME FORMAT CODEC PATH               codec: raw, lz4, zstd (level 3, as everybody here)
    read    FORMAT PATH COLUMNS HOW              columns: numbers with commas, or -; how: copy or map
    batch   PATH INDEX                           one batch of a file
    rows    PATH                                 the number of rows of a file
    small   NAME FORMAT TIMES                    writes the table's first batch so many times to memory
    single  NAME FORMAT TIMES                    writes so many streams or files of it to memory
    peak_write NAME FORMAT CODEC PATH            megabytes beyond the table while it is written
    peak_read  FORMAT PATH                       megabytes beyond the result while it is read
"""

import os
import sys
import time

import pyarrow as pa

TABLES = {}


def options(codec):
    chosen = {"raw": None, "lz4": "lz4", "zstd": pa.Codec("zstd", compression_level=3)}[codec]
    return pa.ipc.IpcWriteOptions(compression=chosen)


def new_writer(fmt, sink, schema, codec="raw"):
    make = pa.ipc.new_file if fmt == "file" else pa.ipc.new_stream
    return make(sink, schema, options=options(codec))


def write(table, fmt, codec, path):
    with pa.OSFile(path, "wb") as sink, new_writer(fmt, sink, table.schema, codec) as writer:
        writer.write_table(table)


def read(fmt, path, columns=None, how="copy"):
    source = pa.memory_map(path) if how == "map" else pa.OSFile(path, "rb")
    selected = pa.ipc.IpcReadOptions(included_fields=columns)
    open_it = pa.ipc.open_file if fmt == "file" else pa.ipc.open_stream
    return open_it(source, options=selected).read_all()


def numbers(text):
    return None if text == "-" else [int(number) for number in text.split(",")]


def timed(work):
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    del result
    return seconds


def status(name):
    with open("/proc/self/status") as lines:
        for line in lines:
            if line.startswith(name):
                return int(line.split()[1]) / 1000
    raise KeyError(name)


def peak(work):
    with open("/proc/self/clear_refs", "w") as reset:
        reset.write("5")
    before = status("VmRSS")
    result = work()
    size = result.get_total_buffer_size() / 1e6 if isinstance(result, pa.Table) else 0.0
    return max(status("VmHWM") - before - size, 0.0)


def load(name, fmt, path):
    TABLES[name] = read(fmt, path)
    return 0.0


def drop(name):
    TABLES.pop(name, None)
    return 0.0


def fresh(path):
    # What is overwritten has to be freed first: not part of anybody's time.
    if os.path.exists(path):
        os.remove(path)


def timed_write(name, fmt, codec, path):
    fresh(path)
    return timed(lambda: write(TABLES[name], fmt, codec, path))


def small(name, fmt, times):
    batch = TABLES[name].to_batches()[0]

    def work():
        with new_writer(fmt, pa.BufferOutputStream(), batch.schema) as writer:
            for _ in range(int(times)):
                writer.write_batch(batch)

    return timed(work)


def single(name, fmt, times):
    batch = TABLES[name].to_batches()[0]

    def work():
        for _ in range(int(times)):
            with new_writer(fmt, pa.BufferOutputStream(), batch.schema) as writer:
                writer.write_batch(batch)

    return timed(work)


def peak_write(name, fmt, codec, path):
    fresh(path)
    return peak(lambda: write(TABLES[name], fmt, codec, path))


def rows(path):
    reader = pa.ipc.open_file(pa.OSFile(path, "rb"))
    return sum(reader.get_batch(i).num_rows for i in range(reader.num_record_batches))


COMMANDS = {
    "load": load,
    "drop": drop,
    "write": timed_write,
    "read": lambda fmt, path, columns, how: timed(lambda: read(fmt, path, numbers(columns), how)),
    "batch": lambda path, index: timed(lambda: pa.ipc.open_file(pa.OSFile(path, "rb")).get_batch(int(index))),
    "rows": lambda path: timed(lambda: rows(path)),
    "small": small,
    "single": single,
    "peak_write": peak_write,
    "peak_read": lambda fmt, path: peak(lambda: read(fmt, path)),
}


def main():
    print("ok", pa.__version__, flush=True)
    for line in sys.stdin:
        command, *arguments = line.rstrip("\n").split("\t")
        try:
            print("ok", COMMANDS[command](*arguments), flush=True)
        except Exception as error:  # whatever it is, the benchmark has to know
            print("error", f"{command}: {type(error).__name__}: {error}".replace("\n", " "), flush=True)


main()
