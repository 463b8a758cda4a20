//! Streams and files that are well-formed, small, and stand for arbitrarily much. Buffers lie on one another;
//! dictionaries, runs and views repeat one value; lists are as wide as a number can say. Dictionaries are never sent,
//! or sent again and again, and blocks of a footer are all one. Made of choices, so that a seed or a fuzzer can make
//! them.
//!
//! ```text
//!   stream   schema | dictionary, delta or batch ... | end       heads of many messages, one body for all of them
//!   body     zeros | offsets | run ends | a ZSTD frame of zeros  whose pieces buffers share
//! ```

mod body;
mod fields;

use floe_format::constants::{END_OF_STREAM, FILE_MAGIC, FILE_PREFIX};
use floe_format::{
    BatchHeader, Block, BufferSpec, Codec, DataType, DictionaryHeader, Field, FieldNode, Footer,
    MessageEncoder, Schema, write_head,
};

pub use body::zeros_by_zstd;
use body::{Body, Role};
use fields::FieldOf;

/// Who decides: a number below the one that is given.
pub trait Choose {
    /// A number from 0 to `below - 1`.
    fn choose(&mut self, below: usize) -> usize;
}

impl<F: FnMut(usize) -> usize> Choose for F {
    fn choose(&mut self, below: usize) -> usize {
        self(below)
    }
}

/// A stream or a file that claims far more than it has.
///
/// # Panics
/// When the encoder refuses, which it does not for what is made here.
pub fn hostile(choices: &mut dyn Choose, file: bool) -> Vec<u8> {
    let count = pick(choices, &[1, 1, 1, 2, 3, 40]);
    let fields = (0..count).map(|_| fields::field(choices, 3)).collect();
    let mut schema = Schema { fields, ..Schema::default() };
    schema.assign_slots();
    let mut made = Made::new(file, &schema);
    for _ in 0..pick(choices, &[1, 2, 3, 6]) {
        let dictionaries = fields::dictionaries(&schema);
        match dictionaries.get(choices.choose(dictionaries.len() + 2)) {
            Some(field) => made.any_dictionary(choices, field),
            None => made.any_batch(choices, &schema.fields),
        }
    }
    let times = [0, 1].map(|_| pick(choices, &[1, 1, 2, 50]));
    made.repeat(times[0], times[1]);
    made.finish()
}

/// One of some values.
pub(crate) fn pick<T: Copy>(choices: &mut dyn Choose, of: &[T]) -> T {
    of[choices.choose(of.len())]
}

/// Rows of a batch or values of a dictionary: most of them more than there are bytes.
fn rows(choices: &mut dyn Choose) -> usize {
    pick(choices, &[0, 1, 2, 7, 100, 1 << 10, 1 << 14, 1 << 17, 1 << 20, 1 << 24, 1 << 28, 1 << 40])
}

/// A stream or a file of any headers and bodies, whether or not they fit.
pub struct Made {
    bytes: Vec<u8>,
    encoder: MessageEncoder,
    schema: Schema,
    file: bool,
    dictionaries: Vec<Block>,
    batches: Vec<Block>,
}

impl Made {
    /// Begins with a schema, whose slots have been assigned.
    #[must_use]
    pub fn new(file: bool, schema: &Schema) -> Self {
        let bytes = if file { FILE_PREFIX.to_vec() } else { Vec::new() };
        let (dictionaries, batches) = (Vec::new(), Vec::new());
        let encoder = MessageEncoder::new();
        let mut made = Self { bytes, encoder, schema: schema.clone(), file, dictionaries, batches };
        let message = made.encoder.schema(schema).to_vec();
        made.push(&message, &[]);
        made
    }

    fn push(&mut self, metadata: &[u8], body: &[u8]) -> Block {
        let offset = self.bytes.len() as u64;
        let head = write_head(&mut self.bytes, metadata, offset).expect("a small head");
        self.bytes.extend_from_slice(body);
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let metadata_len = u32::try_from(head).expect("a small head");
        Block { offset, metadata_len, body_len: body.len().next_multiple_of(8) as u64 }
    }

    /// Adds a record batch.
    ///
    /// # Panics
    /// When its header is larger than the format allows.
    pub fn batch(&mut self, header: &BatchHeader, body: &[u8]) {
        let len = body.len().next_multiple_of(8) as u64;
        let message = self.encoder.batch(header, len, &[]).expect("a small header").to_vec();
        let block = self.push(&message, body);
        self.batches.push(block);
    }

    /// Adds a dictionary batch.
    ///
    /// # Panics
    /// When its header is larger than the format allows.
    pub fn dictionary(&mut self, header: &DictionaryHeader, body: &[u8]) {
        let len = body.len().next_multiple_of(8) as u64;
        let message = self.encoder.dictionary(header, len, &[]).expect("a small header").to_vec();
        let block = self.push(&message, body);
        self.dictionaries.push(block);
    }

