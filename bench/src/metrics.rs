//! What a server's `/metrics` says.

/// Their text.
#[derive(Debug)]
pub(crate) struct Metrics(pub(crate) String);

impl Metrics {
    /// A measure by its name, all of its labels together; not a number where there is none, which
    /// nothing is equal to.
    pub(crate) fn value(&self, name: &str) -> f64 {
        let of_name = self.lines().filter(|(measure, _)| measure.split('{').next() == Some(name));
        let all = of_name.map(|(_, value)| value).reduce(|sum, value| sum + value);
        all.unwrap_or(f64::NAN)
    }

    /// What nothing that a histogram has counted is above: the bound of its last bucket that has something.
    pub(crate) fn most(&self, name: &str) -> f64 {
        let bucket = |(measure, count): (&str, f64)| {
            let bound = measure.strip_prefix(name)?.strip_prefix("_bucket{le=\"")?;
            Some((bound.strip_suffix("\"}")?.replace("+Inf", "inf").parse::<f64>().ok()?, count))
        };
        let buckets: Vec<(f64, f64)> = self.lines().filter_map(bucket).collect();
        // Each has those of the ones before it as well.
        let all = buckets.last().map_or(f64::NAN, |(_, count)| *count);
        buckets.iter().find(|(_, count)| *count == all).map_or(f64::NAN, |(bound, _)| *bound)
    }

    /// Measures with their labels, and their values.
    fn lines(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.lines().filter_map(|line| {
            let (measure, value) = line.rsplit_once(' ')?;
            Some((measure, value.parse().ok()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_are_found_by_their_names() {
        let metrics = Metrics(
            "# HELP x So many.\n\
             x{of=\"a\"} 1\n\
             x{of=\"b\"} 2\n\
             x_y 7\n\
             turn_seconds_count 3\n\
             turn_seconds_bucket{le=\"0.5\"} 1\n\
             turn_seconds_bucket{le=\"1.0\"} 3\n\
             turn_seconds_bucket{le=\"2.0\"} 3\n\
             turn_seconds_bucket{le=\"+Inf\"} 3\n\
             wait_bucket{le=\"1.0\"} 1\n\
             wait_bucket{le=\"+Inf\"} 2\n"
                .to_owned(),
        );
        assert_eq!([metrics.value("x"), metrics.value("x_y")], [3.0, 7.0]);
        assert_eq!(metrics.most("turn_seconds"), 1.0);
        assert_eq!(metrics.most("wait"), f64::INFINITY);
        assert!(metrics.value("y").is_nan() && metrics.most("y").is_nan());
    }
}
