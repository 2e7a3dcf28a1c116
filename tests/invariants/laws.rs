//! The invariants of the design as code: each judges one whole exchange, by what went in and what
//! came out, with readers of its own.

pub mod bodies;
pub mod message;
pub mod pairs;
pub mod selectors;
pub mod table;

use std::collections::BTreeSet;

use promfence::scope::Scope;

pub use message::Message;
use pairs::Pairs;

/// What an exchange was in truth, and what became of it.
#[derive(Debug)]
pub struct Run {
    /// The kind of the upstream whose host was asked for, if it is one of ours.
    pub kind: Option<&'static str>,
    /// The path under which that upstream is served.
    pub prefix: &'static str,
    /// The tenancy label, the upstream's tenant header, the seal's header and its value.
    pub label: &'static str,
    /// The header that tells the upstream the tenant.
    pub header: &'static str,
    /// The seal's header and value.
    pub seal: (&'static str, &'static str),
    /// Whether the caller proved who it is.
    pub known: bool,
    /// Tenants of the universe that may be read, and may be written.
    pub reads: BTreeSet<&'static str>,
    /// Tenants that may be written.
    pub writes: BTreeSet<&'static str>,
    /// Whether the caller may write for anybody at all.
    pub writer: bool,
    /// Whether reads are bound by nothing at all.
    pub unlimited: bool,
    /// Matchers that the configuration and the credential enforce besides the tenant's.
    pub others: Vec<(&'static str, &'static str)>,
    /// What the policy does to the label inside written bodies.
    pub body_policy: Option<&'static str>,
    /// Whether the upstream's answer is cut down to the scope, each foreign part marked with the
    /// canary.
    pub marked: bool,
    /// The request as it was sent.
    pub request: Message,
    /// What the upstream got, whole.
    pub upstream: Option<Message>,
    /// Whether any byte of the request got to an upstream.
    pub leaked: bool,
    /// Look-ups: path and query string.
    pub lookups: Vec<String>,
    /// What the caller got; the status of a denial is in it.
    pub reply: Option<Message>,
    /// The answer was cut.
    pub cut: bool,
    /// The request was refused with this status.
    pub refused: Option<u16>,
    /// Whether a piece passed after the refusal.
    pub passed_after_refusal: bool,
    /// What the exchange says the caller may see.
    pub scope: Option<Scope>,
    /// Held bytes: the most at one time, after the end, and the bound.
    pub held: (usize, usize, usize),
    /// Bytes of the query cache, and their bound.
    pub cached: (usize, usize),
    /// Whether a good request after this one still succeeds.
    pub next_succeeds: bool,
}

/// The tenants that there are.
pub const UNIVERSE: [&str; 5] = ["team-a", "team-b", "infra", "outsider", "team-c"];

/// What stands in answers only beside another tenant's name.
pub const CANARY: &str = "canary-of-b";

/// Every invariant.
pub fn hold(run: &Run) {
    default_deny(run);
    one_place(run);
    every_selector(run);
    no_body_on_get(run);
    one_tenant_header(run);
    nothing_before_trust(run);
    no_unfiltered_byte(run);
    no_input_stops_the_next(run);
    every_failure_denies(run);
    bounded_work(run);
    one_scope(run);
}

/// I1: only what stands in the closed table, byte for byte, reaches an upstream.
pub fn default_deny(run: &Run) {
    let Some(upstream) = &run.upstream else {
        return;
    };
    let kind = run.kind.expect("only hosts of ours are let through");
    let (path, _) = upstream.target();
    let rest = path.strip_prefix(run.prefix).expect("the prefix stays");
    let method = upstream.text(":method");
    assert!(table::has(kind, &method, rest), "{kind} {method} {path}");
    for bad in ["%", "//", "/./", "/../", ";", "\\", "\0"] {
        assert!(!path.contains(bad), "{path}");
    }
}

/// I2: each parameter stands once (a list in one place), in one place, written by us.
pub fn one_place(run: &Run) {
    let Some(pairs) = parameters(run) else {
        return;
    };
    let mut seen = BTreeSet::new();
    for (name, _) in &pairs.0 {
        assert!(table::is_parameter(name), "unknown parameter {name:?}");
        let again = !seen.insert(name.clone());
        assert!(!again || table::is_list(name), "{name} stands twice");
    }
}

/// I3: each selector of forwarded PromQL carries the enforced matchers, first.
pub fn every_selector(run: &Run) {
    let (Some(pairs), Some(scope), Some(upstream)) = (parameters(run), &run.scope, &run.upstream)
    else {
        return;
    };
    if scope.is_unlimited() {
        return;
    }
    let (path, _) = upstream.target();
    let executes = !path.ends_with("/format_query") && !path.ends_with("/parse_query");
    for query in pairs.all("query").filter(|_| executes) {
        selectors::confined(query, scope.text());
    }
    let selects = ["/series", "/labels", "/values", "/federate"];
    if selects.iter().any(|s| path.ends_with(s)) {
        assert!(pairs.all("match[]").next().is_some(), "{path}: no match[]");
        for selector in pairs.all("match[]") {
            assert_eq!(selectors::confined(selector, scope.text()), 1, "{selector}");
        }
    }
    if path.ends_with("/api/v2/alerts") || path.ends_with("/alerts/groups") {
        for matcher in scope.matchers() {
            let found = pairs.all("filter").any(|f| f == matcher.text());
            assert!(found, "no filter {}", matcher.text());
        }
    }
}

