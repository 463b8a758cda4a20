//! Bodies with another codec: buffers are decompressed and compressed, and keep their bytes.

use std::sync::atomic::{AtomicUsize, Ordering};

use floe_codec::{Compression, UncompressedFrame, compress_with};
use floe_format::{
    BatchHeader, BodyLayout, BufferSpec, DataType, Field, IpcLimits, Message, Schema, Version,
};
use floe_runtime::Executor;

use crate::body::{batch_of, decompressed, read_body, stored};
use crate::fault::{Fault, Result};
use crate::scan::MessageInfo;
use crate::source::ReadAt;

/// The fate of a body's buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recompression {
    /// They are stored raw.
    Raw,
    /// They are compressed so.
    To(Compression),
}

/// Makes bodies.
#[derive(Debug)]
pub(crate) struct Bodies {
    /// None: the buffers stay as they are stored.
    to: Option<Recompression>,
    limits: IpcLimits,
    threads: usize,
    body: Vec<u8>,
}

/// A body: buffers that lie one behind another with padding between.
pub(crate) struct NewBody {
    pub(crate) header: BatchHeader,
    pub(crate) buffers: Vec<(BufferSpec, Vec<u8>)>,
    pub(crate) len: u64,
}

impl Bodies {
    pub(crate) fn new(to: Recompression, limits: IpcLimits) -> Self {
        Self { to: Some(to), ..Self::as_they_are(limits) }
    }

    pub(crate) fn as_they_are(limits: IpcLimits) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { to: None, limits, threads, body: Vec::new() }
    }

    /// Whether heads may be written anew, which makes them version 5: unions of version 4 have a buffer more.
    pub(crate) fn check(&self, schema: &Schema, version: Version) -> std::result::Result<(), String> {
        fn has_union(field: &Field) -> bool {
            matches!(field.data_type, DataType::Union { .. }) || field.children.iter().any(has_union)
        }
        if version == Version::V4 && schema.fields.iter().any(has_union) {
            return Err("unions of metadata version 4 have a buffer that later versions do not have".into());
        }
        Ok(())
    }

    pub(crate) fn make(
        &mut self,
        source: &dyn ReadAt,
        info: &MessageInfo,
        message: &Message,
    ) -> Result<NewBody> {
        let Some(batch) = batch_of(message) else {
            return Err(Fault::new(info.offset, "a schema has no body").within(info.id));
        };
        let mut body = std::mem::take(&mut self.body);
        read_body(source, info, &mut body)?;
        let made = self.buffers(info, batch, &body);
        self.body = body;
        let mut layout = BodyLayout::default();
        let buffers: Vec<_> = made?.into_iter().map(|bytes| (layout.push(bytes.len()), bytes)).collect();
        let compression = match self.to {
            None => batch.compression,
            Some(Recompression::Raw) => None,
            Some(Recompression::To(compression)) => Some(compression.codec()),
        };
        let header = BatchHeader {
            buffers: buffers.iter().map(|(spec, _)| *spec).collect(),
            compression,
            ..batch.clone()
        };
        Ok(NewBody { header, buffers, len: layout.body_len() })
    }

    fn buffers(&self, info: &MessageInfo, batch: &BatchHeader, body: &[u8]) -> Result<Vec<Vec<u8>>> {
        let n = batch.buffers.len();
        let largest = batch.buffers.iter().map(|spec| spec.len).max().unwrap_or(0);
        let total: u64 = batch.buffers.iter().map(|spec| spec.len).sum();
        // One large buffer is cut in pieces by the codec; of many buffers each thread takes some.
        let by_buffer = largest.saturating_mul(self.threads as u64) <= total.saturating_mul(2);
        let (outer, inner) = if by_buffer { (self.threads, 1) } else { (1, self.threads) };
        let executor: &dyn Executor = &Threads(outer);
        let made = executor.map(n, |number| self.buffer(info, batch, number, body, inner));
        made.into_iter().collect()
    }

    fn buffer(
        &self,
        info: &MessageInfo,
        batch: &BatchHeader,
        number: usize,
        body: &[u8],
        threads: usize,
    ) -> Result<Vec<u8>> {
        let Some(spec) = batch.buffers.get(number) else { return Ok(Vec::new()) };
        let bytes = stored(body, *spec);
        let fault = |what: String| {
            Fault::new(info.body().saturating_add(spec.offset), what).within(info.id).of_buffer(number)
        };
        let to = match self.to {
            None => return Ok(bytes.to_vec()),
            Some(to) => to,
        };
        let mut raw = Vec::new();
        decompressed(batch.compression, bytes, self.limits.max_buffer_bytes, &mut raw).map_err(fault)?;
        match to {
            Recompression::To(compression) if !raw.is_empty() => {
                let mut out = i64::try_from(raw.len()).unwrap_or(i64::MAX).to_le_bytes().to_vec();
                let by = Threads(threads);
                if !compress_with(compression, &raw, &mut out, &by)
                    .map_err(|error| fault(error.to_string()))?
                {
                    let frame = UncompressedFrame::new(compression.codec(), raw.len());
                    out.reserve_exact(frame.len());
                    (0..).map_while(|i| frame.piece(&raw, i)).for_each(|piece| out.extend_from_slice(piece));
                }
                Ok(out)
            },
            Recompression::To(_) | Recompression::Raw => Ok(raw),
        }
    }
}

/// This many threads, started for each piece of work.
struct Threads(usize);

impl Executor for Threads {
    fn for_each(&self, n: usize, work: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        let take = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= n {
                    break;
                }
                work(number);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.0.min(n) {
                scope.spawn(take);
            }
            take();
        });
    }

    fn is_serial(&self) -> bool {
        self.0 <= 1
    }
}
