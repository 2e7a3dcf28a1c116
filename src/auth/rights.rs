//! Rights to read and to write, and how they are joined.

use std::collections::BTreeSet;

use crate::config::auth as config;
use crate::config::error::Problems;
use crate::grant::{Grant, Source, Tenants};
use crate::tenant::TenantId;

/// What may be read and written.
#[derive(Clone, Debug)]
pub(super) struct Rights {
    pub(super) read: Tenants,
    pub(super) write: Tenants,
}

impl Rights {
    /// Of a configured grant. A grant that gives nothing is a problem.
    pub(super) fn compile(doc: &config::Grant, path: &str, problems: &mut Problems) -> Self {
        let tenants: BTreeSet<TenantId> = doc.tenants.iter().cloned().collect();
        let own = some(tenants);
        let read = match &doc.read {
            Some(reach) => reached(reach),
            None if doc.all => Tenants::All,
            None => own.clone(),
        };
        if doc.all && doc.read.is_some() {
            problems.add(
                format!("{path}.all"),
                "says the same as `read`: give one of them",
            );
        }
        let write = doc.write.as_ref().map_or(own, reached);
        if read == Tenants::None && write == Tenants::None {
            problems.add(path, "grants nothing: give `tenants`, `read` or `write`");
        }
        Self { read, write }
    }

    /// As a grant.
    pub(super) fn grant(self, subject: &str, source: Source) -> Grant {
        let rights = (self.read, self.write);
        Grant::new(printable(subject).into(), source, rights, Vec::new())
    }

    /// For one tenant.
    pub(super) fn of_tenant(tenant: TenantId, read: bool, write: bool) -> Self {
        let one = |yes: bool| some(yes.then(|| tenant.clone()).into_iter().collect());
        Self {
            read: one(read),
            write: one(write),
        }
    }

    /// No right.
    pub(super) fn nothing() -> Self {
        Self {
            read: Tenants::None,
            write: Tenants::None,
        }
    }

    /// Adds what another has.
    pub(super) fn join(&mut self, other: &Self) {
        join(&mut self.read, &other.read);
        join(&mut self.write, &other.write);
    }

    /// Whether there is no right.
    pub(super) fn is_nothing(&self) -> bool {
        self.read == Tenants::None && self.write == Tenants::None
    }
}

fn some(set: BTreeSet<TenantId>) -> Tenants {
    if set.is_empty() {
        Tenants::None
    } else {
        Tenants::Some(set)
    }
}

/// What a configured reach is.
pub(super) fn reached(reach: &config::Reach) -> Tenants {
    match reach {
        config::Reach::None => Tenants::None,
        config::Reach::Some(set) => some(set.clone()),
        config::Reach::All => Tenants::All,
    }
}

fn join(to: &mut Tenants, more: &Tenants) {
    match (&mut *to, more) {
        (_, Tenants::None) | (Tenants::All, _) => {}
        (Tenants::Some(set), Tenants::Some(more)) => set.extend(more.iter().cloned()),
        (Tenants::None | Tenants::Some(_), Tenants::All) | (Tenants::None, Tenants::Some(_)) => {
            *to = more.clone();
        }
    }
}

/// A name fit for audit lines.
fn printable(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_graphic() || c == ' ' {
                c
            } else {
                '?'
            }
        })
        .take(128)
        .collect()
}
