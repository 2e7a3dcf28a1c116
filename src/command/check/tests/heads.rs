//! Answers whose heads wait.

use super::*;

const BOOTSTRAP: &str = include_str!("bootstrap.yaml");
const SEAL: &str = "                    seal: { header: x-promfence-seal }\n";
const LIMITS: &str = "                    limits: { hold_head: 256KiB }\n";

/// A good bootstrap: the listener has room for 256 KiB, a piece of 256 KiB, and 128 KiB more.
fn good() -> String {
    BOOTSTRAP
        .replace(SEAL, &format!("{SEAL}{LIMITS}"))
        .replace(
            "  - name: receive\n",
            "  - name: receive\n    per_connection_buffer_limit_bytes: 262144\n",
        )
        .replace(
            "  - name: query\n",
            "  - name: query\n    per_connection_buffer_limit_bytes: 262144\n",
        )
}

#[test]
fn a_head_that_waits_needs_the_option_and_room() {
    each_is_found(
        "envoy.yaml",
        &good(),
        &[],
        &[
            (
                "allow_on_headers_stop_iteration: true",
                "allow_on_headers_stop_iteration: false",
                "error: limits.hold_head: needs `allow_on_headers_stop_iteration: true`",
            ),
            (
                "  - name: gateway\n",
                "  - name: gateway\n    per_connection_buffer_limit_bytes: 655359\n",
                "error: limits.hold_head: with the cluster of upstreams[0].receive it needs 655360 bytes",
            ),
            (
                "  - name: query\n    per_connection_buffer_limit_bytes: 262144\n",
                "  - name: query\n",
                "error: limits.hold_head: with the cluster of upstreams[1].thanos it needs 1441792 bytes",
            ),
            (
                "hold_head: 256KiB",
                "hold_head: 8KiB",
                "error: limits.hold_head: must be 0, or from 16KiB to 16MiB",
            ),
        ],
    );
}

#[test]
fn where_no_head_waits_nothing_is_asked_of_the_listener() {
    for from in [
        "                allow_on_headers_stop_iteration: true\n",
        "- name: gateway\n",
    ] {
        let to = if from.starts_with('-') {
            "- name: gateway\n    per_connection_buffer_limit_bytes: 32768\n"
        } else {
            ""
        };
        let off = good()
            .replace("hold_head: 256KiB", "hold_head: 0")
            .replace(from, to);
        assert_eq!(findings(&[("envoy.yaml", &off)]), Vec::<String>::new());
    }
}

#[test]
fn an_envoyfilter_can_let_heads_wait_and_a_wasmplugin_cannot() {
    let expected = "limits.hold_head: needs `allow_on_headers_stop_iteration: true`";
    let filter = include_str!("envoyfilter.yaml");
    let plugin = include_str!("wasmplugin.yaml");
    for (text, fits) in [(filter, true), (plugin, false)] {
        let at = text
            .lines()
            .find(|l| l.trim_start().starts_with("auth:"))
            .unwrap();
        let indent = at.len() - at.trim_start().len();
        let line = format!(
            "{}limits: {{ hold_head: 256KiB }}\n{at}",
            " ".repeat(indent)
        );
        let text = text.replacen(at, &line, 1);
        let found = findings(&[("f.yaml", &text)]);
        assert_eq!(
            !found.iter().any(|f| f.contains(expected)),
            fits,
            "{found:?}"
        );
    }
}
