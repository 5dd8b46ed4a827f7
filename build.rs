//! This file compiles the protos: messages, services, the descriptor set, the table of RPCs and redacting `Debug`s.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost::Message as _;
use prost_reflect::{DescriptorPool, MessageDescriptor, MethodDescriptor};

const PACKAGE: &str = "mfagate.v1";
const PERMISSION: &str = "mfagate.v1.permission";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true).open_files(proto_files(Path::new("proto/mfagate/v1"))?)?;
    // Encoded by the compiler and not by prost-types, which would drop our method option.
    let descriptors = compiler.encode_file_descriptor_set();
    fs::write(out.join("mfagate.v1.bin"), &descriptors)?;

    let pool = compiler.descriptor_pool();
    fs::write(out.join("rpc.rs"), rpc_table(&pool)?)?;
    let secret = secret_messages(&pool);
    fs::write(out.join("redacted_debug.rs"), redacted_debug(&secret)?)?;

    tonic_prost_build::configure()
        .skip_debug(secret.iter().map(|message| message.full_name().to_owned()).collect::<Vec<_>>())
        .emit_rerun_if_changed(false)
        .compile_fds(prost_types::FileDescriptorSet::decode(descriptors.as_slice())?)?;
    Ok(())
}

fn proto_files(directory: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The enum of all RPCs. An RPC without a permission, or two RPCs of one name, end the build.
fn rpc_table(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let mut rpcs = BTreeMap::new();
    for service in pool.services().filter(|service| service.package_name() == PACKAGE) {
        for method in service.methods() {
            let permission = permission(pool, &method)?;
            if rpcs.insert(method.name().to_owned(), (service.full_name().to_owned(), permission)).is_some() {
                return Err(format!("two RPCs are named {}", method.name()).into());
            }
        }
    }

    let mut code = String::from(
        "/// An RPC that mfagate serves.\n#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]\npub enum Rpc {\n",
    );
    for (name, (service, _)) in &rpcs {
        writeln!(code, "    /// `{service}/{name}`.\n    {name},")?;
    }
    code.push_str("}\n\nimpl Rpc {\n");
    writeln!(code, "    /// Every RPC, by name.\n    pub const ALL: [Self; {}] = [", rpcs.len())?;
    for name in rpcs.keys() {
        writeln!(code, "        Self::{name},")?;
    }
    code.push_str("    ];\n\n");
    write_lookup(&mut code, "path", "The path of the RPC's HTTP/2 requests.", &rpcs, |name, (service, _)| {
        format!("/{service}/{name}")
    })?;
    write_lookup(&mut code, "name", "The RPC's name, without its service.", &rpcs, |name, _| name.to_owned())?;
    write_lookup(
        &mut code,
        "permission",
        "The permission that a caller needs, as the proto declares it.",
        &rpcs,
        |_, (_, p)| p.clone(),
    )?;
    code.push_str("}\n");
    Ok(code)
}

type Rpcs = BTreeMap<String, (String, String)>;

fn write_lookup(
    code: &mut String,
    function: &str,
    meaning: &str,
    rpcs: &Rpcs,
    value: impl Fn(&str, &(String, String)) -> String,
) -> Result<(), std::fmt::Error> {
    writeln!(code, "    /// {meaning}\n    #[must_use]\n    pub const fn {function}(self) -> &'static str {{")?;
    writeln!(code, "        match self {{")?;
    for (name, rpc) in rpcs {
        writeln!(code, "            Self::{name} => {:?},", value(name, rpc))?;
    }
    code.push_str("        }\n    }\n\n");
    Ok(())
}

fn permission(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<String, Box<dyn Error>> {
    let extension = pool.get_extension_by_name(PERMISSION).ok_or("the permission option is not defined")?;
    let options = method.options();
    let permission = options.get_extension(&extension);
    match permission.as_str() {
        Some(permission) if !permission.is_empty() => Ok(permission.to_owned()),
        _ => Err(format!("{} declares no permission", method.full_name()).into()),
    }
}

fn is_secret(field: &prost_reflect::FieldDescriptor) -> bool {
    field.options().get_field_by_name("debug_redact").and_then(|value| value.as_bool()).unwrap_or(false)
}

fn secret_messages(pool: &DescriptorPool) -> Vec<MessageDescriptor> {
    pool.all_messages()
        .filter(|message| message.package_name() == PACKAGE && message.fields().any(|field| is_secret(&field)))
        .collect()
}

/// `Debug` for the messages with a `debug_redact` field, since prost's own prints such fields.
fn redacted_debug(messages: &[MessageDescriptor]) -> Result<String, std::fmt::Error> {
    let mut code = String::new();
    for message in messages {
        let name = message.name().to_owned();
        writeln!(code, "impl ::core::fmt::Debug for {name} {{")?;
        writeln!(code, "    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{")?;
        writeln!(code, "        f.debug_struct({name:?})")?;
        for field in message.fields().filter(|field| !in_oneof(field)) {
            if is_secret(&field) {
                writeln!(code, "            .field({:?}, &\"[redacted]\")", field.name())?;
            } else {
                writeln!(code, "            .field({0:?}, &self.{0})", field.name())?;
            }
        }
        // Our oneofs hold credentials only, so a oneof is redacted whole.
        for oneof in message.oneofs().filter(|oneof| !oneof.name().starts_with('_')) {
            writeln!(code, "            .field({:?}, &\"[redacted]\")", oneof.name())?;
            let module = snake_case(&name);
            let variant = format!("{module}::{}", capitalised(oneof.name()));
            writeln!(code, "            .finish()\n    }}\n}}\n\nimpl ::core::fmt::Debug for {variant} {{")?;
            writeln!(code, "    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{")?;
            writeln!(code, "        f.debug_struct({:?})", capitalised(oneof.name()))?;
        }
        writeln!(code, "            .finish()\n    }}\n}}\n")?;
    }
    Ok(code)
}

fn in_oneof(field: &prost_reflect::FieldDescriptor) -> bool {
    field.containing_oneof().is_some_and(|oneof| !oneof.name().starts_with('_'))
}

fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (position, character) in name.chars().enumerate() {
        if character.is_uppercase() && position > 0 {
            snake.push('_');
        }
        snake.extend(character.to_lowercase());
    }
    snake
}
