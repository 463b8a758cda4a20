//! Values that queries leave behind. Every query gives a frame that has nothing planted in it, of columns that share
//! memory with those that have.

use super::*;

/// Rows in groups of three, of which some are secret: texts, numbers, categories, each of their own.
fn flat(groups: usize, is_secret: impl Fn(usize) -> bool) -> DataFrame {
    let rows = groups * 3;
    let secret: Vec<bool> = (0..rows).map(|row| is_secret(row / 3)).collect();
    let texts = |long: bool| -> Vec<String> {
        let tail = if long { ", in words that are not inlined" } else { "" };
        let word = |secret: bool| if secret { "SECRET" } else { "public" };
        secret.iter().enumerate().map(|(row, secret)| format!("{}{row}{tail}", word(*secret))).collect()
    };
    let numbers: Vec<i64> =
        secret.iter().zip(0..).map(|(secret, row)| if *secret { SECRET } else { row }).collect();
    let wide: Vec<i128> =
        numbers.iter().map(|number| i128::from(*number) << 64 | i128::from(*number)).collect();
    let group: Vec<u32> = (0..).take(rows).map(|row: u32| row / 3).collect();
    let dtype =
        DataType::from_categories(Categories::new("people".into(), "".into(), CategoricalPhysical::U32));
    let text = Series::new("text".into(), texts(true));
    let categories: Vec<String> = secret
        .iter()
        .enumerate()
        .map(
            |(row, secret)| {
                if *secret { format!("SECRET {}", row % 9) } else { format!("public {}", row % 7) }
            },
        )
        .collect();
    let categories = Series::new("category".into(), categories).cast(&dtype).expect("categories");
    let columns = vec![
        Column::new("group".into(), group),
        Column::new("short".into(), texts(false)),
        text.cast(&DataType::Binary).expect("bytes").with_name("bytes".into()).into_column(),
        text.into_column(),
        Column::new("number".into(), &numbers),
        Column::new(
            "float".into(),
            numbers.iter().map(|n| f64::from_bits(n.cast_unsigned())).collect::<Vec<_>>(),
        ),
        Column::new("time".into(), &numbers)
            .cast(&DataType::Datetime(TimeUnit::Nanoseconds, None))
            .expect("times"),
        Column::new("wide".into(), wide),
        categories.into_column(),
        Column::new("secret".into(), secret),
    ];
    DataFrame::new(rows, columns).expect("columns of one length")
}

const SECRET: i64 = i64::from_le_bytes(*b"SECRET!!");

/// The columns of [`flat`] that have something planted.
const PLANTED: [&str; 8] = ["short", "bytes", "text", "number", "float", "time", "wide", "category"];

fn planted_columns() -> Vec<Expr> {
    PLANTED.iter().map(|name| col(*name)).collect()
}

/// The same one, two and three levels deep, a row a group.
fn nested(groups: usize, is_secret: impl Fn(usize) -> bool) -> DataFrame {
    let once = flat(groups, is_secret)
        .lazy()
        .group_by_stable([col("group"), col("secret")])
        .agg([
            cols(PLANTED).as_expr().name().prefix("list "),
            as_struct(planted_columns()).alias("list of structs"),
            as_struct(planted_columns()).first().alias("struct"),
        ])
        .collect()
        .expect("lists");
    let array = once.column("list number").expect("a column");
    let array = array.cast(&DataType::Array(Box::new(DataType::Int64), 3)).expect("three each");
    let texts = once.column("list text").expect("a column");
    let texts = texts.cast(&DataType::Array(Box::new(DataType::String), 3)).expect("three each");
    once.lazy()
        .with_columns([lit(array.as_materialized_series().clone().with_name("array".into()))])
        .with_columns([lit(texts.as_materialized_series().clone().with_name("array of texts".into()))])
        .with_columns([as_struct(vec![col("list of structs"), col("array"), col("struct")]).alias("deep")])
        .group_by_stable([col("group"), col("secret")])
        .agg([all().as_expr().first().name().keep(), col("deep").alias("list of deep")])
        .collect()
        .expect("lists of lists")
}

fn every_second(group: usize) -> bool {
    group % 2 == 1
}

/// Every other group: between those that stay, in every buffer.
fn few(group: usize) -> bool {
    group % 11 == 5
}

