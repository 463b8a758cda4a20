//! Bytes that stop too early, sources that fail, files that others broke: an error, or the right result. Never a
//! panic, never less than was written without saying so.

mod cut;
mod files;
mod kinds;
mod sources;

use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use floe::prelude::*;
use floe_tests::arbitrary::{Arbitrary, dtypes};
use floe_tests::config::{Config, codecs, reads};
use floe_tests::equal::{assert_frames_equal, frames_differ, touch};
use floe_tests::messages::{Kind, footer, messages};
use floe_tests::run::{Cases, say};
use polars_core::prelude::*;
use polars_io::mmap::MmapBytesReader;

/// Small frames of several dtypes, each of three batches.
fn small_frames() -> Vec<(String, DataFrame)> {
    let groups: [&[&str]; 6] = [
        &["i64", "string"],
        &["categorical", "bool", "list_categorical"],
        &["struct_flat", "decimal_9_2", "null"],
        &["list_string", "array_3", "binary_offset"],
        &["enum", "f16", "struct_empty", "array_0"],
        &["extension_string", "i128", "datetime_us_zone"],
    ];
    let known = dtypes();
    let frame = |(seed, names): (u64, &&[&str])| {
        let columns: Vec<_> = names
            .iter()
            .map(|name| known.iter().find(|(known, _)| known == name).expect("a known dtype"))
            .map(|(name, dtype)| ((*name).into(), dtype.clone()))
            .collect();
        (names.join(", "), Arbitrary::new(seed).frame_of(&columns, 10))
    };
    (10..).zip(&groups).map(frame).collect()
}

/// All of them as they are, and some with each codec: every byte of every one is a case.
fn small_inputs() -> Vec<(String, DataFrame, Option<IpcCompression>)> {
    let mut inputs = Vec::new();
    for (index, (name, df)) in small_frames().into_iter().enumerate() {
        for compression in codecs().into_iter().take(if index < 2 { 3 } else { 1 }) {
            inputs.push((name.clone(), df.clone(), compression));
        }
    }
    inputs
}

/// The results of iterating: the rows of the whole batches, and the error that came after them.
struct Outcome {
    batches: Vec<DataFrame>,
    error: Option<PolarsError>,
}

/// # Panics
/// When there is anything behind an error.
fn drain(batches: PolarsResult<impl Iterator<Item = PolarsResult<DataFrame>>>) -> Outcome {
    let mut outcome = Outcome { batches: Vec::new(), error: None };
    let mut batches = match batches {
        Ok(batches) => batches,
        Err(error) => return Outcome { error: Some(error), ..outcome },
    };
    while let Some(batch) = batches.next() {
        match batch {
            Ok(batch) => outcome.batches.push(batch),
            Err(error) => {
                outcome.error = Some(error);
                assert!(!matches!(batches.next(), Some(Ok(_))), "a batch after an error");
                break;
            },
        }
    }
    assert!(batches.next().is_none(), "batches after the end");
    outcome
}

#[track_caller]
fn assert_prefix(df: &DataFrame, batches: &[DataFrame], expected: usize) {
    assert_eq!(batches.len(), expected, "whole batches");
    let mut start = 0;
    for batch in batches {
        if let Err(difference) = frames_differ(&df.slice(start, batch.height()), batch) {
            panic!("{difference}");
        }
        start += i64::try_from(batch.height()).expect("small");
    }
}

/// `None`: the cut is inside of a message. Otherwise the whole batches before it.
fn batches_before(ends: &[(usize, usize)], cut: usize) -> (usize, bool) {
    let before = ends.iter().rev().find(|(end, _)| *end <= cut);
    before.map_or((0, false), |&(end, batches)| (batches, end == cut))
}

/// The end of each message, with the batches up to there.
fn ends(bytes: &[u8]) -> (Vec<(usize, usize)>, usize) {
    let (messages, whole) = messages(bytes);
    let mut batches = 0;
    let ends = messages.iter().map(|message| {
        batches += usize::from(matches!(message.kind, Kind::Batch(_)));
        (message.end, batches)
    });
    (ends.collect(), whole)
}
