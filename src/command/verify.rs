//! `promfence verify`: tries a live gateway as an attacker would, and reports what holds.

mod client;
mod data;
mod probes;
mod report;
mod write;

use self::client::{Ask, Gateway};
use self::probes::Callers;
use self::report::Report;
use super::output::{Failure, Outcome, Terminal, read_text};

/// Try a live gateway: without a token, with forged headers, across tenants, on denied endpoints, by
/// tricks of paths and parameters, and around the gateway.
///
/// It needs a token of each of two tenants that may read. It changes nothing, unless `--write` allows
/// one canary series per tenant. The exit status is 1 if a protection does not hold.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The gateway, such as `https://metrics.example`, with the prefix of the upstream if it has
    /// one.
    #[arg(long, value_name = "URL")]
    url: String,
    /// A token of the first tenant, or `@FILE`.
    #[arg(long, value_name = "TOKEN")]
    tenant_a_token: String,
    /// A token of the second tenant, or `@FILE`.
    #[arg(long, value_name = "TOKEN")]
    tenant_b_token: String,
    /// An expired token, or `@FILE`.
    #[arg(long, value_name = "TOKEN")]
    expired_token: Option<String>,
    /// The label that carries the tenant.
    #[arg(long, value_name = "NAME", default_value = "tenant_id")]
    label: String,
    /// A tenant that both callers may read (`tenancy.shared`). May be repeated.
    #[arg(long, value_name = "TENANT")]
    shared: Vec<String>,
    /// The address of an upstream, such as `http://thanos-query:10904`: nobody may reach it from
    /// here. May be repeated.
    #[arg(long, value_name = "URL")]
    upstream: Vec<String>,
    /// Write one canary series for each tenant, and look for it with the other's token.
    #[arg(long)]
    write: bool,
    /// The path of remote-write.
    #[arg(long, value_name = "PATH", default_value = "/api/v1/receive")]
    write_path: String,
    /// The header that tells the upstream the tenant.
    #[arg(long, value_name = "NAME", default_value = "THANOS-TENANT")]
    header: String,
    /// The authority that certifies the gateway, in PEM. By default the usual ones.
    #[arg(long, value_name = "FILE")]
    ca: Option<String>,
    /// The host that requests are for, where it is not that of the URL.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Seconds that an answer may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    timeout: u64,
    /// Print the report in JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let ca = args.ca.as_deref().map(read_text).transpose()?;
    let gateway = Gateway::new(&args.url, args.host.as_deref(), ca.as_deref(), args.timeout)?;
    let token = |text: &str| match text.strip_prefix('@') {
        Some(file) => read_text(file).map(|t| t.trim().to_owned()),
        None => Ok(text.to_owned()),
    };
    let callers = Callers {
        a: token(&args.tenant_a_token)?,
        b: token(&args.tenant_b_token)?,
        expired: args.expired_token.as_deref().map(token).transpose()?,
    };
    let mut report = Report::default();
    let tenants = probes::tenants(&gateway, &callers, args, &mut report)?;
    probes::credentials(&gateway, &callers, &mut report);
    probes::endpoints(&gateway, &callers, &mut report);
    if let Some(tenants) = &tenants {
        probes::across(&gateway, &callers, tenants, &mut report);
        probes::headers(&gateway, &callers, tenants, args, &mut report);
        probes::tricks(&gateway, &callers, tenants, &mut report);
    }
    if args.write {
        write::canaries(&gateway, &callers, args, &mut report)?;
    }
    for upstream in &args.upstream {
        around(upstream, args.timeout, &mut report)?;
    }
    if args.json {
        report.json(terminal.out())?;
    } else {
        report.print(terminal.out())?;
    }
    Ok(if report.all_hold() {
        Outcome::Good
    } else {
        Outcome::Found
    })
}

/// An upstream must not answer whoever is here.
fn around(url: &str, timeout: u64, report: &mut Report) -> Result<(), Failure> {
    let upstream = Gateway::new(url, None, None, timeout.min(5))?;
    let name = format!("{url} cannot be reached around the gateway");
    let why = "whoever reaches an upstream directly reads every tenant";
    match upstream.ask(&Ask::get("/api/v1/labels")) {
        Err(_) => report.holds(name, why),
        // A peer that asks for a certificate or a credential of its own is closed as well.
        Ok(answer) if matches!(answer.status, 401 | 403) => report.holds(name, why),
        Ok(answer) => report.fails(name, why, format!("it answered {}", answer.status)),
    }
    Ok(())
}
