//! Confining the queries of a file: known ones, known shapes with new literals, new shapes.

use std::time::Instant;

use promfence::promql::{Confiner, Guards, QueryCache};
use promfence::scope::{Enforced, OnConflict, Scope};
use promfence::tenant::LabelName;

/// Prints nanoseconds per query, each the fastest of some laps. The file has a query on each line,
/// as a JSON string; `@N@` in it is another number in each lap.
pub fn time(file: &str, laps: u32) {
    let text = std::fs::read_to_string(file).expect("the file of queries");
    let queries: Vec<String> = text.lines().map(|l| serde_json::from_str(l).expect("a JSON string")).collect();
    let known: Vec<String> = queries.iter().map(|q| q.replace("@N@", "1")).collect();
    let label = LabelName::parse("tenant_id").expect("a label");
    let scope = Scope::new(vec![Enforced::values(label, ["team-a"]).expect("a matcher")]);
    let confiner = Confiner::new::<&str>(&[], OnConflict::Intersect, Guards::default());

    let mut cache = QueryCache::new(256 << 20, 1);
    let cached = best(laps * 5, known.len(), |_| {
        for q in &known {
            drop(confiner.query(&mut cache, q, &scope).expect(q));
        }
    });
    let mut cache = QueryCache::new(256 << 20, 1);
    // One lap lets every shape pass.
    let mut lap = 100_000_000;
    let mut next = |confiner: &Confiner, cache: &mut QueryCache| {
        lap += 1;
        let number = lap.to_string();
        let new: Vec<String> = queries.iter().map(|q| q.replace("@N@", &number)).collect();
        let start = Instant::now();
        for q in &new {
            drop(confiner.query(cache, q, &scope).expect(q));
        }
        start.elapsed().as_nanos() as f64 / new.len() as f64
    };
    next(&confiner, &mut cache);
    let same = (0..laps).map(|_| next(&confiner, &mut cache)).fold(f64::MAX, f64::min);
    // A cache of no bytes knows no shape.
    let mut none = QueryCache::new(0, 1);
    confiner.warm_up();
    let new = (0..laps.div_ceil(3)).map(|_| next(&confiner, &mut none)).fold(f64::MAX, f64::min);
    println!("{{\"queries\": {}, \"cached\": {cached:.0}, \"same\": {same:.0}, \"new\": {new:.0}}}", queries.len());
}

/// Prints the numbers of the lines that are confined.
pub fn which(file: &str) {
    let label = LabelName::parse("tenant_id").expect("a label");
    let scope = Scope::new(vec![Enforced::values(label, ["team-a"]).expect("a matcher")]);
    let confiner = Confiner::new::<&str>(&[], OnConflict::Intersect, Guards::default());
    let mut cache = QueryCache::new(0, 1);
    let text = std::fs::read_to_string(file).expect("the file of queries");
    for (i, line) in text.lines().enumerate() {
        let query: String = serde_json::from_str(line).expect("a JSON string");
        if confiner.query(&mut cache, &query.replace("@N@", "1"), &scope).is_ok() {
            println!("{i}");
        }
    }
}

fn best(laps: u32, many: usize, mut lap: impl FnMut(u32)) -> f64 {
    lap(0);
    let times = (0..laps).map(|i| {
        let start = Instant::now();
        lap(i);
        start.elapsed().as_nanos() as f64 / many as f64
    });
    times.fold(f64::MAX, f64::min)
}
