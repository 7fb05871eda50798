//! Increase, resets and quantiles against the engine of Prometheus: cases made by seed, answered by `test/peers/promql`.
//!
//! Its answers to a share of the cases are in `prometheus.json`, which `OTLP_ARROW_PROMETHEUS=target/peers/promql` with
//! `OTLP_ARROW_BLESS=1` writes anew; without the second variable that program answers other cases, `OTLP_ARROW_ROUNDS` of each
//! kind from `OTLP_ARROW_SEED` on.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use otlp_arrow_query::figures::{
    Buckets, Explicit, Exponential, Number, Point, Steps, Temporality, increases, latest, running,
};
use otlp_arrow_testkit::rng::Rng;
use serde_json::{Value, json};

const MS: u64 = 1_000_000;
/// When ranges begin, in milliseconds.
const BEGIN: u64 = 1_790_000_000_000;
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/query/prometheus.json");
/// Cases of each kind whose answers are committed.
const SHARE: u64 = 12;

/// What Prometheus is asked, and what its answer must be, seen from ours.
struct Case {
    asked: Value,
    wanted: Wanted,
}

/// How the answer of Prometheus stands to ours.
enum Wanted {
    /// Both say the same; `None` is no answer, which Prometheus says as NaN or not at all.
    Same(Option<f64>),
    /// What Prometheus says of purpose otherwise: this.
    Differs { ours: Option<f64>, theirs: f64 },
}

fn close(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-300) || (a - b).abs() < 1e-9
}

impl Case {
    fn check(&self, answer: &str) {
        let theirs = if answer == "nothing" { f64::NAN } else { answer.parse::<f64>().unwrap() };
        let asked = &self.asked;
        match &self.wanted {
            Wanted::Same(None) => assert!(theirs.is_nan(), "Prometheus says {answer}, we say nothing to {asked}"),
            Wanted::Same(Some(ours)) => {
                assert!(close(*ours, theirs), "Prometheus says {answer}, we say {ours} to {asked}")
            }
            Wanted::Differs { ours, theirs: wanted } => {
                assert!(
                    close(*wanted, theirs) || (wanted.is_nan() && theirs.is_nan()),
                    "Prometheus says {answer}, not {wanted} as it used to, to {asked}"
                );
                assert!(
                    ours.is_none_or(|ours| !close(ours, theirs)),
                    "Prometheus says what we say, {answer}, to {asked}"
                );
            }
        }
    }
}

fn case(query: &str, at: u64, starts: bool, series: &[Value], wanted: Wanted) -> Case {
    Case { asked: json!({ "query": query, "at": at, "starts": starts, "series": series }), wanted }
}

fn series(labels: &[(&str, &str)], points: &[Value]) -> Value {
    let labels: serde_json::Map<String, Value> =
        labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    json!({ "labels": labels, "points": points })
}

/// All that came within a range, in milliseconds.
fn increase(points: &[Point<Number>], temporality: Temporality, from: u64, to: u64) -> f64 {
    let mut sum = 0.0;
    let steps = Steps { from: from * MS, to: to * MS, step: u64::MAX };
    increases(points, temporality, &steps, |_, grown, _| sum += grown.value());
    sum
}

/// Times and values of a counter that begins anew now and then: the first one a millisecond behind the beginning of a range of
/// `seconds`, the last one at its end, so that Prometheus has next to nothing to extrapolate.
fn counter(rng: &mut Rng, seconds: u64) -> Vec<(u64, f64)> {
    let points = 2 + rng.index(20) as u64;
    let mut value = rng.index(50) as f64;
    (0..points)
        .map(|at| {
            value = if rng.one_in(6) { rng.index(20) as f64 } else { value + rng.index(100) as f64 };
            (BEGIN + (1 + at * (seconds * 1000 - 1) / (points - 1)), value)
        })
        .collect()
}

fn point(time: u64, start: u64, value: f64) -> Point<Number> {
    Point { start: start * MS, time: time * MS, value: Some(Number::Float(value)) }
}

/// What Prometheus makes of what was seen, by its documented rule.
fn extrapolated(points: &[(u64, f64)], increase: f64, from: u64, to: u64) -> f64 {
    let (first, last) = (points[0], points[points.len() - 1]);
    let sampled = (last.0 - first.0) as f64;
    let average = sampled / (points.len() - 1) as f64;
    let (mut before, mut behind) = ((first.0 - from) as f64, (to - last.0) as f64);
    if before >= average * 1.1 {
        before = average / 2.0;
    }
    if increase > 0.0 {
        before = before.min(sampled * (first.1 / increase));
    }
    if behind >= average * 1.1 {
        behind = average / 2.0;
    }
    increase * (sampled + before + behind) / sampled
}

