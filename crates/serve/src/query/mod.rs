//! Queries: from a request to a body that is sent while it is computed.
//!
//! ```text
//!   request -> Asked, Format      accept.rs, request.rs
//!      | Slots::enter             slots.rs: a queue in front of the threads that compute, 429 behind it
//!      v
//!   thread: plan -> frames -> encoder -> Output -> Query <- Reader: the body of the response
//!           plan.rs   run.rs  encode.rs  output.rs  |        (tokio)
//!                                                   '- at most 1 MiB of pieces: the back-pressure
//! ```
//!
//! A query has a thread of its own, outside of tokio. When its client does not keep up, the thread gives its slot to
//! another query and waits. When the client goes, or anybody cancels it, the next write and the next frame of any of
//! its tables fail, and so the query ends.

pub(crate) mod accept;
mod encode;
mod output;
mod plan;
mod registry;
pub(crate) mod request;
mod run;
mod slots;
mod state;

pub(crate) use encode::{Encoding, Format};
pub(crate) use registry::Registry;
pub(crate) use run::{Source, respond};
pub(crate) use slots::Slots;
pub(crate) use state::Cancel;
