//! Generates the table of RPCs: the enum `Rpc`, what the protos declare of each, and the RPC of each request message.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::{self, Write as _};

use prost_reflect::{DescriptorPool, ExtensionDescriptor, MethodDescriptor};

use crate::PACKAGE;

/// What the proto declares of an RPC.
struct Declared {
    service: String,
    request: String,
    permission: String,
    quota: String,
    is_read: bool,
}

type Rpcs = BTreeMap<String, Declared>;

/// The generated code. The build fails on an RPC without a permission or quota category, on two RPCs of one name, and on a
/// request message that two RPCs share.
pub(crate) fn generate(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    const TEXT: &str = "&'static str";
    let rpcs = declared(pool)?;
    let mut code = String::from(
        "/// An RPC that mfagate serves.\n#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]\npub enum Rpc {\n",
    );
    for (name, Declared { service, .. }) in &rpcs {
        writeln!(code, "    /// `{service}/{name}`.\n    {name},")?;
    }
    code.push_str("}\n\nimpl Rpc {\n");
    writeln!(code, "    /// Every RPC, by name.\n    pub const ALL: [Self; {}] = [", rpcs.len())?;
    for name in rpcs.keys() {
        writeln!(code, "        Self::{name},")?;
    }
    code.push_str("    ];\n\n");
    lookup(&mut code, "path", TEXT, "The path of the RPC's HTTP/2 requests.", &rpcs, |name, rpc| {
        format!("{:?}", format!("/{}/{name}", rpc.service))
    })?;
    lookup(&mut code, "name", TEXT, "The RPC's name, without its service.", &rpcs, |name, _| format!("{name:?}"))?;
    let meaning = "The permission that a caller needs, as the proto declares it.";
    lookup(&mut code, "permission", TEXT, meaning, &rpcs, |_, rpc| format!("{:?}", rpc.permission))?;
    let meaning = "The Cognito quota category that the RPC spends from, as the proto declares it.";
    lookup(&mut code, "quota", "v1::QuotaCategory", meaning, &rpcs, |_, rpc| {
        format!("v1::QuotaCategory::{}", rpc.quota)
    })?;
    let meaning = "Whether the RPC changes nothing, as the proto declares it.";
    lookup(&mut code, "is_read", "bool", meaning, &rpcs, |_, rpc| rpc.is_read.to_string())?;
    code.push_str(
        "}\n\n/// The request message of one RPC.\npub trait RpcRequest {\n    /// The RPC.\n    const RPC: Rpc;\n}\n",
    );
    for (name, Declared { request, .. }) in &rpcs {
        writeln!(code, "\nimpl RpcRequest for v1::{request} {{\n    const RPC: Rpc = Rpc::{name};\n}}")?;
    }
    Ok(code)
}

fn declared(pool: &DescriptorPool) -> Result<Rpcs, Box<dyn Error>> {
    let permission = extension(pool, "permission")?;
    let quota = extension(pool, "quota")?;
    let mut rpcs = Rpcs::new();
    for service in pool.services().filter(|service| service.package_name() == PACKAGE) {
        for method in service.methods() {
            let declared = Declared {
                service: service.full_name().to_owned(),
                request: method.input().name().to_owned(),
                permission: declared_permission(&permission, &method)?,
                quota: declared_quota(&quota, &method)?,
                is_read: is_read(&method),
            };
            if let Some((other, _)) = rpcs.iter().find(|(_, rpc)| rpc.request == declared.request) {
                return Err(format!("{} and {other} share the message {}", method.name(), declared.request).into());
            }
            if rpcs.insert(method.name().to_owned(), declared).is_some() {
                return Err(format!("two RPCs are named {}", method.name()).into());
            }
        }
    }
    Ok(rpcs)
}

/// Writes a method of `Rpc` that looks a value up.
fn lookup(
    code: &mut String,
    method: &str,
    returns: &str,
    meaning: &str,
    rpcs: &Rpcs,
    value: impl Fn(&str, &Declared) -> String,
) -> fmt::Result {
    writeln!(code, "    /// {meaning}\n    pub const fn {method}(self) -> {returns} {{\n        match self {{")?;
    for (name, rpc) in rpcs {
        writeln!(code, "            Self::{name} => {},", value(name, rpc))?;
    }
    code.push_str("        }\n    }\n\n");
    Ok(())
}

fn extension(pool: &DescriptorPool, name: &str) -> Result<ExtensionDescriptor, String> {
    let name = format!("{PACKAGE}.{name}");
    pool.get_extension_by_name(&name).ok_or_else(|| format!("the option {name} is not defined"))
}

fn declared_permission(extension: &ExtensionDescriptor, method: &MethodDescriptor) -> Result<String, String> {
    let options = method.options();
    match options.get_extension(extension).as_str() {
        Some(permission) if !permission.is_empty() => Ok(permission.to_owned()),
        _ => Err(format!("{} declares no permission", method.full_name())),
    }
}

/// The variant that prost generates for the declared category.
fn declared_quota(extension: &ExtensionDescriptor, method: &MethodDescriptor) -> Result<String, String> {
    let undeclared = || format!("{} declares no quota category", method.full_name());
    let number = method.options().get_extension(extension).as_enum_number().filter(|number| *number != 0);
    let number = number.ok_or_else(undeclared)?;
    let kind = extension.kind();
    let category = kind.as_enum().and_then(|category| category.get_value(number)).ok_or_else(undeclared)?;
    let name = category.name().strip_prefix("QUOTA_CATEGORY_").unwrap_or(category.name());
    Ok(name.split('_').map(capitalized).collect())
}

fn capitalized(word: &str) -> String {
    let mut characters = word.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters.map(|character| character.to_ascii_lowercase())).collect()
}

fn is_read(method: &MethodDescriptor) -> bool {
    // `google.protobuf.MethodOptions.IdempotencyLevel`.
    const NO_SIDE_EFFECTS: i32 = 1;
    let level = method.options().get_field_by_name("idempotency_level").and_then(|level| level.as_enum_number());
    level == Some(NO_SIDE_EFFECTS)
}
