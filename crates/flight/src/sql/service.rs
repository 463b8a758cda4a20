//! The service: commands and tickets to answers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use polars_core::prelude::*;
use polars_lazy::prelude::LazyFrame;
use polars_sql::SQLContext;
use tokio::sync::oneshot;
use tonic::Status;

use super::any::{Command, enclose};
use super::wire::WireTable;
use super::{catalog, facts, statement};
use crate::error::{FlightError, FlightResult};
use crate::frames::FrameStream;
use crate::info::FrameInfo;
use crate::options::FlightOptions;
use crate::protocol::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, CommandGetDbSchemas, CommandGetSqlInfo, CommandGetTables,
    CommandPreparedStatementQuery, CommandStatementQuery, TicketStatementQuery,
};
use crate::protocol::{Action, ActionType, FlightDescriptor, Ticket, write_schema};
use crate::query::{frames_by, spawn_planning};
use crate::service::FrameService;

const CREATE: &str = "CreatePreparedStatement";
const CLOSE: &str = "ClosePreparedStatement";

/// Answers Flight SQL, as ADBC's driver asks it, by running queries over registered tables with Polars. Only queries are
/// answered: nothing that a client sends changes a table or reads a file.
///
/// ```
/// use floe_flight::{FlightServer, SqlService};
/// use polars_core::prelude::*;
/// use polars_lazy::prelude::IntoLazy;
///
/// let flights = DataFrame::new(2, vec![Column::new("distance".into(), [1400i64, 1416])])?;
/// let service = SqlService::new().register("flights", flights.lazy());
/// let server = FlightServer::new(service);
/// # let _ = server;
/// # PolarsResult::Ok(())
/// ```
///
/// docs/flight.md of the repository has the table of what is answered.
#[derive(Clone, Default)]
#[must_use]
pub struct SqlService {
    tables: Arc<BTreeMap<String, LazyFrame>>,
    options: FlightOptions,
}

impl SqlService {
    /// A service without tables.
    ///
    /// See [`SqlService`] for an example.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a table, in place of one of the same name. Queries run it anew each time.
    ///
    /// See [`SqlService`] for an example.
    pub fn register(mut self, name: impl Into<String>, table: LazyFrame) -> Self {
        Arc::make_mut(&mut self.tables).insert(name.into(), table);
        self
    }

    /// How schemas of tables and prepared statements are written. Give the server the same options.
    ///
    /// ```
    /// use floe_flight::{FlightOptions, FlightServer, SqlService};
    ///
    /// let options = FlightOptions::new();
    /// let service = SqlService::new().with_options(options.clone());
    /// let server = FlightServer::new(service).with_options(options);
    /// # let _ = server;
    /// ```
    pub fn with_options(mut self, options: FlightOptions) -> Self {
        self.options = options;
        self
    }

    /// Checks a query, and plans it over the tables as `seen` gives them.
    fn plan(&self, query: &str, seen: impl Fn(LazyFrame) -> LazyFrame) -> FlightResult<LazyFrame> {
        let query = statement::check(query, &self.tables)?;
        let mut context = SQLContext::new();
        for name in query.tables().iter().map(|table| &table.name) {
            if let Some(table) = self.tables.get(name) {
                context.register(name, seen(table.clone()));
            }
        }
        Ok(context.execute(query.text())?)
    }

    /// The query's schema. Tables may be files, so a thread that may block looks.
    async fn query_schema(&self, query: String) -> FlightResult<SchemaRef> {
        let this = self.clone();
        blocking(move || Ok(this.plan(&query, |table| table)?.collect_schema()?)).await
    }

    async fn statement_info(&self, query: String) -> FlightResult<FrameInfo> {
        let ticket = TicketStatementQuery { statement_handle: query.clone().into() };
        let schema = self.query_schema(query).await?;
        let ticket = Ticket::new(enclose("TicketStatementQuery", &ticket));
        Ok(FrameInfo::new(schema).with_ticket(ticket))
    }

    async fn run(&self, query: String) -> FlightResult<FrameStream> {
        let this = self.clone();
        // An aggregation makes no frame for long: its tables are watched as well.
        frames_by(move |watch| this.plan(&query, |table| watch.over(table))).await
    }

