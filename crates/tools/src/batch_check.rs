//! One batch against its schema and its body.

use floe_format::{BatchHeader, BufferSpec, Endianness, FieldNode, IpcLimits, Message, Schema};

use crate::arrays::{ArrayInfo, BufferKind, BufferOf, Length, batch_arrays, dictionary_arrays, map_buffers};
use crate::body::{batch_of, decompressed, read_body, stored};
use crate::fault::Fault;
use crate::scan::MessageInfo;
use crate::source::ReadAt;
use crate::verify::VerifyOptions;

pub(crate) struct BatchCheck<'a> {
    source: &'a dyn ReadAt,
    limits: &'a IpcLimits,
    info: &'a MessageInfo,
    schema: &'a Schema,
    options: VerifyOptions,
    arrays: Vec<ArrayInfo>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) remarks: Vec<Fault>,
}

impl<'a> BatchCheck<'a> {
    pub(crate) fn new(
        source: &'a dyn ReadAt,
        limits: &'a IpcLimits,
        info: &'a MessageInfo,
        schema: &'a Schema,
        options: VerifyOptions,
    ) -> Self {
        let arrays = Vec::new();
        Self { source, limits, info, schema, options, arrays, faults: Vec::new(), remarks: Vec::new() }
    }

    fn fault(&mut self, what: impl Into<String>) -> &mut Fault {
        self.faults.push(Fault::new(self.info.offset, what).within(self.info.id));
        // Just pushed.
        let last = self.faults.len() - 1;
        &mut self.faults[last]
    }

    /// A fault of a buffer.
    fn of_buffer(&mut self, number: usize, array: usize, spec: BufferSpec, what: impl Into<String>) {
        let column = self.arrays.get(array).map(|array| array.path.clone());
        let at = self.info.body().saturating_add(spec.offset);
        let fault = Fault::new(at, what).within(self.info.id).of_buffer(number);
        self.faults.push(Fault { column, ..fault });
    }

    fn of_array(&mut self, array: usize, what: impl Into<String>) {
        let column = self.arrays.get(array).map(|array| array.path.clone());
        self.fault(what).column = column;
    }

    pub(crate) fn run(&mut self, message: &Message) {
        let Some(batch) = batch_of(message) else { return };
        let (schema, version) = (self.schema, self.info.version);
        let arrays = match self.info.dictionary {
            None => Some(batch_arrays(schema, version)),
            Some((id, _)) => dictionary_arrays(schema, id, version),
        };
        let Some(arrays) = arrays else {
            let id = self.info.dictionary.map_or(0, |(id, _)| id);
            self.fault(format!("no column has a dictionary of id {id}"));
            return;
        };
        self.arrays = arrays;
        if !self.info.head_len.is_multiple_of(8)
            || !self.info.body_len.is_multiple_of(8)
            || !self.info.offset.is_multiple_of(8)
        {
            self.fault("head and body are to begin at multiples of 8 bytes");
        }
        let buffers = match map_buffers(&self.arrays, batch) {
            Ok(buffers) => buffers,
            Err(what) => {
                self.fault(what);
                return;
            },
        };
        self.lengths(batch);
        self.places(batch, &buffers);
        if !self.options.quick && (self.faults.is_empty() || self.options.all) {
            self.bodies(batch, &buffers);
        }
    }

    /// The nodes against the rows.
    fn lengths(&mut self, batch: &BatchHeader) {
        for (number, node) in batch.nodes.iter().enumerate() {
            let Some(array) = self.arrays.get(number) else { continue };
            let len_of = |parent: usize| batch.nodes.get(parent).map_or(0, |node| node.len);
            let wrong = match array.length {
                Length::Rows => {
                    (node.len != batch.rows).then(|| format!("{} values in {} rows", node.len, batch.rows))
                },
                Length::Times(parent, each) => {
                    let need = len_of(parent).saturating_mul(each);
                    (node.len < need).then(|| format!("{} values, {need} are needed", node.len))
                },
                Length::Free => None,
            };
            if let Some(what) = wrong {
                self.of_array(number, what);
            }
        }
    }

