//! Time-based one-time passwords: RFC 6238 with SHA-1, 30 seconds, 6 digits.

use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;

/// Seconds for which a code is current.
const STEP: u64 = 30;

/// The code of a base32 secret at a time in seconds, `None` if the secret is not base32.
pub(crate) fn code(secret: &str, at: u64) -> Option<String> {
    code_of_step(secret, at / STEP)
}

/// The earliest time from `at` on whose code was not used.
pub(crate) fn unused_at(at: u64, used: Option<u64>) -> u64 {
    used.map_or(at, |used| at.max(used.saturating_add(1).saturating_mul(STEP)))
}

/// How long after `at` the code of a later time is accepted.
pub(crate) fn accepted_in(at: u64, later: u64) -> u64 {
    (later / STEP).saturating_sub(1).saturating_mul(STEP).saturating_sub(at)
}

/// The step of this code, if it is within one step of now and later than `used`.
///
/// A used step is never accepted again, nor one before it (RFC 6238, section 5.2).
pub(crate) fn accepted_step(secret: &str, code: &str, at: u64, used: Option<u64>) -> Option<u64> {
    matching_step(secret, code, at).filter(|step| used.is_none_or(|used| *step > used))
}

/// The step of this code within one step of now, used or not.
pub(crate) fn matching_step(secret: &str, code: &str, at: u64) -> Option<u64> {
    let now = at / STEP;
    (now.saturating_sub(1)..=now + 1).find(|step| code_of_step(secret, *step).is_some_and(|expected| expected == code))
}

fn code_of_step(secret: &str, step: u64) -> Option<String> {
    let secret = BASE32_NOPAD.decode(secret.as_bytes()).ok()?;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &secret);
    let digest = hmac::sign(&key, &step.to_be_bytes());
    let digest = digest.as_ref();
    let offset = usize::from(digest.last()? & 0x0F);
    let chosen = digest.get(offset..offset + 4)?.try_into().ok()?;
    let number = u32::from_be_bytes(chosen) & 0x7FFF_FFFF;
    Some(format!("{:06}", number % 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "12345678901234567890" of RFC 6238, appendix B.
    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        for (at, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(SECRET, at).as_deref(), Some(expected), "at {at}");
        }
    }

    #[test]
    fn t1_one_step_either_way_is_accepted_and_two_are_not() {
        let now = 1_111_111_111;
        for (offset, accepted) in [(-60, false), (-30, true), (0, true), (30, true), (60, false)] {
            let code = code(SECRET, now + 1_000).unwrap();
            let at = (now + 1_000).checked_add_signed(offset).unwrap();
            assert_eq!(matching_step(SECRET, &code, at).is_some(), accepted, "offset {offset}");
        }
    }

    #[test]
    fn the_code_after_a_used_one_is_accepted_at_once_and_the_one_after_that_a_step_later() {
        let now = 1_111_111_110;
        let step = now / STEP;
        assert_eq!(unused_at(now + 7, None), now + 7);
        assert_eq!(unused_at(now + 7, Some(step - 1)), now + 7);
        let next = unused_at(now + 7, Some(step));
        assert_eq!((next, accepted_in(now + 7, next)), (now + 30, 0));
        let after = unused_at(now + 7, Some(step + 1));
        assert_eq!((after, accepted_in(now + 7, after)), (now + 60, 23));
        assert!(accepted_in(now, unused_at(now, Some(u64::MAX))) > 0);
    }

    #[test]
    fn a_used_step_and_those_before_it_are_never_accepted_again() {
        let now = 1_111_111_111;
        let current = code(SECRET, now).unwrap();
        let step = accepted_step(SECRET, &current, now, None).unwrap();
        assert_eq!(accepted_step(SECRET, &current, now, Some(step)), None);
        let before = code(SECRET, now - 30).unwrap();
        assert_eq!(accepted_step(SECRET, &before, now, Some(step)), None);
        let after = code(SECRET, now + 30).unwrap();
        assert_eq!(accepted_step(SECRET, &after, now, Some(step)), Some(step + 1));
    }
}