    /// The table that a command about the server asks for. None if it is another command.
    async fn table(&self, command: &Command) -> FlightResult<Option<WireTable>> {
        Ok(Some(match command.name() {
            "CommandGetSqlInfo" => facts::table(&command.read::<CommandGetSqlInfo>()?.info)?,
            "CommandGetCatalogs" => catalog::catalogs()?,
            "CommandGetTableTypes" => catalog::table_types()?,
            "CommandGetDbSchemas" => catalog::db_schemas(&command.read::<CommandGetDbSchemas>()?)?,
            "CommandGetTables" => self.list_tables(command.read()?).await?,
            _ => return Ok(None),
        }))
    }

    async fn list_tables(&self, command: CommandGetTables) -> FlightResult<WireTable> {
        let this = self.clone();
        blocking(move || {
            let names = catalog::wanted(&command, this.tables.keys());
            let schemas = command.include_schema.then(|| {
                let tables = names.iter().filter_map(|name| this.tables.get(*name));
                tables.map(|table| table.clone().collect_schema()).collect::<PolarsResult<Vec<SchemaRef>>>()
            });
            catalog::tables(&names, schemas.transpose()?.as_deref(), &this.options)
        })
        .await
    }

    async fn prepare(&self, query: String) -> FlightResult<Bytes> {
        let schema = self.query_schema(query.clone()).await?;
        let result = ActionCreatePreparedStatementResult {
            prepared_statement_handle: query.into(),
            dataset_schema: write_schema(&schema, &self.options)?,
            parameter_schema: write_schema(&Schema::default(), &self.options)?,
            is_update: Some(false),
        };
        Ok(enclose("ActionCreatePreparedStatementResult", &result))
    }
}

impl FrameService for SqlService {
    async fn info(&self, descriptor: FlightDescriptor) -> FlightResult<FrameInfo> {
        let command = Command::open(&descriptor.cmd)?;
        match command.name() {
            "CommandStatementQuery" => {
                self.statement_info(command.read::<CommandStatementQuery>()?.query).await
            },
            "CommandPreparedStatementQuery" => {
                let CommandPreparedStatementQuery { prepared_statement_handle } = command.read()?;
                self.statement_info(text(prepared_statement_handle)?).await
            },
            _ => match self.table(&command).await? {
                // The command is its own ticket.
                Some(table) => {
                    let ticket = Ticket::new(descriptor.cmd.clone());
                    Ok(FrameInfo::of_message(table.schema_message()?).with_ticket(ticket))
                },
                None => Err(command.unknown()),
            },
        }
    }

    async fn get(&self, ticket: Ticket) -> FlightResult<FrameStream> {
        let command = Command::open(&ticket.ticket)?;
        match command.name() {
            "TicketStatementQuery" => {
                let TicketStatementQuery { statement_handle } = command.read()?;
                self.run(text(statement_handle)?).await
            },
            _ => match self.table(&command).await? {
                Some(table) => Ok(FrameStream::messages(table.into_messages()?)),
                None => Err(command.unknown()),
            },
        }
    }

    async fn action(&self, action: Action) -> FlightResult<Vec<Bytes>> {
        match action.r#type.as_str() {
            CREATE => {
                let request: ActionCreatePreparedStatementRequest = Command::open(&action.body)?.read()?;
                Ok(vec![self.prepare(request.query).await?])
            },
            CLOSE => {
                // Nothing was kept.
                let _: ActionClosePreparedStatementRequest = Command::open(&action.body)?.read()?;
                Ok(Vec::new())
            },
            other => Err(FlightError::unimplemented(format!("this server has no action {other:?}"))),
        }
    }

    fn actions(&self) -> Vec<ActionType> {
        let action = |name: &str, description: &str| ActionType {
            r#type: name.to_owned(),
            description: description.to_owned(),
        };
        vec![
            action(CREATE, "Checks a query, and returns its handle and schema."),
            action(CLOSE, "Forgets a handle."),
        ]
    }
}

/// A handle as the query that it is.
fn text(handle: Bytes) -> FlightResult<String> {
    String::from_utf8(handle.into()).map_err(|_| FlightError::invalid("the handle is none of this server"))
}

/// Runs work that may wait for files.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> FlightResult<T> + Send + 'static,
) -> FlightResult<T> {
    let (done, result) = oneshot::channel();
    // Nobody may be waiting any more.
    let work = move || drop(done.send(work()));
    spawn_planning("floe-flight-plan", work)?;
    result.await.map_err(|_| Status::internal("planning the query has panicked"))?
}

impl fmt::Debug for SqlService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlService").field("tables", &self.tables.keys()).finish_non_exhaustive()
    }
}
