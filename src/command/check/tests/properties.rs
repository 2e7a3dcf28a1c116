//! What reads properties, and whether they are left.

use super::*;

const BOOTSTRAP: &str = include_str!("bootstrap.yaml");
const SEAL: &str = "                    seal: { header: x-promfence-seal }\n";

#[test]
fn an_access_log_that_reads_what_is_not_left_is_found() {
    let good = BOOTSTRAP
        .replace(
            SEAL,
            &format!("{SEAL}                    log: {{ properties: [tenant, decision] }}\n"),
        )
        .replace(
            "          http_filters:\n",
            "          access_log:\n          - name: stdout\n            typed_config:\n              \"@type\": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog\n              log_format: { json_format: { tenant: \"%FILTER_STATE(wasm.promfence.tenant:PLAIN)%\" } }\n          http_filters:\n",
        );
    each_is_found(
        "envoy.yaml",
        &good,
        &[],
        &[
            (
                "[tenant, decision]",
                "[decision]",
                "reads `wasm.promfence.tenant`, which `log.properties` of the filter does not name",
            ),
            (
                "wasm.promfence.tenant:PLAIN",
                "wasm.promfence.subject:PLAIN",
                "reads `wasm.promfence.subject`",
            ),
        ],
    );
}
