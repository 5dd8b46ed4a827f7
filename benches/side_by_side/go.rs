//! Builds the façade in Go, if Go and its modules can be had.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use mfagate::api::FILE_DESCRIPTOR_SET;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use prost_types::compiler::{CodeGeneratorRequest, CodeGeneratorResponse};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::Failure;

/// The module.
const MODULE: &str = "mfagate.example/side_by_side";

const SOURCES: [(&str, &str); 3] =
    [("main.go", include_str!("go/main.go")), ("go.mod", GO_MOD), ("go.sum", include_str!("go/go.sum"))];

/// The modules and their versions.
pub(crate) const GO_MOD: &str = include_str!("go/go.mod");

/// The façade, or why there is none.
pub(crate) enum Go {
    Built { program: PathBuf, version: String },
    Missing(String),
}

/// Builds it in `directory`. What cannot be had is missing; what cannot be built fails.
pub(crate) async fn build(directory: &Path) -> Result<Go, Failure> {
    let directory = directory.join("side_by_side-go");
    fs::create_dir_all(&directory)?;
    let version = match go(&directory, &["version"], &[]).await {
        Ok(Ok(version)) => String::from_utf8(version)?.trim().to_owned(),
        Ok(Err(failure)) => return Ok(Go::Missing(failure)),
        Err(error) => return Ok(Go::Missing(format!("Go is not installed: {error}"))),
    };
    for (name, text) in SOURCES {
        fs::write(directory.join(name), text)?;
    }
    if let Err(failure) = go(&directory, &["mod", "download"], &[]).await? {
        return Ok(Go::Missing(format!("Go's modules cannot be downloaded: {failure}")));
    }
    let request = generator_request()?;
    for generator in ["protoc-gen-go", "protoc-gen-go-grpc"] {
        let response = CodeGeneratorResponse::decode(&*go(&directory, &["tool", generator], &request).await??)?;
        if let Some(error) = response.error {
            return Err(format!("{generator}: {error}").into());
        }
        for file in response.file {
            let path = directory.join(file.name());
            fs::create_dir_all(path.parent().unwrap_or(&directory))?;
            fs::write(path, file.content())?;
        }
    }
    go(&directory, &["build", "-o", "facade", "."], &[]).await??;
    Ok(Go::Built { program: directory.join("facade"), version })
}

/// Runs Go: what it prints, or says where it fails.
async fn go(directory: &Path, arguments: &[&str], input: &[u8]) -> io::Result<Result<Vec<u8>, String>> {
    let mut child = Command::new("go")
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // It may end without reading.
        let _: io::Result<()> = stdin.write_all(input).await;
    }
    let output = child.wait_with_output().await?;
    if output.status.success() {
        return Ok(Ok(output.stdout));
    }
    Ok(Err(format!("go {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim())))
}

/// What protoc would ask of its plugins: the messages and services of our protos.
fn generator_request() -> Result<Vec<u8>, Failure> {
    let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET)?.file;
    let ours = files.iter().map(|file| file.name().to_owned()).filter(|name| name.starts_with("mfagate/"));
    let ours: Vec<String> = ours.collect();
    let packages = ours.iter().map(|name| format!("M{name}={MODULE}/mfagate/v1"));
    let parameter: Vec<String> = std::iter::once(format!("module={MODULE}")).chain(packages).collect();
    let request = CodeGeneratorRequest {
        file_to_generate: ours.clone(),
        parameter: Some(parameter.join(",")),
        proto_file: files,
        ..Default::default()
    };
    Ok(request.encode_to_vec())
}
