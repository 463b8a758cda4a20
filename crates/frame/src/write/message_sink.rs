//! Where messages go: to a writer as bytes, or to a caller as heads and pieces of bodies.
//!
//! ```text
//!   Engine -> Emitter -> MessageSink: Output (a writer) | MessageQueue (a caller takes them)
//! ```

use floe_format::Block;
use polars_error::PolarsResult;

use super::batch::EncodedBatch;
use super::message::IpcMessageKind;

/// Takes messages in their order.
pub(crate) trait MessageSink {
    /// Bytes from the start of the stream or file to the next message.
    fn position(&self) -> u64;

    /// Sets the position of the next message: somebody else has written the bytes before it.
    fn go_on_at(&mut self, position: u64);

    /// Takes what stands in front of the first message.
    fn start(&mut self, magic: &[u8]) -> PolarsResult<()>;

    /// Takes a message: its flatbuffer, and its body if it has one. Returns where it lies. A buffer of the body that is
    /// still being made is waited for.
    fn message(
        &mut self,
        kind: IpcMessageKind,
        flatbuffer: &[u8],
        body: Option<EncodedBatch>,
    ) -> PolarsResult<Block>;

    /// Takes what stands behind the last message, in pieces.
    fn end(&mut self, pieces: &[&[u8]]) -> PolarsResult<()>;

    /// Gives back memory that only the next message needs.
    fn shrink_to_fit(&mut self);
}
