//! Leaves of the configuration: durations, sizes, secrets, names. Each is parsed once.

use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use crate::tenant::{LabelName, TenantId, TenantPattern};

/// A length of time: `300s`, `5m`, `1h`, `250ms`, `2d`, or a number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
pub struct Duration(f64);

impl Duration {
    /// From seconds.
    #[must_use]
    pub const fn from_secs(secs: u32) -> Self {
        Self(secs as f64)
    }

    /// In seconds.
    #[must_use]
    pub fn secs(self) -> f64 {
        self.0
    }
}

/// A number of bytes: `32MiB`, `64KiB`, `1GiB`, or a plain number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Size(usize);

impl Size {
    /// From bytes.
    #[must_use]
    pub const fn from_bytes(bytes: usize) -> Self {
        Self(bytes)
    }

    /// In bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        self.0
    }
}

/// A count. Envoy hands numbers of a `Struct` over as doubles, so `5.0` is 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Count(usize);

impl Count {
    /// From a number.
    #[must_use]
    pub const fn new(n: usize) -> Self {
        Self(n)
    }

    /// As a number.
    #[must_use]
    pub fn get(self) -> usize {
        self.0
    }
}

/// A secret: its text, or `{env: NAME}` for an environment variable of the VM. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The text itself.
    Text(String),
    /// The name of a variable.
    Env(EnvName),
}

/// The name of an environment variable.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvName {
    /// The name.
    pub env: String,
}

impl Secret {
    /// The secret's bytes. `env` looks a variable up.
    pub fn resolve(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<String, SecretMissing> {
        let text = match self {
            Self::Text(text) => text.clone(),
            Self::Env(name) => env(&name.env).ok_or_else(|| SecretMissing(name.env.clone()))?,
        };
        if text.is_empty() {
            return Err(SecretMissing(match self {
                Self::Text(_) => String::new(),
                Self::Env(name) => name.env.clone(),
            }));
        }
        Ok(text)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(SecretVisitor)
    }
}

/// Errors never show what stood in the place of a secret.
struct SecretVisitor;

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret: text, or {env: NAME}")
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Secret, E> {
        Err(E::custom("a secret is text: put it in quotes"))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Secret, E> {
        self.visit_bool(true)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Secret, E> {
        self.visit_bool(true)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Secret, E> {
        self.visit_bool(true)
    }

    fn visit_str<E>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::Text(text.to_owned()))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Secret, A::Error> {
        EnvName::deserialize(de::value::MapAccessDeserializer::new(map)).map(Secret::Env)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("(secret)"),
            Self::Env(name) => write!(f, "(secret from environment variable {})", name.env),
        }
    }
}

/// A secret that is empty, or whose variable is not set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretMissing(String);

impl fmt::Display for SecretMissing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            f.write_str("the secret is empty")
        } else {
            write!(
                f,
                "the environment variable `{}` is not set in the VM, or is empty",
                self.0
            )
        }
    }
}

impl std::error::Error for SecretMissing {}

fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit))
}

struct DurationVisitor;

