//! Applies the policy to one body at a time.

use super::error::WriteError;
use super::gzip::{self, GzipError};
use super::policy::BodyPolicy;
use super::protocol::Protocol;
use super::rewrite::Rewrite;
use super::snappy::{self, Packer, SnappyError};
use super::{otlp, write1, write2};
use crate::config::leaf::Size;
use crate::config::write::WriteLimits;
use crate::scope::Scope;
use crate::tenant::TenantId;

/// A body that may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the body holds.
    pub counts: Counts,
    /// What is sent on.
    pub body: Body,
}

/// What is sent on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The bytes as they came.
    Unchanged,
    /// These bytes, in the same protocol and encoding.
    Changed(Vec<u8>),
}

/// What a body holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Series; for OTLP, those that the data points become.
    pub series: u64,
    /// Samples and native histograms; for OTLP, data points.
    pub samples: u64,
    /// Exemplars.
    pub exemplars: u64,
}

impl Counts {
    pub(super) fn add(&mut self, more: Self) {
        self.series += more.series;
        self.samples += more.samples;
        self.exemplars += more.exemplars;
    }
}

impl BodyPolicy {
    /// Applies the policy to a whole body that `tenant` writes within `scope`.
    pub fn apply(
        &self,
        protocol: Protocol,
        body: &[u8],
        scope: &Scope,
        tenant: &TenantId,
    ) -> Result<Outcome, WriteError> {
        let (counts, changes) = self.walk(protocol, body, scope, tenant)?;
        let body = match changes {
            None => Body::Unchanged,
            Some(changes) => Body::Changed(changes.finish(body.to_vec())?),
        };
        Ok(Outcome { counts, body })
    }

    /// As [`Self::apply`], with a body that is given away: it ends before its successor is made.
    /// The result is what the body holds, and what is sent on.
    pub fn apply_to(
        &self,
        protocol: Protocol,
        body: Vec<u8>,
        scope: &Scope,
        tenant: &TenantId,
    ) -> Result<(Counts, Vec<u8>), WriteError> {
        match self.walk(protocol, &body, scope, tenant)? {
            (counts, None) => Ok((counts, body)),
            (counts, Some(changes)) => Ok((counts, changes.finish(body)?)),
        }
    }

    fn walk(
        &self,
        protocol: Protocol,
        body: &[u8],
        scope: &Scope,
        tenant: &TenantId,
    ) -> Result<(Counts, Option<Changes>), WriteError> {
        let limits = self.limits_of(tenant);
        within("compressed", limits.compressed, body.len() as u64)?;
        let mut judge = self.judge(scope, tenant)?;
        let decoded = match protocol {
            Protocol::WriteV1 | Protocol::WriteV2 => Some(unpack(body, limits)?),
            Protocol::OtlpGzip => Some(gunzip(body, limits)?),
            Protocol::Otlp => {
                within("decoded", limits.decoded, body.len() as u64)?;
                None
            }
        };
        let src = decoded.as_deref().unwrap_or(body);
        let rewrite = match protocol {
            Protocol::WriteV1 => write1::walk(src, &mut judge)?,
            Protocol::WriteV2 => write2::walk(src, &mut judge)?,
            Protocol::Otlp | Protocol::OtlpGzip => otlp::walk(src, &mut judge)?,
        };
        let changes = (!rewrite.is_empty()).then_some(Changes {
            protocol,
            rewrite,
            decoded,
        });
        Ok((judge.counts, changes))
    }
}

const TOO_LONG: WriteError = WriteError::Malformed("it is too long");

fn unpack(body: &[u8], limits: &WriteLimits) -> Result<Vec<u8>, WriteError> {
    let most = limits.decoded.bytes().min(Rewrite::MAX_LEN);
    snappy::decode(body, most).map_err(|e| match e {
        SnappyError::TooLarge { declared } => WriteError::TooLarge {
            limit: "decoded",
            most: most as u64,
            found: declared,
        },
        SnappyError::Corrupt => WriteError::Malformed("it is not a snappy block"),
    })
}

fn gunzip(body: &[u8], limits: &WriteLimits) -> Result<Vec<u8>, WriteError> {
    let most = limits.decoded.bytes().min(Rewrite::MAX_LEN);
    gzip::decode(body, most).map_err(|e| match e {
        GzipError::TooLarge => WriteError::TooLarge {
            limit: "decoded",
            most: most as u64,
            found: most as u64 + 1,
        },
        GzipError::Corrupt => WriteError::Malformed("it is not one plain gzip member"),
    })
}

/// What must change in a body.
struct Changes {
    protocol: Protocol,
    rewrite: Rewrite,
    /// The bytes that it is about, unless they are those that were sent.
    decoded: Option<Vec<u8>>,
}

impl Changes {
    /// Makes the new body. What is no longer needed ends before what comes next is made.
    fn finish(self, sent: Vec<u8>) -> Result<Vec<u8>, WriteError> {
        let src = match self.decoded {
            Some(decoded) => {
                drop(sent);
                decoded
            }
            None => sent,
        };
        match self.protocol {
            Protocol::WriteV1 | Protocol::WriteV2 => {
                let mut packer = Packer::new(self.rewrite.len_of(&src));
                let written = self.rewrite.write(&src, |piece| packer.put(piece));
                drop(src);
                written.and_then(|()| packer.finish())
            }
            Protocol::Otlp => self.rewrite.finish(&src),
            Protocol::OtlpGzip => {
                let new = self.rewrite.finish(&src);
                drop(src);
                new.map(|new| gzip::encode(&new))
            }
        }
        .ok_or(TOO_LONG)
    }
}

fn within(limit: &'static str, most: Size, found: u64) -> Result<(), WriteError> {
    let most = most.bytes() as u64;
    if found > most {
        return Err(WriteError::TooLarge { limit, most, found });
    }
    Ok(())
}
