use super::*;
use proptest::prelude::*;

/// The histogram of these values, as an SDK makes it: a value at a bound is below it.
fn of(values: &[f64], scale: i32, zero_threshold: f64) -> Exponential {
    let mut made = Exponential { scale, zero_threshold, sum: Some(0.0), ..Exponential::default() };
    for value in values {
        made.count += 1.0;
        made.sum = made.sum.map(|sum| sum + value);
        if value.abs() <= zero_threshold {
            made.zero_count += 1.0;
            continue;
        }
        let index = (value.abs().log2() * f64::from(scale).exp2()).ceil() as i64 - 1;
        let side = if *value > 0.0 { &mut made.positive } else { &mut made.negative };
        let range = side.range().map_or((index, index), |(first, last)| (first.min(index), last.max(index)));
        side.spread(range);
        side.counts[(index - side.offset) as usize] += 1.0;
    }
    made
}

fn buckets(offset: i64, counts: &[f64]) -> Buckets {
    Buckets { offset, counts: counts.to_vec() }
}

#[test]
fn coarser_buckets_hold_their_neighbours_also_below_index_0() {
    for (what, given, shift, wanted) in [
        ("even", buckets(0, &[1.0, 2.0, 3.0, 4.0]), 1, buckets(0, &[3.0, 7.0])),
        ("odd", buckets(1, &[1.0, 2.0, 3.0]), 1, buckets(0, &[1.0, 5.0])),
        ("negative", buckets(-3, &[1.0, 2.0, 3.0, 4.0]), 1, buckets(-2, &[1.0, 5.0, 4.0])),
        ("twice", buckets(-5, &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0]), 2, buckets(-2, &[1.0, 4.0, 1.0])),
        ("far", buckets(i64::from(i32::MIN), &[1.0, 1.0]), 63, buckets(-1, &[2.0])),
        ("nothing", buckets(7, &[]), 3, buckets(7, &[])),
    ] {
        let mut found = given;
        found.lower(shift);
        assert_eq!(found, wanted, "{what}");
    }
}

#[test]
fn scale_then_offset_then_the_difference() {
    let before = Exponential { scale: 3, positive: buckets(10, &[4.0, 0.0, 2.0]), count: 6.0, ..Default::default() };
    // The same values at half the resolution, a bucket further to the left, and two more.
    let now = Exponential { scale: 2, positive: buckets(4, &[1.0, 4.0, 3.0]), count: 8.0, ..Default::default() };
    let Since::Grew(grown) = now.since(&before) else { panic!("it grew") };
    assert_eq!((grown.scale, grown.positive, grown.count), (2, buckets(4, &[1.0, 0.0, 1.0]), 2.0));
    assert_eq!(before.since(&now), Since::Fell);
    let moved = Exponential { scale: 2, positive: buckets(5, &[3.0, 9.0]), count: 12.0, ..Default::default() };
    assert_eq!(moved.since(&before), Since::Fell, "one bucket is less");
    let mut sum = before;
    sum.add(&now);
    assert_eq!((sum.scale, sum.positive, sum.count), (2, buckets(4, &[1.0, 8.0, 5.0]), 14.0));
}

#[test]
fn the_zero_bucket_takes_what_it_comes_to_cover() {
    let wide = Exponential { scale: 0, zero_count: 1.0, zero_threshold: 3.0, count: 1.0, ..Default::default() };
    let mut sum = Exponential {
        scale: 0,
        positive: buckets(-1, &[1.0, 2.0, 4.0, 8.0]),
        negative: buckets(1, &[16.0]),
        count: 31.0,
        ..Default::default()
    };
    sum.add(&wide);
    // 3 cuts through the bucket from 2 to 4, so zero goes up to 4.
    assert_eq!((sum.zero_threshold, sum.zero_count, sum.count), (4.0, 1.0 + 1.0 + 2.0 + 4.0 + 16.0, 32.0));
    assert_eq!((sum.positive.range(), sum.negative.range()), (Some((2, 2)), None));
}

#[test]
fn quantiles_are_exponential_within_buckets_and_linear_around_zero() {
    let positive = Exponential { scale: 0, positive: buckets(0, &[10.0]), count: 10.0, ..Default::default() };
    assert_eq!(positive.quantile(0.5), Some(0.5f64.exp2()));
    let negative = Exponential { scale: 0, negative: buckets(0, &[10.0]), count: 10.0, ..Default::default() };
    assert_eq!([0.0, 0.5, 1.0].map(|q| negative.quantile(q)), [Some(-2.0), Some(-(0.5f64.exp2())), Some(-1.0)]);
    let around = |positive: &[f64], negative: &[f64]| Exponential {
        zero_count: 10.0,
        zero_threshold: 1.0,
        positive: buckets(4, positive),
        negative: buckets(4, negative),
        count: 10.0 + positive.len() as f64 + negative.len() as f64,
        ..Default::default()
    };
    assert_eq!(around(&[], &[]).quantile(0.5), Some(0.0));
    assert_eq!(around(&[10.0], &[]).quantile(0.25), Some(0.5), "only positive values");
    assert_eq!(around(&[], &[10.0]).quantile(0.75), Some(-0.5), "only negative values");
    assert_eq!(around(&[5.0], &[5.0]).quantile(0.5), Some(0.0));
    let known = Exponential { min: Some(1.2), max: Some(1.5), ..positive };
    assert_eq!([0.0, 1.0, 1.1].map(|q| known.quantile(q)), [Some(1.2), Some(1.5), None]);
    assert_eq!(Exponential::default().quantile(0.5), None);
}

