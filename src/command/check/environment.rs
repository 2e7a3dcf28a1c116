//! The environment variables of the filter's virtual machine, as far as they can be known here.

use std::collections::{BTreeMap, BTreeSet};

use super::super::output::hex;

/// The environment variables that a configuration may name.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Environment {
    known: BTreeMap<String, String>,
    /// Variables whose value is known on the machine of the proxy alone.
    from_host: BTreeSet<String>,
    /// Whether the file tells which variables there are.
    closed: bool,
}

impl Environment {
    /// The variables of the command line.
    pub(super) fn given(known: &BTreeMap<String, String>) -> Self {
        Self {
            known: known.clone(),
            ..Self::default()
        }
    }

    /// Besides, only those that a virtual machine is given: it has no others.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    pub(super) fn value(&mut self, name: &str, value: &str) {
        // The command line wins: it says what the file cannot.
        self.known
            .entry(name.to_owned())
            .or_insert_with(|| value.to_owned());
    }

    pub(super) fn host(&mut self, name: &str) {
        self.from_host.insert(name.to_owned());
    }

    /// Whether the virtual machine has a variable whose value is not known here.
    pub(super) fn may_have(&self, name: &str) -> bool {
        !self.closed || self.from_host.contains(name)
    }

    /// The value of a variable: as far as it is not known here, a placeholder.
    pub(in super::super) fn resolve(&self, name: &str) -> String {
        self.find(name)
            .map_or_else(|| placeholder(name), str::to_owned)
    }

    /// The value of a variable, if it can be known here.
    pub(in super::super) fn find(&self, name: &str) -> Option<&str> {
        self.known.get(name).map(String::as_str)
    }
}

/// A value for a variable that is not known here: fit for a seal, a secret and a hash, and another
/// one for each name.
fn placeholder(name: &str) -> String {
    hex(&hmac_sha256::Hash::hash(name.as_bytes()))
}
