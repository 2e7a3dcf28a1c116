use super::*;
use crate::grant::Source;
use crate::tenant::TenantId;
use proptest::prelude::*;

fn grant(tenant: &str, subject: &str) -> Arc<Grant> {
    let set = Tenants::Some(BTreeSet::from([TenantId::parse(tenant).unwrap()]));
    let rights = (set.clone(), set);
    Arc::new(Grant::new(subject.into(), Source::Jwt, rights, Vec::new()))
}

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(secs)
}

fn token(n: usize) -> String {
    format!("{}{n:016}", "x".repeat(700))
}

#[test]
fn only_the_very_same_token_is_found_and_only_while_it_counts() {
    let mut cache = Cache::new(1 << 20, 300.0);
    let long = "a.b.0123456789abcdef";
    cache.insert(long, &grant("a", "s"), 0, at(100), at(0));
    assert!(cache.find(long.as_bytes(), at(99)).is_some());
    assert!(
        cache
            .find("A.b.0123456789abcdef".as_bytes(), at(1))
            .is_none()
    );
    assert!(cache.find("0123456789abcdef".as_bytes(), at(1)).is_none());
    assert!(cache.find(long.as_bytes(), at(100)).is_none());
    // The clock goes back: what has been seen to end stays ended.
    assert!(cache.find(long.as_bytes(), at(1)).is_none());
    cache.insert(long, &grant("a", "s"), 0, at(10_000), at(0));
    assert!(cache.find(long.as_bytes(), at(299)).is_some());
    assert!(cache.find(long.as_bytes(), at(300)).is_none());
}

#[test]
fn many_tokens_of_one_tenant_do_not_push_out_the_others() {
    let mut cache = Cache::new(1 << 20, 1e6);
    for n in 0..20 {
        cache.insert(
            &token(n),
            &grant(&format!("t{n}"), "s"),
            0,
            at(1_000),
            at(0),
        );
    }
    for n in 100..20_100 {
        cache.insert(
            &token(n),
            &grant("attacker", &format!("s{n}")),
            0,
            at(1_000),
            at(0),
        );
    }
    for n in 0..20 {
        assert!(cache.find(token(n).as_bytes(), at(1)).is_some(), "{n}");
    }
    let (count, bytes) = cache.size();
    assert!(count > 500 && bytes <= 1 << 20, "{count} {bytes}");
}

#[test]
fn a_change_of_keys_forgets_one_issuer() {
    let mut cache = Cache::new(1 << 20, 300.0);
    cache.insert(&token(1), &grant("a", "s"), 0, at(100), at(0));
    cache.insert(&token(2), &grant("a", "s"), 1, at(100), at(0));
    cache.forget(0);
    assert!(cache.find(token(1).as_bytes(), at(1)).is_none());
    assert!(cache.find(token(2).as_bytes(), at(1)).is_some());
    cache.purge(at(200));
    assert_eq!(cache.size(), (0, 0));
    assert!(cache.shares.is_empty() && cache.by_size.is_empty());
}

proptest! {
    #[test]
    fn the_books_balance(steps in proptest::collection::vec((0usize..40, 0u8..5, 0u64..50), 0..200)) {
        let mut cache = Cache::new(16 << 10, 30.0);
        for (n, tenant, now) in steps {
            match tenant {
                0 => cache.purge(at(now)),
                1 => drop(cache.find(token(n).as_bytes(), at(now))),
                t => cache.insert(&token(n), &grant(&format!("t{t}"), "s"), 0, at(40), at(now)),
            }
            let sum: usize = cache.entries.values().map(|e| e.bytes).sum();
            prop_assert_eq!(sum, cache.bytes);
            prop_assert!(cache.bytes <= 16 << 10);
            prop_assert_eq!(cache.shares.values().map(|s| s.bytes).sum::<usize>(), sum);
            prop_assert_eq!(cache.shares.len(), cache.by_size.len());
        }
    }
}

#[test]
fn a_token_is_the_same_only_if_every_byte_is() {
    let text: Vec<u8> = (0..37).collect();
    assert!(equal(&text, &text) && equal(b"", b""));
    for at in 0..text.len() {
        let mut other = text.clone();
        other[at] ^= 1;
        assert!(!equal(&text, &other), "{at}");
        assert!(
            !equal(&text, &text[..at]) && !equal(&text[..at], &text),
            "{at}"
        );
    }
}
