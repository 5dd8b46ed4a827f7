//! What an operator would want to know about a configuration that is valid: `serve` starts with it, and `check` says it.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::audit::AuditTarget;
use crate::config::{AuditUsername, Serve};
use crate::reload::file;

/// The bits of a mode that let everybody read, and everybody write.
const WORLD_READABLE: u32 = 0o004;
const WORLD_WRITABLE: u32 = 0o002;

/// More than any key has.
const MAX_KEY_BYTES: u64 = 8192;

/// The warnings, each a sentence. What cannot be read is an error elsewhere.
pub(super) fn warnings(options: &Serve) -> Vec<String> {
    let mut warnings = Vec::new();
    let keys = &options.audit.keys;
    let username_key = keys.audit_username_key_file.as_ref();
    let username_key = username_key.filter(|_| options.audit.audit_username == AuditUsername::Hmac);
    let audit_keys: Vec<_> = username_key.into_iter().chain(&keys.audit_chain_key_file).collect();
    for key in options.tls.tls_key.iter().chain(audit_keys.iter().copied()) {
        if mode(key) & WORLD_READABLE != 0 {
            warnings.push(format!("{}: everybody on this machine can read the key", key.display()));
        }
    }
    for file in audit_keys.into_iter().filter(|file| is_one_byte_repeated(file)) {
        warnings.push(format!("{}: the key is one byte repeated, so anybody can guess it", file.display()));
    }
    for file in trusted_files(options) {
        if mode(&file) & WORLD_WRITABLE != 0 {
            warnings.push(format!("{}: everybody on this machine can change it", file.display()));
        }
    }
    if let AuditTarget::File(path) = &options.audit.audit_log {
        let kind = fs::metadata(path).map(|metadata| metadata.file_type());
        if kind.is_ok_and(|kind| kind.is_char_device() || kind.is_block_device()) {
            warnings.push(format!("{}: the audit log is a device, which keeps no record", path.display()));
        }
    }
    if options.common.max_deadline < options.common.default_deadline {
        warnings.push("--max-deadline is shorter than --default-deadline, which never applies".to_owned());
    }
    if let Some(store) = options.common.quotas.quota_store.as_ref().filter(|url| url.is_plaintext_beyond_loopback()) {
        warnings.push(format!(
            "--quota-store {store} is not encrypted: others on the network can use up the quotas; use rediss://"
        ));
    }
    if options.common.drain_timeout < options.common.operation_timeout {
        warnings.push(
            "--drain-timeout is shorter than --operation-timeout: a shutdown aborts calls that are within their limit"
                .to_owned(),
        );
    }
    if !options.tls.tls_client_ca.is_empty()
        && options.jwt.jwt_issuer.is_some()
        && options.jwt.jwt_caller_prefix.is_none()
    {
        warnings.push(
            "certificates and tokens share the names of callers; --jwt-caller-prefix keeps them apart".to_owned(),
        );
    }
    if options.tls.plaintext_behind_mesh && options.tls.tls_certificate.is_some() {
        warnings.push("--plaintext-behind-mesh has no effect beside --tls-certificate".to_owned());
    }
    warnings
}

/// The files that decide who may do what, and the record of it. The directory of the policies decides as well.
fn trusted_files(options: &Serve) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = options.policies.iter().chain(&options.entities).cloned().collect();
    if let Some(directory) = &options.policies {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
        files.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "cedar")));
    }
    let Serve { tls, jwt, audit, .. } = options;
    files.extend(tls.tls_certificate.iter().chain(&tls.tls_key).chain(&jwt.jwks_file).cloned());
    files.extend(tls.tls_client_ca.iter().map(|ca| ca.file.clone()));
    files.extend(audit.keys.audit_username_key_file.iter().chain(&audit.keys.audit_chain_key_file).cloned());
    if let AuditTarget::File(path) = &audit.audit_log
        && fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
    {
        files.push(path.clone());
    }
    files.sort();
    files.dedup();
    files
}

/// The permissions of a file, none if it has none to be read.
fn mode(path: &Path) -> u32 {
    fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode())
}

fn is_one_byte_repeated(path: &Path) -> bool {
    let mut bytes = Vec::new();
    let Ok(Some(file)) = file::open(path) else { return false };
    if file.take(MAX_KEY_BYTES).read_to_end(&mut bytes).is_err() {
        return false;
    }
    let key = bytes.trim_ascii_end();
    key.first().is_some_and(|first| key.iter().all(|byte| byte == first))
}
