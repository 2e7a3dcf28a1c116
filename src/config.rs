//! The configuration as an operator writes it.

pub mod error;
pub mod leaf;
pub mod write;
