//! A filter that makes the calls of the host that Promfence makes for a known query (scripts/profile
//! counts them), and decides nothing: what those calls cost, whatever is computed between them.

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel, MapType};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root));
}}

struct Root;
struct Stream;

impl Context for Root {}
impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let head = MapType::HttpRequestHeaders;
        let fields = hostcalls::get_map_bytes(head).unwrap();
        let path = fields.iter().find(|(n, _)| n == ":path").map(|(_, v)| v.clone()).unwrap();
        hostcalls::get_current_time().unwrap();
        for name in ["authorization", "x-forwarded-for", "x-envoy-internal"] {
            hostcalls::remove_map_value(head, name).unwrap();
        }
        for (name, value) in [("x-promfence-seal", &b"seal-of-the-bench-000"[..]), ("thanos-tenant", b"team-a"), (":path", &path)] {
            hostcalls::set_map_value_bytes(head, name, Some(value)).unwrap();
        }
        Action::Continue
    }
}

impl RootContext for Root {
    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
