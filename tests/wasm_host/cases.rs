//! The cases of `exchange/cases/` in the built module, in every manner.

use std::collections::BTreeMap;

use super::case::{Case, Ledger, Seen, files};
use super::run::{End, MANNERS, Manner, Script};
use super::state::Answer;
use super::vm::Vm;

#[test]
fn every_case_holds_in_the_module_in_every_manner() {
    let mut ledger = Ledger::default();
    for (name, file) in files() {
        let mut vm = Vm::start(|state| {
            state.clusters.insert("upstream".to_owned());
        });
        let root = vm
            .configure(&file.configuration())
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let head_waits = file.config.pointer("/limits/hold_head").is_some();
        for manner in MANNERS {
            let manner = Manner {
                stop_iteration: manner.stop_iteration || head_waits,
                ..manner
            };
            for case in &file.cases {
                ledger.enter(&format!("{name}, {manner:?}"), || {
                    case.judge(&run(&mut vm, root, case, manner))
                });
                // What is remembered for a minute would spare the next case its look-up.
                vm.pass(120);
            }
        }
    }
    ledger.close(40 * MANNERS.len());
}

fn run(vm: &mut Vm, root: u32, case: &Case, manner: Manner) -> Seen {
    let before = refusals(vm);
    let (head, ends) = case.head(vm.now());
    let body = case.body();
    let script = Script {
        head: case.response_head(),
        body: case.response.body.bytes(),
    };
    let mut lookups = Vec::new();
    // That a long body takes no trailers is a matter of `bodies`.
    let manner = if manner.end == End::Trailers && body.len() > 16 << 10 {
        Manner {
            end: End::Empty,
            ..manner
        }
    } else {
        manner
    };
    let id = vm.send(root, &head, (!ends).then_some(body.as_slice()), manner);
    vm.answer_all(|call| {
        lookups.push(call.header(":path").unwrap());
        let lookup = case
            .lookup
            .as_ref()
            .unwrap_or_else(|| panic!("{}: no look-up is expected", case.name));
        Answer::new(lookup.status, lookup.body.to_string())
    });
    // What becomes of an answer's trailers is a matter of `bodies`.
    let end = if manner.end == End::Trailers {
        End::Empty
    } else {
        manner.end
    };
    vm.respond(id, &script, Manner { end, ..manner });
    let outcome = vm.close(id);
    let reason = refusals(vm)
        .into_iter()
        .find(|(reason, n)| before.get(reason) != Some(n))
        .map(|(reason, _)| reason);
    if let Some(trailers) = &outcome.upstream.trailers {
        assert!(
            trailers.is_empty(),
            "{}: trailers went on: {trailers:?}",
            case.name
        );
    }
    let whole = outcome.upstream.ended;
    Seen {
        upstream: whole.then(|| (outcome.upstream.head.unwrap(), outcome.upstream.body)),
        cut: outcome.cut,
        reply: outcome.client.head.map(|head| (head, outcome.client.body)),
        reason,
        lookups,
    }
}

/// How often each reason was counted.
fn refusals(vm: &mut Vm) -> BTreeMap<String, i64> {
    let groups = [
        "promfence.denied.reason.",
        "promfence.answers_refused.reason.",
    ];
    let values = &vm.state().metrics.values;
    values
        .iter()
        .filter_map(|(name, n)| {
            Some((
                groups.iter().find_map(|g| name.strip_prefix(g))?.to_owned(),
                *n,
            ))
        })
        .fold(BTreeMap::new(), |mut sums, (reason, n)| {
            *sums.entry(reason).or_default() += n;
            sums
        })
}
