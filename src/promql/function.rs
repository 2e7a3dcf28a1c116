//! The functions that a query may call.

use std::collections::BTreeSet;

/// Prometheus' functions as of 3.16, the experimental ones among them, and those of Thanos, sorted.
/// `info` is here because its two-argument form is confined; its one-argument form is refused.
const KNOWN: [&str; 95] = [
    "abs",
    "absent",
    "absent_over_time",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "avg_over_time",
    "ceil",
    "changes",
    "clamp",
    "clamp_max",
    "clamp_min",
    "cos",
    "cosh",
    "count_over_time",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "deg",
    "delta",
    "deriv",
    "double_exponential_smoothing",
    "end",
    "exp",
    "first_over_time",
    "floor",
    "histogram_avg",
    "histogram_count",
    "histogram_fraction",
    "histogram_quantile",
    "histogram_quantiles",
    "histogram_stddev",
    "histogram_stdvar",
    "histogram_sum",
    "holt_winters",
    "hour",
    "idelta",
    "increase",
    "info",
    "integral",
    "irate",
    "label_join",
    "label_replace",
    "last_over_time",
    "ln",
    "log10",
    "log2",
    "mad_over_time",
    "max_of",
    "max_over_time",
    "min_of",
    "min_over_time",
    "minute",
    "month",
    "pi",
    "predict_linear",
    "present_over_time",
    "quantile_over_time",
    "rad",
    "range",
    "rate",
    "resets",
    "round",
    "scalar",
    "sgn",
    "sin",
    "sinh",
    "sort",
    "sort_by_label",
    "sort_by_label_desc",
    "sort_desc",
    "sqrt",
    "start",
    "start_timestamp",
    "stddev_over_time",
    "stdvar_over_time",
    "step",
    "sum_over_time",
    "tan",
    "tanh",
    "time",
    "timestamp",
    "ts_of_first_over_time",
    "ts_of_last_over_time",
    "ts_of_max_over_time",
    "ts_of_min_over_time",
    "vector",
    "xdelta",
    "xincrease",
    "xrate",
    "year",
];

/// Which functions may be called.
#[derive(Clone, Debug)]
pub(super) struct Functions {
    more: BTreeSet<Box<str>>,
}

impl Functions {
    /// The known functions, and these.
    pub(super) fn new<S: AsRef<str>>(more: &[S]) -> Self {
        Self {
            more: more.iter().map(|name| name.as_ref().into()).collect(),
        }
    }

    /// Whether a function may be called. Names are compared exactly, as Prometheus does.
    pub(super) fn allow(&self, name: &str) -> bool {
        KNOWN.binary_search(&name).is_ok() || self.more.contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_functions_are_sorted() {
        assert!(KNOWN.is_sorted());
    }

    #[test]
    fn names_are_compared_exactly() {
        let functions = Functions::new(&["mine"]);
        for name in ["rate", "year", "abs", "xrate", "mine"] {
            assert!(functions.allow(name), "{name}");
        }
        for name in ["RATE", "", "rate2", "Mine"] {
            assert!(!functions.allow(name), "{name}");
        }
    }
}
