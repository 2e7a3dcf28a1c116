//! Labels that a token's claims enforce besides the tenant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::claims::{self, Claims};
use super::error::Reason;
use super::mapping::{not_empty, parts, pointer};
use crate::config::auth as config;
use crate::config::error::Problems;
use crate::tenant::LabelName;

/// The most labels that a token may enforce.
const MAX_LABELS: usize = 16;
/// The most values of a label.
const MAX_VALUES: usize = 256;

/// Labels with their allowed values.
pub(super) type Found = Vec<(LabelName, Vec<Arc<str>>)>;

/// Which claims give labels. Each must be there, with at least one value.
#[derive(Debug, Default)]
pub(super) struct Labels {
    claims: Vec<(LabelName, LabelClaim)>,
    from: Option<String>,
}

#[derive(Debug)]
struct LabelClaim {
    claim: String,
    split: Option<String>,
    prefix: Option<String>,
}

impl Labels {
    /// Of a configured issuer.
    pub(super) fn compile(doc: &config::Issuer, path: &str, problems: &mut Problems) -> Self {
        let mut claims = Vec::new();
        for (name, l) in &doc.labels {
            let path = format!("{path}.labels.{name}");
            pointer(&l.claim, &format!("{path}.claim"), problems);
            not_empty(l.split.as_deref(), &format!("{path}.split"), problems);
            let claim = LabelClaim {
                claim: l.claim.clone(),
                split: l.split.clone(),
                prefix: l.strip_prefix.clone(),
            };
            claims.push((name.clone(), claim));
        }
        if let Some(from) = &doc.labels_from {
            pointer(from, &format!("{path}.labels_from"), problems);
        }
        Self {
            claims,
            from: doc.labels_from.clone(),
        }
    }

    /// The labels that claims give, or a refusal.
    pub(super) fn find(&self, found: &Claims) -> Result<Found, Reason> {
        let mut labels: BTreeMap<LabelName, BTreeSet<Arc<str>>> = BTreeMap::new();
        for (name, claim) in &self.claims {
            let values =
                claims::strings(claims::lookup(found, &claim.claim)).ok_or(Reason::Labels)?;
            let mut set = BTreeSet::new();
            for value in values
                .into_iter()
                .flat_map(|v| parts(v, claim.split.as_deref()))
            {
                let value = match &claim.prefix {
                    Some(prefix) => value.strip_prefix(prefix.as_str()),
                    None => Some(value),
                };
                if let Some(value) = value {
                    set.insert(label_value(value)?);
                }
            }
            labels.insert(name.clone(), set);
        }
        if let Some(from) = &self.from {
            let object = claims::lookup(found, from).and_then(Value::as_object);
            let object = object.filter(|o| !o.is_empty()).ok_or(Reason::Labels)?;
            for (name, value) in object {
                let name = LabelName::parse(name).map_err(|_| Reason::Labels)?;
                let values = claims::strings(Some(value)).ok_or(Reason::Labels)?;
                let set = values
                    .into_iter()
                    .map(label_value)
                    .collect::<Result<BTreeSet<_>, _>>()?;
                // Both must hold, and one label is enforced once.
                let set = match labels.get(&name) {
                    Some(has) => has.intersection(&set).cloned().collect(),
                    None => set,
                };
                labels.insert(name, set);
            }
        }
        let fits = |set: &BTreeSet<_>| !set.is_empty() && set.len() <= MAX_VALUES;
        if labels.len() > MAX_LABELS || !labels.values().all(fits) {
            return Err(Reason::Labels);
        }
        Ok(labels
            .into_iter()
            .map(|(name, set)| (name, set.into_iter().collect()))
            .collect())
    }
}

fn label_value(value: &str) -> Result<Arc<str>, Reason> {
    if value.is_empty() || value.len() > 256 || value.chars().any(char::is_control) {
        return Err(Reason::Labels);
    }
    Ok(value.into())
}
