//! Bodies of every size, end and piece, with the limits of Envoy's own buffers in mind.

use serde_json::json;

use super::mint;
use super::run::{End, Manner, Pieces, Script, head};
use super::state::{Answer, Fields, fields};
use super::vm::{Outcome, Vm};

fn ready() -> (Vm, u32) {
    let mut vm = Vm::start(|_| {});
    let config = json!({"auth": mint::auth(), "upstreams": [{"prometheus": {"hosts": ["metrics.example"]}}]});
    let root = vm.configure(&config.to_string()).unwrap();
    (vm, root)
}

fn form() -> Fields {
    let mut head = head("POST", "/api/v1/query", &mint::bearer("team-a"));
    head.push((
        "content-type".to_owned(),
        b"application/x-www-form-urlencoded".to_vec(),
    ));
    head
}

fn post(vm: &mut Vm, root: u32, body: &str, manner: Manner) -> Outcome {
    vm.exchange(
        root,
        (&form(), Some(body.as_bytes())),
        &Script::empty(),
        manner,
        |_| Answer::reset(),
    )
}

fn rules(own: usize) -> String {
    let rule = |tenant: &str, i: usize| json!({"type": "recording", "name": format!("r{i}"), "query": "up", "labels": {"tenant_id": tenant}, "health": "ok"});
    let list: Vec<_> = (0..own)
        .flat_map(|i| [rule("team-a", i), rule("team-b", i)])
        .collect();
    json!({"status": "success", "data": {"groups": [{"name": "g", "file": "f", "interval": 30, "rules": list}]}}).to_string()
}

const PIECES: [Pieces; 3] = [Pieces::Whole, Pieces::Random(11), Pieces::Random(99)];

#[test]
fn a_form_arrives_whole_and_confined_whatever_its_pieces_and_end() {
    let (mut vm, root) = ready();
    for size in [1, 1000, 20_000, 60_000] {
        let metric = "m".repeat(size);
        for pieces in PIECES {
            for end in [End::Last, End::Empty] {
                for stop_iteration in [false, true] {
                    let manner = Manner {
                        pieces,
                        end,
                        stop_iteration,
                    };
                    let outcome = post(&mut vm, root, &format!("query={metric}"), manner);
                    assert!(outcome.upstream.ended, "{manner:?}");
                    assert_eq!(
                        outcome.upstream.text(),
                        format!("query={metric}%7Btenant_id%3D%22team-a%22%7D"),
                        "{manner:?}"
                    );
                }
            }
        }
    }
}

/// Trailers may end a body. A host whose last body callback returned `Continue` has no buffer then,
/// and a module that fills it traps; one that pauses too long is over the host's limit.
#[test]
fn a_form_that_trailers_end_arrives_whole_or_is_refused() {
    let (mut vm, root) = ready();
    vm.state().buffer_limit = 32 << 10;
    for size in [1, 1000, 8000, 20_000, 60_000] {
        let metric = "m".repeat(size);
        for pieces in PIECES {
            for stop_iteration in [false, true] {
                let manner = Manner {
                    pieces,
                    end: End::Trailers,
                    stop_iteration,
                };
                let outcome = post(&mut vm, root, &format!("query={metric}"), manner);
                if outcome.upstream.ended {
                    assert_eq!(
                        outcome.upstream.text(),
                        format!("query={metric}%7Btenant_id%3D%22team-a%22%7D"),
                        "{manner:?}"
                    );
                    assert_eq!(outcome.upstream.trailers, Some(Vec::new()));
                } else {
                    assert!(size > 8000, "{size} bytes with trailers are refused");
                    assert_eq!(
                        (outcome.replied, outcome.client.status()),
                        (true, 400),
                        "{manner:?}"
                    );
                    assert_eq!(outcome.upstream.body, b"", "{manner:?}");
                }
            }
        }
    }
}

