//! Compiles the protos: messages, services, the descriptor set, the table of RPCs, and `Debug` impls that redact secrets.

#[path = "build/redaction.rs"]
mod redaction;
#[path = "build/rpc_table.rs"]
mod rpc_table;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost::Message as _;

const PACKAGE: &str = "mfagate.v1";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=build");
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true).open_files(proto_files(Path::new("proto/mfagate/v1"))?)?;
    // Encoded by the compiler and not by prost-types, which would drop our method options.
    let descriptors = compiler.encode_file_descriptor_set();
    fs::write(out.join("mfagate.v1.bin"), &descriptors)?;

    let pool = compiler.descriptor_pool();
    fs::write(out.join("rpc.rs"), rpc_table::generate(&pool)?)?;
    let secret = redaction::secret_messages(&pool);
    fs::write(out.join("redacted_debug.rs"), redaction::generate(&secret)?)?;

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
