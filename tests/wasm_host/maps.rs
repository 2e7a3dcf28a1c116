//! Host calls about headers, bodies and properties.

use wasmi::Linker;

use super::abi::{BAD_ARGUMENT, Host, NOT_FOUND, OK, Status, give, read, text};
use super::state::{Fields, State};

const UNIMPLEMENTED: i32 = 12;

/// Links them.
pub(crate) fn link(linker: &mut Linker<State>) {
    maps(linker);
    buffers(linker);
    properties(linker);
}

/// A map that may be changed now.
fn open(state: &mut State, map: i32) -> Option<&mut Fields> {
    let stream = state.stream()?;
    match map {
        0 => stream.request.head_open.then_some(&mut stream.request.head),
        1 => stream
            .request
            .trailers_open
            .then_some(&mut stream.request.trailers),
        2 => stream
            .response
            .head_open
            .then_some(&mut stream.response.head),
        3 => stream
            .response
            .trailers_open
            .then_some(&mut stream.response.trailers),
        _ => None,
    }
}

/// A map that may be read now.
fn readable(state: &mut State, map: i32) -> Option<&Fields> {
    match map {
        6 => state.answer.as_ref().map(|a| &a.head),
        _ => open(state, map).map(|m| &*m),
    }
}

fn maps(linker: &mut Linker<State>) {
    linker
        .func_wrap(
            "env",
            "proxy_get_header_map_pairs",
            |mut host: Host<'_>, map: i32, data: i32, size: i32| -> Status {
                // A map that is not there reads as empty, as in Envoy.
                let packed = pack(readable(host.data_mut(), map).unwrap_or(&Vec::new()));
                give(&mut host, &packed, data, size)?;
                Ok(OK)
            },
        )
        .unwrap();
    linker
        .func_wrap(
            "env",
            "proxy_get_header_map_value",
            |mut host: Host<'_>, map: i32, at: i32, n: i32, data: i32, size: i32| -> Status {
                let name = text(&host, at, n)?.to_ascii_lowercase();
                let Some(fields) = readable(host.data_mut(), map) else {
                    return Ok(BAD_ARGUMENT);
                };
                let Some((_, value)) = fields.iter().find(|(n, _)| *n == name).cloned() else {
                    return Ok(NOT_FOUND);
                };
                give(&mut host, &value, data, size)?;
                Ok(OK)
            },
        )
        .unwrap();
    for (call, replaces) in [
        ("proxy_replace_header_map_value", true),
        ("proxy_add_header_map_value", false),
    ] {
        linker
            .func_wrap(
                "env",
                call,
                move |mut host: Host<'_>,
                      map: i32,
                      at: i32,
                      n: i32,
                      value: i32,
                      size: i32|
                      -> Status {
                    let name = text(&host, at, n)?.to_ascii_lowercase();
                    let value = read(&host, value, size)?;
                    Ok(change(host.data_mut(), map, &name, |fields| {
                        if replaces {
                            let first = fields.iter().position(|(n, _)| *n == name);
                            fields.retain(|(n, _)| *n != name);
                            fields.insert(first.unwrap_or(fields.len()), (name.clone(), value));
                        } else {
                            fields.push((name.clone(), value));
                        }
                    }))
                },
            )
            .unwrap();
    }
    linker
        .func_wrap(
            "env",
            "proxy_remove_header_map_value",
            |mut host: Host<'_>, map: i32, at: i32, n: i32| -> Status {
                let name = text(&host, at, n)?.to_ascii_lowercase();
                Ok(change(host.data_mut(), map, &name, |fields| {
                    fields.retain(|(n, _)| *n != name)
                }))
            },
        )
        .unwrap();
}

pub(crate) fn change(state: &mut State, map: i32, name: &str, f: impl FnOnce(&mut Fields)) -> i32 {
    match open(state, map) {
        Some(fields) => {
            f(fields);
            OK
        }
        None => {
            state.faults.push(format!(
                "`{name}` of map {map} is changed when it has gone, or never was"
            ));
            BAD_ARGUMENT
        }
    }
}

