//! Scanners of streams give the same for every chunking, and nothing that a whole reading refuses
//! as foreign.
use promfence::respond::{self, AnswerError, SeriesIn, Verifier, WarningCutter};
use promfence::scope::{Enforced, Scope};
use promfence::tenant::LabelName;

fn chunked<S>(
    mut scanner: S,
    body: &[u8],
    size: usize,
    feed: impl Fn(&mut S, &[u8]) -> Result<Vec<u8>, AnswerError>,
    finish: impl Fn(S) -> Result<Vec<u8>, AnswerError>,
) -> Result<Vec<u8>, AnswerError> {
    let mut out = Vec::new();
    for chunk in body.chunks(size) {
        out.extend(feed(&mut scanner, chunk)?);
    }
    out.extend(finish(scanner)?);
    Ok(out)
}

/// One run: the size of chunks, then the body.
pub fn fuzz(data: &[u8]) {
    let Some((size, body)) = data.split_first() else {
        return;
    };
    let size = usize::from(*size).max(1);
    let cut = |size| {
        chunked(
            WarningCutter::new(),
            body,
            size,
            WarningCutter::feed,
            WarningCutter::finish,
        )
    };
    assert_eq!(cut(size), cut(usize::MAX));

    let label = LabelName::parse("tenant_id").unwrap();
    let scope = Scope::new(vec![Enforced::values(label, ["tenant-a"]).unwrap()]);
    for series in [SeriesIn::Series, SeriesIn::Query, SeriesIn::Federate] {
        let read = |size| {
            let verifier = Verifier::new(series, scope.clone());
            chunked(verifier, body, size, Verifier::feed, Verifier::finish)
        };
        let once = read(usize::MAX);
        assert_eq!(read(size), once);
        if let Ok(out) = &once {
            assert_eq!(out, body);
        }
        if respond::verify(body.to_vec().into(), series, &scope, false).is_ok() {
            assert!(once.is_ok());
        }
    }
}
