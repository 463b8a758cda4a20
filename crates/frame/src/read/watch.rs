//! The pauses between two looks at a growing file.

use std::time::{Duration, Instant};

/// The first pause between two looks at the file.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// The longest pause, unless set otherwise.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// How long a growing file is left alone, and when it counts as idle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watch {
    pub(super) longest_pause: Duration,
    pub(super) idle_timeout: Option<Duration>,
    pause: Duration,
    /// When the file was seen to grow last, and how long it was then.
    grew: Instant,
    len: u64,
}

impl Watch {
    /// Of a file of that length.
    pub(super) fn new(len: u64) -> Self {
        Self {
            longest_pause: LONGEST_PAUSE,
            idle_timeout: None,
            pause: FIRST_PAUSE,
            grew: Instant::now(),
            len,
        }
    }

    /// The same for another file.
    pub(super) fn anew(&mut self, len: u64) {
        (self.pause, self.grew, self.len) = (FIRST_PAUSE, Instant::now(), len);
    }

    /// Something has come: the file is worth another look soon.
    pub(super) fn begin(&mut self) {
        self.pause = FIRST_PAUSE;
    }

    /// Takes note of the length.
    pub(super) fn see(&mut self, len: u64) {
        if len != self.len {
            (self.grew, self.len) = (Instant::now(), len);
        }
    }

    /// Whether the file has not grown for as long as was set. If so, it is waited for anew.
    pub(super) fn is_idle(&mut self, len: u64) -> bool {
        self.see(len);
        let is_idle = self.until_idle().is_some_and(|left| left.is_zero());
        if is_idle {
            self.grew = Instant::now();
        }
        is_idle
    }

    fn until_idle(&self) -> Option<Duration> {
        self.idle_timeout.map(|most| most.saturating_sub(self.grew.elapsed()))
    }

    /// Sleeps, no longer than `most`. The next pause is twice as long.
    pub(super) fn sleep(&mut self, most: Option<Duration>) {
        let limits = [Some(self.longest_pause.max(FIRST_PAUSE)), most, self.until_idle()];
        let pause = limits.into_iter().flatten().fold(self.pause, Duration::min);
        std::thread::sleep(pause);
        self.pause = self.pause.saturating_mul(2).min(self.longest_pause.max(FIRST_PAUSE));
    }
}
