//! A body that is written anew is read back as the caller's own, and unpacking stays in its bound.
use promfence::respond;
use promfence::scope::{Enforced, OnConflict, Scope};
use promfence::tenant::LabelName;

/// One run.
pub fn fuzz(body: &[u8]) {
    let label = LabelName::parse("tenant_id").unwrap();
    let scope = Scope::new(vec![Enforced::values(label, ["tenant-a"]).unwrap()]);
    for conflict in [
        OnConflict::Intersect,
        OnConflict::Replace,
        OnConflict::Reject,
    ] {
        if let Ok(out) = respond::post_silences(body, &scope, conflict) {
            assert_eq!(respond::silence_in_scope(&out.body, &scope), Ok(true));
            assert!(out.id.is_none_or(|id| respond::is_uuid(&id)));
            let again = respond::post_silences(&out.body, &scope, conflict).unwrap();
            assert_eq!(again.body, out.body);
        }
    }
    if let Ok(out) = respond::post_alerts(body, &scope) {
        let shown = respond::am_alerts(out.clone().into(), &scope).map(respond::Blocks::join);
        assert_eq!(shown.as_ref(), Ok(&out));
        assert_eq!(respond::post_alerts(&out, &scope), Ok(out));
    }
    if let Ok(out) = respond::decode(b"gzip", body, 1 << 16) {
        assert!(out.len() <= 1 << 16);
    }
}
