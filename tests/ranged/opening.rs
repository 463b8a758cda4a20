//! The requests that opening an index takes.

use floe::IpcIndex;
use floe_tests::equal::assert_frames_equal;

use super::*;

fn open(store: &Arc<Store>, options: IpcIndexOptions) -> IpcIndex {
    IpcIndex::from_source(Arc::<Store>::clone(store), options).unwrap()
}

/// All columns of all batches.
fn read_all(index: &IpcIndex) -> DataFrame {
    let columns: Vec<usize> = (0..index.column_names().len()).collect();
    index.read(0..index.num_record_batches(), &columns, true).unwrap()
}

#[test]
fn a_file_of_floe_takes_one_request_or_two_whatever_its_size() {
    let df = frame(6_000);
    for rows_per_batch in [6_000, 100, 3] {
        for compression in [None, Some(IpcCompression::LZ4)] {
            let store = Store::new(&file(&df, rows_per_batch, compression));
            // Of the default some of these are smaller than the tail, of the others none is.
            for tail in [256 << 10, 128 << 10, 4 << 10, 0] {
                let index = open(&store, IpcIndexOptions::default().with_tail_bytes(tail));
                let calls = store.take_calls();
                let ranges: usize = calls.iter().map(Vec::len).sum();
                assert!(calls.len() <= 2 && ranges <= 2, "{rows_per_batch} {tail}: {calls:?}");
                assert!(tail < 128 << 10 || calls.len() == 1, "{rows_per_batch} {tail}: {calls:?}");
                assert_eq!(index.num_rows(), df.height());
                assert_eq!(index.num_record_batches(), df.height().div_ceil(rows_per_batch));
                assert_eq!(index.bytes_read(), bytes_of(&calls));
                assert_frames_equal(&read_all(&index), &df);
                store.take_calls();
            }
        }
    }
}

#[test]
fn a_file_of_others_takes_three_requests() {
    for (batches, rows) in [(1, 5), (400, 10), (2_000, 1), (40, 4_000)] {
        let (df, bytes) = foreign_file(batches, rows);
        let store = Store::new(&bytes);
        let index = open(&store, IpcIndexOptions::default().with_tail_bytes(1 << 10).with_gap_bytes(0));
        let calls = store.take_calls();
        assert!(calls.len() <= 3, "{batches} batches: {} calls", calls.len());
        assert_eq!((index.num_rows(), index.num_record_batches()), (df.height(), batches));
        let heads = calls.last().unwrap();
        assert!(batches == 1 || heads.len() == batches, "each head by itself, in one call");
        assert!(bytes_of(&calls) < (1 << 10) + 500 * batches as u64, "{} bytes", bytes_of(&calls));
        // Heads that have been read are not read again.
        assert_frames_equal(&index.read(0..batches, &[0], false).unwrap(), &df);
        let read = store.take_calls();
        assert_eq!(read.len(), 1, "{read:?}");
        assert_eq!(bytes_of(&read), df.height() as u64 * 8);
        // A gap that is as long as a body has all of them come in one piece.
        open(&store, IpcIndexOptions::default().with_tail_bytes(1 << 10).with_gap_bytes(64 << 10));
        assert!(store.take_calls().iter().all(|ranges| ranges.len() == 1));
    }
}

#[test]
fn a_file_that_is_cheap_to_read_is_looked_at_more_closely() {
    let df = frame(4_000);
    for rows_per_batch in [4_000, 100, 5] {
        let store = Store::with_cost(&file(&df, rows_per_batch, None), ReadCost::Call);
        let index = open(&store, IpcIndexOptions::default());
        assert!(store.take_calls().len() <= 3);
        assert_frames_equal(&read_all(&index), &df);
    }
}

#[test]
fn a_stream_is_walked_along() {
    let df = frame(3_000);
    for tail in [256 << 10, 1 << 10, 0] {
        let bytes = stream(&df, 1_000, None);
        let store = Store::new(&bytes);
        let index = open(&store, IpcIndexOptions::default().with_tail_bytes(tail));
        assert_eq!((index.num_rows(), index.num_record_batches()), (3_000, 3));
        let opened = bytes_of(&store.take_calls());
        assert!(tail as usize > bytes.len() || opened < bytes.len() as u64 / 2, "{opened} bytes");
        assert_frames_equal(&read_all(&index), &df);
        let (built, _) = build(&bytes, IpcIndexOptions::default().with_tail_bytes(tail)).unwrap();
        assert_eq!(built.num_rows(), 3_000);
    }
}

#[test]
fn several_streams_are_one() {
    let df = frame(100);
    let mut bytes = stream(&df, 50, None);
    bytes.extend(stream(&df, 20, None));
    let index = open(&Store::new(&bytes), IpcIndexOptions::default().with_tail_bytes(0));
    assert_eq!((index.num_rows(), index.num_record_batches()), (200, 7));
    assert_frames_equal(&read_all(&index), &df.vstack(&df).unwrap());
    bytes.extend(b"something else");
    let error = IpcIndex::from_source(Store::new(&bytes), IpcIndexOptions::default().with_tail_bytes(0));
    let whole = IpcIndex::from_bytes(bytes, IpcLimits::default()).unwrap_err().to_string();
    assert_eq!(error.unwrap_err().to_string(), whole);
}

