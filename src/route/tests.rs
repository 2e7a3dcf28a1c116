use proptest::prelude::*;

use super::*;

fn endpoint(kind: Kind, method: &str, path: &str) -> Result<Endpoint, RouteError> {
    resolve(kind, method.as_bytes(), path.as_bytes()).map(|r| r.endpoint)
}

#[test]
fn every_row_is_reached_by_its_methods_and_no_other() {
    for row in ROWS {
        let path = match row.path {
            table::Path::Exact(path) => path.to_owned(),
            table::Path::LabelValues => "/api/v1/label/job/values".into(),
            table::Path::Silence => "/api/v2/silence/00000000-0000-4000-8000-00000000000a".into(),
        };
        for kind in [
            Kind::Prometheus,
            Kind::Thanos,
            Kind::Receive,
            Kind::Ruler,
            Kind::Alertmanager,
        ] {
            for (method, expected) in [
                ("GET", row.get),
                ("POST", row.post),
                ("DELETE", row.delete),
                ("HEAD", row.get.filter(|_| row.head)),
                ("OPTIONS", None),
                ("PUT", None),
                ("get", None),
                ("", None),
            ] {
                let got = endpoint(kind, method, &path);
                if !row.kinds.contains(&kind) {
                    assert_eq!(got, Err(RouteError::NotFound), "{kind:?} {method} {path}");
                } else if let Some(expected) = expected {
                    assert_eq!(got, Ok(expected), "{method} {path}");
                } else {
                    assert_eq!(got, Err(RouteError::MethodNotAllowed(row.allow())));
                }
            }
            for method in row.allow().split(", ") {
                if row.kinds.contains(&kind) {
                    assert!(endpoint(kind, method, &path).is_ok(), "{method} {path}");
                }
            }
        }
    }
}

#[test]
fn a_path_that_could_be_read_otherwise_is_refused() {
    for path in [
        "",
        "x",
        "//",
        "/api//v1/query",
        "/api/v1/./query",
        "/api/v1/x/../query",
        "/api/v1/query/..",
        "/api/v1/.",
        "/api/v1/%71uery",
        "/api/v1/query;x",
        "/api/v1/\\query",
        "/api/v1/query\0",
        "/api/v1/query ",
        "/api/v1/query\t",
        "/api/v1/quer\u{fd}",
        "/api/v1/query#x",
        "/api/v1/query?x",
        "/api/v1/label/t%65nant_id/values",
    ] {
        assert_eq!(
            endpoint(Kind::Prometheus, "GET", path),
            Err(RouteError::BadPath),
            "{path:?}"
        );
    }
    assert_eq!(
        resolve(Kind::Prometheus, b"GET", b"/api/v1/\xff"),
        Err(RouteError::BadPath)
    );
}

#[test]
fn what_is_not_listed_is_not_found() {
    for path in [
        "/",
        "/api/v1/query/",
        "/api/v1/QUERY",
        "/API/v1/query",
        "/api/v1/status/config",
        "/api/v1/targets/metadata",
        "/api/v1/search/metric_names",
        "/api/v1/query_cost",
        "/api/v1/label//values/",
        "/api/v1/label/a-b/values",
        "/api/v1/label/a/b/values",
        "/api/v1/label/values",
        "/metrics",
        "/-/reload",
        "/api/v1/query_explain",
        "/api/v2/alerts",
    ] {
        let got = endpoint(Kind::Prometheus, "GET", path);
        assert!(
            matches!(got, Err(RouteError::NotFound | RouteError::BadPath)),
            "{path}"
        );
    }
    for id in ["", "x", "00000000-0000-4000-8000-00000000000A", "../alerts"] {
        let path = format!("/api/v2/silence/{id}");
        assert!(endpoint(Kind::Alertmanager, "DELETE", &path).is_err());
    }
}

#[test]
fn arguments_and_the_path_of_receive_are_exact() {
    let r = resolve(Kind::Thanos, b"GET", b"/api/v1/label/U__tenant__id/values").unwrap();
    assert_eq!(r.argument, Some("U__tenant__id"));
    for path in ["/api/v1/otlp", "/api/v1/otlp/v1/metrics"] {
        let r = resolve(Kind::Receive, b"POST", path.as_bytes()).unwrap();
        assert_eq!(r.upstream_path, "/api/v1/otlp");
    }
    let r = resolve(Kind::Prometheus, b"POST", b"/api/v1/otlp/v1/metrics").unwrap();
    assert_eq!(r.upstream_path, "/api/v1/otlp/v1/metrics");
}

#[test]
fn no_two_endpoints_share_a_name() {
    let mut names: Vec<_> = ROWS
        .iter()
        .flat_map(|r| [r.get, r.post, r.delete])
        .flatten()
        .collect();
    names.sort_by_key(|e| e.name());
    names.dedup();
    let all = names.len();
    names.dedup_by_key(|e| e.name());
    assert_eq!((all, names.len()), (32, 32));
}

proptest! {
    #[test]
    fn an_accepted_path_has_only_plain_bytes(path in "/api/v[12]/[a-z_/.%;0-9-]{0,40}") {
        for kind in [Kind::Prometheus, Kind::Thanos, Kind::Alertmanager] {
            if let Ok(route) = resolve(kind, b"GET", path.as_bytes()) {
                prop_assert_eq!(route.upstream_path, &path);
                prop_assert!(!path.contains("..") && !path.contains("//") && !path.contains('%'));
            }
        }
    }
}
