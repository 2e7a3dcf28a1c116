//! `promfence keygen`: key pairs for tests, secrets for static credentials, seals.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::output::{Failure, Outcome, Terminal, hex, random_hex};
use crate::auth::mint::{Signing, SigningKey};

/// Make a key pair with its JWKS, or a secret for static credentials and seals.
///
/// Without `--secret`: writes `NAME.pem` (the private key, readable by you alone) and `jwks.json`
/// (the public key as a set). The signing key of production belongs to your identity provider; this
/// one is for tests and for tokens of your own.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The algorithm of the key.
    #[arg(
        long,
        value_name = "ALG",
        default_value = "ES256",
        conflicts_with = "secret"
    )]
    alg: Signing,
    /// The key's identifier (`kid`). By default one drawn at random.
    #[arg(long, value_name = "ID", conflicts_with = "secret")]
    kid: Option<String>,
    /// The directory for `key.pem` and `jwks.json`. It is made if it is not there; existing files
    /// are not overwritten.
    #[arg(
        long,
        value_name = "DIR",
        default_value = ".",
        conflicts_with = "secret"
    )]
    out: PathBuf,
    /// Replace existing files.
    #[arg(long, conflicts_with = "secret")]
    force: bool,
    /// Print a generated secret, its SHA-256, the configuration that takes it, and a seal.
    #[arg(long)]
    secret: bool,
    /// With `--secret`: a user of HTTP basic authentication instead of a bearer secret.
    #[arg(long, value_name = "NAME", requires = "secret")]
    user: Option<String>,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    if args.secret {
        secret(args.user.as_deref(), terminal.out())
    } else {
        key_pair(args, terminal.out())
    }
}

fn key_pair(args: &Args, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let kid = match &args.kid {
        Some(kid) if kid.is_empty() || kid.len() > 256 => {
            return Err(Failure::new("`--kid` must have 1 to 256 characters"));
        }
        Some(kid) => kid.clone(),
        None => random_hex(8)?,
    };
    let key = SigningKey::generate(args.alg, &kid).map_err(|e| Failure::new(e.to_string()))?;
    let pem = key.private_pem().map_err(|e| Failure::new(e.to_string()))?;
    let jwk = key.public_jwk().map_err(|e| Failure::new(e.to_string()))?;
    let jwks = format!("{:#}\n", serde_json::json!({ "keys": [jwk] }));
    fs::create_dir_all(&args.out).map_err(|e| at(&args.out, &e))?;
    let (private, public) = (args.out.join("key.pem"), args.out.join("jwks.json"));
    if !args.force {
        for file in [&private, &public] {
            if file.exists() {
                let file = file.display();
                return Err(Failure::new(format!(
                    "{file}: exists already; `--force` replaces it"
                )));
            }
        }
    }
    write_private(&private, pem.as_bytes()).map_err(|e| at(&private, &e))?;
    fs::write(&public, jwks).map_err(|e| at(&public, &e))?;
    writeln!(
        out,
        "private key: {} (keep it to yourself)",
        private.display()
    )?;
    writeln!(out, "public keys: {}", public.display())?;
    writeln!(out, "kid: {kid}")?;
    writeln!(out, "alg: {}", args.alg)?;
    Ok(Outcome::Good)
}

fn at(path: &Path, e: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {e}", path.display()))
}

/// Writes a file that only its owner may read, from the first byte on.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // A file with wider rights would keep them; a new one is made beside it and takes its place.
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let _none_left_over = fs::remove_file(&new);
    options.open(&new)?.write_all(bytes)?;
    fs::rename(&new, path)
}

fn secret(user: Option<&str>, out: &mut dyn Write) -> Result<Outcome, Failure> {
    if let Some(user) = user
        && (user.is_empty()
            || user.len() > 128
            || user.contains(':')
            || user.chars().any(char::is_control))
    {
        return Err(Failure::new(
            "`--user` must be a name without colons and control characters",
        ));
    }
    let secret = random_hex(32)?;
    let sha256 = hex(&hmac_sha256::Hash::hash(secret.as_bytes()));
    writeln!(
        out,
        "# The secret: give it to the caller, and keep it nowhere else."
    )?;
    writeln!(out, "secret: {secret}")?;
    writeln!(out, "# Its SHA-256: the configuration knows only this.")?;
    writeln!(out, "sha256: {sha256}")?;
    writeln!(out, "# The configuration that takes it:")?;
    let name = serde_json::Value::from(user.unwrap_or("NAME"));
    writeln!(out, "auth:\n  static:\n  - name: {name}")?;
    match user {
        None => writeln!(out, "    bearer_sha256: {sha256}")?,
        Some(_) => {
            writeln!(
                out,
                "    basic:\n      user: {name}\n      password_sha256: {sha256}"
            )?;
        }
    }
    writeln!(out, "    grant: {{ tenants: [TENANT] }}")?;
    writeln!(
        out,
        "# A seal, for one upstream and its route (it is drawn apart from the secret):"
    )?;
    writeln!(out, "seal: {}", random_hex(32)?)?;
    Ok(Outcome::Good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_secret_is_a_document_and_its_hash_fits() {
        for user in [None, Some("grafana")] {
            let mut out = Vec::new();
            secret(user, &mut out).unwrap();
            let yaml: serde_json::Value = yaml_serde::from_slice(&out).unwrap();
            let text = yaml["secret"].as_str().unwrap();
            assert_eq!(
                hex(&hmac_sha256::Hash::hash(text.as_bytes())),
                yaml["sha256"].as_str().unwrap()
            );
            assert_ne!(yaml["seal"], yaml["secret"]);
            let entry = &yaml["auth"]["static"][0];
            match user {
                None => assert_eq!(entry["bearer_sha256"], yaml["sha256"]),
                Some(user) => {
                    assert_eq!(entry["basic"]["user"], user);
                    assert_eq!(entry["basic"]["password_sha256"], yaml["sha256"]);
                }
            }
        }
        assert!(secret(Some("a:b"), &mut Vec::new()).is_err());
    }
}