/// Counters of which Prometheus sees all: the increase is the same but for the extrapolation of one millisecond.
fn counters(rng: &mut Rng) -> Vec<Case> {
    let seconds = 60 + rng.index(3_000) as u64;
    let (from, to) = (BEGIN, BEGIN + seconds * 1000);
    let given = counter(rng, seconds);
    let points: Vec<_> = given.iter().map(|(time, value)| point(*time, 0, *value)).collect();
    let ours = increase(&points, Temporality::Cumulative, from, to);
    let shown: Vec<Value> = given.iter().map(|(time, value)| json!({ "time": time, "value": value })).collect();
    let all = [series(&[("__name__", "x")], &shown)];
    let falls = given.windows(2).filter(|pair| pair[1].1 < pair[0].1).count();
    let theirs = extrapolated(&given, ours, from, to);
    assert!((theirs - ours).abs() <= ours * 1e-3, "{theirs} for {ours}");
    let mut cases = vec![
        case(&format!("resets(x[{seconds}s])"), to, false, &all, Wanted::Same(Some(falls as f64))),
        case(&format!("increase(x[{seconds}s])"), to, false, &all, Wanted::Same(Some(theirs))),
        // The difference on purpose: what lies between the first point and the beginning of the range was not seen by anybody.
        case(&format!("increase(x[{}s])", 2 * seconds), to + seconds * 500, false, &all, {
            let (from, to) = (to + seconds * 500 - 2 * seconds * 1000, to + seconds * 500);
            let theirs = extrapolated(&given, ours, from, to);
            let same = increase(&points, Temporality::Cumulative, from, to);
            assert!(close(same, ours), "a wider range holds the same");
            if close(theirs, ours) { Wanted::Same(Some(ours)) } else { Wanted::Differs { ours: Some(ours), theirs } }
        }),
    ];
    // Rates: ours is by the time that was covered, theirs by the range; of a range that is covered they are the same.
    let covered = (given[given.len() - 1].0 - given[0].0) as f64 / 1000.0;
    assert!((ours / covered - theirs / seconds as f64).abs() <= ours * 1e-3);
    cases.push(case(&format!("rate(x[{seconds}s])"), to, false, &all, Wanted::Same(Some(theirs / seconds as f64))));
    cases
}

/// Points that tell since when they count: with that Prometheus need not guess, and says what we say.
fn starts(rng: &mut Rng) -> Vec<Case> {
    let seconds = 60 + rng.index(3_000) as u64;
    let (from, to) = (BEGIN, BEGIN + seconds * 1000);
    let count = 1 + rng.index(20) as u64;
    let mut start = from + 1 + rng.below(5);
    let mut value = 0.0;
    let mut given = Vec::new();
    for at in 0..count {
        let before = if at == 0 { from } else { from + 10 + at * (seconds * 1000 - 10) / count };
        let time = from + 10 + (at + 1) * (seconds * 1000 - 10) / count;
        if at > 0 && rng.one_in(4) {
            // A program that began anew, and may have come to more than before.
            start = before + 1;
            value = rng.index(300) as f64;
        } else {
            value += rng.index(100) as f64;
        }
        given.push((time, start, value));
    }
    let points: Vec<_> = given.iter().map(|(time, start, value)| point(*time, *start, *value)).collect();
    let shown: Vec<Value> =
        given.iter().map(|(time, start, value)| json!({ "time": time, "start": start, "value": value })).collect();
    let all = [series(&[("__name__", "x")], &shown)];
    let ours = increase(&points, Temporality::Cumulative, from, to);
    vec![case(&format!("increase(x[{seconds}s])"), to, true, &all, Wanted::Same(Some(ours)))]
}

