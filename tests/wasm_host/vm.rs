//! One VM with the built module, driven callback by callback as Envoy drives it.

use std::sync::{Arc, LazyLock, Mutex};

use wasmi::{Engine, Instance, Linker, Memory, Module, Store, WasmParams, WasmResults};

use super::abi;
use super::state::{Answer, Call, Fields, Root, SharedData, State};
use super::stream::{Message, Side, Stream};

/// The module as it is shipped.
pub(crate) const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/promfence.wasm");

static COMPILED: LazyLock<(Engine, Module)> = LazyLock::new(|| {
    compile(
        &std::fs::read(MODULE).unwrap_or_else(|e| panic!("{MODULE}: {e}; run scripts/build first")),
    )
});

fn compile(bytes: &[u8]) -> (Engine, Module) {
    let engine = Engine::default();
    let module = Module::new(&engine, bytes).unwrap();
    (engine, module)
}

/// The compiled module.
pub(crate) fn module() -> &'static Module {
    &COMPILED.1
}

/// A VM. A trap, or anything that no module may do, fails the test.
pub(crate) struct Vm {
    pub(crate) store: Store<State>,
    instance: Instance,
    memory: Memory,
    next_context: u32,
}

/// What the outside saw of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What went to the upstream.
    pub(crate) upstream: Message,
    /// What the client got, from the upstream or from the filter.
    pub(crate) client: Message,
    /// The filter answered itself.
    pub(crate) replied: bool,
    /// The stream was cut.
    pub(crate) cut: bool,
    /// Properties that the filter left behind, by name.
    pub(crate) properties: std::collections::BTreeMap<String, String>,
}

impl Vm {
    /// Starts the module, with the state as it is.
    pub(crate) fn start(prepare: impl FnOnce(&mut State)) -> Self {
        Self::instantiate(&COMPILED.0, &COMPILED.1, prepare)
    }

