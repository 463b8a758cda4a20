//! One small body, whose pieces the buffers of all columns share.

use floe_format::BufferSpec;

use super::{Choose, pick};

/// The contents of a buffer, as far as they matter for being valid.
#[derive(Clone, Copy)]
pub(super) enum Role {
    /// Bits.
    Validity,
    /// Values, keys, type ids, sizes: each of this many bytes, zeros or small numbers.
    Small(usize),
    /// One more than there are rows, each of this many bytes.
    Offsets(usize),
    /// This many run ends of this many bytes.
    RunEnds { width: usize, count: usize },
    /// Views.
    Views,
    /// The data that offsets and views point into.
    Data,
}

/// Bytes of zeros.
const ZEROS: usize = 2048;
/// The most different numbers of a buffer.
pub(super) const STEPS: usize = 64;

/// A body in the making.
pub(super) struct Body {
    bytes: Vec<u8>,
    packed: bool,
}

impl Body {
    /// A body with the pieces that all share; as bytes of `packed` buffers those are stored.
    pub(super) fn new(packed: bool) -> Self {
        let mut body = Self { bytes: Vec::new(), packed };
        if !packed {
            body.bytes.resize(ZEROS, 0);
        }
        body
    }

    /// Its bytes, of which there are a multiple of 8.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        self.bytes
    }

    /// A buffer of that role.
    pub(super) fn place(&mut self, choices: &mut dyn Choose, role: Role, rows: usize) -> BufferSpec {
        match choices.choose(20) {
            0 => return BufferSpec::default(),
            // Anything that lies in the body.
            1 => {
                let end = choices.choose(self.bytes.len() + 1);
                let start = choices.choose(end + 1);
                return spec(start, end - start);
            },
            _ => {},
        }
        let small = rows.min(1 << 20);
        match role {
            Role::Validity => self.zeros(choices, rows / 8 + 1),
            Role::Small(width) => self.zeros(choices, rows.saturating_mul(width)),
            Role::Views => self.zeros(choices, rows.saturating_mul(16)),
            Role::Data => {
                let len = pick(choices, &[0, 100, ZEROS, 1 << 20]);
                self.zeros(choices, len)
            },
            Role::Offsets(width) if choices.choose(2) == 0 => {
                self.zeros(choices, rows.saturating_add(1).saturating_mul(width))
            },
            // One value of all bytes, then nothing; or values of one byte.
            Role::Offsets(width) => {
                let last = pick(choices, &[1, ZEROS, 1 << 20]);
                let steps: Vec<usize> = match small.min(STEPS) {
                    1 => vec![0, last],
                    few => (0..=few).collect(),
                };
                self.numbers(&steps, width)
            },
            Role::RunEnds { width, count } => {
                let mut ends: Vec<usize> = (1..count).collect();
                ends.push(rows);
                self.numbers(&ends, width)
            },
        }
    }

    /// `len` zeros, or all the zeros there are, or a frame of them.
    fn zeros(&mut self, choices: &mut dyn Choose, len: usize) -> BufferSpec {
        if !self.packed {
            return spec(0, if choices.choose(4) == 0 { ZEROS } else { len.min(ZEROS) });
        }
        let len = len.min(64 << 20);
        let start = self.bytes.len();
        // Often one that is there already is used again.
        if start > 0 && choices.choose(2) == 0 {
            return spec(0, start);
        }
        self.bytes.extend_from_slice(&zeros_by_zstd(len));
        spec(start, self.bytes.len() - start)
    }

    fn numbers(&mut self, numbers: &[usize], width: usize) -> BufferSpec {
        let start = self.bytes.len().next_multiple_of(8);
        self.bytes.resize(start, 0);
        if self.packed {
            // Stored as it is.
            self.bytes.extend_from_slice(&(-1i64).to_le_bytes());
        }
        for number in numbers {
            let number = i64::try_from(*number).expect("rows of the format");
            self.bytes.extend_from_slice(&number.to_le_bytes()[..width]);
        }
        spec(start, self.bytes.len() - start)
    }
}

fn spec(start: usize, len: usize) -> BufferSpec {
    BufferSpec { offset: start as u64, len: len as u64 }
}

/// A buffer of zeros as a ZSTD frame: 4 bytes for each 128 KiB of them.
///
/// # Panics
/// When it is of 4 GiB or more.
#[must_use]
pub fn zeros_by_zstd(len: usize) -> Vec<u8> {
    const BLOCK: usize = 128 << 10;
    let mut bytes = i64::try_from(len).expect("a small number").to_le_bytes().to_vec();
    bytes.extend_from_slice(&[0x28, 0xb5, 0x2f, 0xfd]);
    // A single segment, whose length is 4 bytes.
    bytes.push(0xa0);
    bytes.extend_from_slice(&u32::try_from(len).expect("a small number").to_le_bytes());
    let blocks = len.div_ceil(BLOCK).max(1);
    for block in 0..blocks {
        let size = BLOCK.min(len - block * BLOCK);
        let is_last = usize::from(block + 1 == blocks);
        // One byte, repeated.
        let head = u32::try_from(is_last | 1 << 1 | size << 3).expect("a small number");
        bytes.extend_from_slice(&head.to_le_bytes()[..3]);
        bytes.push(0);
    }
    bytes
}
