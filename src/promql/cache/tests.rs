use super::*;

fn identity() -> Arc<str> {
    "i".into()
}

fn key<'a>(identity: &'a Arc<str>, scope: &'a str, query: &'a str) -> Key<'a> {
    Key {
        identity,
        selector_only: false,
        scope,
        query,
    }
}

fn keep(cache: &mut QueryCache, scope: &str, query: &str) {
    let identity = identity();
    cache.keep(key(&identity, scope, query), &Arc::from(query));
}

fn has(cache: &mut QueryCache, scope: &str, query: &str) -> bool {
    let identity = identity();
    cache.find(key(&identity, scope, query)).is_some()
}

#[test]
fn a_text_is_found_only_under_all_that_it_depends_on() {
    let mut cache = QueryCache::new(1 << 20, 1);
    keep(&mut cache, "t=\"a\"", "up");
    assert!(has(&mut cache, "t=\"a\"", "up"));
    assert!(!has(&mut cache, "t=\"b\"", "up"));
    assert!(!has(&mut cache, "t=\"a\"", "up "));
    let other = "j".into();
    assert!(cache.find(key(&other, "t=\"a\"", "up")).is_none());
    let identity = identity();
    let selector = Key {
        selector_only: true,
        ..key(&identity, "t=\"a\"", "up")
    };
    assert!(cache.find(selector).is_none());
    assert_eq!(cache.counts().hits, 1);
    assert_eq!(cache.counts().misses, 4);
}

#[test]
fn a_flood_displaces_mainly_its_own() {
    let mut cache = QueryCache::new(64 * 1024, 1);
    for i in 0..20 {
        keep(&mut cache, "quiet", &format!("quiet{i}"));
    }
    for i in 0..100_000 {
        keep(&mut cache, "loud", &format!("loud{i}"));
        assert!(cache.bytes() <= 64 * 1024);
    }
    assert!((0..20).all(|i| has(&mut cache, "quiet", &format!("quiet{i}"))));
}

#[test]
fn ever_new_scopes_stay_within_the_budget() {
    let mut cache = QueryCache::new(64 * 1024, 1);
    for i in 0..10_000 {
        keep(&mut cache, &format!("scope{i}"), "up");
        assert!(cache.bytes() <= 64 * 1024);
    }
}

#[test]
fn what_is_used_is_spared() {
    let mut cache = QueryCache::new(64 * 1024, 1);
    keep(&mut cache, "s", "used");
    for i in 0..10_000 {
        keep(&mut cache, "s", &format!("once{i}"));
        assert!(has(&mut cache, "s", "used"));
    }
}

#[test]
fn an_entry_that_is_too_large_is_not_kept() {
    let mut cache = QueryCache::new(64 * 1024, 1);
    keep(&mut cache, "s", &"x".repeat(60_000));
    assert_eq!(cache.bytes(), 0);
    let mut none = QueryCache::new(0, 1);
    keep(&mut none, "s", "up");
    none.pass("m");
    assert_eq!(none.bytes(), 0);
}
