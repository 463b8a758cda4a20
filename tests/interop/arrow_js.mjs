// arrow-js (npm's `apache-arrow`) reads what floe wrote, and writes what floe has to read.
//
// `node arrow_js.mjs read|write DIR`, with FLOE_NPM the folder that `npm install` ran in. Values come from the
// buffers, not from arrow-js' getters, which round 64-bit integers to doubles.
//
// Codecs are not part of arrow-js: lz4js and fzstd are registered to decompress. What arrow-js 21 compresses
// it labels with the compressed length instead of the uncompressed one, and nobody can read it. So the encoder
// here never shrinks anything, and arrow-js stores every buffer raw, with the length -1: that is right, and
// worth reading.

import { createRequire } from "node:module";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";

const require = createRequire(join(process.env.FLOE_NPM, "package.json"));
const arrow = require("apache-arrow");
const lz4 = require("lz4js");
const fzstd = require("fzstd");

const { Type, CompressionType } = arrow;
arrow.compressionRegistry.set(CompressionType.LZ4_FRAME, {
  encode: (bytes) => Buffer.concat([lz4.compress(bytes), bytes]),
  decode: (bytes) => new Uint8Array(lz4.decompress(bytes)),
});
// The copy is aligned, as arrow-js wants it.
const unzstd = (bytes) => new Uint8Array(fzstd.decompress(bytes));
arrow.compressionRegistry.set(CompressionType.ZSTD, { decode: unzstd });

const UNITS = ["ms", "ms", "us", "ns"]; // of seconds, milli-, micro-, nanoseconds in Polars
const PARTS = [["months"], ["days", "milliseconds"], ["months", "days", "nanoseconds"]];
const TEXTS = [Type.Utf8, Type.LargeUtf8, Type.Utf8View];
const unique = (names) => {
  const seen = new Map();
  return names.map((name) => {
    const count = seen.get(name) ?? 0;
    seen.set(name, count + 1);
    return count ? `${name}_duplicated_${count - 1}` : name;
  });
};

// ---- Arrow's types and arrays in the form of the JSON ----

/** The dtype that Polars has for a field. */
function dtypeOf(type, metadata = new Map()) {
  const child = (index) => dtypeOf(type.children[index].type, type.children[index].metadata);
  const fields = (names) => `struct{${unique(names).map((name, i) => `${name}:${names.dtypes[i]}`).join(",")}}`;
  const struct = (children, first = []) => {
    const names = [...first.map(([name]) => name), ...children.map((field) => field.name)];
    names.dtypes = [...first.map(([, dtype]) => dtype), ...children.map((_, index) => child(index))];
    return fields(names);
  };
  switch (type.typeId) {
    case Type.Null: return "null";
    case Type.Bool: return "bool";
    case Type.Int: return `${type.isSigned ? "i" : "u"}${type.bitWidth}`;
    case Type.Float: return `f${16 << type.precision}`;
    case Type.Decimal: return `decimal[${type.precision},${type.scale}]`;
    case Type.Date: return type.unit === 0 ? "date" : "datetime[ms]";
    case Type.Time: return "time";
    case Type.Timestamp: return `datetime[${UNITS[type.unit]}${zone(type.timezone)}]`;
    case Type.Duration: return `duration[${UNITS[type.unit]}]`;
    case Type.Interval: {
      const names = [...PARTS[type.unit]];
      names.dtypes = names.map((name) => (name === "nanoseconds" ? "i64" : "i32"));
      return fields(names);
    }
    case Type.LargeBinary: return metadata.get("pl") === "maintain_type" ? "bin_offset" : "bin";
    case Type.Binary: case Type.BinaryView: case Type.FixedSizeBinary: return "bin";
    case Type.List: case Type.LargeList: case Type.Map: return `list[${child(0)}]`;
    case Type.FixedSizeList: return `array[${child(0)},${type.listSize}]`;
    case Type.Struct: return struct(type.children);
    case Type.Union: return struct(type.children, [["type_id", "i8"]]);
    case Type.Dictionary: {
      if (!TEXTS.includes(type.dictionary.typeId)) return dtypeOf(type.dictionary);
      const categories = metadata.get("_PL_ENUM_VALUES2");
      return categories === undefined ? "cat" : "enum" + JSON.stringify(enumValues(categories));
    }
    default:
      if (TEXTS.includes(type.typeId)) return "str";
      throw new Error(`no dtype for ${type}`);
  }
}