    /// The buffers against each other and, where they are not compressed, against the rows.
    fn places(&mut self, batch: &BatchHeader, buffers: &[BufferOf]) {
        let mut end = 0;
        for (number, (spec, (array, kind))) in batch.buffers.iter().zip(buffers).enumerate() {
            if spec.len > 0 {
                if !spec.offset.is_multiple_of(8) {
                    self.of_buffer(
                        number,
                        *array,
                        *spec,
                        "a buffer is to begin at a multiple of 8 bytes of the body",
                    );
                }
                if spec.offset < end {
                    self.of_buffer(number, *array, *spec, "it overlaps the buffer before it");
                }
                end = spec.offset.saturating_add(spec.len);
            }
            if batch.compression.is_none() {
                self.long_enough(number, *array, *kind, *spec, spec.len, batch);
            }
        }
    }

    fn long_enough(
        &mut self,
        number: usize,
        array: usize,
        kind: BufferKind,
        spec: BufferSpec,
        len: u64,
        batch: &BatchHeader,
    ) {
        let node = batch.nodes.get(array).copied().unwrap_or_default();
        let need = match kind {
            BufferKind::Validity if node.null_count == 0 && len == 0 => 0,
            kind => kind.bytes_of(node.len).unwrap_or(0),
        };
        if len < need {
            let what = format!("{len} bytes of {} for {} values, which need {need}", kind.name(), node.len);
            self.of_buffer(number, array, spec, what);
        }
    }

    fn bodies(&mut self, batch: &BatchHeader, buffers: &[BufferOf]) {
        let mut body = Vec::new();
        if let Err(fault) = read_body(self.source, self.info, &mut body) {
            self.faults.push(fault);
            return;
        }
        self.padding(batch, &body);
        let mut raw = Vec::new();
        let mut offsets = Vec::new();
        for (number, (spec, (array, kind))) in batch.buffers.iter().zip(buffers).enumerate() {
            raw.clear();
            let bytes = match batch.compression {
                None => stored(&body, *spec),
                codec => {
                    let max = self.limits.max_buffer_bytes;
                    if let Err(what) = decompressed(codec, stored(&body, *spec), max, &mut raw) {
                        self.of_buffer(number, *array, *spec, what);
                        offsets.clear();
                        continue;
                    }
                    self.long_enough(number, *array, *kind, *spec, raw.len() as u64, batch);
                    raw.as_slice()
                },
            };
            let node = batch.nodes.get(*array).copied().unwrap_or_default();
            let wrong = match kind {
                BufferKind::Validity => validity(bytes, node),
                BufferKind::Offsets(width) => {
                    offsets = read_offsets(bytes, *width, node.len, self.schema.endianness);
                    let child = self
                        .arrays
                        .get(*array)
                        .is_some_and(|array| !array.buffers.contains(&BufferKind::Data));
                    let limit = child.then(|| batch.nodes.get(*array + 1).map_or(0, |node| node.len as u64));
                    ascending(&offsets, limit)
                },
                BufferKind::Data => {
                    let is_text = self.arrays.get(*array).is_some_and(|array| array.is_text);
                    ascending(&offsets, Some(bytes.len() as u64)).or_else(|| text(is_text, bytes, &offsets))
                },
                _ => None,
            };
            if let Some(what) = wrong {
                self.of_buffer(number, *array, *spec, what);
            }
        }
    }

