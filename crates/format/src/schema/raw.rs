//! Strings of a flatbuffer as bytes: planus gives out text only, and refuses what is not UTF-8.
//!
//! A [`Raw`] goes along with planus from table to table, by the slots of `Schema.fbs`, `Message.fbs` and `File.fbs`:
//!
//! ```text
//!   table: i32 back to its vtable | fields       vtable: u16 size | u16 | u16 offset of the field of each slot
//!   vector: u32 length | u32 forward to each     string: u32 length | bytes
//! ```
//!
//! It is asked where planus refuses a string of metadata, and nowhere else.

/// A table, or nothing where there is none.
#[derive(Clone, Copy)]
pub(crate) struct Raw<'a> {
    bytes: &'a [u8],
    at: Option<usize>,
}

impl<'a> Raw<'a> {
    /// The root of a flatbuffer.
    pub(crate) fn root(bytes: &'a [u8]) -> Self {
        let none = Self { bytes, at: None };
        Self { at: none.follow(0), ..none }
    }

    /// The table that a slot refers to.
    pub(crate) fn table(self, slot: usize) -> Self {
        Self { at: self.slot(slot).and_then(|at| self.follow(at)), ..self }
    }

    /// A table of the vector that a slot refers to.
    pub(crate) fn element(self, slot: usize, index: usize) -> Self {
        let element = || {
            let vector = self.follow(self.slot(slot)?)?;
            if index >= self.number(vector)? {
                return None;
            }
            self.follow(vector.checked_add(index.checked_add(1)?.checked_mul(4)?)?)
        };
        Self { at: element(), ..self }
    }

    /// The bytes of the string that a slot refers to.
    pub(crate) fn string(self, slot: usize) -> Option<&'a [u8]> {
        let at = self.follow(self.slot(slot)?)?;
        let start = at.checked_add(4)?;
        self.bytes.get(start..start.checked_add(self.number(at)?)?)
    }

    /// Where the field of a slot is.
    fn slot(self, slot: usize) -> Option<usize> {
        let table = self.at?;
        let back = i32::from_le_bytes(self.array(table)?);
        let vtable = usize::try_from(i64::try_from(table).ok()?.checked_sub(back.into())?).ok()?;
        let entry = slot.checked_mul(2)?.checked_add(4)?;
        if entry.checked_add(2)? > usize::from(u16::from_le_bytes(self.array(vtable)?)) {
            return None;
        }
        match u16::from_le_bytes(self.array(vtable.checked_add(entry)?)?) {
            0 => None,
            offset => table.checked_add(offset.into()),
        }
    }

    /// Where the reference at `at` leads.
    fn follow(self, at: usize) -> Option<usize> {
        at.checked_add(self.number(at)?)
    }

    fn number(self, at: usize) -> Option<usize> {
        usize::try_from(u32::from_le_bytes(self.array(at)?)).ok()
    }

    fn array<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.bytes.get(at..)?.first_chunk().copied()
    }
}
