use super::super::write1::tests::{encode, scope};
use super::*;
use proptest::prelude::*;

fn matcher(kind: u8, name: &str, value: &str) -> Vec<u8> {
    let mut m = Vec::new();
    if kind != 0 {
        m.extend_from_slice(&[0x08, kind]);
    }
    wire::put_bytes(2, name.as_bytes(), &mut m);
    wire::put_bytes(3, value.as_bytes(), &mut m);
    m
}

/// A request with one query per list of matchers, with times, hints and types of answer.
fn request(queries: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let mut out = Vec::new();
    for matchers in queries {
        let mut q = vec![];
        for m in matchers {
            wire::put_bytes(3, m, &mut q);
        }
        q.extend_from_slice(&[0x08, 5, 0x10, 9]);
        wire::put_bytes(4, &[0x08, 15], &mut q);
        wire::put_bytes(1, &q, &mut out);
    }
    out.extend_from_slice(&[0x12, 2, 1, 0]);
    out
}

fn run(src: &[u8], on_conflict: OnConflict) -> Result<Vec<u8>, ReadError> {
    let body = snappy::encode(src).unwrap();
    confine(&body, &scope(), on_conflict, 1 << 20).map(|b| snappy::decode(&b, 1 << 20).unwrap())
}

fn ours() -> Vec<u8> {
    matcher(2, "tenant_id", "tenant-a")
}

#[test]
fn every_query_has_the_enforced_matcher_as_a_regex() {
    let up = matcher(0, "__name__", "up");
    let src = request(&[vec![up.clone()], vec![matcher(3, "a", "x.*"), up.clone()]]);
    let expected = request(&[
        vec![ours(), up.clone()],
        vec![ours(), matcher(3, "a", "x.*"), up],
    ]);
    assert_eq!(run(&src, OnConflict::Intersect), Ok(expected));
}

#[test]
fn matchers_of_the_caller_follow_the_policy() {
    let src = request(&[vec![
        matcher(0, "tenant_id", "t.b"),
        matcher(1, "tenant_id", "x"),
    ]]);
    let intersect = vec![
        ours(),
        matcher(2, "tenant_id", "t\\.b"),
        matcher(1, "tenant_id", "x"),
    ];
    assert_eq!(run(&src, OnConflict::Intersect), Ok(request(&[intersect])));
    assert_eq!(run(&src, OnConflict::Replace), Ok(request(&[vec![ours()]])));
    let e = run(&src, OnConflict::Reject).unwrap_err();
    assert_eq!(
        (e.status(), e),
        (400, ReadError::Conflict("tenant_id".into()))
    );
}

#[test]
fn what_could_select_more_is_refused() {
    let up = matcher(0, "__name__", "up");
    for src in [
        vec![],
        request(&[vec![]]),
        [request(&[vec![up.clone()]]), vec![0x1a, 0]].concat(),
        request(&[vec![[up.clone(), vec![0x20, 1]].concat()]]),
        request(&[vec![[up.clone(), vec![0x08, 4]].concat()]]),
        request(&[vec![
            [up.clone(), vec![0x08, 0x80, 0x80, 0x80, 0x80, 0x10]].concat(),
        ]]),
        request(&vec![vec![up.clone()]; 101]),
        request(&[vec![up; 1001]]),
        vec![0x0a, 0x02, 0x2a, 0x00],
    ] {
        let status = run(&src, OnConflict::Intersect).unwrap_err().status();
        assert!(status == 400 || status == 413);
    }
}

#[test]
fn each_series_of_an_answer_must_be_inside() {
    let pair = |n: &str, v: &str| (n.to_owned(), v.to_owned());
    let own = vec![pair("__name__", "up"), pair("tenant_id", "tenant-a")];
    let answer = |series: &[Vec<(String, String)>]| {
        let mut out = Vec::new();
        wire::put_bytes(1, &encode(series), &mut out);
        snappy::encode(&out).unwrap()
    };
    let check =
        |series: &[Vec<(String, String)>]| verify_samples(&answer(series), &scope(), 1 << 20);
    assert_eq!(check(&[own.clone(), own.clone()]), Ok(2));
    for foreign in [
        vec![pair("__name__", "up")],
        vec![pair("tenant_id", "tenant-b")],
        vec![pair("tenant_id", "tenant-a"), pair("tenant_id", "tenant-a")],
        vec![],
    ] {
        assert_eq!(
            check(&[own.clone(), foreign.clone()]),
            Err(AnswerError::Foreign)
        );
        let framed = |series: &[Vec<(String, String)>]| {
            let frame = encode(series);
            let mut out = vec![u8::try_from(frame.len()).unwrap(), 1, 2, 3, 4];
            out.extend_from_slice(&frame);
            out
        };
        assert_eq!(
            verify_chunks(&framed(std::slice::from_ref(&own)), &scope()),
            Ok(1)
        );
        let two = [framed(std::slice::from_ref(&own)), framed(&[foreign])].concat();
        assert_eq!(verify_chunks(&two, &scope()), Err(AnswerError::Foreign));
    }
    assert!(verify_samples(&answer(&[own]), &scope(), 10).is_err());
}

#[test]
fn frames_leave_one_by_one_and_none_after_a_foreign_series() {
    let pair = |n: &str, v: &str| (n.to_owned(), v.to_owned());
    let frame = |tenant: &str| {
        let frame = encode(&[vec![pair("__name__", "up"), pair("tenant_id", tenant)]]);
        let mut out = vec![u8::try_from(frame.len()).unwrap(), 1, 2, 3, 4];
        out.extend_from_slice(&frame);
        out
    };
    let own = [frame("tenant-a"), frame("tenant-a")].concat();
    for size in [1, 5, 1000] {
        let mut verifier = ChunkVerifier::new(scope());
        let mut out = Vec::new();
        for piece in own.chunks(size) {
            out.extend(verifier.feed(piece).unwrap());
        }
        assert_eq!((out, verifier.finish()), (own.clone(), Ok(())));

        let mut verifier = ChunkVerifier::new(scope());
        let mut out = Vec::new();
        let bytes = [frame("tenant-a"), frame("tenant-b")].concat();
        let e = bytes
            .chunks(size)
            .find_map(|piece| match verifier.feed(piece) {
                Ok(part) => {
                    out.extend(part);
                    None
                }
                Err(e) => Some(e),
            });
        assert_eq!(e, Some(AnswerError::Foreign));
        assert!(frame("tenant-a").starts_with(&out));
    }
    let mut verifier = ChunkVerifier::new(scope());
    assert_eq!(verifier.feed(&own[..own.len() - 1]), Ok(frame("tenant-a")));
    assert_eq!(verifier.held(), own.len() / 2 - 1);
    assert!(verifier.finish().is_err());
    let mut verifier = ChunkVerifier::new(scope());
    assert_eq!(
        verifier.feed(&[0xff, 0xff, 0xff, 0x0f]),
        Err(AnswerError::TooLarge)
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = run(&bytes, OnConflict::Intersect);
        let _ = confine(&bytes, &scope(), OnConflict::Replace, 1 << 20);
        let _ = verify_samples(&snappy::encode(&bytes).unwrap(), &scope(), 1 << 20);
        let _ = verify_chunks(&bytes, &scope());
    }
}
