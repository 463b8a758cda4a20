//! The inputs that were found, built anew.

use floe_format::{
    BatchHeader, BufferSpec, Codec, DataType, DictionaryEncoding, DictionaryHeader, Field, FieldNode,
    IntType, Schema, UnionMode,
};
use floe_tests::hostile::{Made, zeros_by_zstd};

use super::Bomb;

fn field(data_type: DataType, children: Vec<Field>) -> Field {
    Field { name: "c".into(), nullable: true, data_type, children, dictionary: None, metadata: Vec::new() }
}

fn int(bits: u8) -> DataType {
    DataType::Int(IntType { bits, signed: true })
}

fn keys(id: i64, bits: u8, values: Field) -> Field {
    let index = IntType { bits, signed: true };
    Field { dictionary: Some(DictionaryEncoding { id, index, ordered: false, slot: 0 }), ..values }
}

fn schema(fields: Vec<Field>) -> Schema {
    let mut schema = Schema { fields, ..Schema::default() };
    schema.assign_slots();
    schema
}

/// The nodes and buffers of a batch in the making.
#[derive(Default)]
struct Batch {
    header: BatchHeader,
    body: Vec<u8>,
}

impl Batch {
    fn of(rows: usize) -> Self {
        Self { header: BatchHeader { rows, ..BatchHeader::default() }, body: Vec::new() }
    }

    /// With a body whose buffers are ZSTD frames.
    fn packed(rows: usize) -> Self {
        let mut batch = Self::of(rows);
        batch.header.compression = Some(Codec::Zstd);
        batch
    }

    fn node(mut self, len: usize) -> Self {
        self.header.nodes.push(FieldNode { len, null_count: 0 });
        self
    }

    /// A buffer without bytes.
    fn none(mut self) -> Self {
        self.header.buffers.push(BufferSpec::default());
        self
    }

    /// A buffer of its own.
    fn buffer(mut self, bytes: &[u8]) -> Self {
        self.body.resize(self.body.len().next_multiple_of(8), 0);
        let spec = BufferSpec { offset: self.body.len() as u64, len: bytes.len() as u64 };
        self.header.buffers.push(spec);
        self.body.extend_from_slice(bytes);
        self
    }

    /// A buffer of numbers, as it is also among compressed ones.
    fn numbers(self, numbers: &[i64], width: usize) -> Self {
        let mut bytes = Vec::new();
        if self.header.compression.is_some() {
            bytes.extend_from_slice(&(-1i64).to_le_bytes());
        }
        for number in numbers {
            bytes.extend_from_slice(&number.to_le_bytes()[..width]);
        }
        self.buffer(&bytes)
    }

    /// The buffer before, once more.
    fn again(mut self) -> Self {
        let last = *self.header.buffers.last().expect("a buffer");
        self.header.buffers.push(last);
        self
    }

    fn zeros(self, len: usize) -> Self {
        self.buffer(&zeros_by_zstd(len))
    }
}

fn bomb(name: impl Into<String>, file: bool, made: Made) -> Bomb {
    Bomb { name: name.into(), file, bytes: made.finish() }
}

fn add_dictionary(made: &mut Made, id: i64, is_delta: bool, batch: Batch) {
    made.dictionary(&DictionaryHeader { id, is_delta, batch: batch.header }, &batch.body);
}

/// A dictionary of one binary of half a megabyte, with two million keys: a terabyte of offsets and bytes.
fn dictionary_of_binary(maintain: bool, list: bool) -> Bomb {
    const KEYS: usize = 2_000_000;
    const LEN: usize = 500_000;
    const END: i64 = 500_000;
    let mut binary = field(DataType::LargeBinary, vec![]);
    if maintain {
        binary.metadata.push(("pl".into(), "maintain_type".into()));
    }
    let values = if list { field(DataType::LargeList, vec![binary]) } else { binary };
    let schema = schema(vec![keys(0, 8, values)]);
    let mut made = Made::new(false, &schema);
    let mut batch = Batch::packed(1).node(1).none();
    if list {
        batch = batch.numbers(&[0, 1], 8).node(1).none();
    }
    add_dictionary(&mut made, 0, false, batch.numbers(&[0, END], 8).zeros(LEN));
    let batch = Batch::packed(KEYS).node(KEYS).none().zeros(KEYS);
    made.batch(&batch.header, &batch.body);
    bomb(format!("a dictionary of one binary, kept so: {maintain}, in a list: {list}"), false, made)
}