const zone = (name) => (!name ? "" : "+-".includes(name[0]) ? ",UTC" : `,${name}`);

/** Polars' `length;text`, repeated; the length is in bytes. */
function enumValues(encoded) {
  const found = [];
  for (let bytes = Buffer.from(encoded); bytes.length; ) {
    const digits = bytes.indexOf(";");
    const end = digits + 1 + Number(bytes.subarray(0, digits));
    found.push(bytes.subarray(digits + 1, end).toString());
    bytes = bytes.subarray(end);
  }
  return found;
}

/** All values of one `Data`, which is what arrow-js calls the chunks of a vector. */
function valuesOf(data) {
  if (!data.length) return []; // without batches arrow-js makes up chunks that have no children
  if (data.typeId === Type.Null) return Array(data.length).fill(null);
  const rows = Array.from({ length: data.length }, (_, row) => row);
  if (data.typeId === Type.Union) return unionValues(data, rows);
  const value = reader(data);
  return rows.map((row) => (data.nullBitmap?.length && data.nullCount && !data.getValid(row) ? null : value(row)));
}

/** How to read a row that is not null. */
function reader(data) {
  const { type, values, valueOffsets, children, offset } = data;
  const bytes = values && new DataView(values.buffer, values.byteOffset, values.byteLength);
  const fixed = (width, signed, factor = 1n) => (row) => String(integer(bytes, row * width, width, signed) * factor);
  const slice = (row) => Buffer.from(values.subarray(Number(valueOffsets[row]), Number(valueOffsets[row + 1])));
  const list = () => {
    const items = valuesOf(children[0]);
    return (row) => items.slice(Number(valueOffsets[row]), Number(valueOffsets[row + 1]));
  };
  switch (type.typeId) {
    case Type.Bool: return (row) => Boolean((values[(row + offset) >> 3] >> (row + offset) % 8) & 1);
    case Type.Int: return fixed(type.bitWidth / 8, type.isSigned);
    case Type.Float: {
      const width = 2 << type.precision;
      return (row) => floatText(integer(bytes, row * width, width, false), type.precision);
    }
    case Type.Decimal: return fixed(type.bitWidth / 8, true);
    case Type.Date: return fixed(type.unit === 0 ? 4 : 8, true);
    case Type.Time: return fixed(type.bitWidth / 8, true, 1000n ** BigInt(3 - type.unit));
    case Type.Timestamp: case Type.Duration: return fixed(8, true, type.unit === 0 ? 1000n : 1n);
    case Type.Utf8: case Type.LargeUtf8: return (row) => slice(row).toString();
    case Type.Binary: case Type.LargeBinary: return (row) => slice(row).toString("hex");
    case Type.Utf8View: return (row) => view(data, row).toString();
    case Type.BinaryView: return (row) => view(data, row).toString("hex");
    case Type.FixedSizeBinary: {
      const width = type.byteWidth;
      return (row) => Buffer.from(values.subarray(row * width, (row + 1) * width)).toString("hex");
    }
    case Type.List: case Type.LargeList: case Type.Map: return list();
    case Type.FixedSizeList: {
      const items = valuesOf(children[0]);
      return (row) => items.slice(row * type.listSize, (row + 1) * type.listSize);
    }
    case Type.Struct: {
      const names = unique(type.children.map((field) => field.name));
      const columns = children.map(valuesOf);
      return (row) => Object.fromEntries(names.map((name, i) => [name, columns[i][row]]));
    }
    case Type.Dictionary: {
      const dictionary = data.dictionary.data.flatMap(valuesOf);
      const width = type.indices.bitWidth / 8;
      return (row) => dictionary[Number(integer(bytes, row * width, width, type.indices.isSigned))];
    }
    case Type.Interval: return (row) => interval(bytes, row, PARTS[type.unit]);
    default: throw new Error(`no values for ${type}`);
  }
}

function integer(bytes, at, width, signed) {
  let found = 0n;
  for (let byte = width - 1; byte >= 0; byte--) found = (found << 8n) | BigInt(bytes.getUint8(at + byte));
  return signed ? BigInt.asIntN(8 * width, found) : found;
}

