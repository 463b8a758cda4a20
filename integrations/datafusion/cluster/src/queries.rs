//! Ten queries, in SQL that Polars and DataFusion have in common. `{name}` is a table.
//!
//! Sums of decimals are taken as floats, which the engines add in different orders: answers are compared with a tolerance.

/// A query and its name.
pub(crate) struct Query {
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

pub(crate) const QUERIES: [Query; 10] = [
    Query {
        name: "pricing summary (TPC-H 1), by categoricals",
        sql: "SELECT l_returnflag, l_linestatus, SUM(CAST(l_quantity AS DOUBLE)) AS qty, \
              SUM(CAST(l_extendedprice AS DOUBLE) * (1 - CAST(l_discount AS DOUBLE))) AS price, \
              AVG(CAST(l_discount AS DOUBLE)) AS discount, COUNT(*) AS items \
              FROM {lineitem} WHERE l_shipdate <= CAST('1998-09-02' AS DATE) \
              GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus",
    },
    Query {
        name: "revenue change (TPC-H 6), a filter that leaves out files and batches",
        sql: "SELECT SUM(CAST(l_extendedprice AS DOUBLE) * CAST(l_discount AS DOUBLE)) AS revenue, COUNT(*) AS items \
              FROM {lineitem} WHERE l_shipdate >= CAST('1994-01-01' AS DATE) AND l_shipdate < CAST('1995-01-01' AS DATE) \
              AND CAST(l_discount AS DOUBLE) > 0.045 AND CAST(l_discount AS DOUBLE) < 0.075 AND l_quantity < 24",
    },
    Query {
        name: "shipping modes (TPC-H 12), categoricals as keys and in a filter",
        sql: "SELECT l_shipmode, SUM(CASE WHEN l_shipinstruct = 'COLLECT COD' THEN 1 ELSE 0 END) AS collect, \
              SUM(CASE WHEN l_shipinstruct <> 'COLLECT COD' THEN 1 ELSE 0 END) AS others \
              FROM {lineitem} WHERE (l_shipmode = 'MAIL' OR l_shipmode = 'SHIP') AND l_commitdate < l_receiptdate \
              AND l_shipdate < l_commitdate GROUP BY l_shipmode ORDER BY l_shipmode",
    },
    Query {
        name: "counts and bounds, out of footers",
        sql: "SELECT COUNT(*) AS items, MIN(l_shipdate) AS first_day, MAX(l_shipdate) AS last_day, \
              MIN(l_orderkey) AS first_order, MAX(l_orderkey) AS last_order FROM {lineitem}",
    },
    Query {
        name: "top suppliers (TPC-H 15), sorted, with a limit",
        sql: "SELECT l_suppkey, SUM(CAST(l_extendedprice AS DOUBLE) * (1 - CAST(l_discount AS DOUBLE))) AS revenue \
              FROM {lineitem} WHERE l_shipyear = 1996 GROUP BY l_suppkey ORDER BY revenue DESC, l_suppkey LIMIT 10",
    },
    Query {
        name: "large orders (TPC-H 18)",
        sql: "SELECT l_orderkey, SUM(CAST(l_quantity AS DOUBLE)) AS qty FROM {lineitem} GROUP BY l_orderkey \
              HAVING SUM(CAST(l_quantity AS DOUBLE)) > 290 ORDER BY qty DESC, l_orderkey LIMIT 20",
    },
    Query {
        name: "small quantities (TPC-H 17), a join of a table with an aggregate of it",
        sql: "SELECT COUNT(*) AS items, SUM(CAST(l.l_extendedprice AS DOUBLE)) / 7.0 AS yearly FROM {lineitem} AS l \
              JOIN (SELECT l_partkey, AVG(CAST(l_quantity AS DOUBLE)) AS mean FROM {lineitem} GROUP BY l_partkey) AS p \
              ON l.l_partkey = p.l_partkey WHERE CAST(l.l_quantity AS DOUBLE) < 0.2 * p.mean",
    },
    Query {
        name: "streams of line items, by categoricals",
        sql: "SELECT l_shipmode, l_returnflag, COUNT(*) AS items, MAX(l_receiptdate) AS last_day \
              FROM {lineitem_stream} WHERE l_linenumber = 1 GROUP BY l_shipmode, l_returnflag \
              ORDER BY l_shipmode, l_returnflag",
    },
    Query {
        name: "flights: delays by carrier and airport",
        sql: "SELECT origin, carrier, COUNT(*) AS flights, COUNT(dep_delay) AS departed, AVG(dep_delay) AS delay, \
              MAX(distance) AS farthest FROM {flights} WHERE month = 1 GROUP BY origin, carrier ORDER BY origin, carrier",
    },
    Query {
        name: "flights: later than their carrier's mean, a stream joined with a folder",
        sql: "SELECT f.carrier, COUNT(*) AS late FROM {flights} AS f \
              JOIN (SELECT carrier, AVG(arr_delay) AS mean FROM {flights_stream} GROUP BY carrier) AS c \
              ON f.carrier = c.carrier WHERE f.arr_delay > c.mean GROUP BY f.carrier ORDER BY f.carrier",
    },
];

impl Query {
    /// The query with its tables named by `name`.
    pub(crate) fn with(&self, name: impl Fn(&str, &str) -> String) -> String {
        let mut sql = self.sql.to_owned();
        for (table, path) in crate::tables::TABLES {
            sql = sql.replace(&format!("{{{table}}}"), &name(table, path));
        }
        sql
    }
}