/// The names of queries, and what they give.
pub(super) fn queries() -> Vec<(String, LazyFrame)> {
    let mut all = Vec::new();
    for (kind, make) in [("flat", flat as fn(usize, fn(usize) -> bool) -> DataFrame), ("nested", nested)] {
        for (often, is_secret) in [("every second", every_second as fn(usize) -> bool), ("few", few)] {
            let df = make(300, is_secret);
            let mut add = |name: &str, lf: LazyFrame| all.push((format!("{kind}, {often}: {name}"), lf));
            let public = || df.clone().lazy().filter(col("secret").not());
            add("filter", public());
            add(
                "filter, then sort",
                public().sort(["group"], SortMultipleOptions::default().with_order_descending(true)),
            );
            add("filter, then slice", public().slice(50, 40));
            let rows: Vec<IdxSize> = (0..900u32)
                .map(|i| i * 7 % u32::try_from(df.height()).expect("small"))
                .filter(|row| {
                    !df.column("secret")
                        .expect("flags")
                        .bool()
                        .expect("flags")
                        .get(*row as usize)
                        .expect("set")
                })
                .collect();
            let indices = |rows: &[IdxSize]| IdxCa::from_slice("rows".into(), rows);
            add("gather", df.take(&indices(&rows)).expect("rows").lazy());
            let repeated: Vec<IdxSize> = rows.iter().flat_map(|row| [*row; 5]).collect();
            add("gather, repeated", df.take(&indices(&repeated)).expect("rows").lazy());
            let keys = public().select([col("group").unique()]);
            let twice = concat([keys.clone(), keys.clone()], UnionArgs::default()).expect("keys");
            add(
                "join",
                keys.clone().join(
                    df.clone().lazy(),
                    [col("group")],
                    [col("group")],
                    JoinArgs::new(JoinType::Left),
                ),
            );
            add(
                "join, repeated",
                twice.join(df.clone().lazy(), [col("group")], [col("group")], JoinArgs::new(JoinType::Inner)),
            );
            let rest: Vec<Expr> = df
                .get_column_names()
                .into_iter()
                .filter(|name| *name != "group" && *name != "secret")
                .map(|name| col(name.clone()))
                .collect();
            let kept = rest
                .iter()
                .cloned()
                .map(|column| when(col("secret").not()).then(column).otherwise(lit(NULL)));
            add("when/then", df.clone().lazy().with_columns(kept.collect::<Vec<_>>()));
            let shifted = make(300, |group| !(100..200).contains(&group));
            add(
                "slice",
                shifted
                    .clone()
                    .slice(i64::try_from(shifted.height() / 3).expect("small"), shifted.height() / 3)
                    .lazy(),
            );
            add(
                "chunks",
                concat([public(), public().slice(3, 50), public().slice(100, 7)], UnionArgs::default())
                    .expect("one schema"),
            );
        }
    }
    let texts: Vec<String> = (0..500).map(|row| format!("public text of row {row}, then a SECRET")).collect();
    let texts = Column::new("text".into(), texts).into_frame().lazy();
    all.push(("parts of texts".into(), texts.select([col("text").str().slice(lit(0), lit(20))])));
    all
}

/// The planted values are there as long as nothing has been left out: else nothing would be tested.
#[test]
fn what_is_planted_can_be_found() {
    for df in [flat(300, few), nested(300, few)] {
        for config in configs() {
            assert!(leaks(&config.write(&df), config.file), "{config:?}");
        }
    }
    for name in PLANTED {
        let one = flat(300, few).select([name]).expect("a column");
        assert!(leaks(&Config::file().write(&one), true), "{name}");
    }
}

#[test]
fn what_queries_leave_behind_is_not_written() {
    let mut cases = Cases::new();
    for (i, (name, lf)) in queries().into_iter().enumerate() {
        cases.run(name, || {
            let df = lf.collect().expect("a query");
            assert!(df.height() > 0);
            // Each query meets some of them, and each of them some queries.
            for config in configs().into_iter().skip(i % 8).step_by(8) {
                for config in [config, config.with_batch_rows(37)] {
                    let bytes =
                        write_with!(&config, df, with_statistics(true), with_record_batch_statistics(true));
                    assert!(!leaks(&bytes, config.file), "{config:?}");
                    frames_differ(&df, &read(&bytes, config.file)).expect("the same frame");
                    let halves = df.split_at(i64::try_from(df.height() / 2).expect("small"));
                    let bytes = config.write_batches(&[halves.0, halves.1]);
                    assert!(!leaks(&bytes, config.file), "{config:?}, in batches");
                }
            }
        });
    }
    cases.finish();
}

/// The examples of an audit, word by word.
#[test]
fn rows_that_a_slice_leaves_out_are_not_written() {
    let texts: Vec<String> =
        (0..100).map(|row| format!("row {row} says SECRET things to everyone")).collect();
    let others = (0..100).map(|row| format!("row {row} says nothing at all to anyone"));
    let mixed: Vec<String> = texts.iter().take(50).cloned().chain(others.skip(50)).collect();
    let df = Column::new("text".into(), mixed).into_frame().slice(50, 50);
    for config in configs() {
        assert!(!leaks(&config.write(&df), config.file), "{config:?}");
    }
}