/** The hex of the bits; all NaNs are one. */
function floatText(bits, precision) {
  const [width, mantissa] = [[4, 10n], [8, 23n], [16, 52n]][precision];
  const exponent = ((1n << BigInt(4 * width - 1)) - 1n) >> mantissa << mantissa;
  const isNan = (bits & exponent) === exponent && bits & ((1n << mantissa) - 1n);
  return isNan ? "nan" : bits.toString(16).padStart(width, "0");
}

function view({ values, variadicBuffers }, row) {
  const fields = Buffer.from(values.buffer, values.byteOffset + 16 * row, 16);
  const length = fields.readInt32LE(0);
  if (length <= 12) return fields.subarray(4, 4 + length);
  const start = fields.readInt32LE(12);
  return Buffer.from(variadicBuffers[fields.readInt32LE(8)].subarray(start, start + length));
}

function interval(bytes, row, parts) {
  const width = { 1: 4, 2: 8, 3: 16 }[parts.length];
  const part = (name, i) => integer(bytes, row * width + 4 * i, name === "nanoseconds" ? 8 : 4, true);
  return Object.fromEntries(parts.map((name, i) => [name, String(part(name, i))]));
}

function unionValues({ type, typeIds, valueOffsets, children }, rows) {
  const columns = children.map(valuesOf);
  const names = unique(["type_id", ...type.children.map((field) => field.name)]).slice(1);
  return rows.map((row) => {
    const chosen = type.typeIdToChildIndex[typeIds[row]];
    const value = columns[chosen][type.mode === arrow.UnionMode.Dense ? valueOffsets[row] : row];
    const fields = Object.fromEntries(names.map((name, i) => [name, i === chosen ? value : null]));
    return { type_id: String(typeIds[row]), ...fields };
  });
}

function columnsOf(table) {
  const names = unique(table.schema.fields.map((field) => field.name));
  return table.schema.fields.map(({ type, metadata }, index) => ({
    name: names[index],
    dtype: dtypeOf(type, metadata),
    values: table.getChildAt(index).data.flatMap(valuesOf),
  }));
}

// ---- Reading ----

class Skip extends Error {}

const report = { passed: 0, failed: 0, skipped: new Map() };

function check(name, body) {
  try {
    body();
    report.passed++;
  } catch (error) {
    if (error instanceof Skip) {
      report.skipped.set(error.message, (report.skipped.get(error.message) ?? 0) + 1);
      return;
    }
    report.failed++;
    console.log(`FAILED ${name}: ${String(process.env.FLOE_TRACE ? error.stack : error).slice(0, 600)}`);
  }
}

function equal(what, found, expected) {
  if (isDeepStrictEqual(found, expected)) return;
  const text = (value) => JSON.stringify(value)?.slice(0, 200);
  throw new Error(`${what}: found ${text(found)}, expected ${text(expected)}`);
}

function read(folder, name) {
  const [frame] = name.split(".");
  if (UNKNOWN[frame]) throw new Skip(UNKNOWN[frame]);
  const sidecar = JSON.parse(readFileSync(join(folder, `${frame}.json`)));
  const table = arrow.tableFromIPC(readFileSync(join(folder, name)));
  const found = columnsOf(table);
  equal("columns", found.map((column) => column.name), sidecar.columns.map((column) => column.name));
  sidecar.columns.forEach((expected, index) => {
    equal(`dtype of ${expected.name}`, found[index].dtype, expected.dtype);
    equal(`rows of ${expected.name}`, found[index].values.length, sidecar.height);
    expected.values.forEach((value, row) => equal(`${expected.name}, row ${row}`, found[index].values[row], value));
  });
  for (const [key, value] of Object.entries(sidecar.schema_metadata ?? {})) {
    equal(`schema metadata ${key}`, table.schema.metadata.get(key), value);
  }
  const rows = table.batches.map((batch) => batch.numRows);
  if (sidecar.batches) equal("rows of the batches", rows, sidecar.batches);
}

const UNKNOWN = { int128: "arrow-js has no 128-bit integers" };

// ---- Writing ----

const LONG = "a text that no view can hold inline";

