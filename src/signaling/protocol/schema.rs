//! The JSON Schema of the protocol, made from the types.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::{ClientMessage, ServerMessage, WellKnown};

/// One document (draft 2020-12) with `$defs` `ClientMessage`, `ServerMessage` and `WellKnown`.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let client = generator.subschema_for::<ClientMessage>();
    let server = generator.subschema_for::<ServerMessage>();
    generator.subschema_for::<WellKnown>();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "letsmeet signaling protocol, version 1",
        "description": "One text frame in either direction. docs/protocol.md is the specification.",
        "anyOf": [client, server],
        "$defs": generator.take_definitions(true),
    })
}