#[test]
fn a_filtered_answer_arrives_whole_whatever_its_pieces_and_end() {
    let (mut vm, root) = ready();
    let request = head("GET", "/api/v1/rules", &mint::bearer("team-a"));
    for own in [0, 5, 400] {
        for pieces in PIECES {
            for end in [End::Last, End::Empty, End::Trailers] {
                for stop_iteration in [false, true] {
                    let manner = Manner {
                        pieces,
                        end,
                        stop_iteration,
                    };
                    let script = Script::json(&rules(own));
                    let outcome =
                        vm.exchange(root, (&request, None), &script, manner, |_| Answer::reset());
                    assert!(!outcome.client.text().contains("team-b"), "{manner:?}");
                    if outcome.cut {
                        assert_eq!(end, End::Trailers, "{own} rules are cut: {manner:?}");
                    } else {
                        assert!(outcome.client.ended, "{manner:?}: {outcome:?}");
                        assert_eq!(
                            outcome.client.text().matches("team-a").count(),
                            own,
                            "{manner:?}"
                        );
                        assert_eq!(outcome.client.header("content-length"), None);
                    }
                }
            }
        }
    }
}

/// The head waits for so many bytes of the body.
const HELD: usize = 16 << 10;

fn waiting() -> (Vm, u32) {
    let mut vm = Vm::start(|_| {});
    vm.state().buffer_limit = 256 << 10;
    let config = json!({
        "auth": mint::auth(),
        "limits": {"hold_head": HELD},
        "upstreams": [{"prometheus": {"hosts": ["metrics.example"]}}],
    });
    let root = vm.configure(&config.to_string()).unwrap();
    (vm, root)
}

#[test]
fn an_answer_whose_head_waits_arrives_whole_whatever_its_pieces_and_end() {
    let (mut vm, root) = waiting();
    let request = head("GET", "/api/v1/rules", &mint::bearer("team-a"));
    for own in [0, 5, 60, 120, 400] {
        let text = rules(own);
        for pieces in PIECES {
            for end in [End::Last, End::Empty, End::Trailers] {
                let manner = Manner {
                    pieces,
                    end,
                    stop_iteration: true,
                };
                let script = Script::json(&text);
                let outcome =
                    vm.exchange(root, (&request, None), &script, manner, |_| Answer::reset());
                let told = format!("{} bytes, {manner:?}: {outcome:?}", text.len());
                if outcome.cut {
                    assert!(end == End::Trailers && text.len() > HELD, "{told}");
                } else {
                    assert!(outcome.client.ended && !outcome.replied, "{told}");
                    assert_eq!(
                        outcome.client.text().matches("team-a").count(),
                        own,
                        "{told}"
                    );
                    assert!(!outcome.client.text().contains("team-b"), "{told}");
                    assert_eq!(outcome.client.header("content-length"), None);
                    let none = outcome.client.trailers.is_none_or(|t| t.is_empty());
                    assert!(none, "trailers of the upstream went on");
                }
            }
        }
    }
}

#[test]
fn an_answer_that_cannot_be_filtered_is_a_clean_refusal_while_its_head_waits() {
    let (mut vm, root) = waiting();
    let request = head("GET", "/api/v1/rules", &mint::bearer("team-a"));
    for own in [0, 5, 60, 120, 400] {
        let mut text = rules(own);
        text.pop();
        for pieces in PIECES {
            for end in [End::Last, End::Empty, End::Trailers] {
                let manner = Manner {
                    pieces,
                    end,
                    stop_iteration: true,
                };
                let script = Script::json(&text);
                let outcome =
                    vm.exchange(root, (&request, None), &script, manner, |_| Answer::reset());
                let told = format!("{} bytes, {manner:?}: {outcome:?}", text.len());
                if text.len() <= HELD {
                    assert_eq!(
                        (outcome.replied, outcome.client.status()),
                        (true, 502),
                        "{told}"
                    );
                } else {
                    assert!(outcome.cut || outcome.client.status() == 502, "{told}");
                }
                let shown = outcome.client.text();
                assert!(!shown.contains("team-"), "{told}");
            }
        }
    }
}

