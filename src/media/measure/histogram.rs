//! Distributions of times in bounded memory: buckets that grow with the value, each less than 1 % wide.

/// Buckets for each doubling of the value.
const FINE: usize = 128;
const FINE_BITS: u32 = FINE.trailing_zeros();
/// Values of 2^36 us (19 hours) and more share the last bucket.
const MAX_BITS: u32 = 36;
const BUCKETS: usize = FINE * (MAX_BITS - FINE_BITS + 2) as usize;

/// Counts values in microseconds.
#[derive(Clone)]
pub struct Histogram {
    buckets: Box<[u32; BUCKETS]>,
    count: u64,
    max: i64,
}

/// A summary in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distribution {
    /// How many values there were.
    pub count: u64,
    /// Half of the values are below.
    pub p50: f64,
    /// 95 of 100 values are below.
    pub p95: f64,
    /// The largest, exactly.
    pub max: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: Box::new([0; BUCKETS]), count: 0, max: 0 }
    }
}

impl Histogram {
    /// Counts one value; below zero (clocks that disagree) it counts as zero, but [`Distribution::max`] stays true.
    pub fn add(&mut self, micros: i64) {
        let bucket = bucket(micros.max(0).unsigned_abs());
        self.buckets[bucket] = self.buckets[bucket].saturating_add(1);
        self.max = if self.count == 0 { micros } else { self.max.max(micros) };
        self.count += 1;
    }

    /// The summary; `None` while empty.
    pub fn distribution(&self) -> Option<Distribution> {
        (self.count > 0).then(|| Distribution {
            count: self.count,
            p50: self.quantile(0.50),
            p95: self.quantile(0.95),
            max: self.max as f64 / 1000.0,
        })
    }

    fn quantile(&self, share: f64) -> f64 {
        let total: u64 = self.buckets.iter().map(|&n| u64::from(n)).sum();
        let rank = ((total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, &n) in self.buckets.iter().enumerate() {
            seen += u64::from(n);
            if seen >= rank {
                return middle(bucket).min(self.max as f64) / 1000.0;
            }
        }
        self.max as f64 / 1000.0
    }
}

/// The first 128 buckets hold one value each; after that each doubling is split into 128.
fn bucket(value: u64) -> usize {
    let bits = u64::BITS - value.leading_zeros();
    if bits <= FINE_BITS {
        return value as usize;
    }
    let shift = bits - FINE_BITS - 1;
    let bucket = FINE * (shift as usize + 1) + (value >> shift) as usize - FINE;
    bucket.min(BUCKETS - 1)
}

fn middle(bucket: usize) -> f64 {
    if bucket < FINE {
        return bucket as f64;
    }
    let (shift, fine) = (bucket / FINE - 1, bucket % FINE);
    ((FINE + fine) as f64 + 0.5) * (1_u64 << shift) as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_histogram_has_no_distribution() {
        assert_eq!(Histogram::default().distribution(), None);
    }

    #[test]
    fn quantiles_of_a_ramp() {
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|ms| histogram.add(ms * 1000));
        let d = histogram.distribution().unwrap();
        assert!((d.p50 - 500.0).abs() < 5.0 && (d.p95 - 950.0).abs() < 9.0, "{d:?}");
        assert_eq!((d.max, d.count), (1000.0, 1000));
    }

    #[test]
    fn negative_values_do_not_hide() {
        let mut histogram = Histogram::default();
        histogram.add(-5000);
        assert_eq!(histogram.distribution().unwrap().max, -5.0);
    }

    proptest! {
        #[test]
        fn a_bucket_is_close_to_its_values(value in 0_u64..1 << 40) {
            let bucket = bucket(value);
            prop_assert!(bucket < BUCKETS);
            if value < 1 << MAX_BITS {
                prop_assert!((middle(bucket) - value as f64).abs() <= value as f64 / 128.0 + 0.5);
            }
        }
    }
}
