//! Tables in the exact types that Flight SQL asks for, which Polars has no dtypes for: 32-bit text, dense unions.
//!
//! Drivers check these types, or cast to them. So the few small tables that are about the server are built of buffers here.

use bytes::Bytes;
use floe_format::{
    BatchHeader, BodyLayout, DataType, Field, FieldNode, IntType, MessageEncoder, Schema, write_head,
};

use crate::error::{FlightError, FlightResult};
use crate::message::FlightData;

/// A table being built, column by column.
pub(super) struct WireTable {
    rows: usize,
    fields: Vec<Field>,
    nodes: Vec<FieldNode>,
    buffers: Vec<Vec<u8>>,
}

/// A field without children.
pub(super) fn field(name: &str, data_type: DataType, nullable: bool) -> Field {
    Field {
        name: name.into(),
        nullable,
        data_type,
        children: Vec::new(),
        dictionary: None,
        metadata: Vec::new(),
    }
}

/// A field with children.
pub(super) fn parent(name: &str, data_type: DataType, nullable: bool, children: Vec<Field>) -> Field {
    Field { children, ..field(name, data_type, nullable) }
}

pub(super) const INT32: DataType = DataType::Int(IntType { bits: 32, signed: true });
pub(super) const UINT32: DataType = DataType::Int(IntType { bits: 32, signed: false });
pub(super) const INT64: DataType = DataType::Int(IntType { bits: 64, signed: true });

impl WireTable {
    pub(super) fn new(rows: usize) -> Self {
        Self { rows, fields: Vec::new(), nodes: Vec::new(), buffers: Vec::new() }
    }

    /// A column of text.
    pub(super) fn text<S: AsRef<str>>(
        mut self,
        name: &str,
        nullable: bool,
        values: &[Option<S>],
    ) -> FlightResult<Self> {
        self.fields.push(field(name, DataType::Utf8, nullable));
        let values: Vec<_> =
            values.iter().map(|value| value.as_ref().map(|text| text.as_ref().as_bytes())).collect();
        self.push_bytes(&values)?;
        Ok(self)
    }

    /// A column of bytes.
    pub(super) fn binary(mut self, name: &str, values: &[Bytes]) -> FlightResult<Self> {
        self.fields.push(field(name, DataType::Binary, false));
        let values: Vec<_> = values.iter().map(|value| Some(value.as_ref())).collect();
        self.push_bytes(&values)?;
        Ok(self)
    }

    /// A column of numbers.
    pub(super) fn uint32(mut self, name: &str, values: &[u32]) -> Self {
        self.fields.push(field(name, UINT32, false));
        self.push_node(values.len(), 0);
        self.buffers.push(Vec::new());
        self.buffers.push(values.iter().flat_map(|value| value.to_le_bytes()).collect());
        self
    }

    /// A column whose nodes and buffers the caller pushes.
    pub(super) fn push_field(&mut self, field: Field) {
        self.fields.push(field);
    }

    pub(super) fn push_node(&mut self, len: usize, null_count: usize) {
        self.nodes.push(FieldNode { len, null_count });
    }

    pub(super) fn push_buffer(&mut self, bytes: Vec<u8>) {
        self.buffers.push(bytes);
    }

    /// Validity, offsets and values of text or bytes.
    pub(super) fn push_bytes(&mut self, values: &[Option<&[u8]>]) -> FlightResult<()> {
        let nulls = values.iter().filter(|value| value.is_none()).count();
        self.push_node(values.len(), nulls);
        let mut validity = vec![0u8; if nulls == 0 { 0 } else { values.len().div_ceil(8) }];
        let (mut offsets, mut bytes) = (0i32.to_le_bytes().to_vec(), Vec::new());
        for (row, value) in values.iter().enumerate() {
            if let Some(byte) = validity.get_mut(row / 8).filter(|_| value.is_some()) {
                *byte |= 1 << (row % 8);
            }
            bytes.extend_from_slice(value.unwrap_or_default());
            let end = i32::try_from(bytes.len())
                .map_err(|_| FlightError::invalid("the tables have more than 2 GiB of names and schemas"))?;
            offsets.extend_from_slice(&end.to_le_bytes());
        }
        self.buffers.extend([validity, offsets, bytes]);
        Ok(())
    }

    fn schema(&self) -> Schema {
        Schema { fields: self.fields.clone(), ..Schema::default() }
    }

    /// The schema as a message with its prefix.
    pub(super) fn schema_message(&self) -> FlightResult<Bytes> {
        let mut out = Vec::new();
        write_head(&mut out, MessageEncoder::new().schema(&self.schema()), 0).map_err(invalid)?;
        Ok(out.into())
    }

    /// The messages of a stream: the schema, and a batch if there are rows.
    pub(super) fn into_messages(self) -> FlightResult<Vec<FlightData>> {
        let mut encoder = MessageEncoder::new();
        let header = Bytes::copy_from_slice(encoder.schema(&self.schema()));
        let mut messages = vec![FlightData { data_header: header, ..FlightData::default() }];
        let Self { rows, fields: _, nodes, buffers } = self;
        if rows > 0 {
            let (mut layout, mut body, mut specs) = (BodyLayout::default(), Vec::new(), Vec::new());
            for buffer in buffers {
                specs.push(layout.push(buffer.len()));
                body.extend_from_slice(&buffer);
                body.resize(usize::try_from(layout.body_len()).unwrap_or(usize::MAX), 0);
            }
            let batch = BatchHeader { rows, nodes, buffers: specs, ..BatchHeader::default() };
            let header = encoder.batch(&batch, layout.body_len(), &[]).map_err(invalid)?;
            let data_header = Bytes::copy_from_slice(header);
            messages.push(FlightData { data_header, data_body: body.into(), ..FlightData::default() });
        }
        Ok(messages)
    }
}

fn invalid(error: floe_format::Error) -> FlightError {
    FlightError::invalid(error.to_string())
}
