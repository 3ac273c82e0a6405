//! The verification code.

use super::*;

const A: &str =
    "sha-256 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:3E:4B:65:2E:7D:46:3F:54:42:CD:54:F1";
const B: &str =
    "sha-256 12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:3E:4B";

#[test]
fn both_sides_see_the_same_code() {
    let code = verification_code(A, B);
    assert_eq!(code, verification_code(B, A));
    assert_eq!(code, verification_code(&A.to_lowercase(), &format!(" {B}\r\n")));
    assert_eq!(code, "7851 5032 0417 2314");
}

#[test]
fn another_certificate_gives_another_code() {
    let code = verification_code(A, B);
    for other in [A, "", "sha-256 12"] {
        assert_ne!(verification_code(A, other), code);
    }
    // Where one fingerprint ends and the other begins matters.
    assert_ne!(verification_code("AB", "C"), verification_code("A", "BC"));
}

#[test]
fn a_code_is_four_groups_of_four_digits() {
    for n in 0..20 {
        let code = verification_code(A, &n.to_string());
        let groups: Vec<_> = code.split(' ').collect();
        assert_eq!(groups.len(), 4, "{code}");
        assert!(groups.iter().all(|g| g.len() == 4 && g.bytes().all(|b| b.is_ascii_digit())), "{code}");
    }
}
