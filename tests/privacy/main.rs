//! Values that no row of a frame refers to are not written. They are searched for in the bytes of streams and files,
//! raw and decompressed, of every way to write.

use arrow::array::PrimitiveArray;
use arrow::bitmap::Bitmap;
use floe::IpcWriterOptions;
use floe::lazy::*;
use floe::prelude::*;
use floe_tests::config::{Config, codecs};
use floe_tests::equal::{assert_frames_equal, frames_differ};
use floe_tests::messages::buffers;
use floe_tests::planted::{Planted, Secret, is_found};
use floe_tests::run::Cases;
use polars_core::prelude::*;
use polars_lazy::prelude::*;

/// Whether anything that was planted is in a stream or a file, or in one of its buffers, decompressed.
fn leaks(bytes: &[u8], file: bool) -> bool {
    let stream = if file { &bytes[8..] } else { bytes };
    is_found(bytes) || buffers(stream).iter().any(|buffer| is_found(buffer))
}

fn read(bytes: &[u8], file: bool) -> DataFrame {
    if file {
        IpcReader::from_bytes(bytes.to_vec()).finish().expect("a file")
    } else {
        IpcStreamReader::from_bytes(bytes.to_vec()).finish().expect("a stream")
    }
}

/// Streams and files, with every codec, at both compat levels.
fn configs() -> Vec<Config> {
    let mut all = Vec::new();
    for compression in codecs() {
        for newest in [false, true] {
            for config in [Config::stream(), Config::file()] {
                all.push(Config { newest, ..config }.with_compression(compression));
            }
        }
    }
    all
}

macro_rules! write_with {
    ($config:expr, $df:expr, $($with:ident($value:expr)),*) => {{
        let (config, mut bytes): (&Config, _) = ($config, Vec::new());
        macro_rules! finish {
            ($writer:ident) => {
                $writer::new(&mut bytes)
                    .with_compression(config.compression)
                    .with_compat_level(config.compat_level())
                    .with_record_batch_size(config.batch_rows)
                    .with_parallel(config.parallel)
                    $(.$with($value))*
                    .finish(&mut $df.clone())
            };
        }
        let done = if config.file { finish!(IpcWriter) } else { finish!(IpcStreamWriter) };
        done.expect("written");
        bytes
    }};
}

mod queries;
mod sinks;

/// The property: whatever lies behind, between and around the values of a frame changes not one byte of what is written.
#[test]
fn what_is_not_in_the_frame_changes_no_byte() {
    let mut cases = Cases::new();
    for seed in 0..600 {
        cases.run(format!("seed {seed}"), || {
            let [a, b] = [Secret::A, Secret::B].map(|secret| Planted::new(seed, secret).frame());
            assert_frames_equal(&a, &b);
            let config = Config::any(Planted::new(seed, Secret::A).rng());
            let statistics = seed % 3 == 0;
            for canonical in [false, true] {
                let write = |df: &DataFrame| {
                    write_with!(&config, df, with_canonical_views(canonical), with_statistics(statistics))
                };
                let (of_a, of_b) = (write(&a), write(&b));
                assert!(!leaks(&of_a, config.file), "{config:?}, canonical {canonical}: planted values");
                assert!(of_a == of_b, "{config:?}, canonical {canonical}: the bytes differ");
                if a.height() > 0 {
                    assert_frames_equal(&a, &read(&of_a, config.file));
                }
            }
        });
    }
    cases.finish();
}

/// The option does what it says: the same frames come back, and some of the planted values are written.
#[test]
fn unreferenced_data_is_written_if_it_may_be() {
    let mut leaking = 0;
    for seed in 0..300 {
        let df = Planted::new(seed, Secret::A).frame();
        let mut config = Config::any(Planted::new(seed, Secret::A).rng());
        config.compression = None;
        let bytes = write_with!(&config, df, with_unreferenced_data(true));
        if df.height() > 0 {
            assert_frames_equal(&df, &read(&bytes, config.file));
        }
        leaking += usize::from(leaks(&bytes, config.file));
    }
    assert!(
        leaking > 50,
        "{leaking} of 300 hold what was planted: the search finds nothing, or the option does nothing"
    );
}

/// Numbers that are null in every second row, where they are planted.
fn hidden() -> DataFrame {
    let numbers = PrimitiveArray::from_vec(vec![i64::from_le_bytes(*b"SECRET!!"); 1_000]);
    let numbers = numbers.with_validity(Some((0..1_000).map(|row| row % 2 == 0).collect::<Bitmap>()));
    let kept = numbers.clone().with_values(
        (0..1_000).map(|row| if row % 2 == 0 { row } else { numbers.value(1) }).collect::<Vec<_>>().into(),
    );
    Int64Chunked::with_chunk("n".into(), kept).into_series().into_frame()
}

/// Wherever there are options, this is one, and it reaches the writer.
#[test]
fn all_options_have_it() {
    let df = hidden();
    for allowed in [false, true] {
        let mut bytes = Vec::new();
        let options = IpcStreamWriterOption::new().with_unreferenced_data(allowed);
        options.to_writer(&mut bytes).finish(&mut df.clone()).expect("written");
        assert_eq!(leaks(&bytes, false), allowed, "options of streams");
        let mut bytes = Vec::new();
        let writer = IpcWriterOptions::default().to_writer(&mut bytes).with_unreferenced_data(allowed);
        writer
            .batched(df.schema())
            .and_then(|mut writer| {
                writer.write_batch(&df)?;
                writer.finish()
            })
            .expect("written");
        assert_eq!(leaks(&bytes, true), allowed, "options of files");
        let folder = tempfile::tempdir().expect("a folder");
        let options = IpcSinkOptions::default().with_unreferenced_data(allowed);
        df.clone().lazy().sink_ipc_file(folder.path().join("sunk"), options).expect("sunk");
        let bytes = std::fs::read(folder.path().join("sunk")).expect("a file");
        assert_eq!(leaks(&bytes, true), allowed, "options of sinks");
    }
}
