//! Inputs and answers that have nothing right about them: no trap, no leak, and the next request is
//! served.

use serde_json::json;

use super::lifecycle::{form, ready, serves};
use super::mint;
use super::run::{End, Manner, PLAIN, Pieces, QUERY, Script, head};
use super::state::{Answer, Fields, fields};

/// Inputs that have nothing right about them.
fn hostile() -> Vec<(Fields, Option<Vec<u8>>)> {
    let token = mint::bearer("team-a");
    let with = |name: &str, value: &[u8]| {
        let mut head = head("GET", QUERY, &token);
        head.push((name.to_owned(), value.to_vec()));
        (head, None)
    };
    let post = |body: &[u8]| (form(), Some(body.to_vec()));
    let mut all = vec![
        (Vec::new(), None),
        (
            fields(&[(":method", "CONNECT"), (":authority", "metrics.example")]),
            None,
        ),
        (head("GET", "", &token), None),
        (head("GET", "/\u{0}", &token), None),
        (
            head("GET", &format!("/{}", "a/".repeat(5000)), &token),
            None,
        ),
        (head("GET", "/api/v1/query?%", &token), None),
        (
            head(
                "GET",
                &format!("/api/v1/query?query={}", "-".repeat(60_000)),
                &token,
            ),
            None,
        ),
        (
            head(
                "GET",
                &format!("/api/v1/query?query={}up", "(".repeat(20_000)),
                &token,
            ),
            None,
        ),
        (
            head(
                "GET",
                &format!("/api/v1/query?query={}", "a%2B".repeat(15_000)),
                &token,
            ),
            None,
        ),
        (
            head("GET", "/api/v1/query?query=foo+offset+NaN", &token),
            None,
        ),
        (head("GET", "/api/v1/query?query=up%FF", &token), None),
        (head("GET", QUERY, "Bearer \u{fffd}"), None),
        (
            head("GET", QUERY, &format!("Bearer {}", "e30.".repeat(3000))),
            None,
        ),
        (head("GET", QUERY, "Basic !!!!"), None),
        with("x-bytes", b"\xff\xfe\x00"),
        with("authorization", b"\xff"),
        with("authorization", b"Bearer second"),
        with("content-length", b"99999999999999999999"),
        with("x-promfence-tenant", b"\xc3\x28"),
        with(":path", b"/api/v1/admin"),
        with("upgrade", b"h2c"),
        post(b""),
        post(b"\xff\xfe&&&;=%zz"),
        post(&b"a=b&".repeat(10_000)),
        post(&[&b"query="[..], &b"{".repeat(40_000)].concat()),
        post(&[&b"query="[..], &b"'\\".repeat(20_000)].concat()),
    ];
    let silence: [&[u8]; 4] = [
        b"{",
        &b"[".repeat(30_000),
        b"{\"matchers\":[{\"name\":\"\xff\"}]}",
        b"null",
    ];
    for body in silence {
        let mut head = head("POST", "/api/v2/silences", &token);
        head.push(("content-type".to_owned(), b"application/json".to_vec()));
        all.push((head, Some(body.to_vec())));
    }
    all
}

/// I8: no input traps the VM, and the next request succeeds.
#[test]
fn after_each_hostile_input_the_next_request_is_served() {
    let (mut vm, root) = ready(&json!({}));
    for (i, (head, body)) in hostile().into_iter().enumerate() {
        for manner in [
            PLAIN,
            Manner {
                pieces: Pieces::Random(3),
                end: End::Trailers,
                stop_iteration: true,
            },
        ] {
            let outcome = vm.exchange(
                root,
                (&head, body.as_deref()),
                &Script::empty(),
                manner,
                |_| Answer::reset(),
            );
            let forwarded = outcome.upstream.ended;
            assert!(
                !forwarded || outcome.upstream.header("thanos-tenant").as_deref() == Some("team-a"),
                "input {i}: {outcome:?}"
            );
            serves(&mut vm, root);
        }
    }
}

/// Answers that have nothing right about them.
#[test]
fn after_each_hostile_answer_the_next_request_is_served() {
    let (mut vm, root) = ready(&json!({}));
    let json = fields(&[(":status", "200"), ("content-type", "application/json")]);
    let encoded =
        |encoding: &str| [json.clone(), fields(&[("content-encoding", encoding)])].concat();
    let answers: Vec<(Fields, Vec<u8>)> = vec![
        (Vec::new(), Vec::new()),
        (fields(&[(":status", "x")]), b"x".to_vec()),
        (json.clone(), Vec::new()),
        (json.clone(), b"\xff\xfe".to_vec()),
        (json.clone(), b"[".repeat(100_000)),
        (json.clone(), b"{\"a\":".repeat(30_000)),
        (encoded("gzip"), b"\x1f\x8b\x08\x00garbage".to_vec()),
        (encoded("gzip"), b"x".to_vec()),
        (encoded("zstd"), b"x".to_vec()),
        (encoded("\u{0}"), b"x".to_vec()),
        (fields(&[(":status", "500")]), vec![0xff; 100_000]),
    ];
    for (head_of_answer, body) in answers {
        for path in [
            "/api/v1/rules",
            "/api/v1/alerts",
            "/api/v2/silences",
            "/api/v1/query_exemplars?query=up&start=1&end=2",
        ] {
            for manner in [
                PLAIN,
                Manner {
                    pieces: Pieces::Random(5),
                    end: End::Trailers,
                    stop_iteration: true,
                },
            ] {
                let script = Script {
                    head: head_of_answer.clone(),
                    body: body.clone(),
                };
                let request = head("GET", path, &mint::bearer("team-a"));
                let outcome =
                    vm.exchange(root, (&request, None), &script, manner, |_| Answer::reset());
                let passed = outcome.client.body == body && !body.is_empty();
                assert!(
                    outcome.cut || outcome.replied || !passed,
                    "{path}: {outcome:?}"
                );
                serves(&mut vm, root);
            }
        }
    }
}