fn buffers(linker: &mut Linker<State>) {
    linker
        .func_wrap(
            "env",
            "proxy_get_buffer_bytes",
            |mut host: Host<'_>,
             buffer: i32,
             start: i32,
             most: i32,
             data: i32,
             size: i32|
             -> Status {
                let (start, most) = (
                    start.cast_unsigned() as usize,
                    most.cast_unsigned() as usize,
                );
                let Some(bytes) = buffer_of(host.data_mut(), buffer) else {
                    return Ok(NOT_FOUND);
                };
                let end = start.saturating_add(most).min(bytes.len());
                let part = bytes.get(start..end).unwrap_or_default().to_vec();
                give(&mut host, &part, data, size)?;
                Ok(OK)
            },
        )
        .unwrap();
    linker
        .func_wrap(
            "env",
            "proxy_set_buffer_bytes",
            |mut host: Host<'_>, buffer: i32, start: i32, size: i32, data: i32, n: i32| -> Status {
                let with = read(&host, data, n)?;
                let (start, size) = (
                    start.cast_unsigned() as usize,
                    size.cast_unsigned() as usize,
                );
                Ok(set_buffer(host.data_mut(), buffer, start, size, &with))
            },
        )
        .unwrap();
}

fn properties(linker: &mut Linker<State>) {
    linker
        .func_wrap(
            "env",
            "proxy_get_property",
            |mut host: Host<'_>, at: i32, n: i32, data: i32, size: i32| -> Status {
                let path = read(&host, at, n)?;
                match host
                    .data_mut()
                    .stream()
                    .and_then(|s| s.properties.get(&path).cloned())
                {
                    Some(value) => give(&mut host, &value, data, size).map(|()| OK),
                    None => Ok(NOT_FOUND),
                }
            },
        )
        .unwrap();
    linker
        .func_wrap(
            "env",
            "proxy_set_property",
            |mut host: Host<'_>, at: i32, n: i32, data: i32, size: i32| -> Status {
                let (path, value) = (read(&host, at, n)?, read(&host, data, size)?);
                match host.data_mut().stream() {
                    Some(stream) => {
                        stream.properties.insert(path, value);
                        Ok(OK)
                    }
                    None => Ok(NOT_FOUND),
                }
            },
        )
        .unwrap();
}

fn buffer_of(state: &mut State, buffer: i32) -> Option<Vec<u8>> {
    match buffer {
        0 => Some(state.stream()?.request.buffer.clone().unwrap_or_default()),
        1 => Some(state.stream()?.response.buffer.clone().unwrap_or_default()),
        4 => state.answer.as_ref().map(|a| a.body.clone()),
        7 => state
            .roots
            .get(&state.effective)
            .map(|r| r.configuration.clone()),
        _ => None,
    }
}

pub(crate) fn set_buffer(
    state: &mut State,
    buffer: i32,
    start: usize,
    size: usize,
    with: &[u8],
) -> i32 {
    let Some(stream) = state.stream() else {
        return BAD_ARGUMENT;
    };
    let side = match buffer {
        0 => &mut stream.request,
        1 => &mut stream.response,
        _ => return BAD_ARGUMENT,
    };
    let missing = side.buffer.is_none();
    let done = side.replace(start, size, with);
    let kept = if side.buffering {
        side.buffer.as_ref().map_or(0, Vec::len)
    } else {
        0
    };
    if missing {
        // Measured with Envoy 1.36 and 1.40: a status that the SDK panics on.
        state.faults.push(format!(
            "{} bytes are put into buffer {buffer}, which is not there",
            with.len()
        ));
        return UNIMPLEMENTED;
    }
    if kept > state.buffer_limit {
        // Measured with Envoy 1.40: the process dies.
        state.faults.push(format!(
            "{kept} bytes are put into the kept buffer {buffer}, over its limit"
        ));
    }
    if done { OK } else { BAD_ARGUMENT }
}

/// The ABI's form of a map: count, sizes, then names and values, each with a NUL after it.
fn pack(fields: &Fields) -> Vec<u8> {
    let word = |n: usize| u32::try_from(n).unwrap().to_le_bytes();
    let mut bytes = word(fields.len()).to_vec();
    for (name, value) in fields {
        bytes.extend(word(name.len()));
        bytes.extend(word(value.len()));
    }
    for (name, value) in fields {
        for part in [name.as_bytes(), value] {
            bytes.extend_from_slice(part);
            bytes.push(0);
        }
    }
    bytes
}

pub(crate) fn unpack(bytes: &[u8]) -> Fields {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    if bytes.is_empty() {
        return Vec::new();
    }
    let count = word(0);
    let mut at = 4 + count * 8;
    let mut part = |size: usize| {
        let part = bytes[at..at + size].to_vec();
        at += size + 1;
        part
    };
    (0..count)
        .map(|i| {
            let name = part(word(4 + i * 8));
            let value = part(word(8 + i * 8));
            (String::from_utf8(name).unwrap().to_ascii_lowercase(), value)
        })
        .collect()
}
