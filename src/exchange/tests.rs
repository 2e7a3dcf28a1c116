use super::*;
use crate::auth::Algorithm;
use crate::config::Document;
use crate::http::Headers;

struct Nothing;

impl Peer for Nothing {
    fn property(&self, _: &[&str]) -> Option<Vec<u8>> {
        None
    }
}

impl Verifier for Nothing {
    fn verify(&self, _: Algorithm, _: &[u8], _: &[u8], _: &[u8]) -> Option<bool> {
        None
    }
}

fn worker() -> Worker {
    limited("")
}

fn limited(limits: &str) -> Worker {
    let hash: String = hmac_sha256::Hash::hash(b"a-secret-of-32-bytes-at-the-least")
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let text = format!(
        r#"{{"auth": {{"static": [{{"name": "a", "bearer_sha256": "{hash}", "grant": {{"tenants": ["a"]}}}}]}},
            "limits": {{{limits}}}, "upstreams": [{{"prometheus": {{"hosts": ["h"]}}}}]}}"#
    );
    let document = Document::from_json(text.as_bytes()).unwrap();
    Worker::new(&document, &|_| None, 1).unwrap()
}

fn ask(worker: &mut Worker, exchange: &mut Exchange, method: &str, path: &str) -> Step {
    ask_as(
        worker,
        exchange,
        method,
        path,
        "application/x-www-form-urlencoded",
    )
}

fn ask_as(
    worker: &mut Worker,
    exchange: &mut Exchange,
    method: &str,
    path: &str,
    kind: &str,
) -> Step {
    let fields = [
        (":method", method),
        (":authority", "h"),
        (":path", path),
        ("authorization", "Bearer a-secret-of-32-bytes-at-the-least"),
        ("content-type", kind),
    ];
    let fields = fields.map(|(n, v)| (n.to_owned(), v.as_bytes().to_vec()));
    let head = RequestHead {
        headers: Headers::new(fields.to_vec()),
    };
    let host = Host {
        peer: &Nothing,
        verifier: &Nothing,
        now: UnixTime::from_secs(1_750_000_000),
    };
    exchange.request_headers(worker, &head, method == "GET", &host)
}

#[test]
fn a_form_that_does_not_come_whole_is_given_up() {
    let (mut worker, mut exchange) = (worker(), Exchange::default());
    assert!(matches!(
        ask(&mut worker, &mut exchange, "POST", "/api/v1/query"),
        Step::Edit(_)
    ));
    assert!(exchange.gathers());
    assert!(matches!(
        exchange.request_piece(&mut worker, b"query=u", false),
        Piece::Take
    ));
    assert_eq!(worker.budget.held(), 7);
    let Some(Overdue::Refuse(denial)) = exchange.overdue(&mut worker) else {
        panic!("it is waited for");
    };
    assert_eq!((denial.status, worker.budget.held()), (408, 0));
    assert!(exchange.is_refused() && exchange.overdue(&mut worker).is_none());
    assert!(matches!(
        exchange.request_piece(&mut worker, b"p", true),
        Piece::Refuse(_)
    ));
}

/// The head of an answer to `/api/v1/rules`, asked for before.
fn rules(worker: &mut Worker, exchange: &mut Exchange, more: &[(&str, &str)]) -> Reply {
    let step = ask(worker, exchange, "GET", "/api/v1/rules");
    assert!(matches!(step, Step::Edit(_)) && !exchange.gathers());
    let fields = [(":status", "200"), ("content-type", "application/json")];
    let fields = fields.iter().chain(more);
    let head = ResponseHead {
        headers: Headers::new(
            fields
                .map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec()))
                .collect(),
        ),
    };
    exchange.response_headers(worker, &head, false)
}

