//! The frames that are written and read, and the benchmark that needs no lazy engine.
//!
//! The frames are deterministic: no clock, no random source from outside. `ablation` (feature `switches`) turns one
//! mechanism of floe off at a time.

#[cfg(feature = "switches")]
pub mod ablation;
pub mod lineitem;
pub mod machine;
pub mod shapes;

use polars_core::prelude::*;

/// A small xorshift generator.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// Seeded; the seed must not be zero.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next_u64() % n
    }
}

/// A frame of columns of `rows` rows each.
///
/// # Panics
/// If they have not that length.
#[must_use]
pub fn columns(rows: usize, columns: Vec<Column>) -> DataFrame {
    DataFrame::new(rows, columns).expect("columns of one length")
}

/// Four integer and four float columns of `rows` rows: small integers, steps, prices, a random walk.
#[must_use]
#[expect(clippy::cast_precision_loss, clippy::cast_possible_wrap, reason = "made-up numbers")]
pub fn numbers(rows: usize) -> DataFrame {
    let mut rng = Rng::new(42);
    let mut ints = |n: u64| (0..rows).map(|_| rng.below(n) as i64).collect::<Vec<i64>>();
    let (small, medium) = (ints(1_000), ints(1_000_000));
    let steps: Vec<i64> = (0..rows as i64).collect();
    let repeated: Vec<i64> = (0..rows as i64).map(|i| i / 1000).collect();
    let mut rng = Rng::new(7);
    let prices: Vec<f64> = (0..rows).map(|_| rng.below(100_000) as f64 / 100.0).collect();
    let shares: Vec<f64> = (0..rows).map(|_| rng.below(1 << 53) as f64 / (1u64 << 53) as f64).collect();
    let mut at = 0.0;
    let walk = (0..rows).map(|_| {
        at += rng.below(2001) as f64 / 1000.0 - 1.0;
        at
    });
    let walk: Vec<f64> = walk.collect();
    let tens: Vec<f64> = (0..rows).map(|i| (i % 10) as f64).collect();
    columns(
        rows,
        vec![
            Column::new("small".into(), small),
            Column::new("medium".into(), medium),
            Column::new("steps".into(), steps),
            Column::new("repeated".into(), repeated),
            Column::new("prices".into(), prices),
            Column::new("shares".into(), shares),
            Column::new("walk".into(), walk),
            Column::new("tens".into(), tens),
        ],
    )
}

/// Short and long strings with a few nulls.
#[must_use]
pub fn strings(rows: usize) -> DataFrame {
    let mut rng = Rng::new(3);
    let short: Vec<Option<String>> =
        (0..rows).map(|_| (rng.below(20) > 0).then(|| format!("id{}", rng.below(100_000)))).collect();
    let long: Vec<String> = (0..rows)
        .map(|_| format!("https://example.com/{}/{}", rng.below(5_000), rng.below(1_000_000_000)))
        .collect();
    let words: Vec<&str> = (0..rows)
        .map(|_| ["alpha", "beta", "gamma", "delta"][usize::try_from(rng.below(4)).unwrap_or(0)])
        .collect();
    columns(
        rows,
        vec![
            Column::new("short".into(), short),
            Column::new("long".into(), long),
            Column::new("words".into(), words),
        ],
    )
}

/// `width` integer columns of `rows` rows.
#[must_use]
#[expect(clippy::cast_possible_wrap, reason = "made-up numbers")]
pub fn wide(width: usize, rows: usize) -> DataFrame {
    let mut rng = Rng::new(5);
    let all = (0..width).map(|i| {
        Column::new(format!("c{i}").into(), (0..rows).map(|_| rng.below(10_000) as i64).collect::<Vec<i64>>())
    });
    columns(rows, all.collect())
}
