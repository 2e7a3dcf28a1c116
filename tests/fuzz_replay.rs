//! The fuzz targets on stable Rust: every kept input, and some new ones of each.
//!
//! `PROMFENCE_FUZZ_TARGET=NAME PROMFENCE_FUZZ_INPUT=FILE` replays one input alone.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::wildcard_enum_match_arm,
    unreachable_pub,
    reason = "a fuzz target that panics has found something, which is what it is for"
)]

#[path = "../.fuzz/targets/all.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use proptest::prelude::*;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/.fuzz/corpus");

/// The inputs in a folder, in order of their names.
fn inputs(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn every_kept_input_holds() {
    if let (Ok(target), Ok(file)) = (
        std::env::var("PROMFENCE_FUZZ_TARGET"),
        std::env::var("PROMFENCE_FUZZ_INPUT"),
    ) {
        targets::run(&target, &std::fs::read(file).unwrap());
        return;
    }
    let (mut count, mut failed) = (0, Vec::new());
    for (name, target) in targets::ALL {
        let files = inputs(&Path::new(CORPUS).join(name));
        assert!(!files.is_empty(), "{name} has no corpus");
        for file in files {
            let input = std::fs::read(&file).unwrap();
            count += 1;
            if catch_unwind(AssertUnwindSafe(|| target(&input))).is_err() {
                failed.push(file.display().to_string());
            }
        }
    }
    println!("{count} inputs of {} targets", targets::ALL.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn the_corpus_has_no_folder_without_a_target() {
    for folder in inputs(Path::new(CORPUS)) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        assert!(targets::ALL.iter().any(|(n, _)| *n == name), "{name}");
    }
}

proptest! {
    // A failing input belongs into the corpus, where the fuzzer sees it too.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn every_target_holds_for_any_bytes(data in prop::collection::vec(any::<u8>(), 0..300)) {
        for (name, target) in targets::ALL {
            let held = catch_unwind(AssertUnwindSafe(|| target(&data))).is_ok();
            prop_assert!(held, "{name} fails");
        }
    }
}