#[test]
fn an_answer_that_does_not_come_whole_is_cut() {
    let (mut worker, mut exchange) = (worker(), Exchange::default());
    let reply = rules(&mut worker, &mut exchange, &[]);
    assert!(matches!(reply, Reply::Edit(_)));
    let piece = exchange.response_piece(&mut worker, b"{\"status\"", false);
    assert!(matches!(piece, ReplyPiece::Emit(out) if out.is_empty()));
    assert!(exchange.gathers() && worker.budget.held() == 16 << 10);
    assert!(matches!(
        exchange.overdue(&mut worker),
        Some(Overdue::Cut(_))
    ));
    assert_eq!(worker.budget.held(), 0);
    let piece = exchange.response_piece(&mut worker, b":\"success\"}", true);
    assert!(matches!(piece, ReplyPiece::Cut(_)));
    assert!(exchange.overdue(&mut worker).is_none());
}

#[test]
fn an_answer_that_does_not_come_whole_is_refused_while_its_head_waits() {
    let mut worker = limited(r#""hold_head": "16KiB""#);
    for piece in [16 << 10, (16 << 10) + 1] {
        let mut exchange = Exchange::default();
        let reply = rules(&mut worker, &mut exchange, &[]);
        assert!(matches!(reply, Reply::Hold(_)));
        let waits = piece <= 16 << 10;
        let taken = exchange.response_piece(&mut worker, vec![b' '; piece], false);
        assert_eq!(matches!(taken, ReplyPiece::Take), waits, "{taken:?}");
        let late = exchange.overdue(&mut worker);
        match late {
            Some(Overdue::Refuse(denial)) => assert!(waits && denial.status == 504),
            Some(Overdue::Cut(_)) => assert!(!waits),
            None => panic!("it is waited for"),
        }
        assert_eq!(worker.budget.held(), 0);
        exchange.end(&mut worker);
    }
}

#[test]
fn a_head_waits_for_no_body_that_is_known_to_be_larger_or_may_grow() {
    let mut worker = limited(r#""hold_head": "16KiB""#);
    for (name, value) in [("content-length", "16385"), ("content-encoding", "gzip")] {
        let reply = rules(&mut worker, &mut Exchange::default(), &[(name, value)]);
        assert!(matches!(reply, Reply::Edit(_)), "{name}: {reply:?}");
    }
}

#[test]
fn a_head_does_not_wait_for_the_rest_of_a_long_error() {
    let mut worker = limited(r#""hold_head": "128KiB""#);
    let mut exchange = Exchange::default();
    let step = ask(&mut worker, &mut exchange, "GET", "/api/v1/rules");
    assert!(matches!(step, Step::Edit(_)));
    let fields = vec![(":status".to_owned(), b"500".to_vec())];
    let head = ResponseHead {
        headers: Headers::new(fields),
    };
    let reply = exchange.response_headers(&mut worker, &head, false);
    assert!(matches!(reply, Reply::Hold(_)));
    let mut seen = Vec::new();
    for _ in 0..8 {
        match exchange.response_piece(&mut worker, vec![b'x'; 20 << 10], false) {
            ReplyPiece::Take => seen.push(true),
            ReplyPiece::Emit(out) => seen.push(!out.is_empty()),
            piece @ (ReplyPiece::Pass | ReplyPiece::Refuse(_) | ReplyPiece::Cut(_)) => {
                panic!("{piece:?}")
            }
        }
    }
    assert_eq!(seen, [true, true, true, true, true, true, false, false]);
    assert_eq!(worker.budget.held(), 60 << 10);
    let ReplyPiece::Emit(told) = exchange.response_piece(&mut worker, b"", true) else {
        panic!("an error is always told");
    };
    assert!(told.join().starts_with(b"{\"status\":\"error\""));
    assert_eq!(worker.budget.held(), 0);
}

#[test]
fn a_declared_answer_over_the_budget_is_refused_before_its_head_goes() {
    let mut worker = limited(r#""worker_memory": "1MiB", "grant_share": 50"#);
    let declared = [("content-length", "300000")];
    let mut first = Exchange::default();
    let reply = rules(&mut worker, &mut first, &declared);
    assert!(matches!(reply, Reply::Edit(_)) && worker.budget.held() == 300_000);
    let mut second = Exchange::default();
    let Reply::Refuse(denial) = rules(&mut worker, &mut second, &declared) else {
        panic!("there is no room for it");
    };
    assert_eq!((denial.status, denial.reason), (503, "memory"));
    first.end(&mut worker);
    second.end(&mut worker);
    assert_eq!(worker.budget.held(), 0);
    let reply = rules(&mut worker, &mut Exchange::default(), &declared);
    assert!(matches!(reply, Reply::Edit(_)));
}

#[test]
fn an_answer_before_the_form_is_whole_is_held_as_it_began() {
    let mut worker = limited("");
    let policy = Arc::get_mut(&mut worker.policy).unwrap();
    policy.upstreams[0].verify = crate::config::upstream::Verify::All;
    let mut exchange = Exchange::default();
    let step = ask(&mut worker, &mut exchange, "POST", "/api/v1/query");
    assert!(matches!(step, Step::Edit(_)));
    let fields = [(":status", "200"), ("content-type", "application/json")];
    let fields = fields.map(|(n, v)| (n.to_owned(), v.as_bytes().to_vec()));
    let head = ResponseHead {
        headers: Headers::new(fields.to_vec()),
    };
    let reply = exchange.response_headers(&mut worker, &head, false);
    assert!(matches!(reply, Reply::Edit(_)) && worker.budget.held() > 0);
    let piece = exchange.request_piece(&mut worker, b"query=1%2B1", true);
    assert!(matches!(piece, Piece::Emit(_)));
    let piece = exchange.response_piece(&mut worker, b"{\"status\"", false);
    assert!(matches!(piece, ReplyPiece::Emit(out) if out.is_empty()));
    exchange.end(&mut worker);
    assert_eq!(worker.budget.held(), 0);
}

/// What Alertmanager gets of a silence with this matcher more, by who reads `a`, `b` and the shared
/// `infra` and writes `a` alone.
fn silenced(matcher: &str) -> Result<String, u16> {
    let hash: String = hmac_sha256::Hash::hash(b"a-secret-of-32-bytes-at-the-least")
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let text = format!(
        r#"{{"tenancy": {{"shared": ["infra"]}}, "auth": {{"static": [{{"name": "n", "bearer_sha256": "{hash}",
            "grant": {{"read": ["a", "b"], "write": ["a"]}}}}]}},
            "upstreams": [{{"alertmanager": {{"hosts": ["h"], "cluster": "am"}}}}]}}"#
    );
    let document = Document::from_json(text.as_bytes()).unwrap();
    let mut worker = Worker::new(&document, &|_| None, 1).unwrap();
    let mut exchange = Exchange::default();
    let path = "/api/v2/silences";
    let step = ask_as(&mut worker, &mut exchange, "POST", path, "application/json");
    assert!(matches!(step, Step::Edit(_)), "{step:?}");
    let body = format!(
        r#"{{"matchers":[{{"name":"alertname","value":"x","isRegex":false}}{matcher}],"startsAt":"2025-06-15T15:06:40Z","endsAt":"2025-06-16T15:06:40Z","createdBy":"n","comment":"c"}}"#
    );
    match exchange.request_piece(&mut worker, body.as_bytes(), true) {
        Piece::Emit(body) => Ok(String::from_utf8(body).unwrap()),
        Piece::Refuse(denial) => Err(denial.status),
        piece @ (Piece::Pass | Piece::Take | Piece::Ask(..)) => panic!("{piece:?}"),
    }
}

#[test]
fn alerts_of_a_tenant_that_is_only_read_cannot_be_silenced() {
    let own = silenced("").unwrap();
    assert!(own.contains(r#""name":"tenant_id","value":"a""#), "{own}");
    assert!(!own.contains("infra"), "{own}");
    let of = |tenant: &str| {
        silenced(&format!(
            r#",{{"name":"tenant_id","value":"{tenant}","isRegex":false}}"#
        ))
    };
    assert!(of("a").is_ok());
    for tenant in ["b", "infra", "c"] {
        assert_eq!(of(tenant), Err(400), "{tenant}");
    }
}
