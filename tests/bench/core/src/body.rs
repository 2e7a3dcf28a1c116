//! Bodies as senders and upstreams make them.

use std::fmt::Write as _;

/// Labels of one series; `tenant` among them, if given.
fn labels(i: usize, tenant: Option<&str>) -> Vec<(String, String)> {
    let mut all = vec![
        ("__name__".to_owned(), format!("http_server_requests_{}_total", i % 40)),
        ("instance".to_owned(), format!("10.1.{}.{}:9100", i / 250 % 250, i % 250)),
        ("job".to_owned(), format!("service-{}", i % 25)),
        ("method".to_owned(), ["GET", "POST", "PUT"][i % 3].to_owned()),
        ("path".to_owned(), format!("/api/v1/items/{}", i * 7919 % 1000)),
        ("status".to_owned(), ["200", "404", "500", "503"][i % 4].to_owned()),
    ];
    if let Some(tenant) = tenant {
        all.push(("tenant_id".to_owned(), tenant.to_owned()));
    }
    all
}

fn sample(i: usize) -> Vec<u8> {
    let mut to = vec![0x09];
    to.extend((i as f64 * 1.37).to_le_bytes());
    to.push(0x10);
    varint(1_700_000_000_000 + i as u64 % 15_000, &mut to);
    to
}

/// A remote-write 1.0 body and its size before compression.
pub fn write1(series: usize, tenant: Option<&str>) -> (Vec<u8>, usize) {
    let mut out = Vec::new();
    for i in 0..series {
        let mut one = Vec::new();
        for (name, value) in labels(i, tenant) {
            let mut label = Vec::new();
            field(1, name.as_bytes(), &mut label);
            field(2, value.as_bytes(), &mut label);
            field(1, &label, &mut one);
        }
        field(2, &sample(i), &mut one);
        field(1, &one, &mut out);
    }
    compress(&out)
}

/// The same as remote-write 2.0.
pub fn write2(series: usize, tenant: Option<&str>) -> (Vec<u8>, usize) {
    let mut symbols = vec![String::new()];
    let mut known = std::collections::HashMap::from([(String::new(), 0usize)]);
    let mut all = Vec::new();
    for i in 0..series {
        let mut refs = Vec::new();
        for text in labels(i, tenant).into_iter().flat_map(|(n, v)| [n, v]) {
            let at = *known.entry(text.clone()).or_insert_with(|| {
                symbols.push(text);
                symbols.len() - 1
            });
            varint(at as u64, &mut refs);
        }
        let mut one = Vec::new();
        field(1, &refs, &mut one);
        field(2, &sample(i), &mut one);
        field(5, &one, &mut all);
    }
    let mut out = Vec::new();
    symbols.iter().for_each(|s| field(4, s.as_bytes(), &mut out));
    out.extend(all);
    compress(&out)
}

/// A rules answer of about `size` bytes, half of it the tenant's.
pub fn rules(size: usize) -> (Vec<u8>, usize) {
    let mut out = String::from(r#"{"status":"success","data":{"groups":["#);
    let mut i = 0;
    while out.len() < size {
        let tenant = ["team-a", "team-b"][i % 2];
        let comma = if i > 0 { "," } else { "" };
        let _ = write!(out, r#"{comma}{{"name":"group-{i}","file":"/etc/rules/{tenant}.yaml","rules":["#);
        for r in 0..8 {
            let comma = if r > 0 { "," } else { "" };
            let _ = write!(out, r#"{comma}{{"state":"inactive","name":"HighErrorRate{r}","query":"sum by (job) (rate(http_requests_total{{code=~\"5..\",tenant_id=\"{tenant}\"}}[5m])) > 0.{r}","duration":600,"labels":{{"severity":"page","tenant_id":"{tenant}"}},"annotations":{{"summary":"{{{{ $labels.job }}}} returns errors"}},"alerts":[],"health":"ok","evaluationTime":0.000{r}42,"lastEvaluation":"2026-01-01T00:00:00.000Z","type":"alerting"}}"#);
        }
        let _ = write!(out, r#"],"interval":30,"limit":0,"evaluationTime":0.0012,"lastEvaluation":"2026-01-01T00:00:00.000Z"}}"#);
        i += 1;
    }
    out.push_str("]}}");
    let size = out.len();
    (out.into_bytes(), size)
}

fn compress(out: &[u8]) -> (Vec<u8>, usize) {
    (snap::raw::Encoder::new().compress_vec(out).expect("snappy"), out.len())
}

fn varint(mut n: u64, to: &mut Vec<u8>) {
    while n >= 0x80 {
        to.push(n as u8 | 0x80);
        n >>= 7;
    }
    to.push(n as u8);
}

fn field(tag: u8, bytes: &[u8], to: &mut Vec<u8>) {
    to.push(tag << 3 | 2);
    varint(bytes.len() as u64, to);
    to.extend_from_slice(bytes);
}
