//! Sources whose columns differ, where a scan allows it: the same as Polars' scan of Parquet.

use floe::lazy::{CastColumnsPolicy, ExtraColumnsPolicy, MissingColumnsPolicy};
use polars_io::parquet::write::ParquetWriter;
use polars_io::prelude::ParquetOptions;
use polars_utils::pl_path::PlRefPath;

use super::*;

#[derive(Clone, Default)]
struct Rules {
    schema: Option<SchemaRef>,
    missing: MissingColumnsPolicy,
    extra: ExtraColumnsPolicy,
    casts: CastColumnsPolicy,
}

impl Rules {
    fn lenient() -> Self {
        Self {
            missing: MissingColumnsPolicy::Insert,
            extra: ExtraColumnsPolicy::Ignore,
            casts: every_cast(),
            ..Self::default()
        }
    }

    fn options(&self) -> IpcScanOptions {
        IpcScanOptions::default()
            .with_index_cache(false)
            .with_schema(self.schema.clone())
            .with_missing_columns(self.missing)
            .with_extra_columns(self.extra)
            .with_cast_options(self.casts.clone())
    }
}

fn every_cast() -> CastColumnsPolicy {
    CastColumnsPolicy {
        integer_upcast: true,
        integer_to_float_cast: true,
        float_upcast: true,
        float_downcast: true,
        datetime_nanoseconds_downcast: true,
        datetime_microseconds_downcast: true,
        datetime_milliseconds_upcast: true,
        datetime_microseconds_upcast: true,
        datetime_convert_timezone: true,
        null_upcast: true,
        categorical_to_string: true,
        missing_struct_fields: MissingColumnsPolicy::Insert,
        extra_struct_fields: ExtraColumnsPolicy::Ignore,
    }
}

/// The result of Polars' scan of the frames as Parquet files.
fn polars(
    frames: &[DataFrame],
    rules: &Rules,
    query: &dyn Fn(LazyFrame) -> LazyFrame,
) -> PolarsResult<DataFrame> {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (i, df) in frames.iter().enumerate() {
        let path = folder.path().join(format!("{i}.parquet"));
        ParquetWriter::new(std::fs::File::create(&path).unwrap()).finish(&mut df.clone()).unwrap();
        paths.push(PlRefPath::try_from_path(&path).unwrap());
    }
    let options = ParquetOptions { schema: rules.schema.clone(), ..ParquetOptions::default() };
    let args = UnifiedScanArgs {
        missing_columns_policy: rules.missing,
        extra_columns_policy: rules.extra,
        cast_columns_policy: rules.casts.clone(),
        ..UnifiedScanArgs::default()
    };
    let plan = DslBuilder::scan_parquet(ScanSources::Paths(paths.into()), options, args)?;
    query(plan.build().into()).collect()
}

/// The result of floe's scans of them, in either format and under either engine.
fn floe(
    frames: &[DataFrame],
    rules: &Rules,
    query: &dyn Fn(LazyFrame) -> LazyFrame,
) -> PolarsResult<DataFrame> {
    let run = |bytes: &dyn Fn(&DataFrame) -> Vec<u8>| {
        let folder = tempfile::tempdir().unwrap();
        let put = |(i, df)| put(folder.path(), &format!("{i}.arrow"), &bytes(df));
        let paths: Vec<PathBuf> = frames.iter().enumerate().map(put).collect();
        let found = floe::lazy::scan_ipc(&paths, rules.options()).and_then(|lf| {
            let lf = query(lf);
            let found = both(&lf)?;
            assert_same(&both(&lf.prune_ipc())?, &found);
            Ok(found)
        });
        if let (Err(error), [_, _, ..]) = (&found, frames) {
            let error = error.to_string();
            let named = paths.iter().any(|path| error.contains(path.to_str().unwrap()));
            assert!(named, "{error}");
        }
        found
    };
    let found = run(&|df| file(df, 2))?;
    assert_same(&run(&|df| stream(df, 2))?, &found);
    Ok(found)
}

fn same(frames: &[DataFrame], rules: &Rules, query: &dyn Fn(LazyFrame) -> LazyFrame) -> bool {
    match (floe(frames, rules, query), polars(frames, rules, query)) {
        (Ok(floe), Ok(polars)) => {
            assert_same(&floe, &polars);
            true
        },
        (Err(_), Err(_)) => false,
        (floe, polars) => panic!(
            "{:?}: floe {floe:?}, Polars {polars:?}",
            frames.iter().map(DataFrame::schema).collect::<Vec<_>>()
        ),
    }
}

