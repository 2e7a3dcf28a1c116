//! Names that are safe by construction: tenants, label names, and patterns over tenants.

use std::fmt;
use std::sync::Arc;

/// The name of a tenant: `[A-Za-z0-9][A-Za-z0-9_.-]{0,127}`.
///
/// Receivers join it to directories, regular expressions and header values, so nothing else gets in.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 128;

    /// Parses a name. Nothing is trimmed, folded or decoded.
    pub fn parse(name: &str) -> Result<Self, InvalidName> {
        let mut bytes = name.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
        if first && name.len() <= Self::MAX_LEN && bytes.all(is_tenant_byte) {
            Ok(Self(name.into()))
        } else {
            Err(InvalidName::Tenant)
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a byte may stand in a tenant's name after its first.
#[must_use]
pub fn is_tenant_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')
}

/// A label name of the classic grammar: `[a-zA-Z_][a-zA-Z0-9_]{0,127}`.
///
/// Every release of Prometheus reads such a name without quotes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelName(Arc<str>);

impl LabelName {
    /// Parses a name.
    pub fn parse(name: &str) -> Result<Self, InvalidName> {
        let mut bytes = name.bytes();
        let first = bytes
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if first && name.len() <= 128 && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            Ok(Self(name.into()))
        } else {
            Err(InvalidName::Label)
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LabelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for LabelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A pattern over tenants: a tenant's name in which `*` stands for any run of tenant characters.
///
/// Without a `*` it is a plain name. As a regular expression `*` becomes
/// `[A-Za-z0-9_.-]*`, so that what a request asks for and what an answer may show are the same set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantPattern(Arc<str>);

impl TenantPattern {
    /// Parses a pattern.
    pub fn parse(pattern: &str) -> Result<Self, InvalidName> {
        let fits = !pattern.is_empty()
            && pattern.len() <= TenantId::MAX_LEN
            && pattern.bytes().all(|b| is_tenant_byte(b) || b == b'*')
            && pattern
                .bytes()
                .next()
                .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'*')
            && !pattern.contains("**");
        if fits {
            Ok(Self(pattern.into()))
        } else {
            Err(InvalidName::Pattern)
        }
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern is a plain name.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        !self.0.contains('*')
    }

    /// Whether a label's value fits. The empty value never does.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        !value.is_empty()
            && value.bytes().all(is_tenant_byte)
            && glob(self.0.as_bytes(), value.as_bytes())
    }
}

/// Matches with one point of return, so the work is at most length times length.
fn glob(pattern: &[u8], value: &[u8]) -> bool {
    let (mut p, mut v) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while v < value.len() {
        match pattern.get(p) {
            Some(b'*') => {
                back = Some((p + 1, v));
                p += 1;
            }
            Some(b) if value.get(v) == Some(b) => {
                p += 1;
                v += 1;
            }
            Some(_) | None => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    p = star;
                    v = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|b| *b == b'*')
}

/// A name that does not fit its grammar. The text never repeats the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidName {
    /// Not a tenant's name.
    Tenant,
    /// Not a label name.
    Label,
    /// Not a pattern over tenants.
    Pattern,
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tenant => "not a tenant name (`[A-Za-z0-9][A-Za-z0-9_.-]*`, at most 128 bytes)",
            Self::Label => "not a label name (`[a-zA-Z_][a-zA-Z0-9_]*`, at most 128 bytes)",
            Self::Pattern => "not a tenant name or a pattern such as `team-*`",
        })
    }
}

impl std::error::Error for InvalidName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_tenant_names_are_refused() {
        for name in [
            "",
            ".",
            "..",
            "-a",
            "_a",
            "a/b",
            "a\\b",
            "a b",
            "a ",
            "a\0",
            "a|b",
            "a*",
            "té",
            "a\n",
            "a:b",
            "a,b",
            "\u{ff54}enant",
            &"x".repeat(129),
        ] {
            assert!(TenantId::parse(name).is_err(), "{name:?}");
        }
        for name in ["a", "TENANT-A", "a.b", "0", "a_b-c.d", &"x".repeat(128)] {
            assert_eq!(TenantId::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn label_names_are_the_classic_ones() {
        for name in ["", "0a", "a-b", "a.b", "é", "a b"] {
            assert!(LabelName::parse(name).is_err(), "{name:?}");
        }
        assert!(LabelName::parse("__tenant_id__").is_ok());
    }

    #[test]
    fn a_pattern_matches_whole_values_of_tenant_characters_only() {
        let p = TenantPattern::parse("team-*").unwrap();
        for (value, fits) in [
            ("team-a", true),
            ("team-", true),
            ("team", false),
            ("xteam-a", false),
            ("team-a b", false),
            ("team-a\n", false),
            ("", false),
        ] {
            assert_eq!(p.matches(value), fits, "{value:?}");
        }
        assert!(!TenantPattern::parse("*").unwrap().matches(""));
        assert!(TenantPattern::parse("a*b*c").unwrap().matches("axxbyybzc"));
        assert!(!TenantPattern::parse("a*b*c").unwrap().matches("axxbyybz"));
        for bad in ["", "**", "a|b", "-*", ".*", "a b"] {
            assert!(TenantPattern::parse(bad).is_err(), "{bad:?}");
        }
    }
}