/// Buckets with bounds: the quantile of their values now, and of those of a range.
fn explicit(rng: &mut Rng) -> Vec<Case> {
    let mut bounds: Vec<f64> =
        (0..1 + rng.index(8)).map(|_| (rng.unit() * 200.0 - if rng.one_in(3) { 100.0 } else { 0.0 }).round()).collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    let q = [0.0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0][rng.index(8)];
    let counts: Vec<f64> = (0..=bounds.len()).map(|_| if rng.one_in(3) { 0.0 } else { rng.index(40) as f64 }).collect();
    let histogram = Explicit {
        bounds: bounds.clone().into(),
        count: counts.iter().sum(),
        counts: counts.clone(),
        ..Explicit::default()
    };
    let at = BEGIN + 60_000;
    let bound = |at: usize| bounds.get(at).map_or_else(|| "+Inf".to_owned(), f64::to_string);
    let mut below = 0.0;
    let cumulative: Vec<f64> = counts
        .iter()
        .map(|count| {
            below += count;
            below
        })
        .collect();
    let all: Vec<Value> = cumulative
        .iter()
        .enumerate()
        .map(|(number, count)| {
            series(&[("__name__", "x_bucket"), ("le", &bound(number))], &[json!({ "time": at, "value": count })])
        })
        .collect();
    let ours = histogram.quantile(q);
    // The lowest value lies where the first value is, not in an empty bucket before that.
    let empty_first = q == 0.0 && counts[0] == 0.0 && histogram.count > 0.0;
    let theirs = if bounds[0] <= 0.0 { bounds[0] } else { f64::NAN };
    let wanted =
        if empty_first && ours != Some(theirs) { Wanted::Differs { ours, theirs } } else { Wanted::Same(ours) };
    let mut cases = vec![case(&format!("histogram_quantile({q}, x_bucket)"), at, false, &all, wanted)];
    if histogram.count > 0.0 {
        // A share beyond all of them is a mistake to us, and infinite to Prometheus.
        for (q, theirs) in [(-0.5, f64::NEG_INFINITY), (1.5, f64::INFINITY)] {
            let wanted = Wanted::Differs { ours: histogram.quantile(q), theirs };
            cases.push(case(&format!("histogram_quantile({q}, x_bucket)"), at, false, &all, wanted));
        }
    }
    // Two points of a range: what came between them, or, where all buckets are less, what came since.
    let first: Vec<f64> = cumulative.iter().map(|count| count + 5.0 * rng.index(3) as f64).collect();
    let fell = rng.one_in(3);
    let second: Vec<f64> =
        first.iter().zip(&cumulative).map(|(first, more)| if fell { more / 4.0 } else { first + more }).collect();
    let is_monotonic = |counts: &[f64]| counts.windows(2).all(|pair| pair[0] <= pair[1]);
    if is_monotonic(&first)
        && is_monotonic(&second)
        && (!fell || first.iter().zip(&second).all(|(first, second)| second < first))
    {
        let single = |cumulative: &[f64]| {
            let counts: Vec<f64> = cumulative
                .iter()
                .enumerate()
                .map(|(at, count)| count - if at == 0 { 0.0 } else { cumulative[at - 1] })
                .collect();
            Explicit {
                bounds: bounds.clone().into(),
                count: cumulative[cumulative.len() - 1],
                counts,
                ..Explicit::default()
            }
        };
        let times = [BEGIN + 1, BEGIN + 60_000];
        let points: Vec<_> = times
            .iter()
            .zip([&first, &second])
            .map(|(time, counts)| Point { start: 0, time: time * MS, value: Some(single(counts)) })
            .collect();
        let mut grown = Explicit::default();
        let steps = Steps { from: BEGIN * MS, to: times[1] * MS, step: u64::MAX };
        increases(&points, Temporality::Cumulative, &steps, |_, more, _| assert!(grown.add(&more)));
        let all: Vec<Value> = (0..first.len())
            .map(|number| {
                let points = [
                    json!({ "time": times[0], "value": first[number] }),
                    json!({ "time": times[1], "value": second[number] }),
                ];
                series(&[("__name__", "x_bucket"), ("le", &bound(number))], &points)
            })
            .collect();
        // Their factor of each bucket is the same, but for what each could not have been below zero.
        if q > 0.0 && !fell {
            cases.push(case(
                &format!("histogram_quantile({q}, increase(x_bucket[60s]))"),
                times[1],
                false,
                &all,
                Wanted::Same(grown.quantile(q)),
            ));
        }
    }
    cases
}

fn exponential_of(rng: &mut Rng, scale: i32, threshold: f64) -> Exponential {
    let side = |rng: &mut Rng| {
        let counts: Vec<f64> =
            (0..rng.index(12)).map(|_| if rng.one_in(3) { 0.0 } else { rng.index(30) as f64 }).collect();
        // A bucket without values has none on its side of zero to us; Prometheus counts it as one that has.
        let counts = if counts.iter().all(|count| *count == 0.0) { Vec::new() } else { counts };
        let lowest = if threshold > 0.0 { (threshold.log2() * f64::from(scale).exp2()).ceil() as i64 } else { -20 };
        Buckets { offset: lowest + rng.index(12) as i64, counts }
    };
    let positive = side(rng);
    let negative = if rng.one_in(2) { side(rng) } else { Buckets::default() };
    let zero_count = if rng.one_in(2) { rng.index(20) as f64 } else { 0.0 };
    let count = zero_count + positive.counts.iter().chain(&negative.counts).sum::<f64>();
    Exponential {
        scale,
        zero_count,
        zero_threshold: threshold,
        positive,
        negative,
        count,
        sum: Some(1.0),
        min: None,
        max: None,
    }
}

