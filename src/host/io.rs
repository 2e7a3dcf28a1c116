//! Host calls that return what went wrong instead of trapping, in the words of the core.

use std::time::{Duration, UNIX_EPOCH};

use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType};

use crate::auth::Peer;
use crate::config::Property;
use crate::deny::{Denial, Form};
use crate::exchange::{Audit, Edit, Edits, Lookup};
use crate::http::{Headers, UnixTime};
use crate::policy::Policy;

/// The host could not do what it must: the stream is refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed;

/// The time of the host.
pub(super) fn now() -> UnixTime {
    let nanos = hostcalls::get_current_time()
        .ok()
        .and_then(|t| t.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |d| d.as_nanos());
    UnixTime::from_nanos(u64::try_from(nanos).unwrap_or_default())
}

/// All fields of a head, as bytes.
pub(super) fn head(map: MapType) -> Result<Headers, Failed> {
    hostcalls::get_map_bytes(map)
        .map(Headers::new)
        .map_err(|_| Failed)
}

/// Applies changes to a head.
pub(super) fn apply(map: MapType, edits: &Edits) -> Result<(), Failed> {
    for edit in edits.iter() {
        match edit {
            Edit::Set(name, value) => {
                hostcalls::set_map_value_bytes(map, name.as_str(), Some(value.as_bytes()))
            }
            Edit::Remove(name) => hostcalls::remove_map_value(map, name.as_str()),
        }
        .map_err(|_| Failed)?;
    }
    Ok(())
}

/// Removes all trailers.
pub(super) fn strip(map: MapType) -> Result<(), Failed> {
    for (name, _) in head(map)?.iter() {
        hostcalls::remove_map_value(map, name).map_err(|_| Failed)?;
    }
    Ok(())
}

/// The first `size` bytes of a buffer.
pub(super) fn body(buffer: BufferType, size: usize) -> Result<Vec<u8>, Failed> {
    if size == 0 {
        return Ok(Vec::new());
    }
    match hostcalls::get_buffer(buffer, 0, size) {
        Ok(Some(bytes)) if bytes.len() == size => Ok(bytes),
        Ok(_) | Err(_) => Err(Failed),
    }
}

/// Puts bytes in the place of a buffer's first `size`.
pub(super) fn replace(buffer: BufferType, size: usize, bytes: &[u8]) -> Result<(), Failed> {
    hostcalls::set_buffer(buffer, 0, size, bytes).map_err(|_| Failed)
}

/// Puts bytes after all that a buffer has.
pub(super) fn append(buffer: BufferType, bytes: &[u8]) -> Result<(), Failed> {
    hostcalls::set_buffer(buffer, usize::MAX, 0, bytes).map_err(|_| Failed)
}

/// Answers with a denial.
pub(super) fn refuse(denial: &Denial, form: Form) -> Result<(), Failed> {
    let mut headers: Vec<(&str, &str)> = vec![("content-type", "application/json")];
    headers.extend(denial.headers.iter().map(|(n, v)| (*n, v.as_str())));
    let body = denial.body(form);
    hostcalls::send_http_response(u32::from(denial.status), headers, Some(&body))
        .map_err(|_| Failed)
}

/// Answers with JSON, status 200.
pub(super) fn answer(body: &str) {
    let headers = vec![("content-type", "application/json")];
    let _gone = hostcalls::send_http_response(200, headers, Some(body.as_bytes()));
}

/// Starts a call-out to an upstream.
pub(super) fn ask(lookup: &Lookup) -> Result<u32, Failed> {
    call(lookup, "http")
}

/// Starts a call-out.
pub(super) fn call(lookup: &Lookup, scheme: &str) -> Result<u32, Failed> {
    let mut headers: Vec<(&str, &str)> = vec![
        (":method", "GET"),
        (":path", &lookup.path),
        (":authority", &lookup.authority),
        (":scheme", scheme),
    ];
    headers.extend(lookup.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())));
    let timeout = Duration::from_secs_f64(lookup.timeout.clamp(0.001, 600.0));
    hostcalls::dispatch_http_call(&lookup.cluster, headers, None, Vec::new(), timeout)
        .map_err(|_| Failed)
}

/// The answer of a call-out that has just ended: status (0 if there was none), head and body.
pub(super) fn answered(size: usize, most: usize) -> (u16, Headers, Option<Vec<u8>>) {
    let headers = head(MapType::HttpCallResponseHeaders).unwrap_or_default();
    let status = crate::http::ResponseHead {
        headers: headers.clone(),
    }
    .status();
    let body = (size <= most)
        .then(|| body(BufferType::HttpCallResponseBody, size).ok())
        .flatten();
    (status, headers, body)
}

/// Publishes what is known of a request, for access logs and later filters.
pub(super) fn publish(policy: &Policy, audit: &Audit, decision: &str) {
    for property in &policy.properties {
        let (name, value) = match property {
            Property::Tenant => ("promfence.tenant", &*audit.tenant),
            Property::Subject => ("promfence.subject", &*audit.subject),
            Property::Endpoint => ("promfence.endpoint", audit.endpoint),
            Property::Decision => ("promfence.decision", decision),
        };
        // A property that cannot be set changes no decision.
        let _unset = hostcalls::set_property(vec![name], Some(value.as_bytes()));
    }
}

/// An entry of the host's shared data.
pub(super) fn shared(name: &str) -> Option<Vec<u8>> {
    hostcalls::get_shared_data(name).ok()?.0
}

/// Writes an entry of the host's shared data; the last writer wins.
pub(super) fn share(name: &str, entry: &[u8]) {
    let _lost = hostcalls::set_shared_data(name, Some(entry), None);
}

/// An entry of the host's shared data, with its version: 0 where there is none.
pub(super) fn shared_versioned(name: &str) -> (Option<Vec<u8>>, Option<u32>) {
    hostcalls::get_shared_data(name).unwrap_or((None, None))
}

/// Writes an entry of the host's shared data if it is still of this version, or not there yet.
pub(super) fn share_if(name: &str, entry: &[u8], version: Option<u32>) -> bool {
    // The host takes the highest number for "only if there is none", and 0 for "in any case".
    let version = version.filter(|v| *v != 0).unwrap_or(u32::MAX);
    hostcalls::set_shared_data(name, Some(entry), Some(version)).is_ok()
}

/// Connection properties and metadata of the stream.
pub(super) struct Properties;

impl Peer for Properties {
    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        hostcalls::get_property(path.to_vec()).ok().flatten()
    }
}
