//! Objects that appear whole or not at all.

use floe::cloud::ObjectFile;
use tokio::io::AsyncWriteExt;

use super::watched::Request;
use super::*;

fn create(store: &Arc<Watched>) -> ObjectFile {
    ObjectFile::create(Arc::<Watched>::clone(store), "dir/a.bin")
        .with_part_bytes(1_000)
        .with_parts_in_flight(2)
}

async fn content(store: &Arc<Watched>) -> Option<Vec<u8>> {
    let found = store.get(&Path::from("dir/a.bin")).await.ok()?;
    Some(found.bytes().await.unwrap().to_vec())
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 % 251) as u8).collect()
}

#[test]
fn nothing_is_there_before_the_commit_and_all_of_it_afterwards() {
    run(async {
        for len in [0, 1, 999, 1_000, 1_001, 2_000, 7_777] {
            for piece in [1, 600, 1_000, 5_000] {
                let store = Watched::new(InMemory::new());
                let mut file = create(&store);
                for piece in bytes(len).chunks(piece) {
                    file.write_all(piece).await.unwrap();
                    file.flush().await.unwrap();
                }
                file.shutdown().await.unwrap();
                assert_eq!(content(&store).await, None);
                file.commit().await.unwrap();
                assert_eq!(content(&store).await, Some(bytes(len)), "{len} bytes by {piece}");
                let requests = store.take_requests();
                let parts: Vec<usize> = requests
                    .iter()
                    .filter_map(|request| match request {
                        Request::Part(len) | Request::Put(len) => Some(*len),
                        _ => None,
                    })
                    .collect();
                assert_eq!(parts.iter().sum::<usize>(), len);
                assert_eq!(parts.len(), len.div_ceil(1_000).max(1));
                assert_eq!(requests.contains(&Request::Begin), len > 1_000, "{requests:?}");
                assert!(store.most_in_flight() <= 2);
            }
        }
    });
}

#[test]
fn what_is_dropped_or_aborted_leaves_nothing() {
    run(async {
        for (len, begun) in [(0, false), (1_000, false), (5_000, true)] {
            let store = Watched::new(InMemory::new());
            let mut file = create(&store);
            file.write_all(&bytes(len)).await.unwrap();
            drop(file);
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            assert_eq!(store.take_requests().contains(&Request::Abort), begun, "{len} bytes, dropped");
            let mut file = create(&store);
            file.write_all(&bytes(len)).await.unwrap();
            file.abort().await.unwrap();
            assert_eq!(store.take_requests().contains(&Request::Abort), begun, "{len} bytes, aborted");
            assert_eq!(content(&store).await, None);
        }
    });
}

#[test]
fn a_commit_that_is_dropped_leaves_all_or_nothing() {
    run(async {
        for polls in 0..12 {
            let store = Watched::new(InMemory::new());
            let mut file = create(&store);
            file.write_all(&bytes(4_500)).await.unwrap();
            let committed = cancelling::poll_some(file.commit(), polls).await;
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            let found = content(&store).await;
            assert!(found.is_none() || found == Some(bytes(4_500)), "{polls} polls");
            assert!(committed.is_none() || found.is_some());
            assert!(found.is_some() || store.take_requests().contains(&Request::Abort), "{polls} polls");
        }
    });
}
