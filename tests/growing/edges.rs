//! Appending to what is no ordinary file, and values that a file's types have no place for.

use std::fs::{self, File};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use floe::prelude::*;
use floe::{Follow, FollowReader};
use polars_core::prelude::*;
use polars_io::ipc::IpcCompression;

use crate::append::{Place, days, place};
use floe_tests::config::Config;
use floe_tests::equal::assert_frames_equal;

/// A file of arrow-rs with one column.
fn arrow_file(column: ArrayRef, nullable: bool) -> Vec<u8> {
    let field = arrow_schema::Field::new("a", column.data_type().clone(), nullable);
    let schema = Arc::new(arrow_schema::Schema::new(vec![field]));
    let mut writer = arrow_ipc::writer::FileWriter::try_new(Vec::new(), &schema).unwrap();
    writer.write(&RecordBatch::try_new(schema, vec![column]).unwrap()).unwrap();
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

/// Under nulls of a fixed width there are zeros, not the bytes that the memory held before.
#[test]
fn what_was_in_memory_is_not_written() {
    const MARKER: &str = "planted marker 1";
    let rows = 200_000;
    let texts = Column::new("secret".into(), vec![MARKER; rows]);
    let mut secret = DataFrame::new(rows, vec![texts]).unwrap();
    let mut stream = Vec::new();
    let writer = IpcStreamWriter::new(&mut stream).with_compression(Some(IpcCompression::LZ4));
    writer.with_compat_level(CompatLevel::oldest()).finish(&mut secret).unwrap();
    let fixed = arrow_array::FixedSizeBinaryArray::try_from_iter([[7u8; 16]].into_iter()).unwrap();
    let Place { path, _folder } = place(&arrow_file(Arc::new(fixed), true));
    let values: Vec<Option<&[u8]>> =
        (0..100_000).map(|row| (row % 3 == 0).then_some(&b"sixteen bytes :)"[..])).collect();
    let mut more = DataFrame::new(values.len(), vec![Column::new("a".into(), values)]).unwrap();
    drop(secret);
    for _ in 0..3 {
        drop(IpcStreamReader::from_bytes(stream.clone()).finish().unwrap());
    }
    IpcWriter::append(&path).unwrap().finish(&mut more).unwrap();
    let written = fs::read(&path).unwrap();
    assert!(!written.windows(MARKER.len()).any(|bytes| bytes == MARKER.as_bytes()));
    let read = IpcReader::from_bytes(written).finish().unwrap();
    assert_frames_equal(&more, &read.slice(1, 100_000));
}

#[test]
fn a_time_of_day_has_no_place_among_whole_days() {
    let Place { path, _folder } = place(&arrow_file(Arc::new(arrow_array::Date64Array::from(vec![0])), true));
    let dtype = DataType::Datetime(TimeUnit::Milliseconds, None);
    let times = |times: &[i64]| {
        DataFrame::new(times.len(), vec![Column::new("a".into(), times).cast(&dtype).unwrap()]).unwrap()
    };
    let before = fs::read(&path).unwrap();
    let error = IpcWriter::append(&path).unwrap().finish(&mut times(&[86_400_000, 43_200_000])).unwrap_err();
    assert!(error.to_string().contains("whole days in milliseconds: 43200000"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
    IpcWriter::append(&path).unwrap().finish(&mut times(&[-86_400_000])).unwrap();
    let read = IpcReader::new(File::open(&path).unwrap()).finish().unwrap();
    assert_frames_equal(&times(&[0, -86_400_000]), &read);
}

/// Also where a list beside it is null: only the items of that one are no values.
#[test]
fn items_that_may_not_be_null_are_checked_beside_null_lists() {
    let item = Arc::new(arrow_schema::Field::new("item", arrow_schema::DataType::Int64, false));
    let values = Arc::new(arrow_array::Int64Array::from(vec![1, 2]));
    let lists = arrow_array::FixedSizeListArray::try_new(item, 2, values, None).unwrap();
    let Place { path, _folder } = place(&arrow_file(Arc::new(lists), true));
    let frame = |rows: &[Option<[Option<i64>; 2]>]| {
        let lists = rows.iter().map(|row| row.map(|items| Series::new("".into(), items)));
        let lists: ListChunked = lists.collect();
        let dtype = DataType::Array(Box::new(DataType::Int64), 2);
        let column = lists.with_name("a".into()).into_series().cast(&dtype).unwrap();
        DataFrame::new(rows.len(), vec![column.into_column()]).unwrap()
    };
    let bad = frame(&[Some([Some(1), None]), None]);
    let error = IpcWriter::append(&path).unwrap().finish(&mut bad.clone()).unwrap_err();
    assert!(error.to_string().contains("null"), "{error}");
    let good = frame(&[Some([Some(3), Some(4)]), None]);
    IpcWriter::append(&path).unwrap().finish(&mut good.clone()).unwrap();
    let read = IpcReader::new(File::open(&path).unwrap()).finish().unwrap();
    assert_frames_equal(&good, &read.slice(1, 2));
}

/// Batches without statistics have an empty line in the footer, so that the others' are found.
#[test]
fn statistics_that_begin_later_are_those_of_their_batches() {
    let mut bytes = Vec::new();
    let mut first = days(&[1, 2, 3]);
    IpcWriter::new(&mut bytes).with_record_batch_size(Some(1)).finish(&mut first).unwrap();
    let Place { path, _folder } = place(&bytes);
    IpcWriter::append(&path).unwrap().with_statistics(true).finish(&mut days(&[7, 9])).unwrap();
    let raw = IpcReader::new(File::open(&path).unwrap()).footer_metadata_bytes().unwrap();
    let lines = &raw.iter().find(|(key, _)| key == b"floe:statistics").unwrap().1;
    let lines: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').collect();
    assert_eq!(lines.iter().map(|line| line.is_empty()).collect::<Vec<_>>(), [true, true, true, false]);
    let index = IpcIndex::open(&path, IpcLimits::default()).unwrap();
    let statistics = index.statistics(0..4, &[0]).unwrap();
    let smallest: Vec<Option<i64>> = statistics.column("day_min").unwrap().i64().unwrap().iter().collect();
    assert_eq!(smallest, [None, None, None, Some(7)]);
}

/// A FIFO would wait for its other end, for ever.
#[cfg(unix)]
#[test]
fn a_fifo_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    for error in [
        IpcWriter::append(&path).map(drop).unwrap_err(),
        IpcStreamWriter::append(&path).map(drop).unwrap_err(),
        FollowReader::open(&path).map(drop).unwrap_err(),
    ] {
        assert!(error.to_string().contains("no regular file"), "{error}");
    }
}

/// The name of an open file cannot be given to another one, and copying it would never end.
#[cfg(target_os = "linux")]
#[test]
fn a_file_by_its_descriptor_is_refused() {
    use std::os::fd::AsRawFd;
    let old = Config::file().write(&days(&[1]));
    let Place { path, _folder } = place(&old);
    let open = File::options().read(true).write(true).open(&path).unwrap();
    let name = format!("/dev/fd/{}", open.as_raw_fd());
    let error = IpcWriter::append(&name).unwrap().finish(&mut days(&[2])).unwrap_err();
    assert!(error.to_string().contains("name the file itself"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), old);
}

#[test]
fn a_stream_that_is_replaced_while_it_is_written_in_place_is_told() {
    let Place { path, _folder } = place(&Config::stream().write(&days(&[1])));
    let writer = IpcStreamWriter::append(&path).unwrap().with_in_place(true);
    let mut writer = writer.batched(days(&[]).schema()).unwrap();
    writer.write_batch(&days(&[2])).unwrap();
    let other = Config::stream().write(&days(&[7]));
    fs::write(path.with_extension("new"), &other).unwrap();
    fs::rename(path.with_extension("new"), &path).unwrap();
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.contains("another file has its name"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), other);
}

/// A writer cuts off the start of a message, long before it writes something else there.
#[test]
fn a_follower_that_looks_between_the_cut_and_the_next_message_goes_on() {
    let whole = Config::stream().write(&days(&[1]));
    let Place { path, _folder } = place(&whole[..whole.len() - 8]);
    let cut_off = &whole[..100];
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(cut_off);
    fs::write(&path, bytes).unwrap();
    let mut reader = FollowReader::open(&path).unwrap();
    let mut next = || reader.next_batch(std::time::Duration::ZERO);
    assert!(matches!(next(), Ok(Follow::Batch(_))));
    // The file ends in the middle of a message.
    assert!(matches!(next(), Ok(Follow::NotYet)));
    let writer = IpcStreamWriter::append(&path).unwrap().with_in_place(true);
    let mut writer = writer.batched(days(&[]).schema()).unwrap();
    for _ in 0..3 {
        let then = next();
        assert!(matches!(then, Ok(Follow::NotYet)), "{then:?}");
    }
    writer.write_batch(&days(&[2])).unwrap();
    assert!(matches!(next(), Ok(Follow::Batch(df)) if df.equals(&days(&[2]))));
    writer.finish().unwrap();
    assert!(matches!(next(), Ok(Follow::Ended)));
}

/// All that was waited for before it became bytes: an end that is no end marker is one.
#[test]
fn a_stream_that_is_complete_is_complete_as_bytes() {
    let whole = Config::stream().write(&days(&[1]));
    let Place { path, _folder } = place(&whole[..whole.len() - 8]);
    let mut reader = FollowReader::open(&path).unwrap();
    reader.complete();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut reader.into_bytes().unwrap(), &mut bytes).unwrap();
    assert_eq!(bytes, &whole[..whole.len() - 8]);
}

