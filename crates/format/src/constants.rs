//! The format's fixed bytes. (Arrow `docs/source/format/Columnar.rst`, "Encapsulated message
//! format" and "IPC File Format".)

/// First and last bytes of a file.
pub const FILE_MAGIC: [u8; 6] = *b"ARROW1";
/// First eight bytes of a file: the magic, padded.
pub const FILE_PREFIX: [u8; 8] = *b"ARROW1\0\0";
/// Bytes behind the footer: its length (i32) and the magic.
pub const FILE_SUFFIX_LEN: usize = 10;
/// Marks a message since 0.15; before, a message began with its length.
pub const CONTINUATION: [u8; 4] = [0xff; 4];
/// Continuation marker and a length of zero: the end of a stream.
pub const END_OF_STREAM: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
/// Key of the footer's metadata that says where buffers are: true of these bodies, and of no others. (`docs/format.md`)
pub const LAYOUT_KEY: &str = "floe:layout";
/// Alignment, in bytes, of buffers and bodies that floe writes; readers cope with 8.
pub const ALIGNMENT: usize = 64;

/// `len` rounded up to a multiple of `align`, a power of two.
#[must_use]
pub const fn padded(len: usize, align: usize) -> usize {
    (len + align - 1) & !(align - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// These are on disks already: changing one of them changes the format.
    #[test]
    fn the_bytes_of_the_format() {
        assert_eq!(FILE_MAGIC, [0x41, 0x52, 0x52, 0x4f, 0x57, 0x31]);
        assert_eq!(FILE_PREFIX, [0x41, 0x52, 0x52, 0x4f, 0x57, 0x31, 0, 0]);
        assert_eq!(FILE_SUFFIX_LEN, 4 + FILE_MAGIC.len());
        assert_eq!(CONTINUATION, u32::MAX.to_le_bytes());
        assert_eq!(END_OF_STREAM, 0xffff_ffffu64.to_le_bytes());
        assert_eq!(ALIGNMENT, 64);
    }

    #[test]
    fn padding() {
        assert_eq!([0, 1, 8, 9, 64].map(|len| padded(len, 8)), [0, 8, 8, 16, 64]);
        assert_eq!(padded(65, ALIGNMENT), 128);
    }
}
