//! A limit on how often unknown keys are asked for.

/// Permissions to fetch that come back with time.
#[derive(Debug)]
pub(super) struct Bucket {
    interval: f64,
    burst: f64,
    level: f64,
    at: f64,
}

impl Bucket {
    pub(super) fn new(interval: f64, burst: f64) -> Self {
        Self {
            interval,
            burst,
            level: burst,
            at: 0.0,
        }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self, now: f64) -> bool {
        let passed = (now - self.at).max(0.0);
        self.at = now;
        self.level = (self.level + passed / self.interval).min(self.burst);
        let fits = self.level >= 1.0;
        if fits {
            self.level -= 1.0;
        }
        fits
    }
}