/// Keys of a dictionary of wide fixed-size lists that is never sent: all null.
fn never_sent(width: usize, as_union: bool) -> Bomb {
    const ROWS: usize = 100_000;
    let wide = field(DataType::FixedSizeList(width), vec![field(int(64), vec![])]);
    let mut made;
    let mut batch = Batch::packed(ROWS);
    if as_union {
        let union = DataType::Union { mode: UnionMode::Dense, type_ids: vec![0, 1] };
        let schema = schema(vec![field(union, vec![field(int(8), vec![]), wide])]);
        made = Made::new(false, &schema);
        batch = batch.node(ROWS).zeros(ROWS).zeros(4 * ROWS);
        batch = batch.node(1).none().numbers(&[0], 8).node(0).none().node(0).none().none();
    } else {
        let schema = schema(vec![keys(0, 8, wide)]);
        made = Made::new(false, &schema);
        batch.header.nodes.push(FieldNode { len: ROWS, null_count: ROWS });
        batch = batch.zeros(ROWS.div_ceil(8)).zeros(ROWS);
    }
    made.batch(&batch.header, &batch.body);
    bomb(format!("lists of {width} that are never there, in a union: {as_union}"), false, made)
}

/// A run of all rows, in some columns.
pub(super) fn one_run(rows: usize, columns: usize) -> Bomb {
    let column = field(DataType::RunEndEncoded, vec![field(int(32), vec![]), field(int(64), vec![])]);
    let schema = schema(vec![column; columns]);
    let mut made = Made::new(false, &schema);
    let mut batch = Batch::of(rows);
    let end = i64::try_from(rows).expect("rows of the format");
    for _ in 0..columns {
        batch = batch.node(rows).node(1).none().numbers(&[end], 4).node(1).none().numbers(&[7], 8);
    }
    made.batch(&batch.header, &batch.body);
    bomb(format!("one run of {rows} rows in {columns} columns"), false, made)
}

/// Views of lists that are all of the same values.
fn views_of_one_list() -> Bomb {
    const ROWS: usize = 60_000;
    let schema = schema(vec![field(DataType::ListView, vec![field(int(64), vec![])])]);
    let mut made = Made::new(false, &schema);
    let sizes: Vec<i64> = vec![8_000; ROWS];
    let batch = Batch::packed(ROWS).node(ROWS).none().zeros(4 * ROWS).numbers(&sizes, 4);
    let batch = batch.node(8_000).none().zeros(8 * 8_000);
    made.batch(&batch.header, &batch.body);
    bomb("list views of one list", false, made)
}

/// Strings that are each all of one buffer of text that is not ASCII.
fn strings_of_one_buffer() -> Bomb {
    const ROWS: usize = 20_000;
    let text = "\u{e4}".repeat(200_000);
    let schema = schema(vec![field(DataType::Utf8View, vec![])]);
    let mut made = Made::new(false, &schema);
    let len = u32::try_from(text.len()).expect("small");
    let mut view = len.to_le_bytes().to_vec();
    view.extend_from_slice(&text.as_bytes()[..4]);
    view.extend_from_slice(&[0; 8]);
    let mut batch = Batch::of(ROWS).node(ROWS).none().buffer(&view.repeat(ROWS)).buffer(text.as_bytes());
    batch.header.variadic.push(1);
    made.batch(&batch.header, &batch.body);
    bomb("strings that are all of one buffer", false, made)
}

/// Columns of numbers that all lie on one buffer.
pub(super) fn columns_on_one_buffer(columns: usize, bytes: usize) -> Bomb {
    let schema = schema(vec![field(int(64), vec![]); columns]);
    let mut made = Made::new(false, &schema);
    let rows = bytes / 8;
    let mut batch = Batch::of(rows).node(rows).none().buffer(&vec![0; bytes]);
    for _ in 1..columns {
        let last = *batch.header.buffers.last().expect("a buffer");
        batch = batch.node(rows).none();
        batch.header.buffers.push(last);
    }
    made.batch(&batch.header, &batch.body);
    bomb(format!("{columns} columns on {bytes} bytes"), false, made)
}

/// A file whose blocks are all one.
fn blocks_on_one_body() -> Bomb {
    let schema = schema(vec![field(int(64), vec![])]);
    let mut made = Made::new(true, &schema);
    let batch = Batch::of(75_000).node(75_000).none().buffer(&[0; 600_000]);
    made.batch(&batch.header, &batch.body);
    made.repeat(1, 8_000);
    bomb("8,000 blocks on one body", true, made)
}

/// A dictionary of a million strings, for many columns that are each of one key.
fn one_dictionary_for_many_columns() -> Bomb {
    const VALUES: usize = 1_000_000;
    let schema = schema(vec![keys(0, 32, field(DataType::Utf8, vec![])); 128]);
    let mut made = Made::new(false, &schema);
    add_dictionary(
        &mut made,
        0,
        false,
        Batch::packed(VALUES).node(VALUES).none().zeros(4 * (VALUES + 1)).none(),
    );
    let mut batch = Batch::of(1);
    for _ in 0..128 {
        batch = batch.node(1).none().numbers(&[0], 4);
    }
    made.batch(&batch.header, &batch.body);
    bomb("one dictionary for 128 columns", false, made)
}