impl Visitor<'_> for DurationVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as `300s`, `5m`, `1h` or a number of seconds")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        let seconds = number_and_unit(text).and_then(|(n, unit)| {
            Some(match unit {
                "ms" => n / 1000.0,
                "s" => n,
                "m" => n * 60.0,
                "h" => n * 3600.0,
                "d" => n * 86_400.0,
                _ => return None,
            })
        });
        match seconds {
            Some(s) if s.is_finite() && s <= 1e9 => Ok(Duration(s)),
            _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_f64<E: de::Error>(self, n: f64) -> Result<Duration, E> {
        if n.is_finite() && (0.0..=1e9).contains(&n) {
            Ok(Duration(n))
        } else {
            Err(E::invalid_value(de::Unexpected::Float(n), &self))
        }
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> Result<Duration, E> {
        #[expect(clippy::cast_precision_loss, reason = "bounded by visit_f64")]
        self.visit_f64(n as f64)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(DurationVisitor)
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = Size;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as `32MiB`, `64KiB` or a number of bytes, at most 1GiB")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
        let bytes = number_and_unit(text).and_then(|(n, unit)| {
            Some(match unit {
                "" | "B" => n,
                "KiB" => n * 1024.0,
                "MiB" => n * 1024.0 * 1024.0,
                "GiB" => n * 1024.0 * 1024.0 * 1024.0,
                _ => return None,
            })
        });
        whole(bytes, f64::from(1u32 << 30))
            .map(Size)
            .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_f64<E: de::Error>(self, n: f64) -> Result<Size, E> {
        whole(Some(n), f64::from(1u32 << 30))
            .map(Size)
            .ok_or_else(|| E::invalid_value(de::Unexpected::Float(n), &self))
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> Result<Size, E> {
        #[expect(clippy::cast_precision_loss, reason = "bounded by visit_f64")]
        self.visit_f64(n as f64)
    }
}

fn whole(n: Option<f64>, most: f64) -> Option<usize> {
    let n = n.filter(|n| (0.0..=most).contains(n) && n.fract() == 0.0)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number within 0..=2^32"
    )]
    Some(n as usize)
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(SizeVisitor)
    }
}

struct CountVisitor;

impl Visitor<'_> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number from 0 to 1000000000")
    }

    fn visit_f64<E: de::Error>(self, n: f64) -> Result<Count, E> {
        whole(Some(n), 1e9)
            .map(Count)
            .ok_or_else(|| E::invalid_value(de::Unexpected::Float(n), &self))
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> Result<Count, E> {
        #[expect(clippy::cast_precision_loss, reason = "bounded by visit_f64")]
        self.visit_f64(n as f64)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(CountVisitor)
    }
}

macro_rules! deserialize_by_parse {
    ($($name:ty),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                <$name>::parse(&text).map_err(|e| de::Error::custom(format!("`{text}` is {e}")))
            }
        }
    )*};
}

deserialize_by_parse!(TenantId, LabelName, TenantPattern);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_have_units_and_arrive_as_doubles_too() {
        let d = |t: &str| serde_json::from_str::<Duration>(t).map(Duration::secs);
        assert_eq!(d("\"5m\"").unwrap(), 300.0);
        assert_eq!(d("\"250ms\"").unwrap(), 0.25);
        assert_eq!(d("2.0").unwrap(), 2.0);
        for bad in [
            "\"5\"",
            "\"m\"",
            "\"5x\"",
            "\"1.2.3s\"",
            "-1",
            "\"-1s\"",
            "true",
            "\"\"",
        ] {
            assert!(d(bad).is_err(), "{bad}");
        }
        let s = |t: &str| serde_json::from_str::<Size>(t).map(Size::bytes);
        assert_eq!(s("\"1.5KiB\"").unwrap(), 1536);
        assert_eq!(s("7.0").unwrap(), 7);
        for bad in ["\"5MB\"", "1.5", "\"2GiB\"", "-1"] {
            assert!(s(bad).is_err(), "{bad}");
        }
        assert_eq!(serde_json::from_str::<Count>("3.0").unwrap().get(), 3);
    }

    #[test]
    fn a_secret_is_never_printed() {
        let s: Secret = serde_json::from_str("\"hunter2\"").unwrap();
        assert!(!format!("{s:?}").contains("hunter2"));
        let told = serde_json::from_str::<Secret>("8675309").err().unwrap();
        assert!(!told.to_string().contains("8675309"), "{told}");
        let e: Secret = serde_json::from_str(r#"{"env":"X"}"#).unwrap();
        assert_eq!(
            e.resolve(&|_| None).unwrap_err().to_string(),
            "the environment variable `X` is not set in the VM, or is empty"
        );
        assert_eq!(e.resolve(&|_| Some("v".into())).unwrap(), "v");
    }
}
