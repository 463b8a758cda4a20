//! Flight SQL, as a driver asks it.

use bytes::Bytes;
use floe_flight::protocol::sql::*;
use floe_flight::*;
use polars_core::prelude::*;
use polars_lazy::prelude::*;
use prost::Message;
use prost_types::Any;
use tonic::Code;

use crate::store::*;

fn any(name: &str, message: &impl Message) -> Bytes {
    let type_url = format!("type.googleapis.com/arrow.flight.protocol.sql.{name}");
    Any { type_url, value: message.encode_to_vec() }.encode_to_vec().into()
}

fn opened<T: Message + Default>(bytes: &[u8], name: &str) -> T {
    let any = Any::decode(bytes).expect("an envelope");
    assert!(any.type_url.ends_with(name), "{}", any.type_url);
    T::decode(any.value.as_slice()).expect(name)
}

pub(crate) fn statement(query: &str) -> FlightDescriptor {
    let command = CommandStatementQuery { query: query.to_owned(), transaction_id: None };
    FlightDescriptor::of_command(any("CommandStatementQuery", &command))
}

fn tables() -> SqlService {
    let flights = DataFrame::new(
        4,
        vec![
            Column::new("carrier".into(), ["UA", "UA", "AA", "B6"]),
            Column::new("distance".into(), [1400i64, 1416, 1089, 1576]),
        ],
    )
    .expect("a frame");
    SqlService::new().register("flights", flights.lazy()).register("numbers", numbers(100_000).lazy())
}

async fn client() -> FlightClient {
    client_of(tables()).await
}

#[test]
fn a_statement_is_planned_and_run() {
    run(async {
        let client = client().await;
        let query =
            "SELECT carrier, sum(distance) AS total FROM flights GROUP BY carrier ORDER BY total DESC";
        let info = client.info(statement(query)).await.expect("a plan");
        assert_eq!(info.endpoint.len(), 1);
        assert_eq!(info.flight_descriptor, Some(statement(query)));
        let schema = info.polars_schema().expect("a schema");
        assert_eq!(schema.iter_names().collect::<Vec<_>>(), ["carrier", "total"]);
        let df = client.read(statement(query)).await.expect("rows");
        assert_eq!(df.schema().as_ref(), &schema);
        let carriers: Vec<_> =
            df.column("carrier").expect("it").str().expect("text").iter().flatten().collect();
        assert_eq!(carriers, ["UA", "B6", "AA"]);
        let sums: Vec<_> = df.column("total").expect("it").i64().expect("numbers").iter().flatten().collect();
        assert_eq!(sums, [2816, 1576, 1089]);
    });
}

#[test]
fn many_rows_and_none() {
    run(async {
        let client = client().await;
        let df = client.read(statement("SELECT n FROM numbers")).await.expect("rows");
        assert!(df.equals(&numbers(100_000)));
        let both = client.read(statement("SELECT min(distance), max(distance) FROM flights")).await;
        assert_eq!(both.expect("a row").get_column_names(), ["min(distance)", "max(distance)"]);
        let none =
            client.read(statement("SELECT carrier FROM flights WHERE distance < 0")).await.expect("no rows");
        assert_eq!((none.shape(), none.dtypes()), ((0, 1), vec![DataType::String]));
    });
}

/// Polars would take the table.
#[test]
fn an_expression_of_with_comes_before_a_table_of_its_name() {
    run(async {
        let client = client().await;
        let query =
            "WITH numbers AS (SELECT * FROM flights WHERE distance > 1500) SELECT carrier FROM numbers";
        let df = client.read(statement(query)).await.expect("rows");
        assert_eq!((df.height(), df.get_column_names()[0].as_str()), (1, "carrier"));
        let query = "WITH flights AS (SELECT * FROM flights WHERE distance > 1500) SELECT * FROM flights";
        let error = client.info(statement(query)).await.expect_err("both");
        assert!(error.to_string().contains("give the expression another name"), "{error}");
    });
}