/// What no SDK sends, and somebody may.
#[test]
fn no_histogram_takes_more_than_its_share_of_memory() {
    let at = |offset: i64, scale: i32| Exponential {
        scale,
        positive: buckets(offset, &[1.0]),
        count: 1.0,
        ..Default::default()
    };
    for (a, b) in [
        (at(i64::from(i32::MIN), 20), at(i64::from(i32::MAX), 20)),
        (at(i64::from(i32::MIN), -11), at(i64::from(i32::MAX), 20)),
        (at(i64::from(i32::MIN), i32::MIN), at(i64::from(i32::MAX), i32::MAX)),
        (at(0, i32::MAX), at(1 << 30, i32::MIN)),
        (Exponential { zero_threshold: f64::NAN, ..at(0, 0) }, at(1, 0)),
        (Exponential { zero_threshold: f64::INFINITY, ..at(0, 0) }, at(1, 0)),
    ] {
        let mut sum = a.clone();
        sum.add(&b);
        let held = sum.positive.counts.len() + sum.negative.counts.len();
        assert!(held as i64 <= 4 * MOST_BUCKETS, "{held} buckets of {a:?} and {b:?}");
        let _ = (a.since(&b), b.since(&a), sum.quantile(0.5));
    }
    let values: Vec<f64> = (1..400).map(|at| 1.05f64.powi(at)).collect();
    let mut sum = of(&values, 6, 0.0);
    sum.add(&of(&values, 8, 0.0));
    let (first, last) = sum.positive.range().unwrap();
    assert!(last - first < MOST_BUCKETS && sum.scale < 6, "{} buckets at scale {}", last - first, sum.scale);
    assert_eq!(sum.positive.total(), 2.0 * 399.0);
}

fn some_values() -> impl Strategy<Value = Vec<f64>> {
    let value = (any::<bool>(), -8.0f64..8.0)
        .prop_map(|(negative, exponent)| if negative { -exponent.exp2() } else { exponent.exp2() });
    proptest::collection::vec(value, 1..100)
}

proptest! {
    /// Put together they hold what one histogram of all values holds, whatever their scales; and taken apart again as well.
    #[test]
    fn put_together_they_are_one_of_all_values(
        a in some_values(), b in some_values(), scales in (-2i32..6, -2i32..6), thresholds in (0.0f64..0.2, 0.0f64..0.2),
    ) {
        let mut sum = of(&a, scales.0, thresholds.0);
        sum.add(&of(&b, scales.1, thresholds.1));
        let both = [a.clone(), b.clone()].concat();
        let wanted = of(&both, sum.scale, sum.zero_threshold);
        prop_assert_eq!(sum.zero_count, wanted.zero_count);
        for (found, wanted) in sum.sides().into_iter().zip(wanted.sides()) {
            prop_assert_eq!(found.filled().collect::<Vec<_>>(), wanted.filled().collect::<Vec<_>>());
        }
        let earlier = of(&a, scales.0, thresholds.0);
        let Since::Grew(grown) = sum.since(&earlier) else { return Err(TestCaseError::fail("it fell")) };
        prop_assert_eq!(grown.count, b.len() as f64);
        prop_assert_eq!(grown.zero_count + grown.positive.total() + grown.negative.total(), b.len() as f64);
    }

    /// A quantile lies in the bucket in which the value of that rank is.
    #[test]
    fn a_quantile_is_as_near_as_its_bucket(mut values in some_values(), scale in 0i32..6, q in 0.0f64..1.0) {
        let histogram = of(&values, scale, 0.0);
        values.sort_by(f64::total_cmp);
        let exact = values[((q * values.len() as f64).ceil() as usize).max(1) - 1];
        let found = histogram.quantile(q).unwrap();
        let factor = f64::from(-scale).exp2().exp2() * (1.0 + 1e-9);
        prop_assert!(found.signum() == exact.signum() && found / exact < factor && exact / found < factor, "{found} for {exact}");
    }

    /// Made alike, several have the same few buckets, and each value is in one of them.
    #[test]
    fn made_alike_they_have_the_same_few_buckets(
        several in proptest::collection::vec((some_values(), -2i32..8, 0.0f64..0.2), 1..6), most in 8usize..80,
    ) {
        let mut made: Vec<Exponential> =
            several.iter().map(|(values, scale, threshold)| of(values, *scale, *threshold)).collect();
        Exponential::make_alike(made.iter_mut(), most);
        let mut ends: Vec<(f64, f64)> = Vec::new();
        for (histogram, (values, ..)) in made.iter().zip(&several) {
            let buckets = histogram.buckets();
            prop_assert_eq!(buckets.iter().map(|(_, count)| count).sum::<f64>(), values.len() as f64);
            prop_assert!(buckets.windows(2).all(|pair| pair[0].0.1 <= pair[1].0.0), "{:?}", buckets);
            for ((above, up_to), count) in buckets {
                // A value at a bound may have gone to either side of it when its logarithm was rounded.
                let (least, most) = (above - above.abs() * 1e-9, up_to + up_to.abs() * 1e-9);
                let within = values.iter().filter(|value| **value >= least && **value <= most).count();
                prop_assert!(within as f64 >= count, "{} of {} in {}..{}", within, count, above, up_to);
                ends.push((above, up_to));
            }
        }
        ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        ends.dedup();
        prop_assert!(ends.len() <= most, "{} buckets: {:?}", ends.len(), ends);
        prop_assert!(ends.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{:?}", ends);
    }
}
