//! Why a caller is not let in.

use std::fmt;

/// Why there is no grant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AuthError {
    /// There is no credential: 401.
    Missing,
    /// The credential is not valid: 401.
    Invalid(Reason),
    /// The credential is valid, and gives no right: 403.
    Forbidden(Reason),
    /// The credential cannot be verified now: 503.
    NoKeys {
        /// Seconds after which it may be tried again.
        retry_after: u32,
    },
    /// The request says more than one thing about who calls: 400.
    Malformed(Reason),
}

impl AuthError {
    /// The reason as a metric label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Missing => "no_credential",
            Self::Invalid(reason) | Self::Forbidden(reason) | Self::Malformed(reason) => {
                reason.label()
            }
            Self::NoKeys { .. } => "no_keys",
        }
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl std::error::Error for AuthError {}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $name:ident = $label:literal,)*) => {
        /// A reason, stable as a metric label. It carries nothing of the request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])* $name,)*
        }

        impl Reason {
            /// All reasons.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The reason as a metric label.
            #[must_use]
            pub fn label(self) -> &'static str {
                match self {
                    $(Self::$name => $label,)*
                }
            }
        }
    };
}

reasons! {
    /// Two credentials, or one header twice.
    TwoCredentials = "two_credentials",
    /// A cookie's token on a request from elsewhere.
    Origin = "origin_not_allowed",
    /// An authorization scheme that is not configured.
    Scheme = "unknown_scheme",
    /// Longer than the limit.
    TooLong = "token_too_long",
    /// Not three parts of strict base64url, or not JSON.
    Encoding = "token_malformed",
    /// A header member that is refused, or of a wrong type.
    Header = "token_header",
    /// `typ` is not accepted.
    Type = "token_type",
    /// `alg` is unknown, or not allowed for the issuer.
    Algorithm = "algorithm_not_allowed",
    /// `iss` is missing or not configured.
    Issuer = "unknown_issuer",
    /// `aud` is missing, of a wrong type, or for others.
    Audience = "wrong_audience",
    /// `exp` is missing or no time.
    Expiry = "expiry_invalid",
    /// `exp` has passed.
    Expired = "token_expired",
    /// `nbf` or `iat` lies ahead or is no time.
    NotYet = "token_not_yet_valid",
    /// The token lives longer, or is older, than allowed.
    Age = "token_too_old",
    /// `azp` or `client_id` is not allowed.
    Party = "party_not_allowed",
    /// A registered claim has a wrong type.
    ClaimType = "claim_type",
    /// A required claim is missing or has another value.
    Required = "required_claim",
    /// No key fits.
    UnknownKey = "unknown_key",
    /// No key verifies the signature.
    Signature = "bad_signature",
    /// The host cannot verify this algorithm and neither can the filter.
    Unverifiable = "algorithm_unavailable",
    /// An unknown fixed secret, user or password.
    Secret = "wrong_secret",
    /// The metadata of the earlier filter is missing or broken.
    Metadata = "metadata_invalid",
    /// The certificate fits no rule.
    Certificate = "certificate_not_allowed",
    /// No claim gives a tenant.
    NoTenant = "no_tenant",
    /// A claim that gives tenants has a wrong type.
    TenantType = "tenant_claim_type",
    /// A claim gives what is no tenant's name.
    TenantName = "tenant_name",
    /// More tenants than a grant may have.
    TooManyTenants = "too_many_tenants",
    /// A claim that gives labels is missing, empty, or of a wrong type.
    Labels = "label_claim",
    /// No word gives a right.
    NoRights = "no_rights",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_unique_and_snake_case() {
        let mut labels: Vec<_> = Reason::ALL.iter().map(|r| r.label()).collect();
        assert!(
            labels
                .iter()
                .all(|l| l.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        );
        let all = labels.len();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), all);
    }
}
