//! Alternating runs, medians, ratios.

use std::time::{Duration, Instant};

/// One contender of a cell.
pub struct Contender<'a> {
    /// Who it is.
    pub name: &'static str,
    /// One run, given once its input is ready.
    pub run: Box<dyn FnMut() + 'a>,
}

/// Median times of the contenders, which take turns, after one warm-up each.
pub fn alternate(contenders: &mut [Contender<'_>], rounds: usize) -> Vec<Duration> {
    let mut times: Vec<Vec<Duration>> = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..=rounds {
        for (contender, times) in contenders.iter_mut().zip(&mut times) {
            let start = Instant::now();
            (contender.run)();
            if round > 0 {
                times.push(start.elapsed());
            }
        }
    }
    times.into_iter().map(median).collect()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