fn shown(histogram: &Exponential) -> Value {
    let buckets = |side: &Buckets| json!({ "offset": side.offset, "counts": side.counts });
    json!({
        "scale": histogram.scale,
        "zero_count": histogram.zero_count,
        "zero_threshold": histogram.zero_threshold,
        "count": histogram.count,
        "sum": 1.0,
        "positive": buckets(&histogram.positive),
        "negative": buckets(&histogram.negative),
    })
}

/// Exponential buckets: quantiles, of several scales and thresholds put together, and of what came within a range.
fn exponential(rng: &mut Rng) -> Vec<Case> {
    let q = [0.0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0][rng.index(8)];
    let at = BEGIN + 60_000;
    let thresholds = [0.0, 0.0, 0.001, 0.25, 1.0];
    let make = |rng: &mut Rng| {
        let (scale, threshold) = (rng.index(7) as i32 - 2, *rng.pick(&thresholds));
        exponential_of(rng, scale, threshold)
    };
    let (a, b) = (make(rng), make(rng));
    let one = |histogram: &Exponential, name: &str| {
        series(&[("__name__", "x"), ("of", name)], &[json!({ "time": at, "histogram": shown(histogram) })])
    };
    let mut cases =
        vec![case(&format!("histogram_quantile({q}, x)"), at, false, &[one(&a, "a")], Wanted::Same(a.quantile(q)))];
    let mut sum = a.clone();
    sum.add(&b);
    let all = [one(&a, "a"), one(&b, "b")];
    // Of several scales and thresholds at once Prometheus leaves values in buckets that the zero bucket has come to cover.
    let is_one = a.scale == b.scale || a.zero_threshold == b.zero_threshold;
    if a.count > 0.0 && b.count > 0.0 && is_one {
        cases.push(case(&format!("histogram_quantile({q}, sum(x))"), at, false, &all, Wanted::Same(sum.quantile(q))));
    } else if (a.count > 0.0) != (b.count > 0.0) {
        // One without values, of which the zero bucket is as wide as can be, makes those of the other coarse, and not to us.
        let full = if a.count > 0.0 { &a } else { &b };
        let empty = Exponential { zero_threshold: 1e9, ..Exponential::default() };
        let mut both = full.clone();
        both.add(&empty);
        let ours = both.quantile(0.75);
        assert_eq!(ours, full.quantile(0.75));
        let has = |side: &Buckets| side.counts.iter().any(|count| *count > 0.0);
        if full.scale >= 0 && (has(&full.positive) || has(&full.negative)) {
            let wanted = Wanted::Differs { ours, theirs: 5e8 };
            cases.push(case(
                "histogram_quantile(0.75, sum(x))",
                at,
                false,
                &[one(full, "full"), one(&empty, "empty")],
                wanted,
            ));
        }
    }
    cases.push(case("histogram_count(sum(x))", at, false, &all, Wanted::Same(Some(sum.count))));
    if a.count > 0.0 {
        for (q, theirs) in [(-0.5, f64::NEG_INFINITY), (1.5, f64::INFINITY)] {
            let wanted = Wanted::Differs { ours: a.quantile(q), theirs };
            cases.push(case(&format!("histogram_quantile({q}, x)"), at, false, &all[..1], wanted));
        }
    }
    // A histogram that grows by another one, at a scale that gets lower; or that begins anew.
    let anew = rng.one_in(3);
    let second = if anew { Exponential { count: b.count, ..b.clone() } } else { sum.clone() };
    // A threshold at a bound of a bucket is for Prometheus within the bucket or not, as its floats happen to be.
    let is_even = [a.zero_threshold, b.zero_threshold].contains(&sum.zero_threshold);
    if (anew && (b.count >= a.count || b.scale != a.scale)) || !(anew || is_even && is_one) {
        return cases;
    }
    let points = [(BEGIN + 1, &a), (BEGIN + 60_000, &second)];
    let given: Vec<_> =
        points.iter().map(|(time, value)| Point { start: 0, time: time * MS, value: Some((*value).clone()) }).collect();
    let mut grown = Exponential::default();
    let steps = Steps { from: BEGIN * MS, to: at * MS, step: u64::MAX };
    increases(&given, Temporality::Cumulative, &steps, |_, more, _| grown.add(&more));
    let told: Vec<Value> =
        points.iter().map(|(time, value)| json!({ "time": time, "histogram": shown(value) })).collect();
    let all = [series(&[("__name__", "x")], &told)];
    cases.push(case(
        &format!("histogram_quantile({q}, increase(x[60s]))"),
        at,
        false,
        &all,
        Wanted::Same(grown.quantile(q)),
    ));
    cases
}

