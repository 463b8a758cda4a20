//! Stands in for a codec whose feature is not enabled: every call is an error that names the feature.

#[cfg(not(feature = "lz4"))]
pub(crate) mod lz4 {
    use std::mem::MaybeUninit;

    use floe_runtime::Executor;

    use crate::strategy::{Encoder, Strategy};
    use crate::{Codec, Each, Error, Result};

    const MISSING: Error = Error::NotEnabled(Codec::Lz4);

    /// There is none.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) enum Liblz4 {}
    pub(crate) use Liblz4 as Columnar;

    pub(crate) fn check() -> Result<()> {
        Err(MISSING)
    }

    pub(crate) fn choose(_: &[u8]) -> Result<(Strategy, bool)> {
        Err(MISSING)
    }

    impl Encoder for Liblz4 {
        fn append(&self, _: &[u8], _: &mut Vec<u8>) -> Result<()> {
            match *self {}
        }
    }

    pub(crate) fn append(encoder: &Liblz4, _: &[u8], _: &mut Vec<u8>, _: &dyn Executor) -> Result<()> {
        match *encoder {}
    }

    pub(crate) fn decompress(_: &[u8], _: &mut [MaybeUninit<u8>]) -> Result<()> {
        Err(MISSING)
    }

    pub(crate) fn decompress_in_pieces(
        _: &[u8],
        _: &mut [MaybeUninit<u8>],
        _: &dyn Executor,
        _: Each<'_>,
    ) -> Result<bool> {
        Err(MISSING)
    }
}

#[cfg(not(feature = "zstd"))]
pub(crate) mod zstd {
    use std::mem::MaybeUninit;

    use floe_runtime::Executor;

    use crate::strategy::{Encoder, Strategy};
    use crate::{Codec, Error, Result};

    const MISSING: Error = Error::NotEnabled(Codec::Zstd);

    /// There is none.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) enum Libzstd {}
    pub(crate) use Libzstd as Columnar;

    pub(crate) fn min_reusable_bytes(_: i32) -> usize {
        usize::MAX
    }

    pub(crate) fn check(_: i32) -> Result<()> {
        Err(MISSING)
    }

    pub(crate) fn choose(_: i32, _: &[u8]) -> Result<(Strategy, bool)> {
        Err(MISSING)
    }

    impl Encoder for Libzstd {
        fn append(&self, _: &[u8], _: &mut Vec<u8>) -> Result<()> {
            match *self {}
        }
    }

    pub(crate) fn append(encoder: &Libzstd, _: &[u8], _: &mut Vec<u8>, _: &dyn Executor) -> Result<()> {
        match *encoder {}
    }

    pub(crate) fn decompress(_: &[u8], _: &mut [MaybeUninit<u8>]) -> Result<()> {
        Err(MISSING)
    }

    pub(crate) fn decompress_with(_: &[u8], _: &mut [MaybeUninit<u8>], _: &dyn Executor) -> Result<()> {
        Err(MISSING)
    }

    pub(crate) fn stated_len(_: &[u8]) -> Option<u64> {
        None
    }
}