    /// Has the footer name each block of dictionaries and of batches this many times.
    pub fn repeat(&mut self, dictionaries: usize, batches: usize) {
        let repeat = |blocks: &mut Vec<Block>, times| {
            *blocks = blocks.iter().flat_map(|block| std::iter::repeat_n(*block, times)).collect();
        };
        repeat(&mut self.dictionaries, dictionaries);
        repeat(&mut self.batches, batches);
    }

    /// Its bytes.
    ///
    /// # Panics
    /// When the footer is larger than the format allows.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&END_OF_STREAM);
        if !self.file {
            return self.bytes;
        }
        let Self { schema, dictionaries, batches, .. } = self;
        let footer = Footer { schema, dictionaries, batches, ..Footer::default() };
        let footer = self.encoder.footer(&footer).expect("a small footer");
        let len = i32::try_from(footer.len()).expect("a small footer");
        self.bytes.extend_from_slice(footer);
        self.bytes.extend_from_slice(&len.to_le_bytes());
        self.bytes.extend_from_slice(&FILE_MAGIC);
        self.bytes
    }

    fn any_batch(&mut self, choices: &mut dyn Choose, fields: &[Field]) {
        let rows = rows(choices);
        let mut columns = Columns::new(choices);
        for field in fields {
            columns.field(choices, field, rows);
        }
        let (header, body) = columns.finish(rows);
        self.batch(&header, &body);
    }

    fn any_dictionary(&mut self, choices: &mut dyn Choose, field: &Field) {
        let Some(encoding) = &field.dictionary else { return };
        let rows = rows(choices);
        let mut columns = Columns::new(choices);
        columns.values(choices, field, rows);
        let (batch, body) = columns.finish(rows);
        let is_delta = choices.choose(3) == 0;
        let header = DictionaryHeader { id: encoding.id, is_delta, batch };
        // Sent again and again.
        for _ in 0..pick(choices, &[1, 1, 1, 2, 20]) {
            self.dictionary(&header, &body);
        }
    }
}

/// The nodes and buffers of a batch, and the body they share.
struct Columns {
    header: BatchHeader,
    body: Body,
}

impl Columns {
    fn new(choices: &mut dyn Choose) -> Self {
        let compression = pick(choices, &[None, None, Some(Codec::Zstd)]);
        let body = Body::new(compression.is_some());
        Self { header: BatchHeader { compression, ..BatchHeader::default() }, body }
    }

    fn finish(self, rows: usize) -> (BatchHeader, Vec<u8>) {
        let Self { header, body } = self;
        (BatchHeader { rows, ..header }, body.into_bytes())
    }

    /// A field's array of `rows` rows: keys, if it has a dictionary.
    fn field(&mut self, choices: &mut dyn Choose, field: &Field, rows: usize) {
        if let Some(encoding) = &field.dictionary {
            self.node(choices, rows);
            self.buffer(choices, Role::Validity, rows);
            return self.buffer(choices, Role::Small(usize::from(encoding.index.bits / 8)), rows);
        }
        self.values(choices, field, rows);
    }

    fn node(&mut self, choices: &mut dyn Choose, rows: usize) {
        let null_count = if choices.choose(4) == 0 { rows / 2 } else { 0 };
        self.header.nodes.push(FieldNode { len: rows, null_count });
    }

    fn buffer(&mut self, choices: &mut dyn Choose, role: Role, rows: usize) {
        let spec: BufferSpec = self.body.place(choices, role, rows);
        self.header.buffers.push(spec);
    }

    /// The array of a field's values.
    fn values(&mut self, choices: &mut dyn Choose, field: &Field, rows: usize) {
        let FieldOf { roles, has_validity, children, is_view } = fields::layout(field);
        self.node(choices, rows);
        if has_validity {
            self.buffer(choices, Role::Validity, rows);
        }
        for role in roles {
            self.buffer(choices, role, rows);
        }
        if is_view {
            let count = choices.choose(3);
            self.header.variadic.push(count);
            (0..count).for_each(|_| self.buffer(choices, Role::Data, rows));
        }
        if let (DataType::RunEndEncoded, [ends, values]) = (&field.data_type, field.children.as_slice()) {
            return self.runs(choices, ends, values, rows);
        }
        for (child, len) in field.children.iter().zip(children) {
            let len = len.of(choices, rows);
            self.field(choices, child, len);
        }
    }

    /// One run of all rows, or some runs.
    fn runs(&mut self, choices: &mut dyn Choose, ends: &Field, values: &Field, rows: usize) {
        let count = pick(choices, &[1, 1, 1, body::STEPS]);
        let width = if let DataType::Int(int) = &ends.data_type { usize::from(int.bits / 8) } else { 4 };
        self.header.nodes.push(FieldNode { len: count, null_count: 0 });
        self.header.buffers.push(BufferSpec::default());
        self.buffer(choices, Role::RunEnds { width, count }, rows);
        self.field(choices, values, count);
    }
}
