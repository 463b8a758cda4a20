//! The requests that reading some columns takes.

use std::collections::BTreeSet;

use floe::{IpcIndex, IpcStreamReader};
use floe_tests::equal::assert_frames_equal;
use floe_tests::messages::{Kind, messages};

use super::*;

#[test]
fn a_plan_needs_the_bytes_of_its_columns_and_no_head_twice() {
    let df = frame(8_000);
    let bytes = file(&df, 1_000, None);
    let (index, _) = build(&bytes, IpcIndexOptions::default().with_tail_bytes(0)).unwrap();
    assert_eq!(index.num_record_batches(), 8);
    // A column without nulls: eight bytes per value.
    let (read, calls) = run(index.plan(0..8, &[0]).unwrap(), &bytes).unwrap();
    assert_frames_equal(&read, &df.select(["a"]).unwrap());
    assert_eq!(calls.len(), 2, "heads, then bodies");
    assert_eq!((calls[0].len(), calls[1].len()), (8, 8));
    assert_eq!(bytes_of(&calls[1..]), 8 * 8_000);
    // The second time the heads are known, also for other columns.
    let (read, calls) = run(index.plan(0..8, &[0]).unwrap(), &bytes).unwrap();
    assert_frames_equal(&read, &df.select(["a"]).unwrap());
    assert_eq!((calls.len(), bytes_of(&calls)), (1, 8 * 8_000));
    // A bitmap of 125 bytes, padded to 128, and 8,000 bytes of values.
    let (read, calls) = run(index.plan(2..3, &[3]).unwrap(), &bytes).unwrap();
    assert_frames_equal(&read, &df.select(["b"]).unwrap().slice(2_000, 1_000));
    assert_eq!(calls, [[calls[0][0].clone()]], "one piece");
    assert!((8_125..=8_192).contains(&bytes_of(&calls)), "{}", bytes_of(&calls));
    // Nothing at all.
    let (read, calls) = run(index.plan(3..5, &[]).unwrap(), &bytes).unwrap();
    assert_eq!((read.height(), read.width(), calls.len()), (2_000, 0, 0));
    // Categories need dictionaries, once.
    let (read, _) = run(index.plan(0..8, &[2]).unwrap(), &bytes).unwrap();
    assert_frames_equal(&read, &df.select(["kind"]).unwrap());
    let (_, first) = run(index.plan(0..8, &[2]).unwrap(), &bytes).unwrap();
    let (all, _) = messages(&bytes[8..]);
    let dictionaries = all.iter().filter(|m| matches!(m.kind, Kind::Dictionary { .. }));
    let within = |range: &Range<u64>| {
        dictionaries.clone().any(|m| range.start < m.end as u64 + 8 && range.end > m.start as u64 + 8)
    };
    assert!(!first.iter().flatten().any(within), "known dictionaries are not read again");
}

#[test]
fn a_plan_reads_what_the_reader_reads() {
    let df = frame(500);
    for compression in [None, Some(IpcCompression::LZ4), Some(IpcCompression::ZSTD(Default::default()))] {
        for bytes in [file(&df, 60, compression), stream(&df, 60, compression)] {
            for tail in [0, 1 << 20] {
                let (index, _) = build(&bytes, IpcIndexOptions::default().with_tail_bytes(tail)).unwrap();
                for columns in [vec![0], vec![2, 0], vec![3, 1], vec![0, 1, 2, 3]] {
                    for batches in [0..9, 4..5, 8..9, 3..3] {
                        let expected = IpcIndex::from_bytes(bytes.clone(), IpcLimits::default()).unwrap();
                        let expected = expected.read(batches.clone(), &columns, false).unwrap();
                        let plan = index.plan(batches, &columns).unwrap().with_parallel(false);
                        assert_frames_equal(&run(plan, &bytes).unwrap().0, &expected);
                    }
                }
            }
        }
    }
}

#[test]
fn deltas_and_replaced_dictionaries_are_found() {
    let texts = |i: usize| vec![format!("a{i}"), "b".to_owned(), format!("c{}", i / 2)];
    for deltas in [true, false] {
        let categories =
            DataType::from_categories(Categories::random(PlSmallStr::EMPTY, CategoricalPhysical::U32));
        let batch = |i: usize| {
            let column = Column::new("kind".into(), texts(i)).cast(&categories).unwrap();
            DataFrame::new(3, vec![column]).unwrap()
        };
        let mut bytes = Vec::new();
        let writer = IpcStreamWriter::new(&mut bytes).with_dictionary_deltas(deltas);
        let mut writer = writer.batched(batch(0).schema()).unwrap();
        (0..6).for_each(|i| writer.write_batch(&batch(i)).unwrap());
        writer.finish().unwrap();
        let all = IpcStreamReader::new(bytes.as_slice()).finish().unwrap();
        let (index, _) = build(&bytes, IpcIndexOptions::default().with_tail_bytes(0)).unwrap();
        for i in [5, 0, 3, 2, 5] {
            let (read, _) = run(index.plan(i..i + 1, &[0]).unwrap(), &bytes).unwrap();
            let cast = |df: &DataFrame| df.columns()[0].cast(&DataType::String).unwrap();
            assert_eq!(cast(&read), cast(&all.slice(3 * i as i64, 3)), "batch {i}, deltas {deltas}");
        }
    }
}