/// Gauges and what Prometheus does not have: points that count since the one before.
fn others(rng: &mut Rng) -> Vec<Case> {
    let values: Vec<f64> = (0..2 + rng.index(10)).map(|_| rng.index(100) as f64).collect();
    let times: Vec<u64> = (1..=values.len() as u64).map(|at| BEGIN + at * 10_000).collect();
    let given: Vec<_> = times.iter().zip(&values).map(|(time, value)| point(*time, time - 10_000, *value)).collect();
    let told: Vec<Value> =
        times.iter().zip(&values).map(|(time, value)| json!({ "time": time, "value": value })).collect();
    let all = [series(&[("__name__", "x")], &told)];
    let at = BEGIN + rng.below(500_000) + 1;
    let mut now = None;
    let steps = Steps { from: (at - 1) * MS, to: at * MS, step: u64::MAX };
    latest(&given, &steps, |_, value| now = Some(value.value()));
    let mut cases = vec![case("x", at, false, &all, Wanted::Same(now))];
    // Each delta counts; to Prometheus they are a counter that falls all the time.
    let end = times[times.len() - 1];
    let ours = increase(&given, Temporality::Delta, BEGIN, end);
    assert!(close(ours, values.iter().sum()));
    let pairs = values.windows(2).map(|pair| if pair[1] >= pair[0] { pair[1] - pair[0] } else { pair[1] });
    let seen: Vec<(u64, f64)> = times.iter().copied().zip(values.iter().copied()).collect();
    let theirs = extrapolated(&seen, pairs.sum(), BEGIN, end);
    if !close(ours, theirs) {
        let query = format!("increase(x[{}ms])", end - BEGIN);
        cases.push(case(&query, end, false, &all, Wanted::Differs { ours: Some(ours), theirs }));
    }
    let total = running(&given).last().and_then(|point| point.value).map(Number::value);
    cases.push(case(&format!("sum_over_time(x[{}ms])", end - BEGIN), end, false, &all, Wanted::Same(total)));
    cases
}

/// Cases of every kind.
fn cases(seed: u64, rounds: u64) -> Vec<Case> {
    let kinds = [counters, starts, explicit, exponential, others];
    (0..rounds)
        .flat_map(|round| {
            kinds.iter().enumerate().flat_map(move |(at, kind)| kind(&mut Rng::new((seed + round) * 8 + at as u64)))
        })
        .collect()
}

/// The answers of the program to all of them.
fn asked(program: &str, cases: &[Case]) -> Vec<String> {
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let answers = std::thread::scope(|scope| {
        scope.spawn(move || {
            for case in cases {
                writeln!(input, "{}", case.asked).unwrap();
            }
        });
        output.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect::<Vec<String>>()
    });
    assert!(child.wait().unwrap().success());
    assert_eq!(answers.len(), cases.len());
    answers
}

#[test]
fn prometheus_says_the_same_where_it_should_and_differs_where_it_is_said_to() {
    let share = cases(1, SHARE);
    let differing = share.iter().filter(|case| matches!(case.wanted, Wanted::Differs { .. })).count();
    assert!(differing > 20 && differing < share.len() / 2, "{differing} of {} differ", share.len());
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    if let Ok(program) = std::env::var("OTLP_ARROW_PROMETHEUS") {
        if std::env::var_os("OTLP_ARROW_BLESS").is_some() {
            std::fs::write(COMMITTED, serde_json::to_string(&asked(&program, &share)).unwrap() + "\n").unwrap();
        } else {
            let more = cases(number("OTLP_ARROW_SEED").unwrap_or(1000), number("OTLP_ARROW_ROUNDS").unwrap_or(100));
            let answers = asked(&program, &more);
            more.iter().zip(&answers).for_each(|(case, answer)| case.check(answer));
            assert_eq!(
                asked(&program, &share),
                committed(),
                "other answers are committed: OTLP_ARROW_BLESS=1 writes these"
            );
        }
    }
    let answers = committed();
    assert_eq!(answers.len(), share.len(), "other cases than those whose answers are committed");
    share.iter().zip(&answers).for_each(|(case, answer)| case.check(answer));
}

fn committed() -> Vec<String> {
    serde_json::from_str(&std::fs::read_to_string(COMMITTED).unwrap()).unwrap()
}
