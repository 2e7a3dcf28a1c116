//! Promfence: an HTTP filter that makes Prometheus and Thanos safe to share between tenants.
//!
//! The core is deterministic. It makes no host call, reads no clock, draws no randomness and holds
//! no global; time and keys are arguments. Only `host`, compiled for wasm32 alone, talks to Envoy.
//!
//! Dependencies point one way: `tenant, scope, grant, http <- config <- policy <- exchange <- host`.
//! `auth`, `route`, `promql`, `params`, `remote` and `respond` are pure and do not import each
//! other (but for the names of endpoints, which `params` takes from `route`); `exchange` composes
//! them.

pub mod auth;
pub mod budget;
#[cfg(feature = "command")]
pub mod command;
pub mod config;
pub mod deny;
pub mod exchange;
pub mod grant;
#[cfg(target_arch = "wasm32")]
mod host;
pub mod http;
pub mod params;
pub mod policy;
pub mod promql;
pub mod remote;
pub mod respond;
pub mod route;
pub mod scope;
pub mod tally;
pub mod tenant;
