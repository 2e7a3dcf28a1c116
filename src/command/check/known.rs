//! Names of HTTP filters that Envoy and Istio know.

/// What is known of a name that an `EnvoyFilter` uses as its anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// It is in every chain.
    Always,
    /// Istio puts it into every chain of a gateway today, and promises nothing.
    Usual,
    /// It is there only where something asks for it.
    Optional,
    /// No filter is called so.
    Unknown,
}

/// Classifies the name of a filter.
pub(super) fn anchor(name: &str) -> Anchor {
    if name == ROUTER {
        Anchor::Always
    } else if USUAL.contains(&name) {
        Anchor::Usual
    } else if ISTIO.contains(&name)
        || name
            .strip_prefix("envoy.filters.http.")
            .is_some_and(|n| ENVOY.contains(&n))
    {
        Anchor::Optional
    } else {
        Anchor::Unknown
    }
}

/// The last filter of every chain.
pub(super) const ROUTER: &str = "envoy.filters.http.router";

const USUAL: &[&str] = &[
    "envoy.filters.http.cors",
    "envoy.filters.http.fault",
    "envoy.filters.http.grpc_stats",
    "istio.metadata_exchange",
    "istio.stats",
];

const ISTIO: &[&str] = &["istio.alpn", "istio_authn", "istio.peer_metadata"];

const ENVOY: &[&str] = &[
    "a2a",
    "adaptive_concurrency",
    "admission_control",
    "alternate_protocols_cache",
    "api_key_auth",
    "aws_lambda",
    "aws_request_signing",
    "bandwidth_limit",
    "basic_auth",
    "buffer",
    "cache",
    "cache_v2",
    "cdn_loop",
    "composite",
    "compressor",
    "connect_grpc_bridge",
    "cors",
    "credential_injector",
    "csrf",
    "custom_response",
    "decompressor",
    "dynamic_forward_proxy",
    "dynamic_modules",
    "ext_authz",
    "ext_proc",
    "fault",
    "file_server",
    "file_system_buffer",
    "gcp_authn",
    "geoip",
    "golang",
    "grpc_field_extraction",
    "grpc_http1_bridge",
    "grpc_http1_reverse_bridge",
    "grpc_json_reverse_transcoder",
    "grpc_json_transcoder",
    "grpc_stats",
    "grpc_web",
    "header_mutation",
    "header_to_metadata",
    "health_check",
    "ip_tagging",
    "json_to_metadata",
    "jwt_authn",
    "kill_request",
    "language",
    "local_ratelimit",
    "lua",
    "match_delegate",
    "mcp",
    "mcp_router",
    "oauth2",
    "on_demand",
    "original_src",
    "peer_metadata",
    "proto_api_scrubber",
    "proto_message_extraction",
    "rate_limit_quota",
    "ratelimit",
    "rbac",
    "set_filter_state",
    "set_metadata",
    "sse_to_metadata",
    "stateful_session",
    "sxg",
    "tap",
    "thrift_to_metadata",
    "upstream_codec",
    "wasm",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_no_filter() {
        assert_eq!(anchor("envoy.filters.http.router"), Anchor::Always);
        assert_eq!(anchor("envoy.filters.http.jwt_authn"), Anchor::Optional);
        assert_eq!(anchor("envoy.filters.http.fault"), Anchor::Usual);
        for typo in [
            "envoy.router",
            "envoy.filters.http.routr",
            "envoy.filters.http.jwt-authn",
            "",
        ] {
            assert_eq!(anchor(typo), Anchor::Unknown, "{typo}");
        }
    }
}
