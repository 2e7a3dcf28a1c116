//! The host calls of proxy-wasm 0.2, as far as the module may need them. Any other import traps
//! and names itself.

use wasmi::{Caller, Error, Extern, ExternType, FuncType, Linker, Memory, Module, Val};

use super::state::State;
use super::{calls, maps, wasi};

pub(crate) type Host<'a> = Caller<'a, State>;
pub(crate) type Status = Result<i32, Error>;

pub(crate) const OK: i32 = 0;
pub(crate) const NOT_FOUND: i32 = 1;
pub(crate) const BAD_ARGUMENT: i32 = 2;

/// Links every import of a module.
pub(crate) fn link(linker: &mut Linker<State>, module: &Module) {
    time_and_logs(linker);
    maps::link(linker);
    calls::link(linker);
    wasi::link(linker);
    let known: Vec<(String, String, FuncType)> = module
        .imports()
        .filter_map(|i| match i.ty() {
            ExternType::Func(ty) => Some((i.module().to_owned(), i.name().to_owned(), ty.clone())),
            ExternType::Global(_) | ExternType::Table(_) | ExternType::Memory(_) => None,
        })
        .collect();
    for (space, name, ty) in known {
        let message = format!("the import `{space}.{name}` is not modelled");
        // An error means that it is linked already.
        let _linked = linker.func_new(
            &space,
            &name,
            ty,
            move |mut host: Host<'_>, _: &[Val], _: &mut [Val]| {
                host.data_mut().faults.push(message.clone());
                Err(Error::new(message.clone()))
            },
        );
    }
}

pub(crate) fn memory(host: &Host<'_>) -> Memory {
    host.get_export("memory")
        .and_then(Extern::into_memory)
        .unwrap()
}

/// Bytes of the module's memory.
pub(crate) fn read(host: &Host<'_>, at: i32, size: i32) -> Result<Vec<u8>, Error> {
    let (at, size) = (at.cast_unsigned() as usize, size.cast_unsigned() as usize);
    let data = memory(host).data(host);
    let end = at.checked_add(size).filter(|end| *end <= data.len());
    Ok(data[at..end.ok_or_else(|| Error::new("bytes beyond the memory"))?].to_vec())
}

pub(crate) fn text(host: &Host<'_>, at: i32, size: i32) -> Result<String, Error> {
    String::from_utf8(read(host, at, size)?).map_err(|_| Error::new("a text is not UTF-8"))
}

pub(crate) fn write(host: &mut Host<'_>, at: i32, bytes: &[u8]) -> Result<(), Error> {
    let memory = memory(host);
    memory
        .write(host, at.cast_unsigned() as usize, bytes)
        .map_err(|e| Error::new(e.to_string()))
}

/// Hands bytes over in memory that the module allocates.
pub(crate) fn give(host: &mut Host<'_>, bytes: &[u8], data: i32, size: i32) -> Result<(), Error> {
    let n = i32::try_from(bytes.len()).unwrap();
    let at = if n == 0 {
        0
    } else {
        let allocate = host
            .get_export("proxy_on_memory_allocate")
            .and_then(Extern::into_func)
            .unwrap();
        allocate.typed::<i32, i32>(&*host)?.call(&mut *host, n)?
    };
    write(host, at, bytes)?;
    write(host, data, &at.to_le_bytes())?;
    write(host, size, &n.to_le_bytes())
}

fn time_and_logs(linker: &mut Linker<State>) {
    let mut add = |name, f: fn(Host<'_>, i32, i32, i32) -> Status| {
        linker.func_wrap("env", name, f).unwrap();
    };
    add("proxy_log", |mut host, level, at, size| {
        let message = text(&host, at, size)?;
        host.data_mut().logs.push((level.cast_unsigned(), message));
        Ok(OK)
    });
    linker
        .func_wrap(
            "env",
            "proxy_get_current_time_nanoseconds",
            |mut host: Host<'_>, at: i32| -> Status {
                let now = host.data().now;
                write(&mut host, at, &now.to_le_bytes())?;
                Ok(OK)
            },
        )
        .unwrap();
    linker
        .func_wrap(
            "env",
            "proxy_set_tick_period_milliseconds",
            |mut host: Host<'_>, period: i32| -> Status {
                let root = host.data().root_of(host.data().effective);
                host.data_mut().roots.get_mut(&root).unwrap().tick = period.cast_unsigned();
                Ok(OK)
            },
        )
        .unwrap();
    linker
        .func_wrap(
            "env",
            "proxy_set_effective_context",
            |mut host: Host<'_>, context: i32| -> Status {
                let context = context.cast_unsigned();
                let state = host.data_mut();
                if !state.streams.contains_key(&context) && !state.roots.contains_key(&context) {
                    return Ok(BAD_ARGUMENT);
                }
                state.effective = context;
                Ok(OK)
            },
        )
        .unwrap();
}
