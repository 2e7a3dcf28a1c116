//! What the name of a label means to the policy.

use std::borrow::Cow;

use super::Judge;

/// What a label's name means to the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::remote) struct Class {
    /// Its role.
    pub(in crate::remote) kind: Kind,
    /// Which required label it is.
    pub(in crate::remote) required: Option<u8>,
}

/// The role of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::remote) enum Kind {
    /// None.
    Free,
    /// The metric's name.
    Metric,
    /// The enforced label of this index.
    Enforced(usize),
    /// The label of the rule of this index.
    Governed(usize),
}

impl Class {
    /// Nothing at all.
    pub(in crate::remote) const PLAIN: Self = Self {
        kind: Kind::Free,
        required: None,
    };

    /// Whether nothing is asked of such a label.
    #[inline]
    pub(in crate::remote) fn is_plain(self) -> bool {
        matches!(self.kind, Kind::Free | Kind::Metric) && self.required.is_none()
    }
}

impl Judge<'_> {
    /// What a stored label name means.
    pub(in crate::remote) fn class(&mut self, name: &[u8]) -> Class {
        if self.is_simple() {
            return self.plain_class(name);
        }
        if let Some(class) = self.known.get(name) {
            return *class;
        }
        let class = self.full_class(name);
        // Senders repeat the same few names.
        if self.known.len() < 1024 && name.len() <= 256 {
            self.known.insert(name.to_vec(), class);
        }
        class
    }

    /// Whether only enforced labels mean something.
    #[inline]
    pub(in crate::remote) fn is_simple(&self) -> bool {
        self.rules.is_empty() && self.required.is_empty()
    }

    #[inline]
    fn plain_class(&self, name: &[u8]) -> Class {
        let wanted = self.wants.iter().position(|w| w.label.as_bytes() == name);
        let kind = match wanted {
            Some(index) => Kind::Enforced(index),
            None if name == b"__name__" => Kind::Metric,
            None => Kind::Free,
        };
        Class {
            kind,
            required: None,
        }
    }

    /// What a label means that may be stored under any of several names: the strictest of what
    /// they mean.
    pub(in crate::remote) fn class_of_any(&self, names: &[Cow<'_, str>]) -> Class {
        let mut strictest = Class {
            kind: Kind::Free,
            required: None,
        };
        for name in names {
            let class = self.full_class(name.as_bytes());
            strictest.required = strictest.required.or(class.required);
            strictest.kind = match (strictest.kind, class.kind) {
                (Kind::Enforced(_), _) | (Kind::Governed(_), Kind::Governed(_)) => strictest.kind,
                (_, Kind::Free | Kind::Metric) => strictest.kind,
                (_, Kind::Enforced(_) | Kind::Governed(_)) => class.kind,
            };
        }
        strictest
    }

    /// What a stored label name means, computed anew.
    fn full_class(&self, name: &[u8]) -> Class {
        let mut class = self.plain_class(name);
        let text = std::str::from_utf8(name).ok();
        if class.kind == Kind::Free {
            let rule = text.and_then(|n| self.rules.iter().position(|r| r.fits(n)));
            if let Some(rule) = rule {
                class.kind = Kind::Governed(rule);
            }
        }
        class.required = self
            .required
            .iter()
            .position(|r| r.as_str().as_bytes() == name)
            .and_then(|i| u8::try_from(i).ok());
        class
    }
}
