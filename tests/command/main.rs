//! The built command, as an operator runs it.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops at what it does not expect"
)]

mod explain;
mod verify;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn promfence(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_promfence"));
    command.args(args).stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> (i32, String, String) {
    shown(&promfence(args).output().unwrap())
}

fn run_with(args: &[&str], input: &[u8]) -> (i32, String, String) {
    let mut child = promfence(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    // A command that does not read its input ends before it is written.
    let _closed = writer.join().unwrap();
    shown(&output)
}

fn shown(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let status = output.status.code().unwrap();
    (status, text(&output.stdout), text(&output.stderr))
}

/// A directory of the test's own.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _not_there = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn with(&self, name: &str, text: &str) -> String {
        let file = self.file(name);
        std::fs::write(&file, text).unwrap();
        file
    }
}

/// A configuration that takes the tokens of a key that is made here.
fn config(scratch: &Scratch) -> String {
    let dir = scratch.0.to_str().unwrap();
    let (status, _, error) = run(&["keygen", "--out", dir, "--kid", "k1"]);
    assert_eq!(status, 0, "{error}");
    let jwks = std::fs::read_to_string(scratch.file("jwks.json")).unwrap();
    let jwks = jwks.replace('\n', " ");
    let text = format!(
        "seal: {{ header: x-promfence-seal }}
auth:
  issuers:
  - issuer: https://idp.example
    audiences: [thanos]
    keys: {{ inline: {jwks} }}
    tenants: [{{ claim: /tenants }}]
upstreams:
- receive: {{ hosts: [metrics.example], cluster: receive, seal: seal-of-receive-0123456789 }}
- thanos: {{ hosts: [metrics.example], cluster: query, seal: seal-of-query-0123456789 }}
"
    );
    scratch.with("config.yaml", &text)
}

fn token(scratch: &Scratch, more: &[&str]) -> String {
    let key = scratch.file("key.pem");
    let mut args = vec!["token", "--key", &key, "--kid", "k1"];
    args.extend(["--issuer", "https://idp.example"]);
    args.extend(["--audience", "thanos", "--subject", "alice"]);
    args.extend(more);
    let (status, token, error) = run(&args);
    assert_eq!(status, 0, "{error}");
    token.trim().to_owned()
}

#[test]
fn wrong_usage_is_2_and_help_is_0() {
    assert_eq!(run(&[]).0, 2);
    assert_eq!(run(&["nonsense"]).0, 2);
    assert_eq!(run(&["check"]).0, 2);
    assert_eq!(run(&["check", "/does/not/exist"]).0, 2);
    assert_eq!(run(&["confine", "up"]).0, 2);
    assert_eq!(run(&["confine", "--tenant", "../x", "up"]).0, 2);
    for command in [
        "check", "confine", "explain", "keygen", "token", "schema", "verify",
    ] {
        let (status, help, _) = run(&[command, "--help"]);
        assert_eq!(status, 0);
        assert!(help.contains("Usage: promfence"), "{help}");
    }
}

#[test]
fn a_query_is_confined_or_refused() {
    let two = [
        "confine",
        "--label",
        "tenant_id",
        "--tenant",
        "a",
        "--tenant",
        "b",
        "sum(up)",
    ];
    let (status, out, _) = run(&two);
    assert_eq!((status, out.as_str()), (0, "sum(up{tenant_id=~\"a|b\"})\n"));
    let (status, out, error) = run(&["confine", "--tenant", "a", "sum("]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(error.starts_with("refused: "), "{error}");
    let (status, out, _) = run_with(&["confine", "--tenant", "a"], b"up\n+ x\n");
    assert_eq!(
        (status, out.as_str()),
        (0, "up{tenant_id=\"a\"}\n+ x{tenant_id=\"a\"}\n")
    );
    let (status, _, _) = run_with(&["confine", "--tenant", "a"], b"\xff");
    assert_eq!(status, 2);
}

#[test]
fn a_users_own_matcher_is_kept_replaced_or_refused() {
    let query = "up{tenant_id=\"b\"}";
    let with = |how: &str| run(&["confine", "--tenant", "a", "--on-conflict", how, query]);
    assert_eq!(with("intersect").1, "up{tenant_id=\"a\",tenant_id=\"b\"}\n");
    assert_eq!(with("replace").1, "up{tenant_id=\"a\"}\n");
    let (status, out, error) = with("reject");
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(error.contains("tenant_id"), "{error}");
}

#[test]
fn a_selector_is_confined_as_match_parameters_are() {
    let one = |text: &str| {
        run(&[
            "confine",
            "--tenant",
            "a",
            "--matcher",
            "team=x|y",
            "--selector",
            text,
        ])
    };
    let (status, out, _) = one("{job=\"n\"}");
    assert_eq!(status, 0);
    assert_eq!(out, "{tenant_id=\"a\",team=~\"x|y\",job=\"n\"}\n");
    assert_eq!(one("sum(up)").0, 1);
    assert_eq!(one("{}").0, 1);
}

#[test]
fn lines_are_answered_one_by_one() {
    let input = b"{\"query\": \"up\"}\nnonsense\n\n\xff\xfe\n{\"query\": \"sum(\"}\n{\"query\": \"x\", \"more\": 1}";
    let (status, out, _) = run_with(&["confine", "--tenant", "a", "--jsonl"], input);
    assert_eq!(status, 0);
    let lines: Vec<serde_json::Value> = out
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines.len(), 6);
    assert_eq!(lines[0]["confined"], "up{tenant_id=\"a\"}");
    assert!(lines[1..5].iter().all(|l| l["refused"].is_string()));
    assert_eq!(lines[5]["confined"], "x{tenant_id=\"a\"}");
}

