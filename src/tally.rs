//! Which tenants have counters of their own: the first hundred that write, the same for every worker.

use std::collections::BTreeSet;

use crate::tenant::TenantId;

/// The tenants that have counters of their own. A host cannot take a counter back, so a tenant that
/// has one keeps it, and whoever comes after [`Tally::MOST`] is counted under [`Tally::OTHERS`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeSet<String>);

impl Tally {
    /// The most tenants with counters of their own.
    pub const MOST: usize = 100;

    /// The name under which all others are counted. No tenant can have it.
    pub const OTHERS: &'static str = "_others";

    /// Whether a tenant has counters of its own.
    #[must_use]
    pub fn has(&self, tenant: &str) -> bool {
        self.0.contains(tenant)
    }

    /// Whether nobody can be added.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.len() >= Self::MOST
    }

    /// Adds a tenant if there is room; whether it has counters of its own from now on.
    pub fn add(&mut self, tenant: &str) -> bool {
        if !self.is_full() && TenantId::parse(tenant).is_ok() {
            self.0.insert(tenant.to_owned());
        }
        self.has(tenant)
    }

    /// Adds the tenants of another worker, as [`Self::text`] wrote them. Others may have written
    /// there too: what is no tenant's name is left out.
    pub fn merge(&mut self, text: &[u8]) {
        for name in text.split(|b| *b == b'\n') {
            if let Ok(name) = std::str::from_utf8(name) {
                self.add(name);
            }
        }
    }

    /// The tenants, for other workers.
    #[must_use]
    pub fn text(&self) -> String {
        self.0
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hundred_and_first_tenant_has_no_counters_of_its_own() {
        let mut tally = Tally::default();
        for i in 0..Tally::MOST {
            assert!(tally.add(&format!("team-{i}")));
        }
        assert!(!tally.add("late"));
        assert!(tally.add("team-7"));
        assert!(tally.is_full() && !tally.has("late"));
        assert!(TenantId::parse(Tally::OTHERS).is_err());
    }

    #[test]
    fn what_another_worker_wrote_is_taken_and_what_is_no_tenant_is_not() {
        let mut one = Tally::default();
        assert!(one.add("team-a") && one.add("team.b_1"));
        let mut other = Tally::default();
        other.merge(one.text().as_bytes());
        assert_eq!(other, one);
        other.merge(b"\n\n../x\nteam c\n\xff\n_others\ndefault");
        assert_eq!(other.text(), "default\nteam-a\nteam.b_1");
        let long: Vec<String> = (0..5000).map(|i| format!("t{i}")).collect();
        other.merge(long.join("\n").as_bytes());
        assert_eq!(other.0.len(), Tally::MOST);
    }
}
