//! What stands in for a codec whose feature is not enabled: every call says which feature to enable.

#[cfg(not(feature = "lz4"))]
pub(crate) mod lz4 {
    use std::mem::MaybeUninit;

    use crate::{Each, Error, Result, Run};

    fn missing() -> Error {
        Error::new("LZ4 is not part of this build: enable the feature `lz4` of floe (or floe-codec)")
    }

    pub(crate) fn check() -> Result<()> {
        Err(missing())
    }

    /// There is none.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Way {}

    impl Way {
        pub(crate) fn of(_: &[u8]) -> Result<(Self, bool)> {
            Err(missing())
        }
    }

    pub(crate) fn append(way: Way, _: &[u8], _: &mut Vec<u8>, _: Run<'_>) -> Result<()> {
        match way {}
    }

    pub(crate) fn decompress(_: &[u8], _: &mut [MaybeUninit<u8>]) -> Result<()> {
        Err(missing())
    }

    pub(crate) fn decompress_in_pieces(
        _: &[u8],
        _: &mut [MaybeUninit<u8>],
        _: Run<'_>,
        _: Each<'_>,
    ) -> Result<bool> {
        Err(missing())
    }
}

#[cfg(not(feature = "zstd"))]
pub(crate) mod zstd {
    use std::mem::MaybeUninit;

    use crate::{Error, Result, Run};

    pub(crate) fn least(_: i32) -> usize {
        usize::MAX
    }

    fn missing() -> Error {
        Error::new("ZSTD is not part of this build: enable the feature `zstd` of floe (or floe-codec)")
    }

    pub(crate) fn check(_: i32) -> Result<()> {
        Err(missing())
    }

    /// There is none.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) enum Way {}

    impl Way {
        pub(crate) fn of(_: i32, _: &[u8]) -> Result<(Self, bool)> {
            Err(missing())
        }
    }

    pub(crate) fn append(way: &Way, _: &[u8], _: &mut Vec<u8>, _: Run<'_>) -> Result<()> {
        match *way {}
    }

    pub(crate) fn decompress(_: &[u8], _: &mut [MaybeUninit<u8>]) -> Result<()> {
        Err(missing())
    }

    pub(crate) fn decompress_with(_: &[u8], _: &mut [MaybeUninit<u8>], _: Run<'_>) -> Result<()> {
        Err(missing())
    }

    pub(crate) fn stated_len(_: &[u8]) -> Option<u64> {
        None
    }
}
