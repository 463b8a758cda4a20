//! Requests and bytes of queries, beside DataFusion's own Arrow source: of the same files, in the same store.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use clap::Parser;
use datafusion::arrow::array::RecordBatch;
use datafusion::datasource::file_format::arrow::ArrowFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::prelude::SessionContext;
use floe_datafusion::{FloeOptions, FloeTable};
use object_store::aws::AmazonS3Builder;
use url::Url;

use crate::Result;
use crate::answers::Answer;
use crate::counting::Counting;

/// The options of `floe-cluster bytes`.
#[derive(Debug, Parser)]
struct Options {
    /// The bucket, as in `s3://floe`.
    #[arg(long)]
    bucket: String,
}

/// Queries of the line items in one file, by what they need.
const QUERIES: [(&str, &str); 6] = [
    ("count(*)", "SELECT COUNT(*) FROM lineitem"),
    ("min, max of a column", "SELECT MIN(l_shipdate), MAX(l_shipdate) FROM lineitem"),
    ("one column", "SELECT SUM(l_orderkey) FROM lineitem"),
    (
        "a week, by statistics",
        "SELECT COUNT(*), SUM(l_orderkey) FROM lineitem \
         WHERE l_shipdate >= DATE '1995-03-06' AND l_shipdate < DATE '1995-03-13'",
    ),
    ("ten rows", "SELECT l_orderkey FROM lineitem LIMIT 10"),
    ("all columns", "SELECT COUNT(*) FROM (SELECT DISTINCT * FROM lineitem)"),
];

/// Prints the table. Each query begins with nothing known: listing, schema and statistics are counted too.
pub(crate) async fn table(args: impl Iterator<Item = String>) -> Result<()> {
    let Options { bucket } = Options::parse_from(args);
    println!("{:<24} {:>21}    {:>21}", "", "floe", "DataFusion's own");
    println!("{:<24} {:>9} {:>11}    {:>9} {:>11}", "query", "requests", "bytes", "requests", "bytes");
    for (name, sql) in QUERIES {
        let (floe, floe_counts) = measured(&bucket, sql, true).await?;
        let (own, own_counts) = measured(&bucket, sql, false).await?;
        // Any ten rows are an answer to the one that has no order.
        let (floe, own) = (Answer::of_batches(&floe)?, Answer::of_batches(&own)?);
        if !sql.contains("LIMIT") && !floe.is_like(&own) {
            return Err(format!("{sql}: {} and {}", floe.row(0), own.row(0)).into());
        }
        let [(floe_requests, floe_bytes), (own_requests, own_bytes)] = [floe_counts, own_counts];
        println!("{name:<24} {floe_requests:>9} {floe_bytes:>11}    {own_requests:>9} {own_bytes:>11}");
    }
    Ok(())
}

async fn measured(bucket: &str, sql: &str, by_floe: bool) -> Result<(Vec<RecordBatch>, (u64, u64))> {
    let store = AmazonS3Builder::from_env().with_url(bucket).build()?;
    let (store, counts) = Counting::new(Arc::new(store));
    let ctx = SessionContext::new();
    ctx.register_object_store(&Url::parse(bucket)?, store);
    let url = format!("{}/lineitem_file/", bucket.trim_end_matches('/'));
    if by_floe {
        let table = FloeTable::open(&ctx.state(), &url, FloeOptions::default()).await?;
        ctx.register_table("lineitem", Arc::new(table))?;
    } else {
        let path = ListingTableUrl::parse(&url)?;
        let listing = ListingOptions::new(Arc::new(ArrowFormat)).with_file_extension(".arrow");
        let keys = listing.infer_partitions(&ctx.state(), &path).await?;
        let keys = keys.into_iter().map(|key| (key, datafusion::arrow::datatypes::DataType::Utf8)).collect();
        let config =
            ListingTableConfig::new(path).with_listing_options(listing.with_table_partition_cols(keys));
        let config = config.infer_schema(&ctx.state()).await?;
        ctx.register_table("lineitem", Arc::new(ListingTable::try_new(config)?))?;
    }
    let batches = ctx.sql(sql).await?.collect().await?;
    let counted = (counts.requests.load(Ordering::Relaxed), counts.bytes.load(Ordering::Relaxed));
    Ok((batches, counted))
}
