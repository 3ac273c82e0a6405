//! Round trips, the schema, the document's examples, and names.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const DOCUMENT: &str = include_str!("../../../docs/protocol.md");
const SCHEMA: &str = include_str!("../../../docs/protocol.schema.json");

/// The JSON lines of the document: each begins a line with `C: ` or `S: ` or stands alone in a block.
fn examples() -> (Vec<&'static str>, Vec<&'static str>) {
    let lines = |prefix: &str| DOCUMENT.lines().filter_map(|l| l.strip_prefix(prefix)).collect::<Vec<_>>();
    (lines("C: "), lines("S: "))
}

fn validator(definition: &str) -> jsonschema::Validator {
    let mut schema: Value = serde_json::from_str(SCHEMA).unwrap();
    schema.as_object_mut().unwrap().remove("anyOf");
    schema["$ref"] = format!("#/$defs/{definition}").into();
    jsonschema::validator_for(&schema).unwrap()
}

#[test]
fn the_committed_schema_is_that_of_the_types() {
    let made = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if made != SCHEMA {
        let path = std::env::temp_dir().join("protocol.schema.json");
        std::fs::write(&path, made).unwrap();
        panic!("docs/protocol.schema.json is not that of the types; the new one is {}", path.display());
    }
}

#[test]
fn the_examples_of_the_document_parse_are_valid_and_cover_every_type() {
    let (client, server) = examples();
    let (client_schema, server_schema) = (validator("ClientMessage"), validator("ServerMessage"));
    let mut types = std::collections::BTreeSet::new();
    for line in &client {
        let message = parse_client(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        let value: Value = serde_json::from_str(line).unwrap();
        assert!(client_schema.is_valid(&value), "{line}");
        assert_eq!(parse_client(&message.to_json()).unwrap(), message);
        types.insert(format!("C {}", value["type"].as_str().unwrap()));
    }
    for line in &server {
        let message = parse_server(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        let value: Value = serde_json::from_str(line).unwrap();
        assert!(server_schema.is_valid(&value), "{line}");
        assert_eq!(parse_server(&message.to_json()).unwrap(), message);
        types.insert(format!("S {}", value["type"].as_str().unwrap()));
    }
    assert_eq!(types.len(), 15 + 14, "{types:?}");
}

#[test]
fn the_document_names_every_code_reason_and_limit() {
    for code in ErrorCode::ALL {
        assert!(DOCUMENT.contains(&format!("| `{code}` |")), "{code}");
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
    }
    for reason in EndReason::ALL {
        assert!(DOCUMENT.contains(&format!("| `{reason}` |")), "{reason}");
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
    }
    assert!(DOCUMENT.contains(&format!("`letsmeet {LOGIN_CONTEXT} v1`")));
}

/// The login of the document: key seed 32 bytes of 0x07, nonce 32 bytes of 0x2a.
#[test]
fn the_example_login_of_the_document_verifies() {
    let (client, server) = examples();
    let Ok(ServerMessage::Challenge { nonce, server, .. }) = parse_server(server[0]) else {
        panic!("the first line of the server is no challenge");
    };
    let Ok(ClientMessage::Login(login)) = parse_client(client[0]) else {
        panic!("the first line of the client is no login");
    };
    use ed25519_dalek::Signer as _;
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let bytes = login_bytes(&nonce, &server, &login.name);
    let made = Signature::from_bytes(key.sign(&bytes).to_bytes());
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(nonce, Nonce::from_bytes([42; 32]));
    assert_eq!(login.key.bytes(), key.verifying_key().as_bytes(), "key");
    assert_eq!(login.signature, made, "signature");
    assert!(DOCUMENT.contains(&hex), "{hex}");
    assert!(verify_login(&nonce, &server, &login.name, &login.key, &login.signature));
    assert!(!verify_login(&nonce, "other.example", &login.name, &login.key, &login.signature));
    assert!(!verify_login(&nonce, &server, "bob", &login.key, &login.signature));
    assert!(!verify_login(&Nonce::from_bytes([0; 32]), &server, &login.name, &login.key, &login.signature));
}

#[test]
fn the_quick_way_of_parsing_and_the_general_one_agree() {
    let sdp =
        r#""type":"description","call":"00112233445566778899aabbccddeeff","kind":"offer","sdp":"v=0\r\n""#;
    let signature = "A".repeat(86);
    let quick = format!(r#"{{{sdp},"signature":"{signature}","seq":3}}"#);
    let general = format!(r#"{{"seq":3,{sdp},"signature":"{signature}"}}"#);
    assert_eq!(parse_client(&quick).unwrap(), parse_client(&general).unwrap());
    let wrong = format!(r#"{{{sdp},"signature":"{signature}","more":3}}"#);
    assert_eq!(parse_client(&wrong).unwrap_err().code, ErrorCode::Malformed);
}

#[test]
fn a_frame_of_the_server_may_be_twice_as_long_as_one_of_a_client() {
    let padded = |message: &str, length: usize| format!("{message}{}", " ".repeat(length - message.len()));
    let (list, ok) = (r#"{"type":"list"}"#, r#"{"type":"ok","re":1}"#);
    let description = format!(
        r#"{{"type":"description","call":"{}","kind":"offer","sdp":"v=0\r\n","signature":"{}"}}"#,
        "0".repeat(32),
        "A".repeat(86)
    );
    for message in [list, &description] {
        assert!(parse_client(&padded(message, MAX_FRAME)).is_ok());
        let long = parse_client(&padded(message, MAX_FRAME + 1)).unwrap_err();
        assert_eq!(long.code, ErrorCode::TooLarge);
        assert_eq!(long.message, "the frame is longer than 64 KiB");
    }
    assert!(parse_server(&padded(ok, MAX_SERVER_FRAME)).is_ok());
    let long = parse_server(&padded(ok, MAX_SERVER_FRAME + 1)).unwrap_err();
    assert_eq!(long.code, ErrorCode::TooLarge);
    assert_eq!(long.message, "the frame is longer than 128 KiB");
}

#[test]
fn what_an_error_repeats_cannot_steer_a_terminal() {
    let wrong = parse_client("{\"type\":\"list\",\"\\u001b[31m\u{202e}\":1,\"seq\":5}").unwrap_err();
    assert_eq!(wrong.re, Some(5));
    assert!(wrong.message.bytes().all(|b| (0x20..0x7f).contains(&b)), "{}", wrong.message);
}

#[test]
fn spellings_of_one_name_fold_alike() {
    for group in
        [&["Alice", "alice", "ALICE", "ａｌｉｃｅ"][..], &["ΩΜΈΓΑΣ", "ωμέγας"], &["JÜRGEN", "ju\u{308}rgen"]]
    {
        let folds: std::collections::HashSet<_> =
            group.iter().map(|n| Name::new(n).unwrap().fold()).collect();
        assert_eq!(folds.len(), 1, "{group:?}");
    }
    assert_eq!(Name::new("Alice").unwrap().as_str(), "Alice");
}

proptest! {
    #[test]
    fn no_text_makes_the_parsers_panic(text in ".{0,200}") {
        let _ = parse_client(&text);
        let _ = parse_server(&text);
        let _ = check_sdp(&text);
        let _ = check_candidate(&text, &text);
    }

    #[test]
    fn a_name_is_stable_and_harmless(text in "\\PC{1,20}|.{0,12}|[\u{0}-\u{2ff}\u{590}-\u{6ff}\u{200b}-\u{2069}]{1,8}") {
        if let Ok(name) = Name::new(&text) {
            prop_assert_eq!(Name::new(name.as_str()).unwrap(), name.clone());
            prop_assert!(name.as_str().len() <= MAX_NAME);
            prop_assert!(!name.as_str().chars().any(|c| c.is_control() || c.is_whitespace()));
            prop_assert_eq!(Fold::cursor(name.fold().as_str()), name.fold());
        }
    }

    #[test]
    fn ascii_names_take_the_short_way_to_the_same_end(text in "[!-~]{1,64}") {
        use precis_profiles::precis_core::profile::PrecisFastInvocation;
        let enforced = precis_profiles::UsernameCasePreserved::enforce(text.as_str()).unwrap();
        prop_assert_eq!(enforced.as_ref(), text.as_str());
        prop_assert_eq!(Name::new(&text).is_ok(), !text.contains(['@', '#', '/']));
    }

    #[test]
    fn ids_and_signatures_go_there_and_back(bytes in any::<[u8; 16]>(), key in any::<[u8; 32]>()) {
        let id = CallId::from_bytes(bytes);
        prop_assert_eq!(id.to_string().parse::<CallId>().unwrap(), id);
        let key = Key::from_bytes(key);
        prop_assert_eq!(key.to_string().parse::<Key>().unwrap(), key);
    }
}