/// Its old dictionary is still there, and its footer lists the new one in its place: from front to back it is another
/// file than by its footer.
#[test]
fn a_file_whose_categories_grew_is_not_read_from_front_to_back() {
    let kinds = |values: &[&str]| {
        let column =
            Column::new("kind".into(), values).cast(&DataType::from_categories(Categories::global()));
        DataFrame::new(values.len(), vec![column.unwrap()]).unwrap()
    };
    let mut bytes = Vec::new();
    IpcWriter::new(&mut bytes).finish(&mut kinds(&["one", "two"])).unwrap();
    let Place { path, _folder } = place(&bytes);
    IpcWriter::append(&path).unwrap().finish(&mut kinds(&["two", "one"])).unwrap();
    let all = kinds(&["one", "two", "two", "one"]);
    let appended = fs::read(&path).unwrap();
    assert_frames_equal(&IpcStreamReader::new(appended.as_slice()).finish().unwrap(), &all);

    IpcWriter::append(&path).unwrap().finish(&mut kinds(&["three"])).unwrap();
    let grown = fs::read(&path).unwrap();
    let all = kinds(&["one", "two", "two", "one", "three"]);
    assert_frames_equal(&IpcReader::from_bytes(grown.clone()).finish().unwrap(), &all);
    let error = IpcStreamReader::new(grown.as_slice()).finish().unwrap_err().to_string();
    assert!(error.contains("which are not the 3 and 2"), "{error}");
    // Without the magic there is no footer to compare with: a stream, whose dictionary is replaced.
    let reader = IpcStreamReader::new(&grown[8..]).with_trailing_data_allowed(true);
    assert_frames_equal(&reader.finish().unwrap(), &all);
}
