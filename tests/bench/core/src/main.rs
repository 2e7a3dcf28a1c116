//! The core's work alone: `time` prints nanoseconds, `count` does it under a name that callgrind
//! can tell from the rest, `promql` times a file of queries.

mod body;
mod grow;
mod promql;
mod work;

use std::time::Instant;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["promql", file, laps] => promql::time(file, laps.parse().expect("a number")),
        ["which", file] => promql::which(file),
        ["body", version, series, file] => write_body(version, series.parse().expect("a number"), file),
        ["count", case, times] => count(case, times.parse().expect("a number")),
        ["grow", dimension, size, times] => grow(dimension, size.parse().expect("a number"), times.parse().expect("a number")),
        ["time", cases @ ..] => cases.iter().for_each(|case| time(case)),
        _ => {
            eprintln!("usage: core-bench time CASE... | count CASE TIMES | grow DIMENSION SIZE TIMES | promql FILE LAPS\ncases: {}", work::CASES.join(" "));
            std::process::exit(2);
        }
    }
}

/// Repeats a case for about a second, in ten parts, and prints the fastest part.
fn time(case: &str) {
    let mut work = work::Work::new(case, true);
    let start = Instant::now();
    let mut warm = 0u32;
    while start.elapsed().as_millis() < 300 {
        work.once();
        warm += 1;
    }
    let part = (warm / 3).max(1);
    let mut best = f64::MAX;
    for _ in 0..10 {
        let start = Instant::now();
        for _ in 0..part {
            work.once();
        }
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(part));
    }
    println!("{{\"case\": \"{case}\", \"ns\": {best:.0}, \"bytes\": {}}}", work.bytes());
}

/// Writes a body of remote-write and prints its size before compression.
fn write_body(version: &str, series: usize, file: &str) {
    let make = if version == "1" { body::write1 } else { body::write2 };
    let (body, size) = make(series, Some("team-a"));
    std::fs::write(file, body).expect("a file to write");
    println!("{size}");
}

fn count(case: &str, times: usize) {
    let mut work = work::Work::new(case, false);
    // Caches and buffers have their size then.
    for _ in 0..5 {
        work.once();
    }
    counted(&mut || work.once(), times);
}

fn grow(dimension: &str, size: usize, times: usize) {
    let mut work = grow::Grow::new(dimension, size);
    for _ in 0..2 {
        work.once();
    }
    counted(&mut || work.once(), times);
}

/// What is counted.
#[inline(never)]
fn counted(once: &mut dyn FnMut(), times: usize) {
    for _ in 0..times {
        once();
    }
}