fn one(series: Series) -> DataFrame {
    DataFrame::new(series.len(), vec![series.with_name("x".into()).into_column()]).unwrap()
}

fn numbers() -> Series {
    Series::new("x".into(), [Some(1i64), None, Some(9)])
}

fn struct_of(fields: &[(&str, Series)]) -> Series {
    let fields: Vec<Series> =
        fields.iter().map(|(name, series)| series.clone().with_name((*name).into())).collect();
    let whole = StructChunked::from_series("x".into(), 3, fields.iter()).unwrap().into_series();
    let keep = BooleanChunked::new("".into(), [true, true, false]);
    whole.zip_with(&keep, &Series::full_null("x".into(), 3, whole.dtype())).unwrap()
}

fn list_of(series: &Series) -> Series {
    Series::new("x".into(), [series.slice(0, 2), series.slice(0, 0), series.slice(2, 1)])
}

fn columns() -> Vec<Series> {
    let numbers = numbers();
    let cast = |dtype: &DataType| numbers.cast(dtype).unwrap();
    let text = Series::new("x".into(), [Some("a"), None, Some("b")]);
    let zone = |zone: &str| TimeZone::opt_try_new(Some(zone)).unwrap();
    let time = |unit, zone| cast(&DataType::Datetime(unit, zone));
    let category = DataType::from_categories(Categories::global());
    let mut columns: Vec<Series> = [
        DataType::Int8,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt32,
        DataType::UInt64,
        DataType::Float32,
        DataType::Float64,
        DataType::Boolean,
        DataType::Date,
    ]
    .iter()
    .map(cast)
    .collect();
    columns.extend([
        time(TimeUnit::Milliseconds, None),
        time(TimeUnit::Microseconds, zone("UTC")),
        time(TimeUnit::Nanoseconds, None),
        time(TimeUnit::Microseconds, zone("Europe/Berlin")),
        text.cast(&category).unwrap(),
        text.clone(),
        struct_of(&[("a", numbers.clone()), ("b", text.clone())]),
        struct_of(&[("b", text.clone()), ("a", numbers.cast(&DataType::Int32).unwrap())]),
        struct_of(&[("a", numbers.clone()), ("b", text.clone()), ("c", numbers.clone())]),
        list_of(&numbers),
        list_of(&numbers.cast(&DataType::Int16).unwrap()),
        list_of(&struct_of(&[("a", numbers.clone())])),
        list_of(&struct_of(&[("a", numbers.cast(&DataType::Int8).unwrap()), ("b", text)])),
    ]);
    columns
}

#[test]
fn types_are_cast_as_polars_casts_them() {
    let mut agreed = [0, 0];
    for target in columns() {
        for found in columns() {
            // Parquet keeps the text of categoricals: see `categoricals_become_text`.
            if target.dtype().is_string() && found.dtype().is_categorical() {
                continue;
            }
            let schema = Some(Arc::clone(one(target.clone()).schema()));
            let frames = [one(target.clone()), one(found)];
            for (lenient, rules) in [Rules::default(), Rules::lenient()].into_iter().enumerate() {
                let rules = Rules { schema: schema.clone(), ..rules };
                agreed[lenient] += usize::from(same(&frames[1..], &rules, &|lf| lf));
            }
            let rules = Rules::lenient();
            same(&frames, &rules, &|lf| lf);
        }
    }
    assert!(agreed[0] >= columns().len() && agreed[1] > 2 * agreed[0], "{agreed:?}");
}

/// Each permission by itself allows what Polars says.
#[test]
fn every_permission_allows_what_it_says() {
    let one_each: [fn(&mut CastColumnsPolicy); 11] = [
        |casts| casts.integer_upcast = true,
        |casts| casts.integer_to_float_cast = true,
        |casts| casts.float_upcast = true,
        |casts| casts.float_downcast = true,
        |casts| casts.datetime_nanoseconds_downcast = true,
        |casts| casts.datetime_microseconds_downcast = true,
        |casts| casts.datetime_milliseconds_upcast = true,
        |casts| casts.datetime_microseconds_upcast = true,
        |casts| casts.datetime_convert_timezone = true,
        |casts| casts.missing_struct_fields = MissingColumnsPolicy::Insert,
        |casts| casts.extra_struct_fields = ExtraColumnsPolicy::Ignore,
    ];
    let columns = columns();
    for permit in one_each {
        let mut rules = Rules::default();
        permit(&mut rules.casts);
        let mut allowed = 0;
        for target in &columns {
            rules.schema = Some(Arc::clone(one(target.clone()).schema()));
            for found in columns.iter().filter(|found| found.dtype() != target.dtype()) {
                // Few of the pairs: those that any policy allows.
                let could = every_cast().should_cast_column("x", target.dtype(), found.dtype());
                if could.is_ok() {
                    allowed += usize::from(same(&[one(found.clone())], &rules, &|lf| lf));
                }
            }
        }
        // Of a struct whose other field differs as well, each alone is not enough.
        assert!(allowed > 0 || rules.casts.datetime_milliseconds_upcast, "{:?}", rules.casts);
    }
}

