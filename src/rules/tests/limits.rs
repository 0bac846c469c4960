use super::*;

#[test]
fn a_bucket_holds_its_count_and_fills_again() {
    let (mut buckets, rate, start) =
        (Buckets::default(), Rate { count: 2, per: Duration::from_secs(1) }, Instant::now());
    let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
    assert!(buckets.take(&a, rate, start) && buckets.take(&a, rate, start));
    assert!(!buckets.take(&a, rate, start) && buckets.take(&b, rate, start));
    let later = start + Duration::from_millis(510);
    assert!(buckets.take(&a, rate, later) && !buckets.take(&a, rate, later));
    let much_later = start + Duration::from_secs(60);
    assert_eq!((0..5).filter(|_| buckets.take(&a, rate, much_later)).count(), 2);
}