#[test]
fn a_plan_is_particular_about_what_it_is_given() {
    let bytes = file(&frame(1_000), 500, None);
    let (index, _) = build(&bytes, IpcIndexOptions::default().with_tail_bytes(0)).unwrap();
    let part = |range: &Range<u64>| bytes[range.start as usize..range.end as usize].to_vec();
    let mut plan = index.plan(0..2, &[0, 3]).unwrap();
    let head = plan.needed().remove(0);
    assert!(plan.give(head.clone(), part(&head)[1..].to_vec()).is_err(), "short");
    assert!(plan.give(head.clone(), [part(&head), vec![0]].concat()).is_err(), "long");
    let other = head.start + 8..head.end + 8;
    assert!(plan.give(other.clone(), part(&other)).is_err(), "another range");
    assert!(plan.needed().contains(&head));
    while let Some(range) = plan.needed().first() {
        plan.give(range.clone(), part(range)).unwrap();
    }
    let again = plan.give(head.clone(), part(&head)).unwrap_err().to_string();
    assert!(again.contains("nothing more is needed"), "{again}");
    assert_eq!(plan.decode().unwrap().height(), 1_000);

    let plan = index.plan(0..2, &[1]).unwrap();
    assert!(plan.decode().unwrap_err().to_string().contains("are needed next"));
    let (fresh, _) = build(&bytes, IpcIndexOptions::default().with_tail_bytes(0)).unwrap();
    let mut plan = fresh.plan(0..1, &[0]).unwrap();
    let head = plan.needed().remove(0);
    let zeros = vec![0u8; (head.end - head.start) as usize];
    assert!(plan.give(head, zeros).unwrap_err().to_string().contains("record batch 0"));
    assert!(
        index.plan(0..3, &[0]).is_err()
            && index.plan(0..1, &[4]).is_err()
            && index.plan(0..1, &[0, 0]).is_err()
    );
}

#[test]
fn requests_for_columns_are_few() {
    let df = frame(16_000);
    let bytes = file(&df, 1_000, None);
    let store = Store::new(&bytes);
    let options = || IpcIndexOptions::default().with_tail_bytes(8 << 10);
    let index = IpcIndex::from_source(Arc::<Store>::clone(&store), options().with_gap_bytes(0)).unwrap();
    store.take_calls();
    let (_, read) = index.read_counted(0..16, &[0], true).unwrap();
    let calls = store.take_calls();
    assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [16, 16]);
    assert_eq!(read, bytes_of(&calls));
    assert!(read < 8 * 16_000 + 16 * 1_024, "{read}");
    index.read(0..16, &[0], true).unwrap();
    assert_eq!(store.take_calls().iter().map(Vec::len).collect::<Vec<_>>(), [16], "heads are known");
    // With a gap that is longer than what lies between, all comes at once.
    let index =
        IpcIndex::from_source(Arc::<Store>::clone(&store), options().with_gap_bytes(1 << 20)).unwrap();
    store.take_calls();
    assert_frames_equal(&index.read(0..16, &[0, 2], true).unwrap(), &df.select(["a", "kind"]).unwrap());
    assert!(store.take_calls().iter().all(|ranges| ranges.len() == 1));
}

#[test]
fn statistics_take_two_requests() {
    let df = frame(4_000).select(["a", "b"]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = IpcWriter::new(&mut bytes).with_statistics(true).with_record_batch_size(Some(500));
    writer.finish(&mut df.clone()).unwrap();
    let store = Store::new(&bytes);
    let options = IpcIndexOptions::default().with_tail_bytes(0);
    let index = IpcIndex::from_source(Arc::<Store>::clone(&store), options).unwrap();
    store.take_calls();
    let found = index.statistics(1..8, &[0, 1]).unwrap();
    assert_eq!(store.take_calls().len(), 2);
    let expected =
        IpcIndex::from_bytes(bytes, IpcLimits::default()).unwrap().statistics(1..8, &[0, 1]).unwrap();
    assert_eq!(found, expected);
    assert_eq!(found.column("a_min").unwrap().null_count(), 0);
    index.statistics(1..8, &[0]).unwrap();
    assert_eq!(store.take_calls().len(), 1, "heads are known");
}

#[test]
fn rows_are_read_over_batches() {
    let df = frame(1_000);
    let bytes = file(&df, 64, None);
    let store = Store::new(&bytes);
    let options = || IpcIndexOptions::default().with_tail_bytes(0);
    let index = IpcIndex::from_source(Arc::<Store>::clone(&store), options()).unwrap();
    let (built, _) = build(&bytes, options()).unwrap();
    let mut ends: BTreeSet<usize> = [0, 1, 63, 64, 65, 128, 500, 960, 999, 1_000].into();
    ends.extend((0..1_000).step_by(171));
    for start in &ends {
        for end in ends.range(start..) {
            let expected = df.select(["b", "kind"]).unwrap().slice(*start as i64, end - start);
            assert_frames_equal(&index.read_rows(*start..*end, &[3, 2], true).unwrap(), &expected);
            let plan = built.plan_rows(*start..*end, &[3, 2]).unwrap();
            assert_frames_equal(&run(plan, &bytes).unwrap().0, &expected);
        }
    }
    store.take_calls();
    index.read_rows(100..120, &[0], true).unwrap();
    assert_eq!(bytes_of(&store.take_calls()), 64 * 8, "one batch");
    assert!(index.read_rows(0..1_001, &[0], true).is_err());
    assert!(index.read_rows(0..0, &[9], true).is_err());
    let none = index.read_rows(7..7, &[], true).unwrap();
    assert_eq!((none.height(), none.width()), (0, 0));
    assert_eq!(index.read_rows(7..9, &[], true).unwrap().height(), 2);
}
