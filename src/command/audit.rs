//! `mfagate audit`: the check of a chain of records, and usernames in the form of records.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

use crate::audit::{ChainCheck, ChainFinding, UsernameForm, UsernameKey};
use crate::command::assemble::ReadKeys;
use crate::command::{CommandError, print};
use crate::config::{AuditAction, AuditHash, AuditVerify};
use crate::error::chain;

/// Works with audit logs.
pub fn audit(action: AuditAction) -> Result<(), CommandError> {
    match action {
        AuditAction::Verify(options) => verify(&options),
        AuditAction::Hash(options) => hash(options),
    }
}

fn verify(options: &AuditVerify) -> Result<(), CommandError> {
    let keys = ReadKeys::read(&options.keys).map_err(|problems| CommandError::Audit(problems.join("; ")))?;
    let key = keys.chain.ok_or_else(|| {
        let missing = "give --audit-chain-key-file, or the --audit-username-key-file that the key follows from";
        CommandError::Audit(missing.to_owned())
    })?;
    let mut check = ChainCheck::new(key);
    let (mut report, mut breaks) = (String::new(), 0);
    for file in &options.files {
        breaks += verify_file(&mut check, file, &mut report)
            .map_err(|error| CommandError::Audit(format!("{}: {}", file.display(), chain(&error))))?;
    }
    let (records, unchained) = check.records();
    let last = check.last().unwrap_or("none");
    // Writing to a String cannot fail.
    let _ = writeln!(report, "{records} records, {unchained} not chained, {breaks} breaks; the next prev is {last}");
    print(&report)?;
    if breaks == 0 && unchained < records { Ok(()) } else { Err(CommandError::ChainBroken(breaks)) }
}

/// Checks a file, reports what is found, and returns the number of breaks.
fn verify_file(check: &mut ChainCheck, file: &Path, report: &mut String) -> io::Result<usize> {
    let mut breaks = 0;
    for (number, line) in BufReader::new(File::open(file)?).split(b'\n').enumerate() {
        let finding = match check.line(&line?, number == 0) {
            None => continue,
            Some(ChainFinding::Note(finding)) => format!("note: {finding}"),
            Some(ChainFinding::Break(finding)) => {
                breaks += 1;
                finding
            }
        };
        let _ = writeln!(report, "{}:{}: {finding}", file.display(), number.saturating_add(1));
    }
    Ok(breaks)
}

fn hash(options: AuditHash) -> Result<(), CommandError> {
    let AuditHash { audit_username_key_file: file, usernames } = options;
    let key = UsernameKey::read(&file)
        .map_err(|error| CommandError::Audit(format!("{}: {}", file.display(), chain(&error))))?;
    let form = UsernameForm::Hmac(key);
    let usernames = if usernames.is_empty() {
        io::stdin().lines().collect::<io::Result<_>>().map_err(CommandError::Input)?
    } else {
        usernames
    };
    let hashes = usernames.iter().filter_map(|username| form.record(username));
    print(&hashes.fold(String::new(), |hashes, hash| hashes + &format!("{hash}\n")))
}
