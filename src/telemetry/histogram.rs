//! Histograms of durations. A sample is counted into its bucket at once: it takes no memory that somebody would
//! have to fold up later, while requests wait.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Upper bounds of the buckets in seconds: from an answer of our own to a timeout.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0];

/// All histograms by name.
static ALL: Mutex<BTreeMap<&'static str, Family>> = Mutex::new(BTreeMap::new());

/// The histograms of one name.
#[derive(Debug, Default)]
struct Family {
    help: &'static str,
    /// By their labels as they are written, such as `upstream="api"`.
    series: BTreeMap<String, Histogram>,
}

/// One histogram, shared by all who count into it.
#[derive(Debug, Clone, Default)]
pub(super) struct Histogram(Arc<Samples>);

#[derive(Debug, Default)]
struct Samples {
    /// Samples in each bucket; those above all bounds are only in the count.
    buckets: [AtomicU64; SECONDS.len()],
    count: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Histogram {
    /// The histogram of that name and these labels, which is new if there is none.
    pub(super) fn register(name: &'static str, labels: &[(&str, &str)]) -> Histogram {
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escape(value))).collect();
        all().entry(name).or_default().series.entry(labels.join(",")).or_default().clone()
    }

    /// Counts a sample.
    pub(super) fn record(&self, seconds: f64) {
        let bucket = SECONDS.iter().zip(&self.0.buckets).find(|(bound, _)| seconds <= **bound);
        if let Some((_, bucket)) = bucket {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.0.nanoseconds.fetch_add((seconds * 1e9) as u64, Ordering::Relaxed);
        self.0.count.fetch_add(1, Ordering::Relaxed);
    }

    fn write(&self, name: &str, labels: &str, out: &mut String) -> std::fmt::Result {
        let before = if labels.is_empty() { String::new() } else { format!("{labels},") };
        let mut below = 0;
        for (bound, bucket) in SECONDS.iter().zip(&self.0.buckets) {
            below += bucket.load(Ordering::Relaxed);
            writeln!(out, "{name}_bucket{{{before}le=\"{bound}\"}} {below}")?;
        }
        // A sample may be in its bucket and not in the count yet.
        let count = self.0.count.load(Ordering::Relaxed).max(below);
        let sum = self.0.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9;
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        writeln!(out, "{name}_bucket{{{before}le=\"+Inf\"}} {count}")?;
        writeln!(out, "{name}_sum{labels} {sum}\n{name}_count{labels} {count}")
    }
}

/// Tells the help text of all histograms of that name.
pub(super) fn describe(name: &'static str, help: &'static str) {
    all().entry(name).or_default().help = help;
}

/// Appends all of them in Prometheus' text format.
pub(super) fn render(out: &mut String) {
    for (name, family) in all().iter().filter(|(_, family)| !family.series.is_empty()) {
        // Writing to a text does not fail.
        let _ = writeln!(out, "# HELP {name} {}\n# TYPE {name} histogram", family.help);
        for (labels, histogram) in &family.series {
            let _ = histogram.write(name, labels, out);
        }
        out.push('\n');
    }
}

fn all() -> MutexGuard<'static, BTreeMap<&'static str, Family>> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A label's value as the format has it.
fn escape(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_counted_up_to_each_bound() {
        describe("histogram_test_seconds", "For a test.");
        let histogram = Histogram::register("histogram_test_seconds", &[("upstream", "a \"b\"\n")]);
        for seconds in [0.0, 0.001, 0.002, 0.3, 31.0] {
            histogram.record(seconds);
        }
        Histogram::register("histogram_test_seconds", &[("upstream", "a \"b\"\n")]).record(1.0);
        let mut text = String::new();
        render(&mut text);
        assert!(text.contains(
            "# HELP histogram_test_seconds For a test.\n# TYPE histogram_test_seconds histogram\n"
        ));
        let labels = r#"upstream="a \"b\"\n""#;
        for (bound, count) in [("0.001", 2), ("0.0025", 3), ("0.25", 3), ("1", 5), ("30", 5), ("+Inf", 6)] {
            let line = format!("\nhistogram_test_seconds_bucket{{{labels},le=\"{bound}\"}} {count}\n");
            assert!(text.contains(&line), "{line} in {text}");
        }
        assert!(text.contains(&format!("\nhistogram_test_seconds_sum{{{labels}}} 32.303\n")), "{text}");
        assert!(text.contains(&format!("\nhistogram_test_seconds_count{{{labels}}} 6\n")), "{text}");
    }

    #[test]
    fn what_is_described_and_not_counted_is_not_told() {
        describe("histogram_silent_seconds", "Never counted.");
        let mut text = String::new();
        render(&mut text);
        assert!(!text.contains("histogram_silent_seconds"), "{text}");
        Histogram::register("histogram_silent_seconds", &[]).record(0.5);
        render(&mut text);
        assert!(text.contains("\nhistogram_silent_seconds_bucket{le=\"1\"} 1\n"), "{text}");
        assert!(text.contains("\nhistogram_silent_seconds_count 1\n"), "{text}");
    }
}
