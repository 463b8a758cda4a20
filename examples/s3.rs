//! A file in S3: written so that it appears whole or not at all, opened by a request or two, and read column by column.
//!
//! ```sh
//! export AWS_ACCESS_KEY_ID=.. AWS_SECRET_ACCESS_KEY=.. AWS_REGION=eu-central-1 AWS_BUCKET=my-bucket
//! export AWS_ENDPOINT_URL=http://127.0.0.1:9000   # of an S3 that is not Amazon's
//! cargo run --features aws --example s3
//! ```
//!
//! It writes `floe-example.arrow` into the bucket.

use std::env;
use std::sync::Arc;

use floe::cloud::object_store::ObjectStore;
use floe::cloud::object_store::aws::AmazonS3Builder;
use floe::cloud::{BlockingObjectFile, IpcIndexOptions, ObjectFile, open_index};
use floe::prelude::*;
use polars_core::prelude::*;

const KEY: &str = "floe-example.arrow";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Ok(bucket) = env::var("AWS_BUCKET") else {
        println!(
            "skipped: set AWS_BUCKET, and what else the AWS tools want (see the first lines of examples/s3.rs)"
        );
        return Ok(());
    };
    // A store of object_store: those of GCS, Azure and HTTP are used in the same way.
    let plain = env::var("AWS_ENDPOINT_URL").is_ok_and(|url| url.starts_with("http://"));
    let store = AmazonS3Builder::from_env().with_bucket_name(&bucket).with_allow_http(plain).build()?;
    let store: Arc<dyn ObjectStore> = Arc::new(store);

    // Nothing is there before the commit. A large object goes in parts; one that is dropped leaves none behind.
    let mut object = BlockingObjectFile::new(ObjectFile::create(Arc::clone(&store), KEY));
    let mut df = flights()?;
    IpcWriter::new(&mut object).with_record_batch_size(Some(10_000)).finish(&mut df)?;
    object.commit()?;

    // The end of the object says where everything is.
    let index = open_index(store, KEY, IpcIndexOptions::default())?;
    println!("s3://{bucket}/{KEY}: {} rows in {} batches", index.num_rows(), index.num_record_batches());

    // The bytes of one column, of the batches that have these rows. An object that has been replaced is an error.
    let distances = index.read_rows(25_000..35_000, &[1], true)?;
    assert_eq!(distances, df.select(["distance"])?.slice(25_000, 10_000));
    println!("{}", distances.head(Some(3)));
    Ok(())
}

fn flights() -> PolarsResult<DataFrame> {
    let numbers: Vec<i64> = (0..100_000).collect();
    let distances: Vec<f64> =
        numbers.iter().map(|n| f64::from(i32::try_from(n % 5_000).unwrap_or(0))).collect();
    DataFrame::new(
        numbers.len(),
        vec![Column::new("flight".into(), numbers), Column::new("distance".into(), distances)],
    )
}