#[test]
fn only_queries_over_tables_are_answered() {
    run(async {
        let client = client().await;
        for (query, code) in [
            ("DROP TABLE flights", Code::InvalidArgument),
            ("SELECT * FROM read_csv('/etc/passwd')", Code::InvalidArgument),
            ("SELECT * FROM missing", Code::NotFound),
            ("SELECT missing FROM flights", Code::InvalidArgument),
            ("SELEC", Code::InvalidArgument),
            ("SELECT min(missing), max(missing) FROM flights", Code::InvalidArgument),
        ] {
            let error = client.info(statement(query)).await.expect_err(query);
            assert_eq!(error.code(), code, "{query}: {error}");
            // A ticket of one's own making is checked as well.
            let ticket = TicketStatementQuery { statement_handle: query.to_owned().into() };
            let ticket = Ticket::new(any("TicketStatementQuery", &ticket));
            assert_eq!(client.get(ticket).await.expect_err(query).code(), code, "{query}");
        }
        assert_eq!(
            client.read(statement("SELECT count(*) AS c FROM flights")).await.expect("still there").height(),
            1
        );
        let put = client.put(statement("SELECT 1"), numbers(1)).await;
        assert_eq!(put.err().expect("refused").code(), Code::Unimplemented);
    });
}

#[test]
fn a_prepared_statement_is_run_by_its_handle() {
    run(async {
        let client = client().await;
        let query = "SELECT max(distance) AS far FROM flights".to_owned();
        let request = ActionCreatePreparedStatementRequest { query, transaction_id: None };
        let request = any("ActionCreatePreparedStatementRequest", &request);
        let results = client.action("CreatePreparedStatement", request).await.expect("a handle");
        let prepared: ActionCreatePreparedStatementResult =
            opened(&results[0], "ActionCreatePreparedStatementResult");
        let schema =
            protocol::SchemaResult { schema: prepared.dataset_schema }.polars_schema().expect("a schema");
        assert_eq!(schema.get("far"), Some(&DataType::Int64));
        let none =
            protocol::SchemaResult { schema: prepared.parameter_schema }.polars_schema().expect("a schema");
        assert!(none.is_empty());

        let handle = prepared.prepared_statement_handle;
        let command = CommandPreparedStatementQuery { prepared_statement_handle: handle.clone() };
        let command = any("CommandPreparedStatementQuery", &command);
        for _ in 0..2 {
            let df = client.read(FlightDescriptor::of_command(command.clone())).await.expect("a row");
            assert_eq!(df.column("far").expect("it").i64().expect("a number").get(0), Some(1576));
        }
        let close = ActionClosePreparedStatementRequest { prepared_statement_handle: handle };
        let close = any("ActionClosePreparedStatementRequest", &close);
        assert!(client.action("ClosePreparedStatement", close).await.expect("closed").is_empty());
        let names: Vec<_> =
            client.actions().await.expect("actions").into_iter().map(|action| action.r#type).collect();
        assert_eq!(names, ["CreatePreparedStatement", "ClosePreparedStatement"]);
    });
}

#[test]
fn what_there_is_can_be_asked() {
    run(async {
        let client = client().await;
        let ask = async |name: &str, command: Bytes| {
            let descriptor = FlightDescriptor::of_command(command);
            let info = client.info(descriptor.clone()).await.expect(name);
            let df = client.read(descriptor).await.expect(name);
            assert_eq!(&info.polars_schema().expect(name), df.schema().as_ref(), "{name}");
            df
        };
        let texts = |df: &DataFrame, name: &str| -> Vec<String> {
            let column = df.column(name).expect(name).str().expect("text").clone();
            column.iter().flatten().map(str::to_owned).collect()
        };
        let df = ask("catalogs", any("CommandGetCatalogs", &CommandGetCatalogs {})).await;
        assert_eq!(texts(&df, "catalog_name"), [""]);
        let df = ask("types", any("CommandGetTableTypes", &CommandGetTableTypes {})).await;
        assert_eq!(texts(&df, "table_type"), ["TABLE"]);
        let df = ask("schemas", any("CommandGetDbSchemas", &CommandGetDbSchemas::default())).await;
        assert_eq!(texts(&df, "db_schema_name"), [""]);
        let elsewhere = CommandGetDbSchemas { catalog: Some("other".to_owned()), ..Default::default() };
        assert_eq!(ask("schemas", any("CommandGetDbSchemas", &elsewhere)).await.height(), 0);

        let all = CommandGetTables { include_schema: true, ..Default::default() };
        let df = ask("tables", any("CommandGetTables", &all)).await;
        assert_eq!(texts(&df, "table_name"), ["flights", "numbers"]);
        let schemas = df.column("table_schema").expect("schemas").binary().expect("bytes").clone();
        let schema = Bytes::copy_from_slice(schemas.get(0).expect("a schema"));
        let schema = protocol::SchemaResult { schema }.polars_schema().expect("a schema");
        assert_eq!(schema.iter_names().collect::<Vec<_>>(), ["carrier", "distance"]);
        let some =
            CommandGetTables { table_name_filter_pattern: Some("fl%".to_owned()), ..Default::default() };
        let df = ask("tables", any("CommandGetTables", &some)).await;
        assert_eq!((texts(&df, "table_name"), df.width()), (vec!["flights".to_owned()], 4));
    });
}

#[test]
fn facts_are_told_in_the_union_that_drivers_expect() {
    use floe_format::{DataType as WireType, Header, IpcLimits, UnionMode, decode_message};
    run(async {
        let service = tables();
        let all = any("CommandGetSqlInfo", &CommandGetSqlInfo { info: Vec::new() });
        let info = service.info(FlightDescriptor::of_command(all.clone())).await.expect("facts");
        drop(info);
        let client = client_of(service).await;
        let info = client.info(FlightDescriptor::of_command(all)).await.expect("facts");
        // Behind the marker and the length.
        let message = decode_message(&info.schema[8..], &IpcLimits::default()).expect("a schema");
        let Header::Schema(schema) = message.header else { panic!("no schema") };
        assert_eq!(schema.fields[0].name, "info_name");
        let WireType::Union { mode: UnionMode::Dense, type_ids } = &schema.fields[1].data_type else {
            panic!("no dense union: {:?}", schema.fields[1])
        };
        assert_eq!(type_ids, &[0, 1, 2, 3, 4, 5]);
        let one = CommandGetSqlInfo { info: vec![SqlInfo::FlightSqlServerTransaction as u32, 4_000_000] };
        let one = any("CommandGetSqlInfo", &one);
        let df = client.read(FlightDescriptor::of_command(one)).await.expect("one fact");
        assert_eq!(df.height(), 1);
        assert_eq!(df.column("info_name").expect("it").u32().expect("numbers").get(0), Some(8));
    });
}

#[test]
fn other_commands_are_named_in_the_answer() {
    run(async {
        let client = client().await;
        let command = any("CommandGetPrimaryKeys", &CommandGetPrimaryKeys::default());
        let error = client.info(FlightDescriptor::of_command(command)).await.expect_err("not answered");
        assert_eq!(error.code(), Code::Unimplemented);
        assert!(error.to_string().contains("CommandGetPrimaryKeys"), "{error}");
        for command in [Bytes::from("no envelope at all"), Bytes::new()] {
            let error =
                client.info(FlightDescriptor::of_command(command.clone())).await.expect_err("no command");
            assert_eq!(error.code(), Code::InvalidArgument);
            assert_eq!(
                client.get(Ticket::new(command)).await.expect_err("no ticket").code(),
                Code::InvalidArgument
            );
        }
        assert_eq!(
            client.action("BeginTransaction", "").await.expect_err("none").code(),
            Code::Unimplemented
        );
    });
}
