//! What access logs and other filters read of the filter's properties: it must leave them.

use serde::Deserialize;
use serde_json::Value;

use super::finding::Findings;
use super::node::Node;
use super::plugin::Plugin;
use crate::config::Property;

/// Every property that a place reads is one that the filters leave.
pub(super) fn read(place: &Node<'_>, plugins: &[Plugin<'_>], findings: &mut Findings) {
    let left = plugins
        .iter()
        .flat_map(|p| match p.config.at(&["log", "properties"]) {
            Some(list) => list.elements(),
            None => Vec::new(),
        });
    let left: Vec<Property> = left
        .filter_map(|node| Property::deserialize(node.value).ok())
        .collect();
    for property in Property::ALL {
        if !left.contains(&property) && mentions(place.value, property.name()) {
            findings.warn(
                place,
                format!(
                    "reads `wasm.promfence.{0}`, which `log.properties` of the filter does not name: add `{0}`",
                    property.name()
                ),
            );
        }
    }
}

/// Whether a text below a value names a property.
fn mentions(value: &Value, name: &str) -> bool {
    match value {
        Value::String(text) => text
            .split("wasm.promfence.")
            .skip(1)
            .any(|rest| rest.starts_with(name)),
        Value::Array(list) => list.iter().any(|v| mentions(v, name)),
        Value::Object(map) => map.values().any(|v| mentions(v, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