/// Thousands of small deltas, each followed by a batch.
fn deltas(count: usize, strings: bool) -> Bomb {
    let values = if strings { DataType::Utf8 } else { int(64) };
    let schema = schema(vec![keys(0, 32, field(values, vec![]))]);
    let mut made = Made::new(false, &schema);
    for i in 0..count {
        let text = format!("{i:08}");
        let batch = Batch::of(1).node(1).none();
        let batch = if strings {
            batch.numbers(&[0, 8], 4).buffer(text.as_bytes())
        } else {
            batch.numbers(&[i64::try_from(i).expect("small")], 8)
        };
        add_dictionary(&mut made, 0, i > 0, batch);
        let keys = Batch::of(1).node(1).none().numbers(&[i64::try_from(i).expect("small")], 4);
        made.batch(&keys.header, &keys.body);
    }
    bomb(format!("{count} deltas, of strings: {strings}"), false, made)
}

/// A dictionary of many strings, then deltas without any.
fn empty_deltas() -> Bomb {
    const VALUES: usize = 1_000_000;
    let schema = schema(vec![keys(0, 32, field(DataType::Utf8, vec![]))]);
    let mut made = Made::new(false, &schema);
    add_dictionary(
        &mut made,
        0,
        false,
        Batch::packed(VALUES).node(VALUES).none().zeros(4 * (VALUES + 1)).none(),
    );
    for _ in 0..500 {
        add_dictionary(&mut made, 0, true, Batch::of(1).node(1).none().numbers(&[0, 0], 4).none());
        let keys = Batch::of(1).node(1).none().numbers(&[0], 4);
        made.batch(&keys.header, &keys.body);
    }
    bomb("500 deltas of one value to a million", false, made)
}

/// Many columns with a dictionary each, of which one is sent again and again.
fn dictionaries_of_many_columns() -> Bomb {
    const COLUMNS: i64 = 20_000;
    let schema = schema((0..COLUMNS).map(|id| keys(id, 8, field(DataType::Utf8, vec![]))).collect());
    let mut made = Made::new(false, &schema);
    for _ in 0..2_000 {
        add_dictionary(&mut made, 0, false, Batch::of(1).node(1).none().numbers(&[0, 0], 4).none());
    }
    bomb("2,000 dictionaries for one of 20,000 columns", false, made)
}

/// Frames that all lie on one another.
fn frames_on_one_another() -> Bomb {
    const ROWS: usize = 4 << 20;
    let schema = schema(vec![field(int(64), vec![]); 500]);
    let mut made = Made::new(false, &schema);
    let mut batch = Batch::packed(ROWS).node(ROWS).none().zeros(8 * ROWS);
    for _ in 1..500 {
        let last = *batch.header.buffers.last().expect("a buffer");
        batch = batch.node(ROWS).none();
        batch.header.buffers.push(last);
    }
    let bytes = &batch.body;
    made.batch(&batch.header, bytes);
    bomb("500 columns of one ZSTD frame", false, made)
}

/// Offsets and values that are the same bytes.
fn values_on_offsets() -> Bomb {
    let schema = schema(vec![field(DataType::Utf8, vec![])]);
    let mut made = Made::new(false, &schema);
    let batch = Batch::packed(1 << 20).node(1 << 20).none().zeros(4 * ((1 << 20) + 1)).again();
    made.batch(&batch.header, &batch.body);
    bomb("values on their offsets", false, made)
}

/// All of them.
pub(super) fn all() -> Vec<Bomb> {
    let mut all = vec![
        views_of_one_list(),
        strings_of_one_buffer(),
        columns_on_one_buffer(4_000, 1_500_000),
        blocks_on_one_body(),
        one_dictionary_for_many_columns(),
        empty_deltas(),
        dictionaries_of_many_columns(),
        frames_on_one_another(),
        values_on_offsets(),
        deltas(5_000, true),
        deltas(2_000, false),
    ];
    for (maintain, list) in [(false, false), (true, false), (false, true), (true, true)] {
        all.push(dictionary_of_binary(maintain, list));
    }
    for width in [1, 1_000, 1 << 20, 1 << 30] {
        all.extend([never_sent(width, false), never_sent(width, true)]);
    }
    all.extend([one_run(1 << 26, 1), one_run(1 << 26, 30), one_run(1 << 30, 1)]);
    all
}
