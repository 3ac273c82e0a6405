//! The committed schema of the report is that of its types, and a real report is valid under it.

use std::fs;
use std::path::Path;

use letsmeet::cli::output::report::Report;
use letsmeet::cli::output::series::Document;
use serde_json::Value;

const COMMITTED: &str = include_str!("../../docs/report.schema.json");
const SERIES: &str = include_str!("../../docs/series.schema.json");

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    let all = [
        ("report.schema.json", COMMITTED, Report::schema()),
        ("series.schema.json", SERIES, Document::schema()),
    ];
    for (name, committed, schema) in all {
        let made = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if made != committed {
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
            fs::write(&path, made).unwrap();
            panic!("docs/{name} is not that of the types; the new one is {}", path.display());
        }
    }
}

#[test]
fn a_report_is_valid_and_an_unknown_field_is_not() {
    let schema: Value = serde_json::from_str(COMMITTED).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut report = serde_json::to_value(Report::empty("call")).unwrap();
    assert!(validator.is_valid(&report));
    report["surprise"] = 1.into();
    assert!(!validator.is_valid(&report));
}
