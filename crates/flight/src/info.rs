//! A service's information about its data.

use bytes::Bytes;
use polars_core::prelude::*;

use crate::error::FlightResult;
use crate::options::FlightOptions;
use crate::protocol::{FlightDescriptor, FlightEndpoint, FlightInfo, Ticket, write_schema};

/// A data set that can be fetched: its schema, and the tickets for its parts.
///
/// ```
/// use floe_flight::{FlightDescriptor, FrameInfo, Ticket};
/// use polars_core::prelude::*;
///
/// let schema = Schema::from_iter([Field::new("day".into(), DataType::Date)]);
/// let info = FrameInfo::new(schema.into())
///     .with_descriptor(FlightDescriptor::of_path(["flights"]))
///     .with_ticket(Ticket::new("flights"))
///     .with_rows(27_004);
/// # let _ = info;
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct FrameInfo {
    schema: InfoSchema,
    descriptor: Option<FlightDescriptor>,
    endpoints: Vec<FlightEndpoint>,
    rows: Option<u64>,
    bytes: Option<u64>,
    ordered: bool,
    app_metadata: Bytes,
}

#[derive(Debug, Clone)]
enum InfoSchema {
    Polars(SchemaRef),
    /// A message: that of a table which Polars has no types for.
    #[cfg_attr(not(feature = "sql"), expect(dead_code, reason = "only the tables of Flight SQL are such"))]
    Message(Bytes),
}

impl FrameInfo {
    /// A data set of this schema. See [`FrameInfo`] for an example.
    pub fn new(schema: SchemaRef) -> Self {
        Self::of(InfoSchema::Polars(schema))
    }

    #[cfg(feature = "sql")]
    pub(crate) fn of_message(schema: Bytes) -> Self {
        Self::of(InfoSchema::Message(schema))
    }

    fn of(schema: InfoSchema) -> Self {
        let (descriptor, endpoints, app_metadata) = (None, Vec::new(), Bytes::new());
        Self { schema, descriptor, endpoints, rows: None, bytes: None, ordered: false, app_metadata }
    }

    /// The name of the data set. Defaults to the descriptor that was asked for. See [`FrameInfo`] for an example.
    pub fn with_descriptor(mut self, descriptor: FlightDescriptor) -> Self {
        self.descriptor = Some(descriptor);
        self
    }

    /// Adds a part that this server gives for the ticket. See [`FrameInfo`] for an example.
    pub fn with_ticket(self, ticket: Ticket) -> Self {
        self.with_endpoint(FlightEndpoint { ticket: Some(ticket), ..FlightEndpoint::default() })
    }

    /// Adds a part that may be somewhere else.
    ///
    /// ```
    /// use floe_flight::protocol::Location;
    /// use floe_flight::{FlightEndpoint, FrameInfo, Ticket};
    ///
    /// let elsewhere = Location { uri: "grpc://10.0.0.2:8815".to_owned() };
    /// let endpoint = FlightEndpoint { ticket: Some(Ticket::new("1")), location: vec![elsewhere], ..Default::default() };
    /// let info = FrameInfo::new(Default::default()).with_endpoint(endpoint);
    /// # let _ = info;
    /// ```
    pub fn with_endpoint(mut self, endpoint: FlightEndpoint) -> Self {
        self.endpoints.push(endpoint);
        self
    }

    /// Rows of all parts, if they are known. See [`FrameInfo`] for an example.
    pub fn with_rows(mut self, rows: u64) -> Self {
        self.rows = Some(rows);
        self
    }

    /// Bytes of all parts, if they are known.
    ///
    /// ```
    /// let info = floe_flight::FrameInfo::new(Default::default()).with_bytes(1 << 20);
    /// # let _ = info;
    /// ```
    pub fn with_bytes(mut self, bytes: u64) -> Self {
        self.bytes = Some(bytes);
        self
    }

    /// Whether the order of the parts means something. Defaults to false.
    ///
    /// ```
    /// let info = floe_flight::FrameInfo::new(Default::default()).with_ordered(true);
    /// # let _ = info;
    /// ```
    pub fn with_ordered(mut self, ordered: bool) -> Self {
        self.ordered = ordered;
        self
    }

    /// Metadata of the application.
    ///
    /// ```
    /// let info = floe_flight::FrameInfo::new(Default::default()).with_app_metadata("version 2");
    /// # let _ = info;
    /// ```
    pub fn with_app_metadata(mut self, app_metadata: impl Into<Bytes>) -> Self {
        self.app_metadata = app_metadata.into();
        self
    }

    /// The schema as a message.
    pub(crate) fn schema_message(&self, options: &FlightOptions) -> FlightResult<Bytes> {
        Ok(match &self.schema {
            InfoSchema::Polars(schema) => write_schema(schema, options)?,
            InfoSchema::Message(message) => message.clone(),
        })
    }

    /// As the protocol has it. -1 is a number that is not known.
    pub(crate) fn into_info(
        self,
        asked: Option<FlightDescriptor>,
        options: &FlightOptions,
    ) -> FlightResult<FlightInfo> {
        let message = self.schema_message(options)?;
        let Self { schema: _, descriptor, endpoints, rows, bytes, ordered, app_metadata } = self;
        let number = |number: Option<u64>| number.and_then(|number| i64::try_from(number).ok()).unwrap_or(-1);
        Ok(FlightInfo {
            schema: message,
            flight_descriptor: descriptor.or(asked),
            endpoint: endpoints,
            total_records: number(rows),
            total_bytes: number(bytes),
            ordered,
            app_metadata,
        })
    }
}