#[test]
fn what_is_wrong_is_told_as_it_is_of_memory() {
    let df = frame(300);
    let good = file(&df, 100, None);
    let (len, footer) = (good.len(), good.len() - 10);
    let mut cases: Vec<Vec<u8>> = vec![Vec::new(), b"PAR1 this is none".to_vec(), vec![0; 70_000]];
    cases.extend([1, 6, 10, 17, 100, len / 2, len - 1, len - 6].map(|cut| good[..cut].to_vec()));
    let broken = |at: usize, by: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + by.len()].copy_from_slice(by);
        bytes
    };
    cases.extend([
        broken(footer, &[0xff; 4]),
        broken(footer, &[0, 0, 0, 0]),
        broken(footer, &[0xff, 0xff, 0xff, 0]),
    ]);
    cases.extend([broken(len - 400, &[0xff; 64]), broken(len - 100, &[0x7f; 32])]);
    for (case, bytes) in cases.into_iter().enumerate() {
        let expected = IpcIndex::from_bytes(bytes.clone(), IpcLimits::default());
        let expected = expected.map(|index| index.num_rows()).map_err(|e| e.to_string());
        for tail in [0, 16, 300, 1 << 20] {
            let options = IpcIndexOptions::default().with_tail_bytes(tail);
            let found = IpcIndex::from_source(Store::new(&bytes), options.clone());
            let found = found.map(|index| index.num_rows()).map_err(|e| e.to_string());
            assert_eq!(found, expected, "case {case}, a tail of {tail} bytes");
            let built = build(&bytes, options).map(|(index, _)| index.num_rows()).map_err(|e| e.to_string());
            assert_eq!(built, expected, "case {case}, a tail of {tail} bytes");
        }
    }
}

#[test]
fn a_builder_is_particular_about_what_it_is_given() {
    let bytes = file(&frame(5_000), 1_000, None);
    let len = bytes.len() as u64;
    let options = || IpcIndexOptions::default().with_tail_bytes(64);
    let mut builder = IpcIndexBuilder::new(len, options());
    assert!(builder.needed().into_iter().eq(std::iter::once(len - 64..len)));
    let mut wrong =
        |range: Range<u64>, bytes: usize| builder.give(range, vec![0; bytes]).unwrap_err().to_string();
    assert!(wrong(len - 64..len, 63).contains("63 bytes came"));
    assert!(wrong(len - 64..len, 65).contains("65 bytes came"));
    assert!(wrong(0..64, 64).contains("not asked for"));
    assert!(wrong(len - 63..len, 63).contains("not asked for"));
    assert!(wrong(len - 64..len + 1, 65).contains("a source that has"));
    let needed = builder.needed();
    assert!(needed.into_iter().eq(std::iter::once(len - 64..len)), "nothing has happened");
    assert!(builder.finish().unwrap_err().to_string().contains("not complete"));

    // More than was asked for is taken as well.
    let mut builder = IpcIndexBuilder::new(len, options());
    builder.give(0..len, bytes.clone()).unwrap();
    assert!(builder.needed().is_empty());
    let index = builder.finish().unwrap();
    assert_eq!(index.num_rows(), 5_000);
    let error = index.read(0..1, &[0], false).unwrap_err().to_string();
    assert!(error.contains("IpcIndex::plan"), "{error}");

    // An invalid source stays so.
    let mut builder = IpcIndexBuilder::new(100, options());
    let error = loop {
        let range = builder.needed().remove(0);
        let zeros = vec![0u8; (range.end - range.start) as usize];
        if let Err(error) = builder.give(range, zeros) {
            break error.to_string();
        }
    };
    assert_eq!(builder.give(0..100, vec![0u8; 100]).unwrap_err().to_string(), error);
    assert_eq!(builder.finish().unwrap_err().to_string(), error);
}

#[test]
fn a_source_that_fails_or_gives_too_little_is_an_error() {
    struct Bad(bool);
    impl RangedSource for Bad {
        fn len(&self) -> u64 {
            1 << 30
        }
        fn read_ranges(&self, ranges: &[Range<u64>]) -> io::Result<Vec<Buffer<u8>>> {
            if self.0 {
                Err(io::Error::other("no route to host"))
            } else {
                Ok(vec![vec![0; 3].into(); ranges.len()])
            }
        }
    }
    let error = |fails| {
        let opened = IpcIndex::from_source(Arc::new(Bad(fails)), IpcIndexOptions::default());
        opened.unwrap_err().to_string()
    };
    assert!(error(true).contains("no route to host"));
    assert!(error(false).contains("other bytes than it was asked for"));
}
