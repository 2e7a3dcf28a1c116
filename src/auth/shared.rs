//! Fetched keys as an entry of the host's shared data, where other plugins can write too.

use super::fixed::equal;
use super::refresh::{MAX_BODY, Remote, read};
use crate::http::UnixTime;

const FORM: &[u8] = b"promfence keys 1\n";
/// How far clocks of workers may differ, in seconds.
const SKEW: f64 = 60.0;

/// The name of an issuer's entry. It tells nothing that the configuration's secret does not bind.
pub(super) fn name(remote: &Remote) -> String {
    let digest = hmac_sha256::Hash::hash(&binding(remote, 0.0, 0.0, &[]));
    let hex: String = digest.iter().take(16).map(|b| format!("{b:02x}")).collect();
    format!("promfence.keys.{hex}")
}

/// The keys as an entry: time of fetch, interval, key set, and an HMAC over these and over where
/// they came from.
pub(super) fn export(remote: &Remote, secret: &[u8]) -> Option<Vec<u8>> {
    let keys = remote.keys.as_ref()?;
    let mac = hmac_sha256::HMAC::mac(binding(remote, keys.at, keys.interval, &keys.body), secret);
    let mut out = FORM.to_vec();
    out.extend_from_slice(&keys.at.to_le_bytes());
    out.extend_from_slice(&keys.interval.to_le_bytes());
    out.extend_from_slice(&mac);
    out.extend_from_slice(&keys.body);
    Some(out)
}

/// Takes an entry's keys if they are authentic, of this source, newer than the own ones and not
/// too old. Tells whether other keys are in use now.
pub(super) fn import(
    remote: &mut Remote,
    entry: &[u8],
    secret: &[u8],
    now: UnixTime,
) -> Option<bool> {
    let rest = entry.strip_prefix(FORM)?;
    let (at, rest) = rest.split_first_chunk::<8>()?;
    let (interval, rest) = rest.split_first_chunk::<8>()?;
    let (mac, body) = rest.split_first_chunk::<32>()?;
    let (at, interval) = (f64::from_le_bytes(*at), f64::from_le_bytes(*interval));
    if body.len() > MAX_BODY {
        return None;
    }
    let right = hmac_sha256::HMAC::mac(binding(remote, at, interval, body), secret);
    if !equal(mac, &right) {
        return None;
    }
    let newer = remote.keys.as_ref().is_none_or(|k| at > k.at);
    if !at.is_finite() || !interval.is_finite() || !newer || at > now.secs() + SKEW {
        return None;
    }
    let (set, _) = read(body).ok()?;
    let (_, changed) = remote.adopt(set, body.to_vec(), at, interval, now)?;
    Some(changed)
}

/// What an entry is bound to, unambiguously.
fn binding(remote: &Remote, at: f64, interval: f64, body: &[u8]) -> Vec<u8> {
    let mut out = FORM.to_vec();
    let target = &remote.first;
    for part in [
        &remote.issuer,
        &target.cluster,
        &target.authority,
        &target.path,
    ] {
        out.extend_from_slice(&(part.len() as u64).to_le_bytes());
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(&at.to_le_bytes());
    out.extend_from_slice(&interval.to_le_bytes());
    out.extend_from_slice(body);
    out
}
