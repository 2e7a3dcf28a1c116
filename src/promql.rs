//! Confining PromQL: every selector of a query gets the scope's matchers, and nothing else changes.
//!
//! The text is recognised, the matchers are spliced into it, and the result is checked twice: it is
//! recognised again, and `promql-parser` reads its shape. What is not understood is refused.

mod cache;
mod empty;
mod function;
mod guards;
pub mod lex;
mod recognise;
mod refusal;
mod splice;
mod verify;

use std::fmt::Write as _;
use std::sync::Arc;

use crate::scope::{OnConflict, Scope};
pub use cache::{Counts, QueryCache};
use cache::{Key, Scratch};
use function::Functions;
pub use guards::Guards;
use recognise::{Rules, recognise};
use refusal::Fault;
pub use refusal::{Limit, Position, Reason, Refusal};

/// Confines queries under one upstream's policy.
#[derive(Clone, Debug)]
pub struct Confiner {
    functions: Functions,
    on_conflict: OnConflict,
    guards: Guards,
    identity: Arc<str>,
}

impl Confiner {
    /// A confiner that allows the known functions and `more`, each of which
    /// [may be added](Self::may_allow).
    #[must_use]
    pub fn new<S: AsRef<str>>(more: &[S], on_conflict: OnConflict, guards: Guards) -> Self {
        let mut identity = format!("{on_conflict:?} {guards:?}");
        let mut names: Vec<&str> = more.iter().map(AsRef::as_ref).collect();
        names.retain(|name| Self::may_allow(name));
        names.sort_unstable();
        names.dedup();
        // A name has no space, so that the text tells different lists apart.
        for name in &names {
            let _ = write!(identity, " {name}");
        }
        Self {
            functions: Functions::new(&names),
            on_conflict,
            guards,
            identity: identity.into(),
        }
    }

    /// Whether a function may be added to the known ones: a plain name that is no keyword.
    #[must_use]
    pub fn may_allow(name: &str) -> bool {
        let mut bytes = name.bytes();
        let first = bytes
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        first
            && name.len() <= 64
            && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !lex::is_reserved(name)
    }

    /// Confines an expression.
    pub fn query(
        &self,
        cache: &mut QueryCache,
        text: &str,
        scope: &Scope,
    ) -> Result<Arc<str>, Refusal> {
        self.remembered(cache, text, scope, false)
    }

    /// Confines a selector, as `match[]` has it: exactly one, with nothing after it.
    pub fn selector(
        &self,
        cache: &mut QueryCache,
        text: &str,
        scope: &Scope,
    ) -> Result<Arc<str>, Refusal> {
        self.remembered(cache, text, scope, true)
    }

    /// Whether a query is one selector alone, so that each series of its answer has the labels that
    /// the selector enforces.
    pub fn is_selector(&self, cache: &mut QueryCache, text: &str, scope: &Scope) -> bool {
        let rules = Rules {
            functions: &self.functions,
            guards: &self.guards,
            on_conflict: self.on_conflict,
            scope,
            selector_only: true,
            confined: false,
        };
        let is = text.len() <= self.guards.max_bytes.bytes()
            && recognise(text, rules, &mut cache.scratch.before).is_ok();
        cache.scratch.trim();
        is
    }

    /// Refuses so many bytes of PromQL: in one text, or in all texts of a request together.
    pub fn bound(&self, bytes: usize) -> Result<(), Refusal> {
        let most = self.guards.max_bytes.bytes();
        if bytes <= most {
            return Ok(());
        }
        let limit = Limit {
            what: "the query is too long, in bytes",
            option: "max_bytes",
            most,
        };
        Err(Fault::whole(Reason::Limit(limit)).in_text(""))
    }

    /// Makes the second parser build its tables, which takes up to 76 ms in a new VM.
    pub fn warm_up(&self) {
        let _ = verify::agrees(r#"m{e="t"}"#, 1);
    }

    fn remembered(
        &self,
        cache: &mut QueryCache,
        text: &str,
        scope: &Scope,
        selector_only: bool,
    ) -> Result<Arc<str>, Refusal> {
        self.bound(text.len())?;
        let key = Key {
            identity: &self.identity,
            selector_only,
            scope: scope.text(),
            query: text,
        };
        if let Some(confined) = cache.find(key) {
            return Ok(confined);
        }
        let mut scratch = std::mem::take(&mut cache.scratch);
        let confined = self.confine(cache, &mut scratch, key, scope);
        scratch.trim();
        cache.scratch = scratch;
        let confined = confined.map_err(|fault| fault.in_text(text))?;
        cache.keep(key, &confined);
        Ok(confined)
    }

    fn confine(
        &self,
        cache: &mut QueryCache,
        scratch: &mut Scratch,
        key: Key<'_>,
        scope: &Scope,
    ) -> Result<Arc<str>, Fault> {
        let rules = Rules {
            functions: &self.functions,
            guards: &self.guards,
            on_conflict: self.on_conflict,
            scope,
            selector_only: key.selector_only,
            confined: false,
        };
        let Scratch {
            before,
            after,
            text,
        } = scratch;
        recognise(key.query, rules, before)?;
        if scope.is_unlimited() {
            return Ok(key.query.into());
        }
        let most = self.guards.max_confined.bytes();
        splice::splice(key.query, before, scope.text(), most, text)?;

        let doubt = |check| Fault::whole(Reason::Doubt(check));
        let rules = Rules {
            confined: true,
            ..rules
        };
        recognise(text, rules, after).map_err(|_| doubt("the confined text is not recognised"))?;
        let more = scope.matchers().len();
        let same = before.selectors.len() == after.selectors.len()
            && before
                .selectors
                .iter()
                .zip(&after.selectors)
                .all(|(b, a)| b.kept + more == a.kept);
        if !same {
            return Err(doubt("its selectors are not those of the query"));
        }
        if !cache.passed(&after.shape) {
            if !verify::agrees(&after.shape, after.selectors.len()) {
                return Err(doubt("a second parser reads it differently"));
            }
            cache.pass(&after.shape);
        }
        Ok(text.as_str().into())
    }
}

impl Scratch {
    /// Gives back what an uncommonly large query took.
    fn trim(&mut self) {
        const MOST: usize = 64 * 1024;
        self.text.clear();
        self.text.shrink_to(MOST);
        self.before.trim(MOST);
        self.after.trim(MOST);
    }
}

#[cfg(test)]
mod tests;
