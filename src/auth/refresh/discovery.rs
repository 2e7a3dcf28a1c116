//! `OpenID` discovery: where an issuer says its keys are, and whether that is allowed.

use serde_json::Value;

use super::super::fetch::Target;
use super::super::json;
use super::Remote;

impl Remote {
    /// Where an issuer's document says its keys are, if that is allowed.
    pub(super) fn discovered(&self, body: &[u8]) -> Option<Target> {
        let document = json::object(body)?;
        if document.get("issuer").and_then(Value::as_str) != Some(self.issuer.as_str()) {
            return None;
        }
        let uri = document.get("jwks_uri").and_then(Value::as_str)?;
        let rest = uri
            .strip_prefix("https://")
            .or_else(|| uri.strip_prefix("http://"))?;
        let (host, path) = rest.split_at_checked(rest.find('/')?)?;
        let cluster = if host == self.first.authority {
            &self.first.cluster
        } else {
            self.discovery.as_ref()?.hosts.get(host)?
        };
        is_path(path).then(|| Target {
            cluster: cluster.clone(),
            authority: host.to_owned(),
            path: path.to_owned(),
        })
    }
}

/// The path of the document of an issuer.
pub(super) fn document(issuer: &str) -> String {
    let rest = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    let path = rest.split_at(rest.find('/').unwrap_or(rest.len())).1;
    format!(
        "{}/.well-known/openid-configuration",
        path.trim_end_matches('/')
    )
}

/// Whether a text can be `:path`.
pub(super) fn is_path(path: &str) -> bool {
    path.starts_with('/')
        && path.len() <= 1024
        && path.bytes().all(|b| b.is_ascii_graphic() && b != b'#')
}
