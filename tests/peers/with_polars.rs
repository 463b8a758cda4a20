//! Polars reads what floe writes, and floe what Polars writes.

use super::*;

#[test]
fn polars_reads_what_floe_writes() {
    let mut cases = Cases::new();
    for (seed, (name, dtype)) in (0..).zip(dtypes()) {
        if POLARS_CANNOT_READ.contains(&name) {
            continue;
        }
        let df = Arbitrary::new(seed).frame_of(&[("column".into(), dtype)], 40);
        for config in configs() {
            let config = config.with_batch_rows(15);
            cases.run(format!("{name}, {config:?}"), || {
                let found = polars_reads(config.file, &config.write(&df)).expect("a frame");
                assert_frames_equal(&df, &found);
            });
        }
    }
    cases.finish();
}

#[test]
fn floe_reads_what_polars_writes() {
    let mut cases = Cases::new();
    for (seed, (name, dtype)) in (100..).zip(dtypes()) {
        // Polars has trouble with categoricals in several chunks: facts.md, section 3.
        let df = Arbitrary::new(seed).frame_of(&[("column".into(), dtype)], 40);
        let df = {
            let mut df = df;
            df.rechunk_mut();
            df
        };
        for config in configs() {
            cases.run(format!("{name}, {config:?}"), || {
                let bytes = match catch_unwind(AssertUnwindSafe(|| polars_writes(&config, &df))) {
                    Ok(bytes) => bytes,
                    Err(panic) => panic!("Polars does not write it: {}", panic_text(panic.as_ref())),
                };
                for (way, read) in reads(config.file) {
                    let found = read(&bytes).unwrap_or_else(|error| panic!("{way}: {error}"));
                    assert_eq!(frames_differ(&df, &found.expect("batches")), Ok(()), "{way}");
                }
            });
        }
    }
    cases.finish();
}

/// Keeps the list above honest: what a newer Polars reads does not belong there.
#[test]
fn polars_does_not_read_what_polars_writes() {
    let known = dtypes();
    for name in POLARS_CANNOT_READ {
        let dtype = known.iter().find(|(known, _)| *known == name).expect("a known dtype").1.clone();
        let mut df = Arbitrary::new(1).frame_of(&[("column".into(), dtype)], 40);
        df.rechunk_mut();
        for config in [Config::stream(), Config::file()] {
            let bytes = polars_writes(&config, &df);
            let found = polars_reads(config.file, &bytes);
            assert!(
                found.map_or(true, |found| frames_differ(&df, &found).is_err()),
                "{name} is read after all"
            );
        }
    }
}

#[test]
fn metadata_between_polars_and_floe() {
    let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1, 2, 3])]).expect("a frame");
    let metadata: Arc<Metadata> = Arc::new([("key".into(), "größe".into())].into());
    let mut bytes = Vec::new();
    let mut writer = PolarsWriter::new(&mut bytes);
    writer.set_custom_schema_metadata(Arc::clone(&metadata));
    writer.finish(&mut df).expect("bytes");
    let found = IpcReader::new(Cursor::new(&bytes)).custom_metadata().expect("metadata").expect("metadata");
    assert_eq!(found.get("key"), metadata.get("key"));

    let mut bytes = Vec::new();
    let mut writer = IpcWriter::new(&mut bytes);
    writer.set_custom_schema_metadata(Arc::clone(&metadata));
    writer.finish(&mut df).expect("bytes");
    let found =
        PolarsReader::new(Cursor::new(&bytes)).custom_metadata().expect("metadata").expect("metadata");
    assert_eq!(found.get("key"), metadata.get("key"));

    let mut bytes = Vec::new();
    let mut writer = IpcStreamWriter::new(&mut bytes);
    writer.set_custom_schema_metadata(Arc::clone(&metadata));
    writer.finish(&mut df).expect("bytes");
    let found = PolarsStreamReader::new(Cursor::new(&bytes)).custom_metadata().expect("metadata");
    assert_eq!(found.expect("metadata").get("key"), metadata.get("key"));
}

/// Bytes that no codec shrinks are stored as they are, in a way that Polars also reads a few rows of.
#[test]
fn polars_reads_a_few_rows_of_what_does_not_shrink() {
    use rand::{Rng, SeedableRng};
    let mut rng = rand::rngs::StdRng::seed_from_u64(7);
    let rows = 40_000;
    let noise: Vec<u64> = (0..rows).map(|_| rng.random()).collect();
    let wide: Vec<i128> = (0..rows).map(|_| rng.random()).collect();
    let columns = vec![
        Column::new("noise".into(), noise),
        Column::new("wide".into(), wide),
        Column::new("zeros".into(), vec![0i64; rows]),
    ];
    let df = DataFrame::new(rows, columns).expect("columns of one length");
    for compression in codecs().into_iter().flatten() {
        let (mut file, mut stream) = (Vec::new(), Vec::new());
        IpcWriter::new(&mut file)
            .with_compression(Some(compression))
            .finish(&mut df.clone())
            .expect("a file");
        IpcStreamWriter::new(&mut stream)
            .with_compression(Some(compression))
            .finish(&mut df.clone())
            .expect("a stream");
        // Two thirds of the frame are noise.
        assert!(file.len() > rows * 24 && file.len() < rows * 25, "{compression:?}: {} bytes", file.len());
        assert_frames_equal(&polars_reads(true, &file).expect("Polars reads the file"), &df);
        assert_frames_equal(&polars_reads(false, &stream).expect("Polars reads the stream"), &df);
        let few = PolarsReader::new(Cursor::new(&file)).with_n_rows(Some(5)).finish();
        assert_frames_equal(&few.expect("Polars reads 5 rows"), &df.head(Some(5)));
        let few = PolarsStreamReader::new(Cursor::new(&stream)).with_n_rows(Some(5)).finish();
        assert_frames_equal(&few.expect("Polars reads 5 rows"), &df.head(Some(5)));
        assert_frames_equal(&IpcReader::from_bytes(file).finish().expect("floe reads the file"), &df);
        assert_frames_equal(
            &IpcStreamReader::from_bytes(stream).finish().expect("floe reads the stream"),
            &df,
        );
    }
}
