//! The tables of the queries, and where they are.

use datafusion::prelude::SessionContext;
use floe_datafusion::{FloeOptions, FloeTable};

use crate::Result;

/// The name in queries, and the path below the folder or bucket.
pub(crate) const TABLES: [(&str, &str); 4] = [
    // Hive folders by year, ZSTD, categoricals.
    ("lineitem", "lineitem/"),
    // Streams.
    ("lineitem_stream", "lineitem_stream/"),
    // Hive folders by airport, LZ4.
    ("flights", "flights/"),
    ("flights_stream", "flights_stream/"),
];

/// Registers all tables below a URL.
pub(crate) async fn register(ctx: &SessionContext, base: &str) -> Result<()> {
    for (name, path) in TABLES {
        let url = format!("{}/{path}", base.trim_end_matches('/'));
        let table = FloeTable::open(&ctx.state(), &url, FloeOptions::default()).await?;
        ctx.register_table(name, std::sync::Arc::new(table))?;
    }
    Ok(())
}
