//! How a request's way is shown.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Write;

use super::super::output::Failure;
use crate::deny::{Denial, Form};
use crate::exchange::{Audit, Edits, Lookup};
use crate::grant::{Grant, Source, Tenants};
use crate::http::RequestHead;
use crate::policy::{Found, Policy};

/// Writes to the terminal.
pub(super) struct Printer<'a> {
    out: &'a mut dyn Write,
}

impl<'a> Printer<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out }
    }

    fn row(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{name:<11}{value}")?)
    }

    /// Variables whose values are not known here.
    pub(super) fn assumed(&mut self, names: &BTreeSet<String>) -> Result<(), Failure> {
        for name in names {
            self.row(
                "assumed",
                &format!("some value of {name} (`--env {name}=VALUE` gives one)"),
            )?;
        }
        Ok(())
    }

    /// Which upstream the request is for.
    pub(super) fn upstream(&mut self, policy: &Policy, head: &RequestHead) -> Result<(), Failure> {
        let (path, _) = head.path_and_query();
        match policy.find(head.authority(), head.method(), path) {
            Found::Endpoint(upstream, route) => {
                let word = upstream.kind.name();
                let cluster = upstream
                    .cluster
                    .as_deref()
                    .map(|c| format!(" (cluster {c})"));
                let cluster = cluster.unwrap_or_default();
                self.row(
                    "upstream",
                    &format!("upstreams[{}].{word}{cluster}", upstream.index),
                )?;
                self.row("endpoint", route.endpoint.name())
            }
            Found::Refused(_) => self.row("endpoint", "unknown"),
            Found::OtherHost => {
                self.row("upstream", "none: the host is not one of the configuration")
            }
        }
    }

    /// Who calls, and the scope that follows.
    pub(super) fn grant(&mut self, audit: &Audit, grant: Option<&Grant>) -> Result<(), Failure> {
        if let Some(grant) = grant {
            let source = match grant.source {
                Source::Jwt => "a verified token",
                Source::Metadata => "a token that an earlier filter verified",
                Source::Certificate => "a client certificate",
                Source::Static => "a static credential",
                Source::Anonymous => "nobody in particular",
            };
            self.row("caller", &format!("{} ({source})", grant.subject))?;
            self.row("reads", &tenants(&grant.read))?;
            self.row("writes", &tenants(&grant.write))?;
            for (label, values) in &grant.labels {
                let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
                self.row("label", &format!("{label}: {}", values.join(", ")))?;
            }
        }
        if !audit.tenant.is_empty() {
            self.row("tenants", &audit.tenant)?;
        }
        match &audit.scope {
            Some(scope) if scope.is_unlimited() => {
                self.row("scope", "unlimited: nothing is confined")
            }
            Some(scope) => self.row("scope", &format!("{{{}}}", scope.text())),
            None => Ok(()),
        }
    }

    /// The request as the upstream gets it.
    pub(super) fn forwarded(
        &mut self,
        policy: &Policy,
        head: &RequestHead,
        edits: &Edits,
        body: &[u8],
    ) -> Result<(), Failure> {
        let fields = edited(head, edits);
        let one = |name: &str| {
            fields
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, v)| v.as_slice())
        };
        let method = text(one(":method").unwrap_or_default());
        let path = text(one(":path").unwrap_or_default());
        let authority = text(one(":authority").unwrap_or_default());
        self.row("decision", "forwarded")?;
        writeln!(self.out, "\n{method} {path}\nhost: {authority}")?;
        for (name, value) in fields.iter().filter(|(n, _)| !n.starts_with(':')) {
            if Some(name.as_str()) == policy.seal_header.as_deref() {
                writeln!(self.out, "{name}: (the seal of the upstream)")?;
            } else {
                writeln!(self.out, "{name}: {}", text(value))?;
            }
        }
        self.body(body)
    }

    /// The answer as the caller gets it.
    pub(super) fn answer(&mut self, status: u16, body: &[u8]) -> Result<(), Failure> {
        writeln!(self.out, "\nanswer {status}")?;
        self.body(body)
    }

    /// An answer that is given without the upstream.
    pub(super) fn answered(&mut self, body: &str) -> Result<(), Failure> {
        self.row("decision", "answered without the upstream")?;
        self.body(body.as_bytes())
    }

    pub(super) fn denied(&mut self, denial: &Denial, form: Form) -> Result<(), Failure> {
        self.row(
            "decision",
            &format!("denied with {} ({})", denial.status, denial.reason),
        )?;
        self.row("why", &denial.text)?;
        writeln!(self.out, "\nanswer {}", denial.status)?;
        for (name, value) in &denial.headers {
            writeln!(self.out, "{name}: {value}")?;
        }
        self.body(&denial.body(form))
    }

    /// A question to the upstream that comes first.
    pub(super) fn look_up(&mut self, lookup: &Lookup) -> Result<(), Failure> {
        let Lookup {
            cluster,
            authority,
            path,
            ..
        } = lookup;
        self.row(
            "asks first",
            &format!("GET {path} of {authority} (cluster {cluster})"),
        )
    }

    pub(super) fn needs_look_up(&mut self) -> Result<(), Failure> {
        self.row(
            "decision",
            "depends on that answer: give one by `--lookup FILE`",
        )
    }

    fn body(&mut self, body: &[u8]) -> Result<(), Failure> {
        if body.is_empty() {
            return Ok(());
        }
        match std::str::from_utf8(body) {
            Ok(text) => writeln!(self.out, "\n{text}")?,
            Err(_) => writeln!(self.out, "\n({} bytes that are not text)", body.len())?,
        }
        Ok(())
    }
}

fn tenants(tenants: &Tenants) -> String {
    match tenants {
        Tenants::None => "nothing".to_owned(),
        Tenants::Some(set) => {
            let names: Vec<&str> = set.iter().map(crate::tenant::TenantId::as_str).collect();
            names.join(", ")
        }
        Tenants::All => "all tenants under the ceiling".to_owned(),
    }
}

/// The head after its changes.
fn edited(head: &RequestHead, edits: &Edits) -> Vec<(String, Vec<u8>)> {
    let mut fields: Vec<(String, Vec<u8>)> = head
        .headers
        .iter()
        .map(|(n, v)| (n.to_owned(), v.to_vec()))
        .collect();
    edits.apply(&mut fields);
    fields
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Headers;

    #[test]
    fn a_set_header_stands_once() {
        let fields = [("a", "1"), ("b", "2"), ("a", "3")];
        let fields = fields
            .iter()
            .map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec()));
        let head = RequestHead {
            headers: Headers::new(fields.collect()),
        };
        let mut edits = Edits::default();
        edits.set("a", "x");
        edits.remove("b");
        edits.set("c", "y");
        let edited = edited(&head, &edits);
        assert_eq!(
            edited,
            [
                ("a".to_owned(), b"x".to_vec()),
                ("c".to_owned(), b"y".to_vec())
            ]
        );
    }
}
