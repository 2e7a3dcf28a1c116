//! Host calls about shared data, streams, call-outs and metrics.

use wasmi::Linker;

use super::abi::{BAD_ARGUMENT, Host, NOT_FOUND, OK, Status, give, read, text, write};
use super::maps::unpack;
use super::signature;
use super::state::{Deferred, State};

const CAS_MISMATCH: i32 = 8;

/// Links them.
pub(crate) fn link(linker: &mut Linker<State>) {
    shared_data(linker);
    streams(linker);
    metrics(linker);
}

fn shared_data(linker: &mut Linker<State>) {
    linker
        .func_wrap(
            "env",
            "proxy_get_shared_data",
            |mut host: Host<'_>, at: i32, n: i32, data: i32, size: i32, cas: i32| -> Status {
                let key = read(&host, at, n)?;
                let entry = host
                    .data()
                    .shared
                    .lock()
                    .unwrap()
                    .entries
                    .get(&key)
                    .cloned();
                let Some((value, now)) = entry else {
                    return Ok(NOT_FOUND);
                };
                give(&mut host, &value, data, size)?;
                write(&mut host, cas, &now.to_le_bytes())?;
                Ok(OK)
            },
        )
        .unwrap();
    linker
        .func_wrap(
            "env",
            "proxy_set_shared_data",
            |host: Host<'_>, at: i32, n: i32, data: i32, size: i32, cas: i32| -> Status {
                let (key, value) = (read(&host, at, n)?, read(&host, data, size)?);
                let done = host
                    .data()
                    .shared
                    .lock()
                    .unwrap()
                    .set(key, value, cas.cast_unsigned());
                Ok(if done { OK } else { CAS_MISMATCH })
            },
        )
        .unwrap();
}

fn streams(linker: &mut Linker<State>) {
    linker
        .func_wrap(
            "env",
            "proxy_continue_stream",
            |mut host: Host<'_>, kind: i32| -> Status {
                Ok(defer(
                    host.data_mut(),
                    Deferred::Resume { request: kind == 0 },
                ))
            },
        )
        .unwrap();
    linker
        .func_wrap(
            "env",
            "proxy_close_stream",
            |mut host: Host<'_>, _kind: i32| -> Status {
                Ok(defer(host.data_mut(), Deferred::Reset))
            },
        )
        .unwrap();
    linker
        .func_wrap("env", "proxy_send_local_response", send_local_response)
        .unwrap();
    linker
        .func_wrap("env", "proxy_http_call", http_call)
        .unwrap();
    linker
        .func_wrap(
            "env",
            "proxy_call_foreign_function",
            |mut host: Host<'_>,
             at: i32,
             n: i32,
             arguments: i32,
             size: i32,
             data: i32,
             result: i32|
             -> Status {
                let name = text(&host, at, n)?;
                let arguments = read(&host, arguments, size)?;
                if name != "verify_signature" || !host.data().verifies {
                    return Ok(NOT_FOUND);
                }
                host.data_mut().verified += 1;
                give(&mut host, &signature::verify(&arguments), data, result)?;
                Ok(OK)
            },
        )
        .unwrap();
}

fn defer(state: &mut State, what: Deferred) -> i32 {
    let context = state.effective;
    if !state.streams.contains_key(&context) {
        state.faults.push(format!(
            "context {context} is no stream to be resumed, reset or answered"
        ));
        return BAD_ARGUMENT;
    }
    state.deferred.push((context, what));
    OK
}

#[expect(clippy::too_many_arguments, reason = "the ABI has so many")]
fn send_local_response(
    mut host: Host<'_>,
    status: i32,
    _details: i32,
    _details_size: i32,
    body: i32,
    body_size: i32,
    head: i32,
    head_size: i32,
    _grpc: i32,
) -> Status {
    let body = read(&host, body, body_size)?;
    let mut fields = vec![(":status".to_owned(), status.to_string().into_bytes())];
    fields.extend(unpack(&read(&host, head, head_size)?));
    Ok(defer(
        host.data_mut(),
        Deferred::Reply { head: fields, body },
    ))
}

#[expect(clippy::too_many_arguments, reason = "the ABI has so many")]
fn http_call(
    mut host: Host<'_>,
    cluster: i32,
    cluster_size: i32,
    head: i32,
    head_size: i32,
    body: i32,
    body_size: i32,
    _trailers: i32,
    _trailers_size: i32,
    timeout: i32,
    token: i32,
) -> Status {
    let cluster = text(&host, cluster, cluster_size)?;
    let head = unpack(&read(&host, head, head_size)?);
    let body = read(&host, body, body_size)?;
    match host
        .data_mut()
        .start_call(cluster, head, body, timeout.cast_unsigned())
    {
        Some(number) => write(&mut host, token, &number.to_le_bytes()).map(|()| OK),
        None => Ok(BAD_ARGUMENT),
    }
}

fn metrics(linker: &mut Linker<State>) {
    linker
        .func_wrap(
            "env",
            "proxy_define_metric",
            |mut host: Host<'_>, kind: i32, at: i32, n: i32, id: i32| -> Status {
                if !matches!(kind, 0 | 1) {
                    return Ok(BAD_ARGUMENT);
                }
                let name = text(&host, at, n)?;
                let number = host.data_mut().metrics.define(name);
                write(&mut host, id, &number.to_le_bytes())?;
                Ok(OK)
            },
        )
        .unwrap();
    linker
        .func_wrap(
            "env",
            "proxy_increment_metric",
            |mut host: Host<'_>, id: i32, by: i64| -> Status {
                Ok(metric(host.data_mut(), id, |v| *v += by))
            },
        )
        .unwrap();
    linker
        .func_wrap(
            "env",
            "proxy_record_metric",
            |mut host: Host<'_>, id: i32, value: i64| -> Status {
                Ok(metric(host.data_mut(), id, |v| *v = value))
            },
        )
        .unwrap();
}

fn metric(state: &mut State, id: i32, f: impl FnOnce(&mut i64)) -> i32 {
    match state.metrics.value(id.cast_unsigned()) {
        Some(value) => {
            f(value);
            OK
        }
        None => NOT_FOUND,
    }
}
