//! What a query costs: `cargo test --release --lib promql::tests::speed -- --ignored --nocapture`.
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::hint::black_box;
use std::time::Instant;

use super::*;

/// The nanoseconds of one call, over the corpus.
fn measure(name: &str, queries: &[String], mut each: impl FnMut(&str)) {
    let mut best = f64::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        queries.iter().for_each(|q| each(q));
        best = best.min(start.elapsed().as_secs_f64());
    }
    #[expect(clippy::cast_precision_loss, reason = "a small count")]
    let each = best * 1e9 / queries.len() as f64;
    println!("{name}: {each:.0} ns per query");
}

#[test]
#[ignore = "it measures; it does not test"]
fn what_a_query_costs() {
    let queries: Vec<String> = corpus::accepted()
        .into_iter()
        .filter(|q| confine(q).is_ok())
        .take(2000)
        .collect();
    let bytes: usize = queries.iter().map(String::len).sum();
    println!(
        "{} queries of {} bytes on average",
        queries.len(),
        bytes / queries.len().max(1)
    );
    let confiner = confiner(OnConflict::Intersect);
    let scope = scope();
    confiner.warm_up();

    let mut cache = QueryCache::new(64 << 20, 1);
    measure("cached", &queries, |q| {
        black_box(confiner.query(&mut cache, q, &scope)).unwrap();
    });
    // Another identity each time: the text is not remembered, its shape is.
    let others: Vec<Scope> = (0..6)
        .map(|i| {
            let label = LabelName::parse("tenant_id").unwrap();
            Scope::new(vec![Enforced::values(label, [format!("t{i}")]).unwrap()])
        })
        .collect();
    let mut calls = 0;
    measure("same shape", &queries, |q| {
        let other = &others[calls / queries.len()];
        calls += 1;
        black_box(confiner.query(&mut cache, q, other)).unwrap();
    });
    let mut none = QueryCache::new(0, 1);
    measure("new shape", &queries, |q| {
        black_box(confiner.query(&mut none, q, &scope)).unwrap();
    });
}