#[test]
fn categoricals_become_text() {
    let category = DataType::from_categories(Categories::global());
    let text = Series::new("x".into(), [Some("a"), None, Some("b")]);
    let found = text.cast(&category).unwrap();
    for [target, found] in [
        [text.clone(), found.clone()],
        [list_of(&text), list_of(&found)],
        [struct_of(&[("a", text)]), struct_of(&[("a", found)])],
    ] {
        let schema = Some(Arc::clone(one(target.clone()).schema()));
        let frames = [one(found)];
        assert!(floe(&frames, &Rules { schema: schema.clone(), ..Rules::default() }, &|lf| lf).is_err());
        let rules = Rules { schema, ..Rules::lenient() };
        assert_same(&floe(&frames, &rules, &|lf| lf).unwrap(), &one(target));
        let query = |lf: LazyFrame| lf.filter(col("x").is_not_null());
        assert!(floe(&frames, &rules, &query).unwrap().height() > 0);
    }
}

#[test]
fn times_that_overflow_are_errors() {
    let times = Series::new("x".into(), [i64::MAX / 2, 0])
        .cast(&DataType::Datetime(TimeUnit::Milliseconds, None))
        .unwrap();
    let target = DataType::Datetime(TimeUnit::Nanoseconds, None);
    let schema = Schema::from_iter([Field::new("x".into(), target)]);
    let rules = Rules { schema: Some(Arc::new(schema)), ..Rules::lenient() };
    assert!(floe(&[one(times)], &rules, &|lf| lf).is_err());
    // Within what Polars can show, it says the same.
    let times = Series::new("x".into(), [32_503_680_000_000i64]);
    let times = times.cast(&DataType::Datetime(TimeUnit::Milliseconds, None)).unwrap();
    assert!(!same(&[one(times)], &rules, &|lf| lf));
}

fn two_frames() -> [DataFrame; 2] {
    let column = |name: &str, values: [i64; 4]| Column::new(name.into(), values);
    let ab = vec![column("a", [1, 2, 3, 4]), column("b", [5, 6, 7, 8])];
    let mut bc = vec![column("c", [50, 60, 70, 80]), column("b", [10, 11, 12, 13])];
    bc[1] = bc[1].cast(&DataType::Int32).unwrap();
    [DataFrame::new(4, ab).unwrap(), DataFrame::new(4, bc).unwrap()]
}

#[test]
fn columns_may_be_missing_or_too_many() {
    let [ab, bc] = two_frames();
    let queries: [&dyn Fn(LazyFrame) -> LazyFrame; 7] = [
        &|lf| lf,
        &|lf| lf.select([col("b")]),
        &|lf| lf.select([col("a")]),
        &|lf| lf.filter(col("b").gt(lit(6))),
        &|lf| lf.filter(col("a").is_null()),
        &|lf| lf.filter(col("a").gt(lit(2)).or(col("b").eq(lit(11)))).select([col("a"), len().alias("n")]),
        &|lf| lf.slice(3, 3),
    ];
    for query in queries {
        for missing in [MissingColumnsPolicy::Raise, MissingColumnsPolicy::Insert] {
            for extra in [ExtraColumnsPolicy::Raise, ExtraColumnsPolicy::Ignore] {
                for casts in [CastColumnsPolicy::default(), every_cast()] {
                    let rules = Rules { schema: None, missing, extra, casts };
                    let forgiving =
                        missing == MissingColumnsPolicy::Insert && extra == ExtraColumnsPolicy::Ignore;
                    // Polars looks at what a query needs, floe at all columns, whatever the query.
                    if forgiving && rules.casts == every_cast() {
                        assert!(same(&[ab.clone(), bc.clone()], &rules, query));
                        assert!(same(&[ab.clone(), bc.clone(), ab.clone()], &rules, query));
                    } else {
                        assert!(floe(&[ab.clone(), bc.clone()], &rules, query).is_err());
                    }
                }
            }
        }
    }
}

