//! One message of a Flight stream, whose body is written from where it lies.
//!
//! ```text
//!   FlightData | 1: descriptor | 2: data_header | 3: app_metadata | 1000: data_body |
//!                                 flatbuffer                        piece piece ...    one copy each, into the gRPC frame
//! ```
//!
//! The type is written by hand, since the generated one would want the body in one piece: a second copy of all data.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::DecodeError;
use prost::encoding::{
    DecodeContext, WireType, encode_key, encode_varint, encoded_len_varint, key_len, skip_field,
};

use crate::protocol::FlightDescriptor;

const DESCRIPTOR: u32 = 1;
const HEADER: u32 = 2;
const APP_METADATA: u32 = 3;
/// Last, so that readers know all else before the body.
const BODY: u32 = 1000;

/// A message of Flight's streams of data: `FlightData` of `Flight.proto`.
///
/// ```
/// use floe_flight::FlightData;
/// use prost::Message;
///
/// let data = FlightData { data_body: vec![1, 2, 3].into(), ..FlightData::default() };
/// let bytes = data.encode_to_vec();
/// assert_eq!(FlightData::decode(bytes.as_slice())?.data_body.into_bytes(), [1u8, 2, 3].as_slice());
/// # Ok::<(), prost::DecodeError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FlightData {
    /// Which data this is: in the first message of a put or an exchange.
    pub flight_descriptor: Option<FlightDescriptor>,
    /// The flatbuffer `Message` of Arrow IPC, without marker and length. Empty if the message has metadata only.
    pub data_header: Bytes,
    /// Bytes of the application.
    pub app_metadata: Bytes,
    /// The body that belongs to the header.
    pub data_body: FlightBody,
}

/// The body of a [`FlightData`]: pieces that are joined on the wire.
///
/// ```
/// use floe_flight::FlightBody;
///
/// let body: FlightBody = [vec![1, 2], vec![3]].map(bytes::Bytes::from).into_iter().collect();
/// assert_eq!((body.len(), body.pieces().len()), (3, 2));
/// assert_eq!(body, FlightBody::from(vec![1, 2, 3]));
/// ```
#[derive(Debug, Clone, Default)]
pub struct FlightBody {
    pieces: Vec<Bytes>,
}

impl FlightBody {
    /// Bytes of all pieces. See [`FlightBody`] for an example.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    /// Whether there are no bytes.
    ///
    /// ```
    /// assert!(floe_flight::FlightBody::default().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pieces, in their order. A body that came over the wire has one. See [`FlightBody`] for an example.
    #[must_use]
    pub fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    /// The body in one piece: copied if it has several.
    ///
    /// ```
    /// assert_eq!(floe_flight::FlightBody::from(vec![1]).into_bytes(), [1u8].as_slice());
    /// ```
    #[must_use]
    pub fn into_bytes(mut self) -> Bytes {
        if self.pieces.len() > 1 {
            let mut all = BytesMut::with_capacity(self.len());
            self.pieces.iter().for_each(|piece| all.extend_from_slice(piece));
            return all.freeze();
        }
        self.pieces.pop().unwrap_or_default()
    }
}

/// The same bytes, whatever pieces they are in.
impl PartialEq for FlightBody {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.pieces.iter().flatten().eq(other.pieces.iter().flatten())
    }
}

impl Eq for FlightBody {}

impl From<Bytes> for FlightBody {
    fn from(bytes: Bytes) -> Self {
        Self { pieces: if bytes.is_empty() { Vec::new() } else { vec![bytes] } }
    }
}

impl From<Vec<u8>> for FlightBody {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl FromIterator<Bytes> for FlightBody {
    fn from_iter<T: IntoIterator<Item = Bytes>>(pieces: T) -> Self {
        Self { pieces: pieces.into_iter().filter(|piece| !piece.is_empty()).collect() }
    }
}

/// Bytes of a field of this length, with its key; a field without bytes is left out.
fn field_len(tag: u32, len: usize) -> usize {
    if len == 0 { 0 } else { key_len(tag) + encoded_len_varint(len as u64) + len }
}

impl prost::Message for FlightData {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        let Self { flight_descriptor, data_header, app_metadata, data_body } = self;
        if let Some(descriptor) = flight_descriptor {
            prost::encoding::message::encode(DESCRIPTOR, descriptor, buf);
        }
        for (tag, bytes) in [(HEADER, data_header), (APP_METADATA, app_metadata)] {
            if !bytes.is_empty() {
                prost::encoding::bytes::encode(tag, bytes, buf);
            }
        }
        if !data_body.is_empty() {
            encode_key(BODY, WireType::LengthDelimited, buf);
            encode_varint(data_body.len() as u64, buf);
            data_body.pieces.iter().for_each(|piece| buf.put_slice(piece));
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        match tag {
            DESCRIPTOR => {
                let descriptor = self.flight_descriptor.get_or_insert_default();
                prost::encoding::message::merge(wire_type, descriptor, buf, ctx)
            },
            HEADER => prost::encoding::bytes::merge(wire_type, &mut self.data_header, buf, ctx),
            APP_METADATA => prost::encoding::bytes::merge(wire_type, &mut self.app_metadata, buf, ctx),
            BODY => {
                let mut body = Bytes::new();
                prost::encoding::bytes::merge(wire_type, &mut body, buf, ctx)?;
                self.data_body = body.into();
                Ok(())
            },
            _ => skip_field(wire_type, tag, buf, ctx),
        }
    }

    fn encoded_len(&self) -> usize {
        let Self { flight_descriptor, data_header, app_metadata, data_body } = self;
        let descriptor = flight_descriptor.as_ref();
        descriptor.map_or(0, |descriptor| prost::encoding::message::encoded_len(DESCRIPTOR, descriptor))
            + field_len(HEADER, data_header.len())
            + field_len(APP_METADATA, app_metadata.len())
            + field_len(BODY, data_body.len())
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}
