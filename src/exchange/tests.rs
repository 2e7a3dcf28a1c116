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
    let hash: String = hmac_sha256::Hash::hash(b"a-secret-of-32-bytes-at-the-least")
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let text = format!(
        r#"{{"auth": {{"static": [{{"name": "a", "bearer_sha256": "{hash}", "grant": {{"tenants": ["a"]}}}}]}},
            "upstreams": [{{"prometheus": {{"hosts": ["h"]}}}}]}}"#
    );
    let document = Document::from_json(text.as_bytes()).unwrap();
    Worker::new(&document, &|_| None, 1).unwrap()
}

fn ask(worker: &mut Worker, exchange: &mut Exchange, method: &str, path: &str) -> Step {
    let fields = [
        (":method", method),
        (":authority", "h"),
        (":path", path),
        ("authorization", "Bearer a-secret-of-32-bytes-at-the-least"),
        ("content-type", "application/x-www-form-urlencoded"),
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

#[test]
fn an_answer_that_does_not_come_whole_is_cut() {
    let (mut worker, mut exchange) = (worker(), Exchange::default());
    let step = ask(&mut worker, &mut exchange, "GET", "/api/v1/rules");
    assert!(matches!(step, Step::Edit(_)) && !exchange.gathers());
    let head = ResponseHead {
        headers: Headers::new(vec![
            (":status".into(), b"200".to_vec()),
            ("content-type".into(), b"application/json".to_vec()),
        ]),
    };
    assert!(matches!(
        exchange.response_headers(&mut worker, &head, false),
        Reply::Edit(_)
    ));
    let piece = exchange.response_piece(&mut worker, b"{\"status\"", false);
    assert!(matches!(piece, ReplyPiece::Emit(out) if out.is_empty()));
    assert!(exchange.gathers() && worker.budget.held() == 9);
    assert!(matches!(
        exchange.overdue(&mut worker),
        Some(Overdue::Cut(_))
    ));
    assert_eq!(worker.budget.held(), 0);
    let piece = exchange.response_piece(&mut worker, b":\"success\"}", true);
    assert!(matches!(piece, ReplyPiece::Cut(_)));
    assert!(exchange.overdue(&mut worker).is_none());
}
