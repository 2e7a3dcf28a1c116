//! The short way against the long one, and both against a reader that reads as gogo/protobuf does,
//! on bodies that are written in every odd way.

mod dice;
mod gogo;

use self::dice::Dice;
use super::super::write1::tests::{policy, tenant};
use super::super::{Body, BodyPolicy, Counts, Protocol, WriteError, snappy, wire};
use crate::scope::{Enforced, Scope};
use crate::tenant::LabelName;

/// A body whose series, of the field `number`, begin with a field that the short way does not know;
/// or, the other way round, the body without such fields. `None`: no message.
fn series_anew(src: &[u8], number: u32, with: bool) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for field in wire::Fields::of(src) {
        let field = field.ok()?;
        let Ok(bytes) = field.bytes() else {
            let key = field.number << 3
                | match field.value {
                    wire::Value::Varint(_) => 0,
                    wire::Value::Fixed64 => 1,
                    wire::Value::Fixed32 => 5,
                    wire::Value::Bytes(_) => 2,
                };
            wire::put_varint(u64::from(key), &mut out);
            out.extend_from_slice(&src[field.at..field.end]);
            continue;
        };
        let mut new = Vec::new();
        if field.number != number {
            new.extend_from_slice(bytes);
        } else if with {
            new.extend_from_slice(&[0x78, 0]);
            new.extend_from_slice(bytes);
        } else {
            for inner in wire::Fields::of(bytes) {
                let inner = inner.ok()?;
                if inner.number != 15 {
                    new.extend_from_slice(&bytes[inner.start..inner.end]);
                }
            }
        }
        wire::put_bytes(field.number, &new, &mut out);
    }
    Some(out)
}

/// What holds for each stored series after each policy, by the tenant label and by `team`.
fn holds(kind: &str, labels: &gogo::Labels<'_>) -> bool {
    let of = |name: &[u8]| -> Vec<&[u8]> {
        labels.iter().filter(|l| l.0 == name).map(|l| l.1).collect()
    };
    let (tenant, team) = (of(b"tenant_id"), of(b"team"));
    let own = tenant == [b"tenant-a"];
    let ours = team == [b"x"] || team == [b"y"];
    match kind {
        "verify" | "overwrite" => own && ours,
        "allow" => (own || tenant.is_empty()) && (ours || team.is_empty()),
        _ => tenant.is_empty() && team.is_empty(),
    }
}

fn judge(
    policy: &BodyPolicy,
    protocol: Protocol,
    src: &[u8],
) -> Result<(Counts, Vec<u8>), WriteError> {
    let values = |label: &str, values: &[&str]| {
        Enforced::values(LabelName::parse(label).unwrap(), values.iter().copied()).unwrap()
    };
    let scope = Scope::new(vec![
        values("tenant_id", &["tenant-a"]),
        values("team", &["x", "y"]),
    ]);
    let outcome = policy.apply(protocol, &snappy::encode(src).unwrap(), &scope, &tenant())?;
    Ok(match outcome.body {
        Body::Unchanged => (outcome.counts, src.to_vec()),
        Body::Changed(new) => (outcome.counts, snappy::decode(&new, 1 << 30).unwrap()),
    })
}

#[test]
fn the_short_way_says_what_the_long_way_says() {
    let more = [
        "",
        r#","limits":{"series":2,"samples":3,"exemplars":1,"labels_per_series":4}"#,
        r#","limits":{"label_name":"12B","label_value":"9B"}"#,
        r#","required":["job"]"#,
        r#","required":["job","team"],"labels":[{"pattern":"user.*","action":"drop"}]"#,
        r#","labels":[{"name":"job","action":{"rewrite":{"regex":"x","replacement":"longer-than-x"}}},{"name":"user","action":"refuse"}]"#,
    ];
    let mut policies = Vec::new();
    for more in more {
        for (kind, text) in [
            ("verify", r#""verify""#),
            ("allow", r#""verify","absent":"allow""#),
            ("reject", r#""reject""#),
            ("drop", r#""drop""#),
            ("overwrite", r#""overwrite""#),
        ] {
            policies.push((kind, policy(&format!(r#"{{"series_label":{text}{more}}}"#))));
        }
    }
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut passed, mut untouched) = (0, 0);
    for round in 0..ROUNDS {
        let (protocol, number) = dice.of(&[(Protocol::WriteV1, 1), (Protocol::WriteV2, 5)]);
        let mut body = if number == 1 { dice.v1() } else { dice.v2() };
        if dice.one_in(3) {
            dice.hurt(&mut body);
        }
        let (kind, policy) = &policies[dice.below(policies.len())];
        let short = judge(policy, protocol, &body);
        let Some(padded) = series_anew(&body, number, true) else {
            assert!(short.is_err(), "{round}: {body:02x?}");
            continue;
        };
        match (&short, judge(policy, protocol, &padded)) {
            (Ok(short), Ok(long)) => {
                assert_eq!(short.0, long.0, "{round} {kind}: {body:02x?}");
                assert_eq!(
                    series_anew(&short.1, number, false),
                    series_anew(&long.1, number, false),
                    "{round} {kind}: {body:02x?}"
                );
            }
            // Pieces without labels are bounded where they are gathered.
            (Ok(_), Err(WriteError::Malformed("label references in too many pieces"))) => {}
            (Err(short), Err(long)) => assert_eq!(*short, long, "{round} {kind}: {body:02x?}"),
            (short, long) => panic!("{round} {kind}: {short:?} {long:?} {body:02x?}"),
        }
        let Ok((counts, sent)) = short else { continue };
        passed += 1;
        untouched += usize::from(sent == body && counts.series > 0);
        let read = if number == 1 {
            gogo::v1(&sent)
        } else {
            gogo::v2(&sent)
        };
        let read = read.unwrap_or_default();
        assert!(
            read.iter().all(|labels| holds(kind, labels)),
            "{round} {kind}: {read:?} {body:02x?}"
        );
    }
    assert!(
        passed > ROUNDS / 5 && untouched > ROUNDS / 20,
        "{passed} {untouched}"
    );
}

const ROUNDS: usize = 20_000;
