//! A key server that answers from a file.

use super::super::output::{Failure, read};
use super::Run;
use crate::auth::{FetchAnswer, Fetched};
use crate::http::Headers;

impl Run<'_> {
    /// Answers the fetches of keys with the given set; discovery names the place, and asks again.
    pub(super) fn fetch_keys(&mut self) -> Result<(), Failure> {
        let Some(file) = &self.args.jwks else {
            let from = self.worker.auth.due(self.now);
            let from: Vec<String> = from
                .iter()
                .map(|f| format!("{}{} (cluster {})", f.authority, f.path, f.cluster))
                .collect();
            let from = from.join(", ");
            return Err(Failure::new(format!(
                "the keys come from {from}: give them by `--jwks FILE`"
            )));
        };
        let body = read(file)?;
        // Discovery has two steps.
        for _ in 0..2 {
            for fetch in self.worker.auth.due(self.now) {
                let discovery = fetch.path.ends_with("/.well-known/openid-configuration");
                let answer = FetchAnswer {
                    status: 200,
                    headers: Headers::default(),
                    body: if discovery {
                        self.discovery(&fetch.path, &fetch.authority)
                    } else {
                        body.clone()
                    },
                };
                match self.worker.auth.fetched(fetch.id, Ok(&answer), self.now) {
                    Fetched::Keys { .. } | Fetched::Continue => {}
                    Fetched::Failed(why) => {
                        return Err(Failure::new(format!("{file}: {}", why.label())));
                    }
                    Fetched::Unknown => return Err(Failure::new("nobody asked for these keys")),
                }
            }
        }
        Ok(())
    }

    /// The document of discovery that leads to the given key set.
    fn discovery(&self, path: &str, authority: &str) -> Vec<u8> {
        let issuers = self.document.auth.issuers.iter();
        let fits = |issuer: &&str| {
            let own = issuer.split_once("://").map_or("", |(_, rest)| rest);
            let own = own
                .find('/')
                .and_then(|at| own.get(at..))
                .unwrap_or_default();
            path.strip_prefix(own.trim_end_matches('/'))
                == Some("/.well-known/openid-configuration")
        };
        let issuer = issuers
            .map(|i| i.issuer.as_str())
            .find(fits)
            .unwrap_or_default();
        serde_json::json!({ "issuer": issuer, "jwks_uri": format!("https://{authority}/jwks") })
            .to_string()
            .into_bytes()
    }
}
