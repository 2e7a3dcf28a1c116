//! The configuration as an operator writes it.

pub mod auth;
pub mod error;
pub mod leaf;
