use proptest::prelude::*;

use super::super::write1::tests::{Labels, hex, model, more, policy, run, series};
use super::super::{Protocol, WriteError, wire};

/// A request with a table built as series come; `late` puts the table behind them, `more` stands
/// behind each series' sample.
fn encode(series: &[Labels], late: bool, single: bool, more: &[u8]) -> Vec<u8> {
    let mut table = vec![String::new()];
    let mut body = Vec::new();
    for labels in series {
        let mut refs = Vec::new();
        for text in labels.iter().flat_map(|(n, v)| [n, v]) {
            let at = table.iter().position(|t| t == text).unwrap_or_else(|| {
                table.push(text.clone());
                table.len() - 1
            });
            refs.push(at as u64);
        }
        let mut ts = Vec::new();
        if single {
            for r in refs {
                wire::put_varint(8, &mut ts);
                wire::put_varint(r, &mut ts);
            }
        } else {
            let mut packed = Vec::new();
            refs.iter().for_each(|r| wire::put_varint(*r, &mut packed));
            wire::put_bytes(1, &packed, &mut ts);
        }
        wire::put_bytes(2, &[16, 1], &mut ts);
        ts.extend_from_slice(more);
        wire::put_bytes(5, &ts, &mut body);
    }
    let mut symbols = Vec::new();
    table
        .iter()
        .for_each(|t| wire::put_bytes(4, t.as_bytes(), &mut symbols));
    if late {
        [body, symbols].concat()
    } else {
        [symbols, body].concat()
    }
}

/// Reads a request as a decoder does, by code of its own.
fn decode(src: &[u8]) -> Vec<Labels> {
    fn number(src: &mut &[u8]) -> u64 {
        let mut v = 0;
        for shift in (0..64).step_by(7) {
            let b = src[0];
            *src = &src[1..];
            v |= u64::from(b & 127) << shift;
            if b < 128 {
                break;
            }
        }
        v
    }
    fn piece<'a>(src: &mut &'a [u8]) -> &'a [u8] {
        let len = number(src) as usize;
        let (piece, rest) = src.split_at(len);
        *src = rest;
        piece
    }
    let (mut rest, mut table, mut all) = (src, Vec::new(), Vec::new());
    while !rest.is_empty() {
        match number(&mut rest) {
            0x22 => table.push(String::from_utf8(piece(&mut rest).to_vec()).unwrap()),
            0x2a => {
                let (mut ts, mut refs) = (piece(&mut rest), Vec::new());
                while !ts.is_empty() {
                    match number(&mut ts) {
                        8 => refs.push(number(&mut ts) as usize),
                        10 => {
                            let mut packed = piece(&mut ts);
                            while !packed.is_empty() {
                                refs.push(number(&mut packed) as usize);
                            }
                        }
                        18 => assert_eq!(piece(&mut ts), [16, 1]),
                        0x78 => assert_eq!(number(&mut ts), 0),
                        other => panic!("field {other}"),
                    }
                }
                all.push(refs);
            }
            other => panic!("field {other}"),
        }
    }
    assert_eq!(table[0], "");
    let pair = |p: &[usize]| (table[p[0]].clone(), table[p[1]].clone());
    all.iter()
        .map(|r| r.chunks(2).map(pair).collect())
        .collect()
}

fn v2(json: &str, src: &[u8]) -> Result<Vec<u8>, WriteError> {
    run(&policy(json), Protocol::WriteV2, src)
}

#[test]
fn the_label_is_found_through_the_table() {
    let body = hex(
        "220022085f5f6e616d655f5f22016d220974656e616e745f6964220874656e616e742d622a180a0401020304121009000000000000f03f1080d095ffbc31",
    );
    let e = v2(r#"{"series_label":"reject"}"#, &body).unwrap_err();
    assert_eq!(
        e.to_string(),
        "series `m`: label `tenant_id` must not be sent: remove it by relabelling"
    );
    assert_eq!(
        v2(r#"{"series_label":"verify"}"#, &body)
            .unwrap_err()
            .status(),
        400
    );
}

#[test]
fn references_out_of_range_or_odd_in_number_are_refused() {
    let reject = r#"{"series_label":"reject"}"#;
    let out = hex(
        "220022085f5f6e616d655f5f22016d2a1a0a0601ffffffff0f121009000000000000f03f1080d095ffbc31",
    );
    assert_eq!(v2(reject, &out).unwrap_err().status(), 400);
    assert_eq!(
        v2(reject, &hex("220022016d2a030a0101"))
            .unwrap_err()
            .status(),
        400
    );
    // 2^32 + 1, which a decoder cuts to 1.
    assert_eq!(
        v2(reject, &hex("220022016d2a080a06818080801001"))
            .unwrap_err()
            .status(),
        400
    );
}

#[test]
fn rules_hold_for_exemplars_too() {
    let exemplar = |refs: &[u8]| {
        let (mut ts, mut e, mut out) = (Vec::new(), Vec::new(), Vec::new());
        for text in ["", "user", "bob", "m"] {
            wire::put_bytes(4, text.as_bytes(), &mut out);
        }
        if !refs.is_empty() {
            wire::put_bytes(1, refs, &mut e);
        }
        wire::put_bytes(4, &e, &mut ts);
        wire::put_bytes(5, &ts, &mut out);
        out
    };
    let json = r#"{"labels":[{"name":"user","action":"drop"}]}"#;
    let mut changed = exemplar(&[]);
    let at = changed.len() - 3;
    changed.splice(at.., [4, 4, 0x22, 2, 0x0a, 0]);
    changed.remove(at);
    assert_eq!(v2(json, &exemplar(&[1, 2])), Ok(changed));
}

proptest! {
    #[test]
    fn decoded_bytes_are_the_policy_applied_to_the_labels(
        series in series(),
        kind in prop::sample::select(vec!["reject", "verify", "drop", "overwrite"]),
        late: bool,
        single: bool,
        more in more(),
    ) {
        let expected: Option<Vec<Labels>> = series.iter().map(|s| model(kind, s)).collect();
        let body = encode(&series, late, single, more);
        prop_assert_eq!(&decode(&body), &series);
        let result = v2(&format!(r#"{{"series_label":"{kind}"}}"#), &body);
        if expected.as_ref() == Some(&series) {
            prop_assert_eq!(result.as_ref(), Ok(&body));
        }
        prop_assert_eq!(result.ok().map(|b| decode(&b)), expected);
    }

    #[test]
    fn values_become_new_symbols(series in series(), late: bool) {
        let json = r#"{"labels":[{"name":"job","action":{"rewrite":{"regex":"(tenant)-(.)","replacement":"$2-$1"}}}]}"#;
        let expected: Vec<Labels> = series
            .iter()
            .map(|s| s.iter().map(|(n, v)| {
                let new = if n == "job" { v.replace("tenant-a", "a-tenant").replace("tenant-b", "b-tenant") } else { v.clone() };
                (n.clone(), new)
            }).collect())
            .collect();
        let result = v2(json, &encode(&series, late, false, &[])).unwrap();
        prop_assert_eq!(decode(&result), expected);
    }
}
