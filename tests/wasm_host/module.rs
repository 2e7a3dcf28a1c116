//! The module as a file: its size, and what it asks of a host.

use std::collections::BTreeSet;

use super::vm::{MODULE, module};

/// A new import must fail here, not in a roll-out.
#[test]
fn the_module_imports_six_calls_of_wasi_and_the_rest_of_proxy_wasm() {
    let mut wasi = BTreeSet::new();
    for import in module().imports() {
        match import.module() {
            "wasi_snapshot_preview1" => assert!(wasi.insert(import.name().to_owned())),
            "env" => assert!(import.name().starts_with("proxy_"), "{}", import.name()),
            other => panic!("an import from `{other}`"),
        }
    }
    let known = [
        "clock_time_get",
        "environ_get",
        "environ_sizes_get",
        "fd_write",
        "proc_exit",
        "random_get",
    ];
    assert_eq!(wasi, known.map(str::to_owned).into());
}

#[test]
fn the_module_does_not_grow_unseen() {
    let size = std::fs::metadata(MODULE).unwrap().len();
    assert!(size <= 2_621_440, "{size} bytes, over 2.5 MiB");
}

#[test]
fn the_module_is_one_of_abi_0_2() {
    let exports: BTreeSet<String> = module().exports().map(|e| e.name().to_owned()).collect();
    for name in [
        "_initialize",
        "memory",
        "proxy_abi_version_0_2_1",
        "proxy_on_memory_allocate",
    ] {
        assert!(exports.contains(name), "{name} is missing");
    }
}
