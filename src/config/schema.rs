//! The JSON Schema of the leaves: what their parsers take, as far as a schema can say it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::HeaderName;
use super::auth::{Reach, Words};
use super::leaf::{Count, Duration, Secret, Size};
use crate::tenant::{LabelName, TenantId, TenantPattern};

macro_rules! leaf {
    ($($name:ident: $schema:tt;)*) => {$(
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

leaf! {
    TenantId: {
        "type": "string",
        "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$"
    };
    TenantPattern: {
        "type": "string",
        "pattern": "^[A-Za-z0-9*][A-Za-z0-9_.*-]{0,127}$",
        "not": { "pattern": "\\*\\*" }
    };
    LabelName: {
        "type": "string",
        "pattern": "^[a-zA-Z_][a-zA-Z0-9_]{0,127}$"
    };
    HeaderName: {
        "type": "string",
        "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$"
    };
    Duration: {
        "anyOf": [
            { "type": "string", "pattern": "^[0-9]+(\\.[0-9]*)?(ms|s|m|h|d)$" },
            { "type": "number", "minimum": 0, "maximum": 1e9 }
        ]
    };
    Size: {
        "anyOf": [
            { "type": "string", "pattern": "^[0-9]+(\\.[0-9]*)?(B|KiB|MiB|GiB)?$" },
            { "type": "number", "minimum": 0, "maximum": 1_073_741_824, "multipleOf": 1 }
        ]
    };
    Count: {
        "type": "number",
        "minimum": 0,
        "maximum": 1e9,
        "multipleOf": 1
    };
    Secret: {
        "anyOf": [
            { "type": "string", "minLength": 1 },
            {
                "type": "object",
                "properties": { "env": { "type": "string" } },
                "required": ["env"],
                "additionalProperties": false
            }
        ]
    };
    Words: {
        "anyOf": [
            { "type": "string" },
            { "type": "array", "items": { "type": "string" } }
        ]
    };
    Reach: {
        "anyOf": [
            { "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$" },
            {
                "type": "array",
                "minItems": 1,
                "items": { "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$" }
            }
        ]
    };
}
