//! Alternating runs, medians, ratios.

use std::time::{Duration, Instant};

use crate::data::Rng;
use crate::results::{Entry, Role};

/// One contender of a cell: who it is, and one run of it, which says how long it took.
pub struct Contender<'a> {
    /// Who it is.
    pub who: String,
    /// floe, a peer, or a limit that nobody can pass.
    pub role: Role,
    run: Box<dyn FnMut() -> Duration + 'a>,
}

impl<'a> Contender<'a> {
    /// A contender that takes the time itself.
    pub fn new(who: &str, role: Role, run: impl FnMut() -> Duration + 'a) -> Self {
        Self { who: who.into(), role, run: Box::new(run) }
    }

    /// Times `run`. Its result is dropped when the clock has stopped.
    pub fn timed<T>(who: &str, role: Role, mut run: impl FnMut() -> T + 'a) -> Self {
        Self::prepared(who, role, || (), move |()| run())
    }

    /// Times `run` on what `prepare` made before the clock started.
    pub fn prepared<I, T>(
        who: &str,
        role: Role,
        mut prepare: impl FnMut() -> I + 'a,
        mut run: impl FnMut(I) -> T + 'a,
    ) -> Self {
        Self::new(who, role, move || {
            let input = prepare();
            let start = Instant::now();
            let out = std::hint::black_box(run(input));
            let time = start.elapsed();
            drop(out);
            time
        })
    }

    /// floe, timed.
    pub fn floe<T>(run: impl FnMut() -> T + 'a) -> Self {
        Self::timed("floe", Role::Floe, run)
    }

    /// A peer, timed.
    pub fn peer<T>(who: &str, run: impl FnMut() -> T + 'a) -> Self {
        Self::timed(who, Role::Peer, run)
    }

    /// A limit, timed.
    pub fn limit<T>(who: &str, run: impl FnMut() -> T + 'a) -> Self {
        Self::timed(who, Role::Limit, run)
    }
}

/// A cell that is this slow stops after [`MIN_ROUNDS`].
const ENOUGH: Duration = Duration::from_secs(2);
/// Fewer would be no median.
const MIN_ROUNDS: usize = 5;

/// Runs the contenders in turns: one round to warm up, then up to `rounds` that count. Each round has an order of its
/// own. A contender that follows one that has just freed much memory is faster, and none should always be the one. The
/// orders are the same in every run.
///
/// Medians, fastest and slowest, in milliseconds.
pub fn alternate(contenders: &mut [Contender<'_>], rounds: usize) -> Vec<Entry> {
    let mut times: Vec<Vec<Duration>> = vec![Vec::with_capacity(rounds); contenders.len()];
    let mut order: Vec<usize> = (0..contenders.len()).collect();
    let mut rng = Rng::new(23);
    let mut start = Instant::now();
    let warm_up = usize::from(rounds > 1);
    for round in 0..rounds + warm_up {
        if round == warm_up {
            start = Instant::now();
        }
        if round >= warm_up + MIN_ROUNDS && start.elapsed() > ENOUGH {
            break;
        }
        shuffle(&mut order, &mut rng);
        for &i in &order {
            let time = (contenders[i].run)();
            if round >= warm_up {
                times[i].push(time);
            }
        }
    }
    let entry = |(contender, times): (&Contender<'_>, Vec<Duration>)| {
        let [low, value, high] = spread(times).map(|time| time.as_secs_f64() * 1e3);
        Entry { who: contender.who.clone(), role: contender.role, value, low, high }
    };
    contenders.iter().zip(times).map(entry).collect()
}

/// Every order is as likely as any other (Fisher and Yates).
fn shuffle(order: &mut [usize], rng: &mut Rng) {
    for last in (1..order.len()).rev() {
        let other = usize::try_from(rng.below(last as u64 + 1)).unwrap_or(0);
        order.swap(last, other);
    }
}

/// Fastest, median, slowest.
fn spread(mut times: Vec<Duration>) -> [Duration; 3] {
    times.sort();
    let at = |i: usize| times.get(i).copied().unwrap_or_default();
    [at(0), at(times.len() / 2), at(times.len().saturating_sub(1))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_neither_the_fastest_nor_the_slowest() {
        let ms = |n: u64| Duration::from_millis(n);
        assert_eq!(spread(vec![ms(9), ms(1), ms(5), ms(2), ms(30)]), [ms(1), ms(5), ms(30)]);
        assert_eq!(spread(vec![]), [ms(0); 3]);
    }

    #[test]
    fn orders_differ_and_have_everybody() {
        let mut rng = Rng::new(23);
        let mut order: Vec<usize> = (0..6).collect();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..7 {
            shuffle(&mut order, &mut rng);
            let mut all = order.clone();
            all.sort_unstable();
            assert_eq!(all, [0, 1, 2, 3, 4, 5]);
            seen.insert(order.clone());
        }
        assert!(seen.len() >= 6, "{seen:?}");
    }

    #[test]
    fn every_contender_runs_in_every_round_and_once_more() {
        let (mut a, mut b) = (0, 0);
        let time = Duration::from_millis(3);
        let mut contenders = [
            Contender::new("a", Role::Floe, || {
                a += 1;
                time
            }),
            Contender::new("b", Role::Peer, || {
                b += 1;
                time
            }),
        ];
        let entries = alternate(&mut contenders, 4);
        drop(contenders);
        assert_eq!((a, b), (5, 5));
        assert!(entries.iter().all(|entry| (entry.value - 3.0).abs() < 1e-9));
    }
}