#[test]
fn a_closed_pipe_is_no_crash() {
    let mut command = promfence(&["schema"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_good_configuration_is_0_and_one_with_an_error_1() {
    let scratch = Scratch::new("check");
    let file = config(&scratch);
    let (status, out, error) = run(&["check", &file]);
    assert_eq!(status, 0, "{out}{error}");
    assert_eq!(out, "1 configuration, 0 errors, 0 warnings\n");
    let text = std::fs::read_to_string(&file).unwrap();
    let bad = scratch.with("bad.yaml", &text.replace("audiences", "audience"));
    let (status, out, _) = run(&["check", &bad]);
    assert_eq!(status, 1);
    let start = format!("{bad}:5: error: auth.issuers[0].audience: ");
    assert!(out.starts_with(&start), "{out}");
    let (status, out, _) = run(&["check", "--json", &bad, &file]);
    assert_eq!(status, 1);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["errors"], 2, "{out}");
    assert_eq!(report["configurations"], 2);
    assert_eq!(report["findings"][0]["path"], "auth.issuers[0].audience");
    let (status, out, _) = run_with(&["check", "-"], text.as_bytes());
    assert_eq!(status, 0, "{out}");
}

#[test]
fn a_warning_is_an_error_where_one_wants_it() {
    let scratch = Scratch::new("strict");
    let text = std::fs::read_to_string(config(&scratch)).unwrap();
    let text = text
        .replace("seal: { header: x-promfence-seal }\n", "")
        .replace(", seal: seal-of-receive-0123456789", "")
        .replace(", seal: seal-of-query-0123456789", "");
    let file = scratch.with("open.yaml", &text);
    assert_eq!(run(&["check", &file]).0, 0);
    assert_eq!(run(&["check", "--strict", &file]).0, 1);
}

#[test]
fn keys_are_private_and_not_overwritten() {
    let scratch = Scratch::new("keys");
    let dir = scratch.0.to_str().unwrap().to_owned();
    for (alg, other) in [
        ("ES256", "ES384"),
        ("ES384", "ES256"),
        ("EdDSA", "RS256"),
        ("RS256", "EdDSA"),
    ] {
        let (status, out, error) = run(&["keygen", "--alg", alg, "--out", &dir, "--force"]);
        assert_eq!(status, 0, "{error}");
        assert!(out.contains(&format!("alg: {alg}")), "{out}");
        let jwks = std::fs::read(scratch.file("jwks.json")).unwrap();
        let jwks: serde_json::Value = serde_json::from_slice(&jwks).unwrap();
        assert_eq!(jwks["keys"][0]["alg"], alg);
        assert!(jwks["keys"][0].get("d").is_none());
        assert_eq!(token(&scratch, &[]).split('.').count(), 3, "{alg}");
        let key = scratch.file("key.pem");
        let args = [
            "token",
            "--key",
            &key,
            "--kid",
            "k",
            "--issuer",
            "i",
            "--audience",
            "a",
        ];
        assert_eq!(
            run(&[&args[..], &["--alg", other]].concat()).0,
            2,
            "{alg} as {other}"
        );
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(scratch.file("key.pem"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let (status, _, error) = run(&["keygen", "--out", &dir]);
    assert_eq!(status, 2);
    assert!(error.contains("--force"), "{error}");
}

#[test]
fn a_secret_is_printed_with_what_takes_it() {
    let (status, out, _) = run(&["keygen", "--secret"]);
    assert_eq!(status, 0);
    let yaml: serde_json::Value = yaml_serde::from_str(&out).unwrap();
    assert_eq!(yaml["secret"].as_str().unwrap().len(), 64);
    assert_eq!(yaml["auth"]["static"][0]["bearer_sha256"], yaml["sha256"]);
    let (_, again, _) = run(&["keygen", "--secret"]);
    assert_ne!(out, again);
}

#[test]
fn the_shipped_schema_is_the_one_of_the_command() {
    let (status, schema, _) = run(&["schema"]);
    assert_eq!(status, 0);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("envoy/promfence.schema.json");
    let shipped = std::fs::read_to_string(file).unwrap();
    assert!(
        schema == shipped,
        "renew it: promfence schema > envoy/promfence.schema.json"
    );
}