    /// Starts any module.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let (engine, module) = compile(bytes);
        Self::instantiate(&engine, &module, |_| {})
    }

    fn instantiate(engine: &Engine, module: &Module, prepare: impl FnOnce(&mut State)) -> Self {
        let mut state = State::new();
        prepare(&mut state);
        let mut store = Store::new(engine, state);
        let mut linker = Linker::new(engine);
        abi::link(&mut linker, module);
        let instance = linker.instantiate_and_start(&mut store, module).unwrap();
        let memory = instance
            .get_export(&store, "memory")
            .and_then(wasmi::Extern::into_memory)
            .unwrap();
        let mut vm = Self {
            store,
            instance,
            memory,
            next_context: 1,
        };
        vm.call::<(), ()>("_initialize", ());
        vm
    }

    /// Loads a configuration. Its root context, if the module takes it.
    pub(crate) fn configure(&mut self, configuration: &str) -> Result<u32, String> {
        let root = self.new_context();
        let size = i32::try_from(configuration.len()).unwrap();
        let configuration = configuration.as_bytes().to_vec();
        self.state().roots.insert(
            root,
            Root {
                configuration,
                tick: 0,
            },
        );
        self.state().effective = root;
        let id = root.cast_signed();
        self.call::<_, ()>("proxy_on_context_create", (id, 0));
        assert_eq!(self.call::<_, i32>("proxy_on_vm_start", (id, 0)), 1);
        if self.call::<_, i32>("proxy_on_configure", (id, size)) == 1 {
            return Ok(root);
        }
        let errors = self.state().logs.iter().filter(|(level, _)| *level == 4);
        Err(errors
            .map(|(_, text)| text.as_str())
            .collect::<Vec<_>>()
            .join("\n"))
    }

    /// Unloads a configuration.
    pub(crate) fn unload(&mut self, root: u32) {
        self.callback::<_, i32>(root, "proxy_on_done", root.cast_signed());
        self.callback::<_, ()>(root, "proxy_on_delete", root.cast_signed());
        self.state().roots.remove(&root);
    }

    /// The host's side.
    pub(crate) fn state(&mut self) -> &mut State {
        self.store.data_mut()
    }

    /// Uses shared data with another VM.
    pub(crate) fn shared(&mut self) -> Arc<Mutex<SharedData>> {
        self.state().shared.clone()
    }

    /// Moves the clock.
    pub(crate) fn pass(&mut self, seconds: i64) {
        let now = self.state().now;
        self.state().now = now.wrapping_add_signed(seconds * 1_000_000_000);
    }

    /// Seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        i64::try_from(self.store.data().now / 1_000_000_000).unwrap()
    }

    /// The pages of 64 KiB that the module has.
    pub(crate) fn pages(&self) -> u64 {
        self.memory.size(&self.store)
    }

    /// A counter or gauge.
    pub(crate) fn metric(&self, name: &str) -> i64 {
        self.store
            .data()
            .metrics
            .values
            .get(name)
            .copied()
            .unwrap_or_default()
    }

    /// Ticks every root context that asked for it.
    pub(crate) fn tick(&mut self) {
        let roots: Vec<u32> = self
            .state()
            .roots
            .iter()
            .filter(|(_, r)| r.tick > 0)
            .map(|(id, _)| *id)
            .collect();
        for root in roots {
            self.callback::<_, ()>(root, "proxy_on_tick", root.cast_signed());
        }
    }

    /// Ticks for a second, however often the roots asked for it.
    pub(crate) fn second(&mut self) {
        (0..20).for_each(|_| self.tick());
    }

    /// The call-outs under way.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.store.data().calls.values().cloned().collect()
    }

    /// Ends a call-out.
    pub(crate) fn answer(&mut self, token: u32, answer: Answer) {
        let call = self
            .state()
            .calls
            .remove(&token)
            .expect("the call is under way");
        let (fields, size) = (answer.head.len(), answer.body.len());
        self.state().answer = Some(answer);
        let numbers = [fields, size].map(|n| i32::try_from(n).unwrap());
        self.callback::<_, ()>(
            call.root,
            "proxy_on_http_call_response",
            (
                call.root.cast_signed(),
                token.cast_signed(),
                numbers[0],
                numbers[1],
                0,
            ),
        );
        self.state().answer = None;
    }

    /// Answers every call-out under way, and those that follow.
    pub(crate) fn answer_all(&mut self, mut by: impl FnMut(&Call) -> Answer) {
        while let Some(call) = self.calls().first() {
            let answer = by(call);
            self.answer(call.token, answer);
        }
    }

    /// A new stream.
    pub(crate) fn open(&mut self, root: u32, stop_iteration: bool) -> u32 {
        let id = self.new_context();
        let stream = Stream {
            root,
            stop_iteration,
            ..Stream::default()
        };
        self.state().streams.insert(id, stream);
        self.state().effective = id;
        self.call::<_, ()>(
            "proxy_on_context_create",
            (id.cast_signed(), root.cast_signed()),
        );
        id
    }

    /// The head of the request has come.
    pub(crate) fn request_headers(&mut self, id: u32, head: Fields, ends: bool) {
        let request = &mut self.stream(id).request;
        (request.head, request.head_open, request.end_seen) = (head, true, ends);
        self.headers(id, true, ends);
    }

    /// A piece of the request's body has come.
    pub(crate) fn request_data(&mut self, id: u32, piece: &[u8], ends: bool) {
        if !self.is_over(id) {
            self.stream(id).request.end_seen = ends;
            self.data(id, true, piece, ends);
        }
    }

    /// The request's trailers have come.
    pub(crate) fn request_trailers(&mut self, id: u32, trailers: Fields) {
        if !self.is_over(id) {
            self.stream(id).request.end_seen = true;
            self.trailers(id, true, trailers);
        }
    }

    /// The head of the upstream's answer has come.
    pub(crate) fn response_headers(&mut self, id: u32, head: Fields, ends: bool) {
        if !self.is_over(id) {
            let response = &mut self.stream(id).response;
            (response.head, response.head_open) = (head, true);
            self.headers(id, false, ends);
        }
    }

    /// A piece of the answer's body has come.
    pub(crate) fn response_data(&mut self, id: u32, piece: &[u8], ends: bool) {
        if !self.is_over(id) {
            self.data(id, false, piece, ends);
        }
    }

    /// The answer's trailers have come.
    pub(crate) fn response_trailers(&mut self, id: u32, trailers: Fields) {
        if !self.is_over(id) {
            self.trailers(id, false, trailers);
        }
    }

    /// The filter has answered, or the stream was cut.
    pub(crate) fn is_over(&mut self, id: u32) -> bool {
        let stream = self.stream(id);
        stream.reset || stream.reply.is_some()
    }

    /// The stream ends, whole or not.
    pub(crate) fn close(&mut self, id: u32) -> Outcome {
        let number = id.cast_signed();
        self.callback::<_, ()>(id, "proxy_on_log", number);
        self.callback::<_, i32>(id, "proxy_on_done", number);
        self.callback::<_, ()>(id, "proxy_on_delete", number);
        let stream = self.state().streams.remove(&id).unwrap();
        let replied = stream.reply.is_some();
        let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Outcome {
            upstream: stream.request.out,
            client: stream.reply.unwrap_or(stream.response.out),
            replied,
            cut: stream.reset,
            properties: stream
                .properties
                .iter()
                .map(|(n, v)| (words(n), words(v)))
                .collect(),
        }
    }

    pub(crate) fn stream(&mut self, id: u32) -> &mut Stream {
        self.state()
            .streams
            .get_mut(&id)
            .expect("the stream is open")
    }

    pub(crate) fn side(&mut self, id: u32, request: bool) -> &mut Side {
        let stream = self.stream(id);
        if request {
            &mut stream.request
        } else {
            &mut stream.response
        }
    }

    /// Calls into the module about a context, then does what was asked for meanwhile.
    pub(crate) fn callback<P: WasmParams, R: WasmResults>(
        &mut self,
        context: u32,
        export: &str,
        params: P,
    ) -> R {
        self.state().effective = context;
        let result = self.call(export, params);
        for (id, what) in std::mem::take(&mut self.state().deferred) {
            self.apply(id, what);
        }
        let faults = std::mem::take(&mut self.state().faults);
        assert!(faults.is_empty(), "in {export}: {}", faults.join("; "));
        result
    }

    fn call<P: WasmParams, R: WasmResults>(&mut self, export: &str, params: P) -> R {
        let function = self
            .instance
            .get_typed_func::<P, R>(&self.store, export)
            .unwrap();
        function.call(&mut self.store, params).unwrap_or_else(|e| {
            let state = self.store.data();
            panic!(
                "{export} trapped: {e}; {:?}; log: {:#?}",
                state.faults,
                state.logs.iter().rev().take(5).collect::<Vec<_>>()
            )
        })
    }

    fn new_context(&mut self) -> u32 {
        self.next_context += 1;
        self.next_context - 1
    }
}
