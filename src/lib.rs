//! Promfence: an HTTP filter that makes Prometheus and Thanos safe to share between tenants.
//!
//! The core is deterministic. It makes no host call, reads no clock, draws no randomness and holds
//! no global; time and keys are arguments. Only `host`, compiled for wasm32 alone, talks to Envoy.
//!
//! Dependencies point one way: `tenant, scope, grant, http <- config <- policy <- exchange <- host`.
//! `auth`, `route`, `promql`, `params`, `remote` and `respond` are pure and do not import each
//! other; `exchange` composes them.

pub mod auth;
pub mod config;
pub mod grant;
pub mod http;
pub mod params;
pub mod promql;
pub mod remote;
pub mod respond;
pub mod route;
pub mod scope;
pub mod tenant;