const utf8 = new arrow.Utf8();
const field = (name, type) => new arrow.Field(name, type, true);
const vector = (values, type) => arrow.vectorFromArray(values, type);

/** A vector straight from its values' buffer; the second row is null. */
function raw(type, length, data) {
  const nullBitmap = new Uint8Array([0b11101]);
  return new arrow.Vector([arrow.makeData({ type, length, nullCount: 1, nullBitmap, data })]);
}

function numbers() {
  const columns = {};
  for (const bits of [8, 16, 32, 64]) {
    for (const signed of [true, false]) {
      const high = 2n ** BigInt(bits - Number(signed)) - 1n;
      const values = [signed ? -high - 1n : 0n, 0n, 1n, high].map(bits === 64 ? BigInt : Number);
      values.splice(1, 0, null);
      columns[`${signed ? "i" : "u"}${bits}`] = vector(values, new arrow[`${signed ? "Int" : "Uint"}${bits}`]());
    }
  }
  for (const bits of [16, 32, 64]) {
    columns[`f${bits}`] = vector([0.5, null, -Infinity, NaN, -0], new arrow[`Float${bits}`]());
  }
  columns.bool = vector([true, null, false, true, null], new arrow.Bool());
  columns.null = vector(Array(5).fill(null), new arrow.Null());
  const digits = [12345, 0, 0, 0, 0, 0, 0, 0, ...Array(4).fill(0xffffffff), 1, 2, 3, 4, 5, 6, 7, 8];
  columns.decimal = raw(new arrow.Decimal(4, 38, 128), 5, new Uint32Array(digits));
  return columns;
}

function texts() {
  const strings = ["", null, "short", LONG, "日本語 🦀"];
  const bytes = strings.map((text) => (text === null ? null : new TextEncoder().encode(text + "\u00ff")));
  const threes = [new Uint8Array([1, 2, 3]), null, ...Array(3).fill(new Uint8Array(3))];
  return {
    utf8: vector(strings, utf8),
    large_utf8: vector(strings, new arrow.LargeUtf8()),
    binary: vector(bytes, new arrow.Binary()),
    large_binary: vector(bytes, new arrow.LargeBinary()),
    fixed: vector(threes, new arrow.FixedSizeBinary(3)),
  };
}

function times() {
  const dates = [new Date(0), null, new Date(86400000 * 19000), new Date(0), new Date(86400000)];
  const columns = { day: vector(dates, new arrow.DateDay()), date_ms: vector(dates, new arrow.DateMillisecond()) };
  const ints = new BigInt64Array([0n, 7n, -1n, 1357034700n, 86399n]);
  for (let unit = 0; unit < 4; unit++) {
    for (const zone of [null, "UTC", "Europe/Zurich", "+05:30"]) {
      columns[`timestamp_${unit}_${zone}`] = raw(new arrow.Timestamp(unit, zone), 5, ints);
    }
    columns[`duration_${unit}`] = raw(new arrow.Duration(unit), 5, ints);
    const clock = unit < 2 ? new Int32Array([0, 1, 2, 3, 86399]) : new BigInt64Array([0n, 1n, 2n, 3n, 86399n]);
    columns[`time_${unit}`] = raw(new arrow.Time(unit, unit < 2 ? 32 : 64), 5, clock);
  }
  return columns;
}

function intervals() {
  const { YEAR_MONTH, DAY_TIME, MONTH_DAY_NANO } = arrow.IntervalUnit;
  const months = new Int32Array([1, 2, 3, 0, 0, 0, 0, 0, -7, -8, 9, -10]); // 64-bit nanoseconds: two of them
  return {
    months: raw(new arrow.Interval(YEAR_MONTH), 3, new Int32Array([1, 0, -7])),
    day_time: raw(new arrow.Interval(DAY_TIME), 3, new Int32Array([1, 2, 0, 0, -7, 8])),
    month_day_nano: raw(new arrow.Interval(MONTH_DAY_NANO), 3, months),
  };
}

