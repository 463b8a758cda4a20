//! What stands in for a codec whose feature is not enabled: every call says which feature to enable.

#[cfg(not(feature = "lz4"))]
pub(crate) mod lz4 {
    use std::mem::MaybeUninit;

    use crate::{Error, Result, Run};

    pub(crate) fn check() -> Result<()> {
        Err(Error::new("LZ4 is not part of this build: enable the feature `lz4` of floe (or floe-codec)"))
    }

    pub(crate) fn append(_: &[u8], _: &mut Vec<u8>, _: Run<'_>) -> Result<()> {
        check()
    }

    pub(crate) fn decompress(_: &[u8], _: &mut [MaybeUninit<u8>]) -> Result<()> {
        check()
    }

    pub(crate) fn decompress_with(_: &[u8], _: &mut [MaybeUninit<u8>], _: Run<'_>) -> Result<()> {
        check()
    }
}

#[cfg(not(feature = "zstd"))]
pub(crate) mod zstd {
    use std::mem::MaybeUninit;

    use crate::{Error, Result, Run};

    pub(crate) fn check(_: i32) -> Result<()> {
        Err(Error::new("ZSTD is not part of this build: enable the feature `zstd` of floe (or floe-codec)"))
    }

    pub(crate) fn append(_: &[u8], level: i32, _: &mut Vec<u8>, _: Run<'_>) -> Result<()> {
        check(level)
    }

    pub(crate) fn decompress(_: &[u8], _: &mut [MaybeUninit<u8>]) -> Result<()> {
        check(0)
    }

    pub(crate) fn decompress_with(_: &[u8], _: &mut [MaybeUninit<u8>], _: Run<'_>) -> Result<()> {
        check(0)
    }

    pub(crate) fn stated_len(_: &[u8]) -> Option<u64> {
        None
    }
}
