//! Handles of metrics, kept by each thread: finding one by its labels costs far more than counting.

use std::cell::RefCell;

/// Buckets of labels.
const BUCKETS: usize = 64;

/// Handles in a bucket. Labels are closed, so that more means that reloads brought new ones.
const MAX_HANDLES: usize = 16;

/// What one thread keeps of a metric with `N` labels.
pub(super) struct Kept<const N: usize, H>(RefCell<Vec<Bucket<N, H>>>);

type Bucket<const N: usize, H> = Vec<([Box<str>; N], H)>;

impl<const N: usize, H> Kept<N, H> {
    pub(super) const fn new() -> Kept<N, H> {
        Kept(RefCell::new(Vec::new()))
    }

    /// Uses the handle of those labels, after it was registered if it is not known yet.
    pub(super) fn with(&self, labels: [&str; N], register: impl FnOnce() -> H, using: impl FnOnce(&H)) {
        let mut buckets = self.0.borrow_mut();
        if buckets.is_empty() {
            buckets.resize_with(BUCKETS, Vec::new);
        }
        let Some(bucket) = buckets.get_mut(hash(&labels) % BUCKETS) else { return };
        let same = |kept: &[Box<str>; N]| kept.iter().zip(labels).all(|(kept, label)| **kept == *label);
        if let Some((_, handle)) = bucket.iter().find(|(kept, _)| same(kept)) {
            return using(handle);
        }
        add(bucket, labels, register, using);
    }
}

/// Registers a handle, uses it and keeps it: once for the many times that it is found.
#[cold]
fn add<const N: usize, H>(
    bucket: &mut Bucket<N, H>,
    labels: [&str; N],
    register: impl FnOnce() -> H,
    using: impl FnOnce(&H),
) {
    if bucket.len() >= MAX_HANDLES {
        bucket.clear();
    }
    let handle = register();
    using(&handle);
    bucket.push((labels.map(Into::into), handle));
}

/// FNV-1a: labels are short, and no client chooses them.
fn hash(labels: &[&str]) -> usize {
    let bytes = labels.iter().flat_map(|label| label.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash >> 32) as usize
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_handle_is_registered_once() {
        let (kept, registered) = (Kept::<2, String>::new(), Cell::new(0));
        let used = |a: &str, b: &str| {
            let mut found = String::new();
            let register = || {
                registered.set(registered.get() + 1);
                format!("{a}|{b}")
            };
            kept.with([a, b], register, |handle| found.clone_from(handle));
            found
        };
        for _ in 0..3 {
            assert_eq!(used("ab", "c"), "ab|c");
            assert_eq!(used("a", "bc"), "a|bc", "the same bytes, other labels");
        }
        assert_eq!(registered.get(), 2);
    }

    #[test]
    fn a_threads_handles_are_bounded() {
        let kept = Kept::<1, usize>::new();
        for label in 0..10_000 {
            let mut used = None;
            kept.with([&label.to_string()], || label, |handle| used = Some(*handle));
            assert_eq!(used, Some(label));
        }
        let count: usize = kept.0.borrow().iter().map(Vec::len).sum();
        assert!(count <= BUCKETS * MAX_HANDLES, "{count} handles");
    }
}
