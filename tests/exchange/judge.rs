//! Holds what came of a case against what must.

use serde_json::Value;

use super::body;
use super::case::{Case, Reply, Seen, Upstream};

impl Case {
    /// Holds what came of the case against what must.
    pub(crate) fn judge(&self, seen: &Seen) {
        let told = format!("{}: {seen:#?}", self.name);
        let lookups: Vec<String> = seen.lookups.iter().map(|p| body::unescape(p)).collect();
        let wanted: Vec<String> = self.lookup.iter().map(|l| l.path.clone()).collect();
        assert_eq!(lookups, wanted, "{told}");
        match (&self.upstream, &seen.upstream) {
            (None, None) => {}
            (Some(wanted), Some((head, body))) => wanted.judge(head, body, self, &told),
            (None, Some(_)) => panic!("the request went on; {told}"),
            (Some(_), None) => panic!("the request did not go on; {told}"),
        }
        if let Some(reply) = &self.reply {
            reply.judge(seen, &told);
        }
        if self.upstream.is_none() {
            assert!(
                self.reply.is_some(),
                "the case says nothing of the reply; {told}"
            );
        }
    }
}

impl Upstream {
    fn judge(&self, head: &[(String, Vec<u8>)], body: &[u8], case: &Case, told: &str) {
        let all = |name: &str| -> Vec<String> {
            let named = head.iter().filter(|(n, _)| n == name);
            named
                .map(|(_, v)| String::from_utf8_lossy(v).into_owned())
                .collect()
        };
        let target = all(":path").remove(0);
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        assert_eq!(path, self.path, "{told}");
        for name in ["authorization", "x-promfence-tenant"] {
            assert!(
                case.request.host != "metrics.example" || all(name).is_empty(),
                "`{name}` went on; {told}"
            );
        }
        assert!(
            !all("thanos-tenant").contains(&"team-forged".to_owned()),
            "{told}"
        );
        for (name, value) in &self.headers {
            assert_eq!(
                all(name),
                value.iter().cloned().collect::<Vec<_>>(),
                "`{name}`; {told}"
            );
        }
        let form = all("content-type") == ["application/x-www-form-urlencoded"] && !body.is_empty();
        if form {
            assert_eq!(query, "", "parameters in two places; {told}");
        }
        let text = if form {
            String::from_utf8_lossy(body).into_owned()
        } else {
            query.to_owned()
        };
        let mut wanted = self.params.clone();
        let mut params = body::pairs(&text);
        wanted.sort();
        params.sort();
        assert_eq!(params, wanted, "{told}");
        match &self.body {
            Some(wanted) => assert!(
                wanted.fits(body),
                "the body differs from {:?}; {told}",
                String::from_utf8_lossy(&wanted.bytes())
            ),
            None if form => {}
            None => assert_eq!(body, case.body(), "{told}"),
        }
        let declared = all("content-length");
        assert!(
            declared.iter().all(|n| *n == body.len().to_string()),
            "a wrong length is declared; {told}"
        );
    }
}

impl Reply {
    fn judge(&self, seen: &Seen, told: &str) {
        assert_eq!(seen.cut, self.cut, "{told}");
        if self.reason.is_some() {
            assert_eq!(seen.reason, self.reason, "{told}");
        }
        if self.cut {
            return;
        }
        let (head, body) = seen
            .reply
            .as_ref()
            .unwrap_or_else(|| panic!("no reply; {told}"));
        let value = |name: &str| {
            let value = head.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
            String::from_utf8(value.unwrap_or_default()).unwrap()
        };
        assert_eq!(
            value(":status"),
            self.status.unwrap_or(200).to_string(),
            "{told}"
        );
        for (name, wanted) in &self.headers {
            assert_eq!(value(name), *wanted, "{told}");
        }
        if let Some(json) = &self.json {
            let got: Value = serde_json::from_slice(body).unwrap_or_else(|e| panic!("{e}; {told}"));
            assert_eq!(got, *json, "{told}");
        }
        if let Some(text) = &self.text {
            assert_eq!(String::from_utf8_lossy(body), *text, "{told}");
        }
    }
}