function nested() {
  const list = (type) => new arrow.List(field("item", type));
  const int32 = field("item", new arrow.Int32());
  const pair = new arrow.Struct([field("a", new arrow.Int32()), field("b", utf8)]);
  const rows = [{ a: 1, b: "x" }, null, { a: null, b: LONG }, { a: 2, b: null }, { a: 3, b: "" }];
  const entries = new arrow.Struct([new arrow.Field("key", utf8, false), field("value", new arrow.Int32())]);
  const map = new arrow.Map_(new arrow.Field("entries", entries, false));
  const maps = [[["k", 1], ["l", null]], null, [], [[LONG, 2]], [["m", 3]]];
  return {
    list: vector([[1, null], null, [], [2], [3, 4]], list(new arrow.Int16())),
    deep: vector([[["a"], null], null, [], [[], [LONG]], [["b"]]], list(list(utf8))),
    fixed: vector([[1, 2], null, [3, 4], [5, 6], [7, 8]], new arrow.FixedSizeList(2, int32)),
    struct: vector(rows, pair),
    structs: vector([rows.slice(0, 2), null, [], rows.slice(2, 5), [null]], list(pair)),
    map: vector(maps.map((entries) => entries && new Map(entries)), map),
  };
}

function dictionaries() {
  const words = ["a", null, "b", LONG, "a"];
  return {
    str: vector(words, new arrow.Dictionary(utf8, new arrow.Int8())),
    wide: vector(words, new arrow.Dictionary(utf8, new arrow.Int32())),
    int: vector([10, null, 20, 30, 10], new arrow.Dictionary(new arrow.Int32(), new arrow.Uint16())),
  };
}

function unions() {
  const children = [vector([1, 2, 3], new arrow.Int32()).data[0], vector(["x", LONG, null], utf8).data[0]];
  const fields = [field("i", new arrow.Int32()), field("s", utf8)];
  const [typeIds, valueOffsets] = [new Int8Array([5, 7, 7]), new Int32Array([2, 0, 1])];
  const make = (type, more) => new arrow.Vector([arrow.makeData({ type, length: 3, typeIds, children, ...more })]);
  return {
    dense: make(new arrow.DenseUnion([5, 7], fields), { valueOffsets }),
    sparse: make(new arrow.SparseUnion([5, 7], fields)),
  };
}

function save(folder, frame, table, endings = ["arrows", "arrow"]) {
  const batches = table.batches.map((batch) => batch.numRows);
  const sidecar = { height: table.numRows, columns: columnsOf(table), batches };
  writeFileSync(join(folder, `${frame}.json`), JSON.stringify(sidecar));
  for (const ending of endings) {
    const format = ending === "arrows" ? "stream" : "file";
    const path = (variant) => join(folder, `${frame}.${variant}.${ending}`);
    writeFileSync(path("js-none"), arrow.tableToIPC(table, format));
    writeFileSync(path("raw-lz4"), arrow.tableToIPC(table, format, CompressionType.LZ4_FRAME));
  }
  const legacy = new arrow.RecordBatchStreamWriter({ writeLegacyIpcFormat: true }).writeAll(table);
  writeFileSync(join(folder, `${frame}.legacy-none.arrows`), legacy.toUint8Array(true));
}

function main() {
  const [what, folder] = process.argv.slice(2);
  if (what === "write") {
    mkdirSync(folder, { recursive: true });
    for (const make of [numbers, texts, times, intervals, nested, dictionaries, unions]) {
      check(make.name, () => save(folder, make.name, new arrow.Table(make())));
    }
    // Two batches; the second replaces the dictionary, which arrow-js does in streams only.
    check("batches", () => {
      const type = new arrow.Dictionary(new arrow.Utf8(), new arrow.Int8());
      const numbers = (values) => vector(values.map((_, row) => row), new arrow.Int32());
      const part = (values) => new arrow.Table({ i: numbers(values), d: vector(values, type) });
      save(folder, "batches", part(["a", "b", null]).concat(part(["c", "a"])), ["arrows"]);
    });
  } else {
    for (const name of readdirSync(folder).sort()) {
      if (/\.arrows?$/.test(name)) check(join(folder, name), () => read(folder, name));
    }
  }
  for (const [why, count] of report.skipped) console.log(`  skipped ${count}: ${why}`);
  console.log(`arrow_js.mjs ${what}: ${report.passed} passed, ${report.failed} failed`);
  process.exit(report.failed || !report.passed ? 1 : 0);
}

main();
