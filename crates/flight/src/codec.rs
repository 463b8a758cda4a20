//! Messages to and from gRPC frames.
//!
//! tonic's own codec lets the buffer of a frame grow while a message is written into it, which copies what is there
//! already. This one makes room for the whole message first: each byte of a body is copied once.

use std::marker::PhantomData;

use prost::Message;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// The codec of the generated client and server.
#[derive(Debug)]
pub(crate) struct FlightCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for FlightCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

/// Writes messages.
#[derive(Debug)]
pub(crate) struct FrameWriter<T>(PhantomData<T>);

/// Reads messages.
#[derive(Debug)]
pub(crate) struct FrameReader<U>(PhantomData<U>);

impl<T, U> Codec for FlightCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = FrameWriter<T>;
    type Decoder = FrameReader<U>;

    fn encoder(&mut self) -> FrameWriter<T> {
        FrameWriter(PhantomData)
    }

    fn decoder(&mut self) -> FrameReader<U> {
        FrameReader(PhantomData)
    }
}

impl<T: Message> Encoder for FrameWriter<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, item: T, buf: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buf.reserve(item.encoded_len());
        item.encode(buf).map_err(|error| Status::internal(format!("a message cannot be encoded: {error}")))
    }
}

impl<U: Message + Default> Decoder for FrameReader<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let message = U::decode(buf);
        message
            .map(Some)
            .map_err(|error| Status::internal(format!("a message is no valid protobuf: {error}")))
    }
}
