//! Any answer of a key server, any shared entry, any metadata: never a panic.
use promfence::auth::{Authenticator, FetchAnswer, NoHost, Peer};
use promfence::config::{auth::Auth, error::Problems};
use promfence::http::{Headers, RequestHead, UnixTime};

const DOC: &str = r#"{"issuers": [
  {"issuer": "i", "audiences": ["a"], "keys": {"remote": {"cluster": "c", "authority": "h", "path": "/k"}},
   "tenants": [{"claim": "/t"}]},
  {"issuer": "m", "audiences": ["a"], "verified_by": {"metadata": {}}, "tenants": [{"claim": "/t"}]}],
  "shared_keys": {"secret": "0123456789abcdef0123456789abcdef"}}"#;

struct Metadata<'a>(&'a [u8]);

impl Peer for Metadata<'_> {
    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        (path == ["metadata"]).then(|| self.0.to_vec())
    }
}

/// One run.
pub fn fuzz(data: &[u8]) {
    let doc: Auth = serde_json::from_str(DOC).unwrap();
    let mut auth = Authenticator::compile(&doc, &|_| None, &mut Problems::default());
    let now = UnixTime::from_secs(1_800_000_000);
    let id = auth.due(now)[0].id;
    let answer = FetchAnswer {
        status: 200,
        headers: Headers::default(),
        body: data.to_vec(),
    };
    let _ = auth.fetched(id, Ok(&answer), now);
    let (source, _) = auth.shared().remove(0);
    assert!(!auth.import(source, data, now));
    let _ = auth.authenticate(&RequestHead::default(), &Metadata(data), &NoHost, now);
}
