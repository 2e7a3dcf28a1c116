//! The bodies of remote-write 1.0 and 2.0, OTLP and remote read: confined, governed, limited.
//!
//! A body is walked once, as bytes. What needs no change is forwarded as it came.

mod apply;
mod error;
mod gzip;
mod judge;
mod labels;
mod otlp;
mod policy;
mod protocol;
pub mod read;
mod rewrite;
mod snappy;
mod wire;
mod write1;
mod write2;

pub use apply::{Body, Counts, Outcome};
pub use error::{Fault, WriteError};
pub use policy::BodyPolicy;
pub use protocol::{Endpoint, Protocol, protocol};

#[cfg(test)]
mod tests;
