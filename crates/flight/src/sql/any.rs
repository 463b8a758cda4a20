//! Commands in their envelope.

use bytes::Bytes;
use prost::Message;
use prost_types::Any;

use crate::error::{FlightError, FlightResult};

/// Prefix of the names in envelopes.
const PREFIX: &str = "type.googleapis.com/";
/// Package of the commands.
const PACKAGE: &str = "arrow.flight.protocol.sql.";

/// A command that has been taken out of its envelope: its name within Flight SQL, and its bytes.
pub(super) struct Command {
    name: String,
    value: Vec<u8>,
}

impl Command {
    /// Opens an envelope.
    pub(super) fn open(bytes: &[u8]) -> FlightResult<Self> {
        let any = Any::decode(bytes)
            .map_err(|error| FlightError::invalid(format!("the command is none of Flight SQL: {error}")))?;
        let name = any.type_url.rsplit('/').next().unwrap_or_default();
        match name.strip_prefix(PACKAGE) {
            Some(name) => Ok(Self { name: name.to_owned(), value: any.value }),
            None => {
                Err(FlightError::invalid(format!("the command {:?} is none of Flight SQL", any.type_url)))
            },
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The command as the type of its name.
    pub(super) fn read<T: Message + Default>(&self) -> FlightResult<T> {
        T::decode(self.value.as_slice())
            .map_err(|error| FlightError::invalid(format!("{} is not valid: {error}", self.name)))
    }

    /// The error that it is not answered.
    pub(super) fn unknown(&self) -> FlightError {
        FlightError::unimplemented(format!("this server does not answer {}", self.name))
    }
}

/// Puts a message into an envelope.
pub(super) fn enclose(name: &str, message: &impl Message) -> Bytes {
    let any = Any { type_url: format!("{PREFIX}{PACKAGE}{name}"), value: message.encode_to_vec() };
    any.encode_to_vec().into()
}
