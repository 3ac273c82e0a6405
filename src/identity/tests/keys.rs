//! Keys and signatures.

use proptest::prelude::*;

use super::*;

#[test]
fn the_first_test_vector_of_rfc_8032_gives_its_public_key() {
    let hex = |text: &str| -> [u8; 32] {
        let byte = |i: usize| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap();
        std::array::from_fn(byte)
    };
    let seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    let public = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    assert_eq!(Identity::from_seed(seed).public_key().as_bytes(), &public);
}

#[test]
fn a_signature_counts_for_its_purpose_message_and_key_only() {
    let (alice, bob) = (person(1), person(2));
    let signature = alice.sign("login", b"nonce");
    let key = alice.public_key();
    assert_eq!(key.verify("login", b"nonce", &signature), Ok(()));
    assert_eq!(key.verify("description", b"nonce", &signature), Err(Invalid::Mismatch));
    assert_eq!(key.verify("login", b"nonces", &signature), Err(Invalid::Mismatch));
    assert_eq!(key.verify("login", b"", &signature), Err(Invalid::Mismatch));
    assert_eq!(bob.public_key().verify("login", b"nonce", &signature), Err(Invalid::Mismatch));
}

#[test]
fn what_is_signed_is_what_the_protocol_says() {
    use ed25519_dalek::{Signer as _, SigningKey};
    let by_hand = SigningKey::from_bytes(&[1; 32]).sign(b"letsmeet login v1\0nonce");
    assert_eq!(person(1).sign("login", b"nonce").as_bytes(), &by_hand.to_bytes());
}

#[test]
fn a_fingerprint_is_the_hash_of_the_key_as_ssh_writes_it() {
    let fingerprint = person(1).public_key().fingerprint();
    assert_eq!(fingerprint, "SHA256:NHUPmL1Z/PyUbaRaqr6TO+FUpLUJThxKv0KGZQXzyX4");
}

#[test]
fn a_weak_key_is_no_key() {
    // The identity element and another point of low order: anybody can sign for these.
    let mut identity = [0; 32];
    identity[0] = 1;
    for weak in [[0; 32], identity] {
        assert_eq!(PublicKey::from_bytes(weak), Err(Invalid::Key));
    }
}

#[test]
fn texts_have_one_spelling() {
    let key = person(1).public_key().to_string();
    assert_eq!(key.len(), 43);
    for wrong in [
        format!("{key}="),
        format!(" {key}"),
        format!("{key}\n"),
        key[1..].to_owned(),
        key.replace(['-', '_'], "+") + "A",
        String::new(),
    ] {
        assert_eq!(wrong.parse::<PublicKey>(), Err(Invalid::Key), "{wrong:?}");
        assert_eq!(wrong.parse::<Signature>(), Err(Invalid::Signature), "{wrong:?}");
    }
}

#[test]
fn debug_output_does_not_show_the_private_key() {
    let identity = person(1);
    assert_eq!(format!("{identity:?}"), format!("Identity({})", identity.public_key()));
}

proptest! {
    #[test]
    fn keys_and_signatures_read_back_what_they_write(seed: [u8; 32], message: Vec<u8>) {
        let identity = Identity::from_seed(seed);
        let key = identity.public_key();
        let signature = identity.sign("test", &message);
        prop_assert_eq!(key.to_string().parse(), Ok(key));
        prop_assert_eq!(signature.to_string().parse(), Ok(signature));
        prop_assert_eq!(key.verify("test", &message, &signature), Ok(()));
        prop_assert_eq!(PublicKey::from_bytes(*key.as_bytes()), Ok(key));
    }

    #[test]
    fn a_flipped_bit_is_noticed(seed: [u8; 32], message: [u8; 16], bit in 0..512usize) {
        let identity = Identity::from_seed(seed);
        let mut bytes = *identity.sign("test", &message).as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let forged = Signature::from_bytes(bytes);
        prop_assert_eq!(identity.public_key().verify("test", &message, &forged), Err(Invalid::Mismatch));
    }

    #[test]
    fn no_text_makes_it_panic(text: String) {
        let _ = text.parse::<PublicKey>();
        let _ = text.parse::<Signature>();
    }
}
