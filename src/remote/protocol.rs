//! Which protocol the headers of a write declare, read as narrowly as the strictest receiver.

use super::error::WriteError;

/// Where a write goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Remote-write.
    RemoteWrite,
    /// OTLP over HTTP.
    Otlp,
}

/// The declared form of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Remote-write 1.0: `prometheus.WriteRequest`, snappy.
    WriteV1,
    /// Remote-write 2.0: `io.prometheus.write.v2.Request`, snappy.
    WriteV2,
    /// OTLP metrics as protobuf.
    Otlp,
    /// OTLP metrics as protobuf in one gzip member.
    OtlpGzip,
}

/// Reads `content-type`, `content-encoding` and `x-prometheus-remote-write-version`.
///
/// Only the spellings that every receiver reads alike are taken: Prometheus, for one, takes
/// `application/x-protobuf; proto=..` with a space for version 1.0. An absent content type or
/// encoding means remote-write 1.0 and snappy, as Prometheus and Receive have it. Anything else
/// is 415.
pub fn protocol(
    content_type: Option<&[u8]>,
    encoding: Option<&[u8]>,
    version: Option<&[u8]>,
    endpoint: Endpoint,
) -> Result<Protocol, WriteError> {
    match endpoint {
        Endpoint::RemoteWrite => remote_write(content_type, encoding, version),
        Endpoint::Otlp => otlp(content_type, encoding),
    }
}

fn remote_write(
    content_type: Option<&[u8]>,
    encoding: Option<&[u8]>,
    version: Option<&[u8]>,
) -> Result<Protocol, WriteError> {
    let declared = match content_type {
        None
        | Some(
            b"application/x-protobuf" | b"application/x-protobuf;proto=prometheus.WriteRequest",
        ) => Protocol::WriteV1,
        Some(b"application/x-protobuf;proto=io.prometheus.write.v2.Request") => Protocol::WriteV2,
        Some(_) => {
            return Err(WriteError::Unsupported(
                "content type not supported: send `application/x-protobuf`, for remote-write 2.0 with `;proto=io.prometheus.write.v2.Request`",
            ));
        }
    };
    if !matches!(encoding, None | Some(b"snappy")) {
        return Err(WriteError::Unsupported(
            "content encoding not supported: send `snappy` (block format)",
        ));
    }
    let fits = match (version, declared) {
        (None, _) => true,
        (Some(v), Protocol::WriteV2) => v.starts_with(b"2."),
        (Some(v), _) => v.starts_with(b"0.1.") || v.starts_with(b"1."),
    };
    if fits {
        Ok(declared)
    } else {
        Err(WriteError::Unsupported(
            "the content type and `x-prometheus-remote-write-version` name different protocols: send `0.1.0` for remote-write 1.0 and `2.0.0` for 2.0",
        ))
    }
}

fn otlp(content_type: Option<&[u8]>, encoding: Option<&[u8]>) -> Result<Protocol, WriteError> {
    match content_type {
        Some(b"application/x-protobuf") => {}
        Some(b"application/json") => {
            return Err(WriteError::Unsupported(
                "OTLP in JSON is not supported: let the exporter send `application/x-protobuf`",
            ));
        }
        Some(_) | None => {
            return Err(WriteError::Unsupported(
                "content type not supported: send `application/x-protobuf`",
            ));
        }
    }
    match encoding {
        None => Ok(Protocol::Otlp),
        Some(b"gzip") => Ok(Protocol::OtlpGzip),
        Some(_) => Err(WriteError::Unsupported(
            "content encoding not supported: send `gzip` or none",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        content_type: Option<&str>,
        encoding: Option<&str>,
        version: Option<&str>,
        endpoint: Endpoint,
    ) -> Option<Protocol> {
        let result = protocol(
            content_type.map(str::as_bytes),
            encoding.map(str::as_bytes),
            version.map(str::as_bytes),
            endpoint,
        );
        if let Err(e) = &result {
            assert_eq!(e.status(), 415);
        }
        result.ok()
    }

    const PB: Option<&str> = Some("application/x-protobuf");
    const V2: Option<&str> = Some("application/x-protobuf;proto=io.prometheus.write.v2.Request");
    const SNAPPY: Option<&str> = Some("snappy");

    #[test]
    fn the_headers_of_known_senders_are_read() {
        let write = Endpoint::RemoteWrite;
        for version in [None, Some("0.1.0"), Some("1.0.0")] {
            assert_eq!(read(PB, SNAPPY, version, write), Some(Protocol::WriteV1));
        }
        assert_eq!(read(None, None, None, write), Some(Protocol::WriteV1));
        for version in [None, Some("2.0.0"), Some("2.0-rc.4")] {
            assert_eq!(read(V2, SNAPPY, version, write), Some(Protocol::WriteV2));
        }
        assert_eq!(read(PB, None, None, Endpoint::Otlp), Some(Protocol::Otlp));
        assert_eq!(
            read(PB, Some("gzip"), None, Endpoint::Otlp),
            Some(Protocol::OtlpGzip)
        );
    }

    #[test]
    fn what_receivers_read_differently_is_refused() {
        let write = Endpoint::RemoteWrite;
        for content_type in [
            "application/x-protobuf; proto=io.prometheus.write.v2.Request",
            "application/x-protobuf;proto=io.prometheus.write.v2.Request;proto=prometheus.WriteRequest",
            "application/x-protobuf;proto=io.prometheus.write.v3.Request",
            "Application/X-Protobuf",
            "application/json",
            "",
        ] {
            assert_eq!(read(Some(content_type), SNAPPY, None, write), None);
        }
        for encoding in ["zstd", "gzip", "Snappy", "snappy,snappy", "identity", ""] {
            assert_eq!(read(PB, Some(encoding), None, write), None, "{encoding}");
        }
        assert_eq!(read(PB, SNAPPY, Some("2.0.0"), write), None);
        assert_eq!(read(V2, SNAPPY, Some("0.1.0"), write), None);
        assert_eq!(read(PB, SNAPPY, Some("3"), write), None);
    }

    #[test]
    fn otlp_in_json_or_another_encoding_is_refused() {
        let json = Some("application/json");
        assert_eq!(read(json, None, None, Endpoint::Otlp), None);
        assert_eq!(read(None, None, None, Endpoint::Otlp), None);
        for encoding in ["zstd", "snappy", "gzip, gzip", "deflate"] {
            assert_eq!(read(PB, Some(encoding), None, Endpoint::Otlp), None);
        }
    }
}
