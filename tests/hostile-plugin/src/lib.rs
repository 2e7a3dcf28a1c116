//! A hostile neighbour: it shares the filter's `vm_id`, and overwrites every entry of the filter's
//! in the host's shared data with forged, broken and old ones, a hundred times a second.
//!
//! Its configuration has a line for each entry: the entry's name, a space, and a forged entry in
//! hexadecimal.

use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, RootContext};
use proxy_wasm::types::{ContextType, LogLevel, MetricType};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Hostile::default()));
}}

#[derive(Default)]
struct Hostile {
    entries: Vec<Entry>,
    turn: usize,
    seen: u32,
    written: u32,
}

struct Entry {
    name: String,
    forged: Vec<u8>,
    /// The first entry of the filter's that was seen, to be played back.
    first: Option<Vec<u8>>,
}

impl Context for Hostile {}

impl RootContext for Hostile {
    fn on_configure(&mut self, _: usize) -> bool {
        let text = self.get_plugin_configuration().unwrap_or_default();
        for line in String::from_utf8_lossy(&text).lines() {
            if let Some((name, hex)) = line.split_once(' ') {
                self.entries.push(Entry {
                    name: name.to_owned(),
                    forged: bytes(hex),
                    first: None,
                });
            }
        }
        let metric = |name| hostcalls::define_metric(MetricType::Counter, name).unwrap_or_default();
        self.seen = metric("hostile.seen");
        self.written = metric("hostile.written");
        self.set_tick_period(Duration::from_millis(10));
        !self.entries.is_empty()
    }

    fn on_tick(&mut self) {
        self.turn += 1;
        for entry in &mut self.entries {
            let found = hostcalls::get_shared_data(&entry.name)
                .ok()
                .and_then(|(data, _)| data);
            // A whole entry has its keys, as JSON, after 65 bytes.
            if let Some(found) = found
                && entry.first.is_none()
                && found.get(65) == Some(&b'{')
                && found != entry.forged
            {
                let _counted = hostcalls::increment_metric(self.seen, 1);
                entry.first = Some(found);
            }
            let real = entry.first.clone().unwrap_or_default();
            let written = match self.turn % 6 {
                0 => entry.forged.clone(),
                1 => real,
                2 => real.iter().take(real.len() / 2).copied().collect(),
                3 => {
                    let mut changed = real;
                    if let Some(last) = changed.last_mut() {
                        *last ^= 1;
                    }
                    changed
                }
                4 => [b"promfence keys 1\n".as_slice(), &[0xff; 64 * 1024]].concat(),
                _ => b"junk".to_vec(),
            };
            let _lost = hostcalls::set_shared_data(&entry.name, Some(&written), None);
            let _counted = hostcalls::increment_metric(self.written, 1);
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn proxy_wasm::traits::HttpContext>> {
        Some(Box::new(Bystander))
    }
}

/// The plugin has to be in a chain of filters to be run; there it does nothing.
struct Bystander;

impl Context for Bystander {}

impl proxy_wasm::traits::HttpContext for Bystander {}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .filter_map(|i| u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok())
        .collect()
}
