//! Codes by SMS and e-mail, which go to the outbox instead.

use std::time::Duration;

use crate::operation::call::Call;
use crate::protocol::{Failure, timestamp};
use crate::random;
use crate::state::Letter;
use crate::state::user::{Factor, User};

/// A code that was sent.
pub(super) struct Sent {
    pub(super) code: String,
    pub(super) medium: &'static str,
    /// The destination as Cognito shows it, mostly hidden.
    pub(super) masked: String,
}

/// The medium of a factor's codes and the attribute with their destination.
pub(super) const fn channel(factor: Factor) -> Option<(&'static str, &'static str)> {
    match factor {
        Factor::Sms => Some(("SMS", "phone_number")),
        Factor::Email => Some(("EMAIL", "email")),
        Factor::SoftwareToken | Factor::WebAuthn => None,
    }
}

pub(super) fn send(call: &mut Call<'_>, pool_id: &str, user: &User, factor: Factor) -> Result<Sent, Failure> {
    let no_address = || Failure::internal("a code has no address to go to");
    let (medium, attribute) = channel(factor).ok_or_else(no_address)?;
    let destination = user.attribute(attribute).ok_or_else(no_address)?.to_owned();
    let code = random::code()?;
    let sent_at: Duration = call.state.now();
    let masked = mask(&destination);
    call.state.send(Letter {
        user_pool_id: pool_id.to_owned(),
        username: user.username.clone(),
        delivery_medium: medium.to_owned(),
        destination,
        code: code.clone(),
        sent_at: timestamp(sent_at),
    });
    Ok(Sent { code, medium, masked })
}

/// Masks a phone number as `+*******0100` and an e-mail address as `t***@e***`.
fn mask(destination: &str) -> String {
    if let Some((name, domain)) = destination.split_once('@') {
        let first = |text: &str| text.chars().take(1).collect::<String>();
        return format!("{}***@{}***", first(name), first(domain));
    }
    let digits = destination.chars().count();
    let shown = |(index, character)| {
        if index == 0 || index + 4 >= digits { character } else { '*' }
    };
    destination.chars().enumerate().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_mostly_hidden() {
        assert_eq!(mask("+12065550100"), "+*******0100");
        assert_eq!(mask("testuser@example.com"), "t***@e***");
    }
}