#[test]
fn an_answer_that_passes_is_not_touched() {
    let (mut vm, root) = ready();
    let request = head("GET", "/api/v1/query?query=up", &mint::bearer("team-a"));
    for pieces in PIECES {
        for end in [End::Last, End::Empty, End::Trailers] {
            let manner = Manner {
                pieces,
                end,
                stop_iteration: true,
            };
            let mut script = Script::json(&"any bytes ".repeat(1000));
            script.head.extend(fields(&[
                ("content-length", "10000"),
                ("content-encoding", "zstd"),
            ]));
            let outcome = vm.exchange(root, (&request, None), &script, manner, |_| Answer::reset());
            assert_eq!(outcome.client.head, Some(script.head.clone()));
            assert_eq!(outcome.client.body, script.body);
            assert_eq!(outcome.client.trailers.is_some(), end == End::Trailers);
        }
    }
}

#[test]
fn an_answer_without_a_body_is_told_as_an_error_however_it_ends() {
    for (head_waits, (mut vm, root)) in [(false, ready()), (true, waiting())] {
        let request = head("GET", "/api/v1/rules", &mint::bearer("team-a"));
        for status in ["200", "503"] {
            for end in [End::Last, End::Empty, End::Trailers] {
                let manner = Manner {
                    pieces: Pieces::Whole,
                    end,
                    stop_iteration: true,
                };
                let script = Script {
                    head: fields(&[(":status", status), ("content-type", "application/json")]),
                    ..Script::json("")
                };
                let outcome =
                    vm.exchange(root, (&request, None), &script, manner, |_| Answer::reset());
                let told = format!("{status}, {manner:?}: {outcome:?}");
                let shown = outcome.client.status();
                assert!(outcome.cut || shown == 502 || shown == 503, "{told}");
                assert!(outcome.cut || shown == 503 || outcome.replied, "{told}");
                // Only where its head has gone there are no words for it.
                assert!(!outcome.cut || !head_waits, "{told}");
            }
        }
        assert!(vm.state().faults.is_empty());
    }
}

#[test]
fn pieces_larger_than_what_is_read_at_once_are_one_answer() {
    let (mut vm, root) = waiting();
    vm.state().buffer_limit = 8 << 20;
    let request = head("GET", "/api/v1/rules", &mint::bearer("team-a"));
    let whole = rules(3000);
    let wanted = "team-a";
    for good in [true, false] {
        let text = if good {
            whole.as_str()
        } else {
            whole.get(..whole.len() - 1).unwrap()
        };
        let mut shown = std::collections::BTreeSet::new();
        for sizes in [&[text.len()][..], &[10, 300_000], &[262_144], &[262_145, 1]] {
            for end in [End::Last, End::Empty] {
                let manner = Manner {
                    pieces: Pieces::Whole,
                    end,
                    stop_iteration: true,
                };
                let id = vm.send(root, &request, None, manner);
                vm.response_headers(id, Script::json("").head, false);
                let mut rest = text.as_bytes();
                for size in sizes.iter().cycle() {
                    let (piece, after) = rest.split_at((*size).min(rest.len()));
                    rest = after;
                    if !vm.is_over(id) {
                        vm.response_data(id, piece, rest.is_empty() && end == End::Last);
                    }
                    if rest.is_empty() {
                        break;
                    }
                }
                if !vm.is_over(id) && end == End::Empty {
                    vm.response_data(id, b"", true);
                }
                let outcome = vm.close(id);
                let told = format!("{sizes:?}, {end:?}: {}", outcome.client.body.len());
                if good {
                    assert_eq!(outcome.client.status(), 200, "{told}");
                    shown.insert(outcome.client.text());
                } else {
                    assert!(outcome.cut || outcome.client.status() == 502, "{told}");
                    assert!(!outcome.client.text().contains("team-"), "{told}");
                }
                // All of it in one piece: the head is still here.
                if !good && sizes.len() == 1 && sizes[0] == text.len() && end == End::Last {
                    assert_eq!(outcome.client.status(), 502, "{told}");
                }
            }
        }
        assert_eq!(shown.len(), usize::from(good));
        assert!(
            shown.iter().all(|s| s.matches(wanted).count() == 3000),
            "{}",
            shown.len()
        );
    }
    assert!(vm.state().faults.is_empty());
}