    /// Bytes that belong to no buffer.
    fn padding(&mut self, batch: &BatchHeader, body: &[u8]) {
        let mut specs: Vec<BufferSpec> = batch.buffers.iter().copied().filter(|spec| spec.len > 0).collect();
        specs.sort_by_key(|spec| spec.offset);
        let mut at = 0;
        specs.push(BufferSpec { offset: body.len() as u64, len: 0 });
        for spec in specs {
            let start = usize::try_from(spec.offset).unwrap_or(usize::MAX);
            let gap = body.get(at..start.max(at)).unwrap_or_default();
            if let Some(odd) = gap.iter().position(|byte| *byte != 0) {
                let byte = self.info.body().saturating_add((at + odd) as u64);
                self.remarks.push(Fault::new(byte, "padding that is not zero").within(self.info.id));
                return;
            }
            at = at.max(usize::try_from(spec.offset.saturating_add(spec.len)).unwrap_or(usize::MAX));
        }
    }
}

fn validity(bytes: &[u8], node: FieldNode) -> Option<String> {
    if bytes.is_empty() {
        return (node.null_count > 0 && node.len > 0)
            .then(|| format!("{} nulls, but no validity says which", node.null_count));
    }
    let (whole, rest) = (node.len / 8, node.len % 8);
    let ones = |bytes: &[u8]| bytes.iter().map(|byte| byte.count_ones() as usize).sum::<usize>();
    let mut valid = ones(bytes.get(..whole)?);
    if rest > 0 {
        valid += (bytes.get(whole)? & ((1u8 << rest) - 1)).count_ones() as usize;
    }
    let nulls = node.len.saturating_sub(valid);
    (nulls != node.null_count)
        .then(|| format!("{nulls} nulls by its bits, the head says {}", node.null_count))
}

/// The offsets as numbers; negative ones become larger than anything.
fn read_offsets(bytes: &[u8], width: usize, rows: usize, endianness: Endianness) -> Vec<u64> {
    let number = |bytes: &[u8]| {
        let mut wide = [0u8; 8];
        for (i, byte) in bytes.iter().enumerate() {
            let at = if endianness == Endianness::Little { i } else { bytes.len() - 1 - i };
            if let Some(slot) = wide.get_mut(at) {
                *slot = *byte;
            }
        }
        let value = u64::from_le_bytes(wide);
        if width == 4 && value > i32::MAX.unsigned_abs().into() { u64::MAX } else { value }
    };
    let rows = if bytes.is_empty() { 0 } else { rows.saturating_add(1) };
    bytes.chunks_exact(width.max(1)).take(rows).map(number).collect()
}

fn ascending(offsets: &[u64], limit: Option<u64>) -> Option<String> {
    if let Some(row) = offsets.windows(2).position(|pair| pair.first() > pair.last()) {
        return Some(format!("the offsets descend, or are negative, at row {row}"));
    }
    let last = *offsets.last()?;
    let limit = limit?;
    (last > limit).then(|| format!("the offsets end at {last}, what they point into at {limit}"))
}

fn text(is_text: bool, bytes: &[u8], offsets: &[u64]) -> Option<String> {
    if !is_text {
        return None;
    }
    let slot = |pair: &[u64]| {
        let [from, to] = *pair else { return Some(&[] as &[u8]) };
        bytes.get(usize::try_from(from).ok()?..usize::try_from(to).ok()?)
    };
    let from = offsets.first().copied().unwrap_or(0);
    let to = offsets.last().copied().unwrap_or(0);
    // Mostly all of it is text and ASCII, or at least text: then only boundaries are left to look at.
    let whole = slot(&[from, to]).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let is_cut = |text: &str| {
        offsets.iter().any(|at| {
            at.checked_sub(from)
                .and_then(|at| usize::try_from(at).ok())
                .is_none_or(|at| !text.is_char_boundary(at))
        })
    };
    if whole.is_some_and(|text| !is_cut(text)) {
        return None;
    }
    let row = offsets
        .windows(2)
        .position(|pair| slot(pair).is_none_or(|bytes| std::str::from_utf8(bytes).is_err()));
    row.map(|row| format!("the text of row {row} is not UTF-8"))
}
