//! Every constrained field of every request against the constraint oracle.

use std::collections::BTreeSet;

use mfagate::api::{FILE_DESCRIPTOR_SET, Rpc};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use prost_reflect::{DescriptorPool, Kind, MessageDescriptor};

use crate::support::constraint_oracle::{self as oracle, around};
use crate::support::handler_harness::HandlerHarness;
use crate::support::request_fields::{TextField, numbers, texts};

#[test]
fn every_text_enum_and_number_of_every_request_is_in_the_tables() {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let mut declared = BTreeSet::new();
    for rpc in Rpc::ALL {
        let service = pool.get_service_by_name(rpc.service()).unwrap();
        let method = service.methods().find(|method| method.name() == rpc.name()).unwrap();
        collect(rpc, &method.input(), "", &mut declared);
    }
    let texts = texts().into_iter().map(|field| (field.rpc, field.path.to_owned()));
    let numbers = numbers().into_iter().map(|field| (field.rpc, field.path.to_owned()));
    assert_eq!(texts.chain(numbers).collect::<BTreeSet<_>>(), declared);
}

fn collect(rpc: Rpc, message: &MessageDescriptor, prefix: &str, paths: &mut BTreeSet<(Rpc, String)>) {
    for field in message.fields() {
        let path = format!("{prefix}{}{}", field.name(), if field.is_list() { "[0]" } else { "" });
        match field.kind() {
            Kind::Message(inner) if inner.package_name() == "mfagate.v1" => {
                collect(rpc, &inner, &format!("{path}."), paths);
            }
            // Flags have no invalid value; the credential document has tests of its own.
            Kind::Bool | Kind::Message(_) => {}
            _ => assert!(paths.insert((rpc, path))),
        }
    }
}

#[test]
fn a_text_is_refused_exactly_where_the_constraints_refuse_it() {
    let harness = HandlerHarness::new();
    for field in texts() {
        let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(200) });
        let outcome = runner.run(&around(field.constraint), |text| {
            prop_assert_eq!((field.refused)(&harness, text.clone()), expected(&field, &text));
            Ok(())
        });
        outcome.unwrap_or_else(|error| panic!("{} {}: {error}", field.rpc.name(), field.path));
    }
}

#[test]
fn lengths_are_counted_in_characters_and_not_in_bytes() {
    let harness = HandlerHarness::new();
    for field in texts() {
        let (fewest, most) = field.constraint.length;
        let edges =
            [fewest.saturating_sub(1), fewest, fewest + 1, most.saturating_sub(1), most, most.saturating_add(1)];
        // One to four bytes; a letter and a mark on it are two.
        for filling in ['a', 'é', '中', '🦀', '\u{301}'] {
            for length in edges.into_iter().filter(|length| *length < 1 << 20) {
                let text = field.constraint.of_length(length, filling);
                let refused = (field.refused)(&harness, text.clone());
                assert_eq!(refused, expected(&field, &text), "{} with {length} {filling:?}", field.rpc.name());
            }
        }
    }
}

#[test]
fn every_character_is_refused_exactly_where_the_constraints_refuse_it() {
    let harness = HandlerHarness::new();
    let ascii = (0..128_u8).map(char::from);
    let characters: Vec<char> = ascii.chain(oracle::PRINTING.iter().chain(oracle::NON_PRINTING).copied()).collect();
    for field in texts() {
        for character in &characters {
            let good = field
                .constraint
                .of_length(field.constraint.length.0.max(field.constraint.prefix.chars().count() + 1), 'a');
            for text in [
                format!("{good}{character}"),
                format!("{character}{good}"),
                good.replacen('a', &character.to_string(), 1),
            ] {
                let refused = (field.refused)(&harness, text.clone());
                assert_eq!(refused, expected(&field, &text), "{} {} with {text:?}", field.rpc.name(), field.path);
            }
        }
    }
}

fn expected(field: &TextField, text: &str) -> Vec<String> {
    if field.constraint.allows(text) { Vec::new() } else { vec![field.path.to_owned()] }
}

#[test]
fn a_number_is_refused_exactly_where_cognito_has_no_value_for_it() {
    let harness = HandlerHarness::new();
    for field in numbers() {
        for number in (-3..30).chain([i32::MIN, i32::MAX, 256 + 2, 1 << 16 | 2]) {
            let expected = if (field.allows)(number) { Vec::new() } else { vec![field.path.to_owned()] };
            let refused = (field.refused)(&harness, number);
            assert_eq!(refused, expected, "{} {} with {number}", field.rpc.name(), field.path);
        }
    }
}
