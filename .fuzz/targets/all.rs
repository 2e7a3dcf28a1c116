//! All fuzz targets as plain functions: cargo-fuzz drives them with new inputs, and
//! `tests/fuzz_replay.rs` replays the kept ones on stable Rust.

pub mod auth_claims;
pub mod auth_der;
pub mod auth_keys;
pub mod auth_token;
pub mod choices;
pub mod exchange;
#[path = "../../tests/invariants/laws.rs"]
pub mod invariants;
pub mod params;
pub mod promql_confine;
pub mod promql_lexer;
pub mod remote_read;
pub mod respond_filter;
pub mod respond_lossless;
pub mod respond_post;
pub mod respond_stream;
pub mod write_bodies;

/// A name and what it runs.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const ALL: &[Target] = &[
    ("auth_claims", auth_claims::fuzz),
    ("auth_der", auth_der::fuzz),
    ("auth_keys", auth_keys::fuzz),
    ("auth_token", auth_token::fuzz),
    ("exchange", exchange::fuzz),
    ("params", params::fuzz),
    ("promql_confine", promql_confine::fuzz),
    ("promql_lexer", promql_lexer::fuzz),
    ("remote_read", remote_read::fuzz),
    ("respond_filter", respond_filter::fuzz),
    ("respond_lossless", respond_lossless::fuzz),
    ("respond_post", respond_post::fuzz),
    ("respond_stream", respond_stream::fuzz),
    ("write_otlp", write_bodies::otlp),
    ("write_raw", write_bodies::raw),
    ("write_v1", write_bodies::write1),
    ("write_v2", write_bodies::write2),
];

/// Runs a target by its name.
pub fn run(name: &str, data: &[u8]) {
    let found = ALL.iter().find(|(n, _)| *n == name);
    let (_, target) = found.unwrap_or_else(|| panic!("there is no target `{name}`"));
    target(data);
}
