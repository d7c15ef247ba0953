//! Whether a password is the one that a server keeps as SCRAM-SHA-256 (RFC 5802, 7677).

use sha2::{Digest as _, Sha256};

/// More rounds than anybody sets; a server that says more is not asked to keep us busy.
const MOST_ROUNDS: u32 = 1_000_000;

/// `kept` is what `pg_authid` holds: `SCRAM-SHA-256$4096:SALT$STORED:SERVER`.
pub fn is_kept(password: &str, kept: &str) -> bool {
    stored_key(password, kept).is_some_and(|(ours, theirs)| ours == theirs)
}

/// The key that follows from the password, and the one that is kept.
fn stored_key(password: &str, kept: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let (rounds_and_salt, keys) = kept.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
    let (rounds, salt) = rounds_and_salt.split_once(':')?;
    let rounds = rounds.parse().ok().filter(|rounds| (1..=MOST_ROUNDS).contains(rounds))?;
    let salted = salted(password.as_bytes(), &decode(salt)?, rounds);
    let client_key = hmac(&salted, &[b"Client Key"]);
    Some((Sha256::digest(client_key).to_vec(), decode(keys.split_once(':')?.0)?))
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut block = [0_u8; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner =
        parts.iter().fold(Sha256::new_with_prefix(block.map(|byte| byte ^ 0x36)), Sha256::chain_update);
    Sha256::new_with_prefix(block.map(|byte| byte ^ 0x5c)).chain_update(inner.finalize()).finalize().into()
}

/// PBKDF2 with one block, which is what SCRAM calls Hi.
fn salted(password: &[u8], salt: &[u8], rounds: u32) -> [u8; 32] {
    let mut last = hmac(password, &[salt, &1_u32.to_be_bytes()]);
    let mut all = last;
    for _ in 1..rounds {
        last = hmac(password, &[&last]);
        all.iter_mut().zip(last).for_each(|(sum, byte)| *sum ^= byte);
    }
    all
}

fn decode(base64: &str) -> Option<Vec<u8>> {
    let digits = base64.trim_end_matches('=');
    let mut out = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut bits, mut word) = (0, 0_u32);
    for byte in digits.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        word = (word << 6 | u32::from(digit)) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from(word >> bits & 0xff).ok()?);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::{decode, is_kept};

    /// The exchange of RFC 7677: user `user`, password `pencil`.
    #[test]
    fn knows_the_password_of_the_standard() {
        let kept = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
        assert!(is_kept("pencil", kept));
        assert!(!is_kept("pencils", kept));
    }

    #[test]
    fn what_is_no_verifier_is_no_match() {
        for kept in [
            "",
            "md5abc",
            "SCRAM-SHA-256$0:AA==$AA==:AA==",
            "SCRAM-SHA-256$9999999999:AA==$AA==:AA==",
            "SCRAM-SHA-256$4096:!$x:y",
        ] {
            assert!(!is_kept("x", kept), "{kept}");
        }
        assert_eq!(decode("aGVsbG8=").unwrap(), b"hello");
    }
}
