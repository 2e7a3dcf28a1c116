//! Fixed secrets, known by their SHA-256 and compared in constant time.

use std::sync::Arc;

use super::credential::Credential;
use super::rights::Rights;
use crate::config::auth as config;
use crate::config::error::Problems;
use crate::config::leaf::Secret;
use crate::grant::{Grant, Source};

/// The longest secret, in bytes.
const MAX_SECRET: usize = 1024;

/// All fixed secrets.
#[derive(Default)]
pub(super) struct Fixed(Vec<Entry>);

struct Entry {
    user: Option<String>,
    digest: [u8; 32],
    grant: Arc<Grant>,
}

impl Fixed {
    /// Of the configuration.
    pub(super) fn compile(
        doc: &[config::Static],
        env: &dyn Fn(&str) -> Option<String>,
        problems: &mut Problems,
    ) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        for (i, s) in doc.iter().enumerate() {
            let path = format!("auth.static[{i}]");
            let rights = Rights::compile(&s.grant, &format!("{path}.grant"), problems);
            let (user, digest) = match (&s.bearer_sha256, &s.basic) {
                (Some(d), None) => (
                    None,
                    digest(d, &format!("{path}.bearer_sha256"), env, problems),
                ),
                (None, Some(b)) => {
                    if b.user.is_empty() || b.user.contains(':') {
                        problems.add(format!("{path}.basic.user"), "is empty or has a colon");
                    }
                    let path = format!("{path}.basic.password_sha256");
                    (
                        Some(b.user.clone()),
                        digest(&b.password_sha256, &path, env, problems),
                    )
                }
                (Some(_), Some(_)) | (None, None) => {
                    problems.add(path, "needs exactly one of `bearer_sha256` and `basic`");
                    continue;
                }
            };
            let Some(digest) = digest else { continue };
            if entries.iter().any(|e| e.user == user && e.digest == digest) {
                problems.add(path, "has the same secret as another entry");
                continue;
            }
            let grant = Arc::new(rights.grant(&s.name, Source::Static));
            entries.push(Entry {
                user,
                digest,
                grant,
            });
        }
        Self(entries)
    }

    pub(super) fn has_basic(&self) -> bool {
        self.0.iter().any(|e| e.user.is_some())
    }

    pub(super) fn has_bearer(&self) -> bool {
        self.0.iter().any(|e| e.user.is_none())
    }

    /// The grant of a credential. Every entry is looked at, whichever fits.
    pub(super) fn find(&self, credential: &Credential) -> Option<Arc<Grant>> {
        let (user, secret) = match credential {
            Credential::Bearer(secret) => (None, secret),
            Credential::Basic { user, password } => (Some(user), password),
        };
        if self.0.is_empty() || secret.len() > MAX_SECRET {
            return None;
        }
        let digest = hmac_sha256::Hash::hash(secret.as_bytes());
        let mut found = None;
        for entry in &self.0 {
            let same = equal(&entry.digest, &digest);
            if same && entry.user.as_ref() == user {
                found = Some(&entry.grant);
            }
        }
        found.cloned()
    }
}

/// Compares without telling by its time how much is equal.
pub(super) fn equal(a: &[u8; 32], b: &[u8; 32]) -> bool {
    let difference = a.iter().zip(b).fold(0, |acc, (a, b)| acc | (a ^ b));
    std::hint::black_box(difference) == 0
}

fn digest(
    secret: &Secret,
    path: &str,
    env: &dyn Fn(&str) -> Option<String>,
    problems: &mut Problems,
) -> Option<[u8; 32]> {
    let text = problems.take(path, secret.resolve(env))?;
    let digest = hex(text.trim_ascii());
    if digest.is_none() {
        problems.add(path, "not a SHA-256 of 64 hexadecimal digits");
    } else if digest == Some(hmac_sha256::Hash::hash(b"")) {
        problems.add(path, "is the SHA-256 of nothing");
    }
    digest
}

fn hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 {
        return None;
    }
    let mut out = [0; 32];
    for (to, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let mut value = 0;
        for b in pair {
            let digit = char::from(*b).to_digit(16)?;
            value = value << 4 | u8::try_from(digit).ok()?;
        }
        *to = value;
    }
    Some(out)
}
