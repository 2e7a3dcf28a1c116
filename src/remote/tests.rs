mod ways;

use proptest::prelude::*;

use super::write1::tests::{hex, policy, scope, tenant};
use super::{Body, Protocol, snappy};

const V1: &str = "0a3e0a0d0a085f5f6e616d655f5f12016d0a1b0a047a6f6e650a0974656e616e745f6964120874656e616e742d62121009000000000000f03f1080d095ffbc31";
const V2: &str = "220022085f5f6e616d655f5f22016d220974656e616e745f6964220874656e616e742d622a180a0401020304121009000000000000f03f1080d095ffbc31";
const OTLP: &str = "0a520a150a130a0c736572766963652e6e616d6512030a0173123912370a06666f726765642a2d0a2b1900002a36fe9c971721000000000000f03f3a170a0974656e616e742e6964120a0a0874656e616e742d62";

/// A small change to a body: at a place, some bytes go and others come.
fn mutations() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, Vec<u8>)>> {
    let bytes = prop::collection::vec(
        prop_oneof![
            any::<u8>(),
            prop::sample::select(vec![0x0a, 0x12, 0x22, 0x2a, 0, 1, 2, 9])
        ],
        0..4,
    );
    prop::collection::vec((any::<prop::sample::Index>(), 0usize..3, bytes), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn what_a_change_lets_pass_a_check_lets_pass_unchanged(
        base in prop::sample::select(vec![
            (Protocol::WriteV1, V1), (Protocol::WriteV2, V2), (Protocol::Otlp, OTLP),
        ]),
        mutations in mutations(),
        (change, check) in prop::sample::select(vec![("overwrite", "verify"), ("drop", "reject")]),
    ) {
        let (protocol, text) = base;
        let mut src = hex(text);
        for (at, gone, bytes) in mutations {
            let from = at.index(src.len() + 1);
            let to = (from + gone).min(src.len());
            src.splice(from..to, bytes);
        }
        let body = if protocol == Protocol::Otlp { src } else { snappy::encode(&src).unwrap() };
        let run = |kind: &str, body: &[u8]| {
            policy(&format!(r#"{{"series_label":"{kind}"}}"#)).apply(protocol, body, &scope(), &tenant())
        };
        if let Ok(first) = run(change, &body) {
            let sent = match first.body {
                Body::Unchanged => body,
                Body::Changed(new) => new,
            };
            let second = run(check, &sent).unwrap();
            prop_assert_eq!(second.body, Body::Unchanged);
            prop_assert_eq!(second.counts, first.counts);
        }
    }
}
