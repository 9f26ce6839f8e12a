//! What several times of the same thing say.

/// The times of one side, in seconds, in the order in which they were taken. At least one.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct Times {
    /// Each run.
    pub(super) seconds: Vec<f64>,
    /// The one in the middle, or between the two in the middle.
    pub(super) median: f64,
    /// The shortest.
    pub(super) least: f64,
    /// The longest.
    pub(super) most: f64,
}

impl Times {
    /// The times of at least one run.
    pub(super) fn new(seconds: Vec<f64>) -> Times {
        let mut sorted = seconds.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let last = sorted.len().saturating_sub(1);
        let median = f64::midpoint(at(last / 2), at(last.div_ceil(2)));
        Times { seconds, median, least: at(0), most: at(last) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        let times = Times::new(vec![3.0, 1.0, 2.0]);
        assert_eq!((times.median, times.least, times.most), (2.0, 1.0, 3.0));
        assert_eq!(times.seconds, [3.0, 1.0, 2.0]);
        assert_eq!(Times::new(vec![4.0, 1.0, 2.0, 3.0]).median, 2.5);
        assert_eq!(Times::new(vec![7.0]).median, 7.0);
    }
}
