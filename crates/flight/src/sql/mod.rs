//! Flight SQL, answered by Polars.
//!
//! ```text
//!   GetFlightInfo(CommandStatementQuery)  ->  schema, TicketStatementQuery
//!   DoGet(TicketStatementQuery)           ->  the query's frames, while it runs
//!   DoAction(CreatePreparedStatement)     ->  a handle; then as above with CommandPreparedStatementQuery
//!   GetFlightInfo, DoGet(CommandGetTables, ..)  ->  what there is
//! ```
//!
//! Handles and tickets are the text of the query: the server keeps nothing between calls, and checks it each time.

mod any;
mod catalog;
mod facts;
mod service;
mod statement;
mod wire;

pub use service::SqlService;
