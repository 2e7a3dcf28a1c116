//! Any text is confined or refused, the same under every policy and twice in a row, and what is
//! confined is the text with matchers in it.
use promfence::promql::{Confiner, Guards, QueryCache, Reason, Refusal};
use promfence::scope::{Enforced, OnConflict, Scope};
use promfence::tenant::LabelName;

/// One run.
pub fn fuzz(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let label = LabelName::parse("tenant_id").unwrap();
    let scope = Scope::new(vec![Enforced::values(label, ["a", "b.c"]).unwrap()]);
    let mut cache = QueryCache::new(1 << 16, 0);
    for policy in [
        OnConflict::Intersect,
        OnConflict::Replace,
        OnConflict::Reject,
    ] {
        let confiner = Confiner::new::<&str>(&[], policy, Guards::default());
        let first = confiner.query(&mut cache, text, &scope);
        assert_eq!(first, confiner.query(&mut cache, text, &scope));
        match first {
            Ok(confined) => {
                let again = confiner.query(&mut cache, &confined, &scope);
                let limit = |r: &Refusal| matches!(r.reason, Reason::Limit(_));
                assert!(
                    again.as_ref().map_or_else(limit, |_| true),
                    "{confined}: {again:?}"
                );
                if policy == OnConflict::Intersect {
                    let matcher = scope.text();
                    let bare = confined.replace(&format!("{{{matcher}}}"), "");
                    let bare = bare
                        .replace(&format!("{matcher},"), "")
                        .replace(matcher, "");
                    // Whether a name had empty braces cannot be told any more.
                    let same = bare.replace("{}", "") == text.replace("{}", "");
                    assert!(text.contains(matcher) || same, "{bare}");
                }
            }
            Err(refusal) => assert!(!matches!(refusal.reason, Reason::Doubt(_)), "{refusal}"),
        }
        let _ = confiner.selector(&mut cache, text, &scope);
    }
}
