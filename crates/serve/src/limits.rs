//! Limits, so that one client leaves something for the others.

use std::time::Duration;

/// The limits of a server. Each has a default; a field without a limit is `None`.
///
/// ```
/// use std::time::Duration;
///
/// let limits = floe_serve::Limits::default();
/// assert_eq!((limits.query_time, limits.queued_queries), (Duration::from_secs(60), 64));
/// assert_eq!((limits.request_bytes, limits.upload_bytes), (1 << 20, 1 << 30));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// How long a query or a summary may take, without the time in which it waits for its client: 60 seconds.
    pub query_time: Duration,
    /// How long a client may take nothing at all while its answer waits: 60 seconds. It is cut off then.
    pub stall_time: Duration,
    /// Rows of one answer. A query with more ends with an error. Without a limit by default.
    pub rows: Option<u64>,
    /// Resident bytes of the whole process. Above them no query begins, and the newest that runs is ended. The default is
    /// three quarters of the machine's memory, on Linux; elsewhere there is none. A query notices between frames, so
    /// one that makes a large result out of one frame may go beyond it.
    pub memory: Option<u64>,
    /// Queries that compute at a time: as many as the machine has cores. A query that waits for its client is not among them.
    pub concurrent_queries: usize,
    /// Queries that wait for their turn: 64. The next one is answered with 429.
    pub queued_queries: usize,
    /// Queries whose answers are being sent, computing, waiting or held up by their clients: 256. The next one is
    /// answered with 429.
    pub open_queries: usize,
    /// Bytes of a request's body, and of a text of SQL: 1 MiB.
    pub request_bytes: usize,
    /// Operators, keywords and brackets in a text of SQL: 500. They may nest, and the planner needs stack for each.
    pub sql_operators: usize,
    /// Bytes of an upload: 1 GiB.
    pub upload_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            query_time: Duration::from_secs(60),
            stall_time: Duration::from_secs(60),
            rows: None,
            memory: crate::memory::total().map(|total| total / 4 * 3),
            concurrent_queries: std::thread::available_parallelism().map_or(1, usize::from),
            queued_queries: 64,
            open_queries: 256,
            request_bytes: 1 << 20,
            sql_operators: 500,
            upload_bytes: 1 << 30,
        }
    }
}