/// I4: no body goes with GET or HEAD.
pub fn no_body_on_get(run: &Run) {
    if let Some(upstream) = &run.upstream
        && matches!(upstream.text(":method").as_str(), "GET" | "HEAD")
    {
        assert!(upstream.body.is_empty());
    }
}

/// I5: one tenant header, ours; no spelling of tenancy, replica, seal or credential of the client.
pub fn one_tenant_header(run: &Run) {
    let Some(upstream) = &run.upstream else {
        return;
    };
    for (name, value) in &upstream.head {
        let plain = name.to_ascii_lowercase().replace('_', "-");
        let ours = name == run.header || name == run.seal.0;
        let theirs = table::TENANCY.contains(&plain.as_str());
        assert!(ours || !theirs, "{name} is let through");
        assert!(!table::CREDENTIALS.contains(&plain.as_str()), "{name}");
        assert!(!value.windows(6).any(|w| w == b"forged"), "{name}");
    }
    assert_eq!(upstream.all(run.seal.0), [run.seal.1.as_bytes()]);
    let tenants = upstream.all(run.header);
    let (path, _) = upstream.target();
    if table::is_public(&path) {
        return;
    }
    assert!(tenants.len() <= 1, "{tenants:?}");
    let write = run.kind == Some("receive");
    assert!(!write || tenants.len() == 1, "a write without a tenant");
    let (granted, changes) = granted(run, upstream);
    for tenant in tenants {
        let text = std::str::from_utf8(tenant).expect("a tenant's name");
        let fits = text == "several" && !write || granted.contains(text);
        assert!(fits, "{text}, changes: {changes}");
    }
}

/// I6: no byte reaches an upstream before the caller is known.
pub fn nothing_before_trust(run: &Run) {
    let (path, _) = run.request.target();
    if !run.known && !table::is_public(&path) {
        assert!(run.upstream.is_none() && !run.leaked && run.lookups.is_empty());
    }
    if run.refused.is_some() {
        assert!(run.upstream.is_none());
    }
}

/// I7: no byte that is another tenant's leaves in an answer that must be filtered.
pub fn no_unfiltered_byte(run: &Run) {
    if let (true, Some(reply)) = (run.marked && !run.reads.contains("team-b"), &run.reply) {
        let text = String::from_utf8_lossy(&reply.body);
        assert!(!text.contains(CANARY), "{text}");
    }
}

/// I8: no input stops the next request.
pub fn no_input_stops_the_next(run: &Run) {
    assert!(run.next_succeeds);
}

/// I9: what is refused is refused with an error's status, and nothing passes any more.
pub fn every_failure_denies(run: &Run) {
    if let Some(status) = run.refused {
        assert!((400..600).contains(&status), "{status}");
    }
    assert!(!run.passed_after_refusal);
}

/// I10: bytes that are held have a bound, and none stay when the stream ends.
pub fn bounded_work(run: &Run) {
    let (most, after, bound) = run.held;
    assert!(most <= bound, "{most} of {bound}");
    assert_eq!(after, 0, "bytes stay held");
    assert!(run.cached.0 <= run.cached.1, "{:?}", run.cached);
    if let Some(upstream) = &run.upstream {
        assert!(upstream.text(":path").len() <= 4 << 20);
    }
}

/// I11: the scope is grant, ceiling, narrowing and upstream together, and all of it is enforced.
pub fn one_scope(run: &Run) {
    let (Some(scope), Some(upstream)) = (&run.scope, &run.upstream) else {
        return;
    };
    let (granted, changes) = granted(run, upstream);
    if scope.is_unlimited() {
        assert!(run.unlimited);
        return;
    }
    for tenant in UNIVERSE {
        let admits = scope
            .matchers()
            .iter()
            .filter(|m| m.label().as_str() == run.label)
            .all(|m| m.admits(tenant));
        // A write is for one of the granted tenants.
        let fits = admits == granted.contains(tenant) || changes && !admits;
        assert!(fits, "{tenant} in {}", scope.text());
    }
    for (label, value) in run.others.iter().copied() {
        let of = scope.of(label);
        assert!(
            of.is_some_and(|m| m.single().map(|v| &**v) == Some(value)),
            "{label}"
        );
    }
    bodies::judge(run, scope, upstream);
}

/// The tenants whose data the upstream may show or change, and whether it changes any. What changes
/// silences and alerts needs the right to write; whoever may read as well sees what it changes.
fn granted(run: &Run, upstream: &Message) -> (BTreeSet<&'static str>, bool) {
    let (path, _) = upstream.target();
    if table::is_write(&path) {
        return (run.writes.clone(), true);
    }
    if path.contains("/api/v2/") && upstream.text(":method") != "GET" {
        assert!(run.writer, "a change without the right to write");
        return (run.writes.clone(), true);
    }
    (run.reads.clone(), false)
}

/// The parameters that the upstream reads, in the one place where they are.
fn parameters(run: &Run) -> Option<Pairs> {
    let upstream = run.upstream.as_ref()?;
    let (path, query) = upstream.target();
    if table::is_public(&path) || table::takes_a_body(&path, &upstream.text(":method")) {
        assert!(query.is_empty(), "{query}");
        return None;
    }
    assert!(query.is_empty() || upstream.body.is_empty(), "two places");
    let form = String::from_utf8(upstream.body.clone()).expect("a form is text");
    Some(Pairs::read(if form.is_empty() { &query } else { &form }))
}
