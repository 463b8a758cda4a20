//! Who may call: a token, and users who get it for their password.
//!
//! ```text
//!   Handshake, `authorization: Basic base64(user:password)`  ->  `authorization: Bearer <token>` of the answer
//!   any other call, `authorization: Bearer <token>`
//! ```

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use tonic::Status;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

use crate::error::{FlightError, FlightResult};

const AUTHORIZATION: &str = "authorization";
/// Where pyarrow's own client handlers put their token.
const TOKEN_BIN: &str = "auth-token-bin";

/// The token that calls need, and who may ask for it.
#[derive(Clone, Default)]
pub(crate) struct Access {
    token: Option<String>,
    /// Users and their passwords.
    users: Vec<(String, String)>,
}

impl Access {
    pub(crate) fn set_token(&mut self, token: String) {
        self.token = Some(token);
    }

    pub(crate) fn add_user(&mut self, user: String, password: String) {
        self.users.push((user, password));
    }

    /// Whether the settings make sense together.
    pub(crate) fn checked(self) -> FlightResult<Self> {
        match &self.token {
            None if !self.users.is_empty() => Err(FlightError::invalid(
                "users log in for a token: give the server one by `with_token` as well",
            )),
            Some(token) if token.trim().is_empty() => {
                Err(FlightError::invalid("the token is empty: a variable that is not set?"))
            },
            Some(token) if bearer(token).is_err() => {
                Err(FlightError::invalid("the token has characters that a header cannot hold"))
            },
            _ => Ok(self),
        }
    }

    /// Whether a call may be answered.
    pub(crate) fn check(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let Some(token) = &self.token else { return Ok(()) };
        let bearer = metadata.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| scheme(value, "Bearer")).map(str::as_bytes);
        let of_handler = metadata.get_bin(TOKEN_BIN).and_then(|value| value.to_bytes().ok());
        let given = bearer.or(of_handler.as_deref());
        match given {
            None => Err(Status::unauthenticated("no token: `authorization: Bearer <token>` is needed")),
            Some(given) if same(given, token.as_bytes()) => Ok(()),
            Some(_) => Err(Status::unauthenticated("the token is not one of this server's")),
        }
    }

    /// The token for a user, as the value of a header. None if the call names no user.
    pub(crate) fn login(&self, metadata: &MetadataMap) -> Result<Option<MetadataValue<Ascii>>, Status> {
        let header = metadata.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some(encoded) = header.and_then(|value| scheme(value, "Basic")) else { return Ok(None) };
        let decoded =
            STANDARD.decode(encoded).or_else(|_| STANDARD_NO_PAD.decode(encoded)).unwrap_or_default();
        let text = String::from_utf8(decoded).unwrap_or_default();
        let (user, password) = text.split_once(':').unwrap_or_default();
        // All are compared, so that the time does not tell which names there are.
        let known = self.users.iter().fold(false, |known, (name, secret)| {
            known | (same(name.as_bytes(), user.as_bytes()) & same(secret.as_bytes(), password.as_bytes()))
        });
        match &self.token {
            Some(token) if known => bearer(token).map(Some),
            _ => Err(Status::unauthenticated("the user or the password is not known to this server")),
        }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No secrets.
        f.debug_struct("Access").field("users", &self.users.len()).finish_non_exhaustive()
    }
}

/// The header of a token.
pub(crate) fn bearer(token: &str) -> Result<MetadataValue<Ascii>, Status> {
    format!("Bearer {token}").parse().map_err(|_| Status::internal("the token cannot be sent as a header"))
}

/// The header of a user.
pub(crate) fn basic(user: &str, password: &str) -> Result<MetadataValue<Ascii>, Status> {
    let encoded = STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {encoded}").parse().map_err(|_| Status::internal("the user cannot be sent as a header"))
}

/// Puts the header into a call.
pub(crate) fn authorize(metadata: &mut MetadataMap, value: &MetadataValue<Ascii>) {
    metadata.insert(AUTHORIZATION, value.clone());
}

/// The token of an answer to a handshake.
pub(crate) fn answered(metadata: &MetadataMap) -> Option<MetadataValue<Ascii>> {
    metadata.get(AUTHORIZATION).cloned()
}

fn scheme<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let (scheme, rest) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case(name).then(|| rest.trim())
}

/// Compares in a time that depends on the lengths alone.
fn same(left: &[u8], right: &[u8]) -> bool {
    let differ = left.iter().zip(right).fold(0, |differ, (left, right)| differ | (left ^ right));
    left.len() == right.len() && differ == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: &str) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.insert(AUTHORIZATION, value.parse().expect("a header"));
        metadata
    }

    fn access() -> Access {
        let mut access = Access::default();
        access.set_token("secret".to_owned());
        access.add_user("ada".to_owned(), "pass:word".to_owned());
        access.checked().expect("settings")
    }

    #[test]
    fn tokens_are_compared_whole() {
        assert!(access().check(&with("Bearer secret")).is_ok());
        assert!(access().check(&with("bearer  secret ")).is_ok());
        for wrong in ["Bearer secre", "Bearer secrets", "Basic secret", "secret", "Bearer "] {
            assert!(access().check(&with(wrong)).is_err(), "{wrong}");
        }
        assert!(access().check(&MetadataMap::new()).is_err());
        assert!(Access::default().check(&MetadataMap::new()).is_ok());
    }

    #[test]
    fn users_get_the_token_for_their_password() {
        let header = |user, password| with(basic(user, password).expect("a header").to_str().expect("text"));
        let token = access().login(&header("ada", "pass:word")).expect("a user").expect("a token");
        assert_eq!(token, "Bearer secret");
        assert!(access().login(&header("ada", "password")).is_err());
        assert!(access().login(&header("eve", "pass:word")).is_err());
        assert!(access().login(&with("Basic !!")).is_err());
        assert!(access().login(&with("Bearer secret")).expect("no user").is_none());
    }

    #[test]
    fn users_without_a_token_are_an_error() {
        let mut access = Access::default();
        access.add_user("ada".to_owned(), "word".to_owned());
        assert!(access.checked().is_err());
    }
}
