//! The manifests that are shipped have no finding.

use super::*;

macro_rules! shipped {
    ($name:literal) => {
        (
            concat!("istio/", $name),
            include_str!(concat!("../../../../istio/", $name)),
        )
    };
}

const GATEWAY: (&str, &str) = shipped!("gateway.yaml");
const PLUGIN: (&str, &str) = shipped!("wasmplugin.yaml");
const FILTER: (&str, &str) = shipped!("envoyfilter.yaml");
const PAYLOAD: (&str, &str) = shipped!("authentication.yaml");
const AUTHORIZATION: (&str, &str) = shipped!("authorization.yaml");
const SIDECAR: (&str, &str) = shipped!("sidecar.yaml");
const MTLS: (&str, &str) = shipped!("mtls.yaml");
const NETWORK: (&str, &str) = shipped!("networkpolicy.yaml");

#[test]
fn shipped_manifests_have_no_finding() {
    for files in [
        &[PLUGIN, GATEWAY, AUTHORIZATION, MTLS, NETWORK][..],
        &[FILTER, GATEWAY, AUTHORIZATION],
        &[PAYLOAD, GATEWAY, AUTHORIZATION],
        &[SIDECAR, MTLS],
    ] {
        assert_eq!(findings(files), Vec::<String>::new());
    }
}

#[test]
fn the_seals_of_the_routes_are_those_that_authorization_asks_for() {
    let seals = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        words
            .filter(|w| w.ends_with("-replace-me"))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(seals(GATEWAY.1), seals(AUTHORIZATION.1));
    assert_eq!(seals(GATEWAY.1).len(), 2);
}

#[test]
fn plugin_and_filter_have_the_same_policy() {
    let yaml = |text: &str| -> serde_json::Value { yaml_serde::from_str(text).unwrap() };
    let plugin = yaml(PLUGIN.1);
    let filter = yaml(FILTER.1);
    let inner = &filter["spec"]["configPatches"][0]["patch"]["value"]["typed_config"]["config"];
    assert!(plugin["spec"]["pluginConfig"]["upstreams"].is_array());
    assert_eq!(
        plugin["spec"]["pluginConfig"],
        inner["configuration"]["value"]
    );
}
