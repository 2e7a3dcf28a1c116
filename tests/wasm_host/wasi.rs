//! The few calls of WASI that the module may make.

use wasmi::{Caller, Error, Linker};

use super::abi::{read, write};
use super::state::State;

type Host<'a> = Caller<'a, State>;
type Errno = Result<i32, Error>;

const SPACE: &str = "wasi_snapshot_preview1";

/// Links them.
pub(crate) fn link(linker: &mut Linker<State>) {
    linker
        .func_wrap(
            SPACE,
            "random_get",
            |mut host: Host<'_>, at: i32, n: i32| -> Errno {
                let bytes = host.data_mut().random(n.cast_unsigned() as usize);
                write(&mut host, at, &bytes)?;
                Ok(0)
            },
        )
        .unwrap();
    linker
        .func_wrap(
            SPACE,
            "clock_time_get",
            |mut host: Host<'_>, _id: i32, _precision: i64, at: i32| -> Errno {
                let now = host.data().now;
                write(&mut host, at, &now.to_le_bytes())?;
                Ok(0)
            },
        )
        .unwrap();
    linker
        .func_wrap(
            SPACE,
            "environ_sizes_get",
            |mut host: Host<'_>, count: i32, size: i32| -> Errno {
                let list = environment(&host);
                let bytes: usize = list.iter().map(Vec::len).sum();
                write(
                    &mut host,
                    count,
                    &u32::try_from(list.len()).unwrap().to_le_bytes(),
                )?;
                write(
                    &mut host,
                    size,
                    &u32::try_from(bytes).unwrap().to_le_bytes(),
                )?;
                Ok(0)
            },
        )
        .unwrap();
    linker
        .func_wrap(
            SPACE,
            "environ_get",
            |mut host: Host<'_>, pointers: i32, buffer: i32| -> Errno {
                let (mut pointer, mut at) = (pointers, buffer);
                for entry in environment(&host) {
                    write(&mut host, pointer, &at.to_le_bytes())?;
                    write(&mut host, at, &entry)?;
                    pointer += 4;
                    at += i32::try_from(entry.len()).unwrap();
                }
                Ok(0)
            },
        )
        .unwrap();
    linker.func_wrap(SPACE, "fd_write", fd_write).unwrap();
    linker
        .func_wrap(
            SPACE,
            "proc_exit",
            |mut host: Host<'_>, code: i32| -> Result<(), Error> {
                host.data_mut()
                    .faults
                    .push(format!("the module exits with {code}"));
                Err(Error::i32_exit(code))
            },
        )
        .unwrap();
}

fn environment(host: &Host<'_>) -> Vec<Vec<u8>> {
    host.data()
        .env
        .iter()
        .map(|(n, v)| format!("{n}={v}\0").into_bytes())
        .collect()
}

/// What the module prints (a panic's message) goes to the log.
fn fd_write(mut host: Host<'_>, _fd: i32, vectors: i32, count: i32, written: i32) -> Errno {
    let mut printed = Vec::new();
    for i in 0..count {
        let vector = read(&host, vectors + i * 8, 8)?;
        let word = |at: usize| i32::from_le_bytes(vector[at..at + 4].try_into().unwrap());
        printed.extend(read(&host, word(0), word(4))?);
    }
    let n = u32::try_from(printed.len()).unwrap();
    host.data_mut()
        .logs
        .push((u32::MAX, String::from_utf8_lossy(&printed).into_owned()));
    write(&mut host, written, &n.to_le_bytes())?;
    Ok(0)
}
