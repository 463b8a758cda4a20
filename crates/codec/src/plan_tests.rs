//! When buffers are left uncompressed, and when a plan is reused.

use super::*;
use crate::tests::{ints, letters, noise, unpack};

const BOTH: [Compression; 2] = [Compression::Lz4, Compression::Zstd { level: 3 }];
const LEVELS: [Compression; 3] = [BOTH[0], BOTH[1], Compression::Zstd { level: 1 }];

fn is_uncompressed(compression: Compression, input: &[u8]) -> bool {
    Strategy::choose(compression, input).unwrap() == Strategy::Uncompressed
}

#[test]
fn random_bytes_are_not_compressed() {
    for compression in LEVELS {
        assert!(is_uncompressed(compression, &noise(1 << 20)));
        assert!(is_uncompressed(compression, &noise(MIN_SAMPLED_BYTES)));
        assert!(!is_uncompressed(compression, &noise(MIN_SAMPLED_BYTES - 1)), "not asked");
        assert!(!is_uncompressed(compression, &ints(1 << 20)));
    }
    assert!(!is_uncompressed(Compression::Zstd { level: 9 }, &noise(1 << 20)), "not asked");
}

#[test]
fn entropy_counts_for_zstd_only() {
    assert_eq!(
        LEVELS.map(|compression| is_uncompressed(compression, &letters(1 << 20))),
        [true, false, false]
    );
}

#[test]
fn a_compressible_eighth_is_enough() {
    for compression in LEVELS {
        for eighth in 0..8 {
            let mut input = noise(1 << 20);
            input[eighth << 17..(eighth + 1) << 17].fill(0);
            assert!(!is_uncompressed(compression, &input), "{eighth}");
        }
    }
}

/// Batches of columns, each of a kind of its own.
fn columns(seed: usize, len: usize) -> Vec<Vec<u8>> {
    let random = noise(len + seed);
    let (words, _) = random[seed..].as_chunks::<8>();
    let numbers = |number: &dyn Fn(u64) -> u64| -> Vec<u8> {
        words.iter().flat_map(|word| number(u64::from_le_bytes(*word)).to_le_bytes()).collect()
    };
    #[expect(clippy::cast_precision_loss, reason = "made-up numbers")]
    let price = |value: u64| ((value % 100_000) as f64 / 100.0).to_bits();
    let text: String = words.iter().map(|word| format!("{} of {}; ", word[0], word[1] % 9)).collect();
    vec![
        numbers(&|value| value % 1_000),
        numbers(&|value| value % 1_000_000),
        numbers(&price),
        text.into_bytes()[..len].to_vec(),
        noise(len + seed)[seed..].to_vec(),
        vec![0; len],
    ]
}

#[test]
fn a_plan_is_reused_for_similar_inputs_only() {
    for compression in LEVELS {
        let first = columns(0, 1 << 20);
        let plans: Vec<CompressionPlan> =
            first.iter().map(|column| CompressionPlan::new(compression, column).unwrap()).collect();
        for len in [MIN_SAMPLED_BYTES - 8, 600_000, 1 << 20, (2 << 20) - 8, 2 << 20] {
            for (i, column) in columns(77, len).iter().enumerate() {
                for (j, plan) in plans.iter().enumerate() {
                    let own = CompressionPlan::new(compression, column).unwrap();
                    let found = plan.reuse_or_replan(column).unwrap();
                    assert!(found == own || found == *plan, "{compression:?}: {j}, then {i}");
                    let is_large = len >= plan.min_reusable_bytes() && len / MAX_LONGER_RATIO <= 1 << 20;
                    if i == j && is_large {
                        assert_eq!(found, *plan, "{compression:?}: {i} of {len}");
                    } else if !is_large || [4, 5].contains(&i) {
                        // Noise and zeros are like nothing else.
                        assert_eq!(found, own, "{compression:?}: {j}, then {i} of {len}");
                    }
                    let mut out = Vec::new();
                    if found.compress(column, &mut out, &Serial).unwrap() {
                        let back = unpack(compression.codec(), &out, len);
                        assert!(back.as_ref() == Ok(column), "{compression:?}: {j}, then {i}");
                    } else {
                        assert_eq!((i, out.len()), (4, 0), "{compression:?}: {j}");
                    }
                }
            }
        }
    }
}

#[test]
fn an_uncompressed_plan_is_reused_only_while_the_input_does_not_shrink() {
    for compression in LEVELS {
        let mut input = noise(1 << 20);
        let plan = CompressionPlan::new(compression, &input).unwrap();
        assert_eq!(plan.reuse_or_replan(&noise(1_500_000)), Ok(plan.clone()));
        // Within the limits of an input that is otherwise alike.
        input[..1 << 17].fill(0);
        assert_ne!(plan.reuse_or_replan(&input), Ok(plan.clone()), "{compression:?}");
    }
}