#[test]
fn a_given_schema_decides() {
    let [ab, bc] = two_frames();
    let field = |name: &str, dtype| Field::new(name.into(), dtype);
    let schema = Schema::from_iter([
        field("c", DataType::Float64),
        field("z", DataType::String),
        field("b", DataType::Int64),
    ]);
    let rules = Rules { schema: Some(Arc::new(schema)), ..Rules::lenient() };
    for frames in
        [vec![ab.clone()], vec![bc.clone()], vec![ab.clone(), bc.clone()], vec![bc.clone(), ab.clone()]]
    {
        assert!(same(&frames, &rules, &|lf| lf));
        assert!(same(&frames, &rules, &|lf| lf.filter(col("b").gt(lit(6))).select([col("z"), col("b")])));
        assert!(same(&frames, &rules, &|lf| lf.filter(col("c").gt(lit(55.0)))));
    }
    let chosen = floe(&[ab.clone(), bc], &rules, &|lf| lf).unwrap().select(["b", "z"]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = put(folder.path(), "a.arrow", &file(&ab, 2));
    let lf = scan_ipc_file(&path, rules.options().with_columns(["b", "z"])).unwrap();
    assert_same(&both(&lf).unwrap(), &chosen.head(Some(4)));
    let message = error(scan_ipc_file(&path, rules.options().with_columns(["a"])));
    assert!(message.contains("with_schema") && message.contains("\"a\""), "{message}");
}

#[test]
fn row_numbers_hive_keys_paths_and_statistics() {
    let [ab, bc] = two_frames();
    let folder = tempfile::tempdir().unwrap();
    let bc = bc.lazy().with_columns([lit("file").alias("part")]).collect().unwrap();
    put(folder.path(), "part=1/a.arrow", &file(&ab, 2));
    put(folder.path(), "part=2/a.arrow", &file(&bc, 2));
    let options = Rules::lenient()
        .options()
        .with_hive(true)
        .with_row_index(RowIndex { name: "row".into(), offset: 5 })
        .with_include_file_paths("path");
    let lf = scan_ipc_file(folder.path(), options.clone()).unwrap();
    let all = both(&lf).unwrap();
    let names: Vec<&str> = all.get_column_names().into_iter().map(PlSmallStr::as_str).collect();
    assert_eq!(names, ["row", "a", "b", "part", "path"]);
    assert_eq!(all.column("a").unwrap().null_count(), 4);
    assert_eq!(all.column("part").unwrap().get(7).unwrap().extract::<i64>(), Some(2));
    for predicate in [
        col("b").gt(lit(11)),
        col("a").eq(lit(2)),
        col("a").is_null().and(col("row").lt(lit(11))),
        col("part").eq(lit(1)).and(col("b").lt(lit(7))),
    ] {
        let expected = all.clone().lazy().filter(predicate.clone()).collect().unwrap();
        assert!(expected.height() > 0);
        let query = lf.clone().filter(predicate.clone());
        assert_same(&both(&query).unwrap(), &expected);
        assert_same(&both(&query.prune_ipc()).unwrap(), &expected);
        let given = scan_ipc_file(folder.path(), options.clone().with_predicate(predicate)).unwrap();
        assert_same(&both(&given).unwrap(), &expected);
    }
}

#[test]
fn errors_name_both_sides_and_the_way_out() {
    let [ab, bc] = two_frames();
    let folder = tempfile::tempdir().unwrap();
    let paths = [put(folder.path(), "x.arrow", &file(&ab, 2)), put(folder.path(), "y.arrow", &file(&bc, 2))];
    let told = |rules: &Rules| {
        let message = error(scan_ipc_file(&paths, rules.options()));
        let message = message.replace(paths[0].to_str().unwrap(), "X");
        message.replace(paths[1].to_str().unwrap(), "Y")
    };
    let message = told(&Rules { extra: ExtraColumnsPolicy::Ignore, ..Rules::default() });
    assert!(message.contains("column \"a\" is i64 in X, and missing in Y"), "{message}");
    assert!(message.contains("with_missing_columns"), "{message}");
    let message = told(&Rules { missing: MissingColumnsPolicy::Insert, ..Rules::default() });
    assert!(message.contains("column \"c\" is missing in X, and i64 in Y"), "{message}");
    assert!(message.contains("with_extra_columns"), "{message}");
    let message = told(&Rules { casts: CastColumnsPolicy::default(), ..Rules::lenient() });
    assert!(message.contains("column \"b\" is i64 in X, and i32 in Y"), "{message}");
    assert!(message.contains("with_cast_options"), "{message}");
    let schema = Schema::from_iter([Field::new("b".into(), DataType::String)]);
    let message = told(&Rules { schema: Some(Arc::new(schema)), ..Rules::lenient() });
    assert!(message.contains("column \"b\" is str in the given schema, and i64 in X"), "{message}");
}
