//! `promfence check`: finds what is wrong with a configuration and with what stands around it.

mod environment;
mod envoy;
mod finding;
mod gateway_api;
mod heads;
mod istio;
mod known;
mod manifest;
mod mesh;
mod node;
mod plugin;
mod properties;
mod routes;
mod security;
mod source;
#[cfg(test)]
mod tests;
mod tls;
mod wasm;

use std::collections::BTreeMap;

use self::environment::Environment;
use self::envoy::Envoy;
use self::finding::{Finding, Findings, Severity};
use self::node::Node;
use self::plugin::{Plugin, is_config, parse_texts};
use self::source::Source;
use super::output::{Failure, Outcome, Terminal, read};

/// Check configurations of the filter and what stands around them.
///
/// Reads configurations in JSON or YAML, Envoy bootstraps (and files of listeners, clusters and
/// routes), Istio's EnvoyFilter, WasmPlugin and the manifests around them, in one or several
/// documents; all files are looked at together. Prints each finding as `FILE:LINE: SEVERITY: PATH:
/// REASON`. The exit status is 1 if there is an error.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print an object with all findings in JSON.
    #[arg(long)]
    json: bool,
    /// Warnings count as errors.
    #[arg(long)]
    strict: bool,
    /// Do not print notes, nor the summary.
    #[arg(short, long)]
    quiet: bool,
    /// The value of an environment variable of the filter's VM. Where a value is not known, the
    /// variable is taken to be set. May be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// The files; `-` is the standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let mut texts = Vec::new();
    for file in &args.files {
        texts.push((file.clone(), read(file)?));
    }
    let given = args.env.iter().cloned().collect();
    let report = check(texts, &given);
    let errors = report.findings.count(Severity::Error);
    let warnings = report.findings.count(Severity::Warning);
    let out = terminal.out();
    if args.json {
        let all = serde_json::json!({
            "configurations": report.plugins,
            "errors": errors,
            "warnings": warnings,
            "findings": report.findings.list(),
        });
        writeln!(out, "{all:#}")?;
    } else {
        report.findings.print(args.quiet, out)?;
        if !args.quiet {
            let s = |n: usize| if n == 1 { "" } else { "s" };
            let plugins = report.plugins;
            writeln!(
                out,
                "{plugins} configuration{}, {errors} error{}, {warnings} warning{}",
                s(plugins),
                s(errors),
                s(warnings),
            )?;
        }
    }
    let bad = errors > 0 || (args.strict && warnings > 0);
    Ok(if bad { Outcome::Found } else { Outcome::Good })
}

pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("a variable is `NAME=VALUE`".to_owned()),
    }
}

/// What a check has found.
struct Report {
    findings: Findings,
    /// How many configurations of the filter there were.
    plugins: usize,
}

/// Checks files, given by name and content.
fn check(texts: Vec<(String, Vec<u8>)>, given: &BTreeMap<String, String>) -> Report {
    let mut findings = Findings::default();
    let mut sources = Vec::new();
    let files = texts.len();
    for (file, bytes) in texts {
        sources.extend(parse(file, bytes, &mut findings));
    }
    let plugins = gather(&sources, &Environment::given(given), &mut findings);
    // What is unreadable was said already.
    if plugins.is_empty() && sources.len() == files {
        findings.add(Finding {
            file: sources.first().map_or_else(String::new, |s| s.file.clone()),
            line: None,
            severity: Severity::Error,
            path: String::new(),
            reason: "no configuration of promfence is in here".to_owned(),
        });
    }
    let plugins = plugins.len();
    Report { findings, plugins }
}

/// The one configuration in a file, for a command that runs it, and its environment.
pub(super) fn configuration(
    file: &str,
    bytes: Vec<u8>,
    given: &BTreeMap<String, String>,
) -> Result<(Vec<u8>, Environment), Failure> {
    let mut findings = Findings::default();
    let Some(source) = parse(file.to_owned(), bytes, &mut findings) else {
        let reason = findings
            .list()
            .first()
            .map_or_else(String::new, Finding::to_string);
        return Err(Failure::new(reason));
    };
    let sources = [source];
    let mut plugins = gather(&sources, &Environment::given(given), &mut findings);
    match (plugins.pop(), plugins.len()) {
        (Some(plugin), 0) => Ok(plugin.into_parts()),
        (Some(_), more) => Err(Failure::new(format!(
            "{file}: has {} configurations of promfence, and one is wanted",
            more + 1
        ))),
        (None, _) => Err(Failure::new(format!(
            "{file}: no configuration of promfence is in here"
        ))),
    }
}

/// Finds and checks all configurations, and what stands around them.
fn gather<'a>(
    sources: &'a [Source],
    given: &Environment,
    findings: &mut Findings,
) -> Vec<Plugin<'a>> {
    let mut plugins = Vec::new();
    let mut mesh = Vec::new();
    let mut envoy = Envoy::default();
    let mut manifests = Vec::new();
    for source in sources {
        for document in Node::documents(source) {
            match istio::kind(&document) {
                Some("EnvoyFilter") => mesh.extend(istio::envoy_filter(&document, given, findings)),
                Some("WasmPlugin") => mesh.extend(istio::wasm_plugin(&document, given, findings)),
                Some(_) => {}
                None if envoy.take(&document) => {}
                None if is_config(document.value) || document.get("auth").is_some() => {
                    let plugin = Plugin::new(document.clone(), None, given.clone());
                    plugin.compile(findings);
                    plugins.push(plugin);
                }
                None => findings.warn(
                    &document,
                    "not looked at: neither a configuration of promfence, nor one of Envoy, nor a manifest",
                ),
            }
            manifests.push(document);
        }
    }
    plugins.extend(envoy.check(given, findings));
    mesh::check(&manifests, &mesh, findings);
    plugins.extend(mesh);
    manifest::check(&manifests, &plugins, findings);
    plugins
}

fn parse(file: String, bytes: Vec<u8>, findings: &mut Findings) -> Option<Source> {
    let unreadable = |file: String, line, reason| Finding {
        file,
        line,
        severity: Severity::Error,
        path: String::new(),
        reason,
    };
    let Ok(text) = String::from_utf8(bytes) else {
        findings.add(unreadable(file, None, "not UTF-8".to_owned()));
        return None;
    };
    match Source::parse(file.clone(), text) {
        Ok(mut source) => {
            source.documents.iter_mut().for_each(parse_texts);
            Some(source)
        }
        Err(e) => {
            findings.add(unreadable(file, e.line, e.reason));
            None
        }
    }
}
