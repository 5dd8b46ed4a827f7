//! Certificates, keys and authorities in files, and their reload.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mfagate::reload::Reload;
use mfagate::server::connection::tls::{ClientCertificates, TlsAcceptor, TlsError, TlsFileError, TlsFiles, TlsProblem};
use time::OffsetDateTime;
use tokio::sync::oneshot;

use super::{TestServer, check, files, write};
use crate::support::certificate_authority::{CertificateAndKey, CertificateAuthority, dns, payments};
use crate::support::disk::make_fifo;

#[tokio::test]
async fn new_files_apply_to_new_connections_and_open_connections_stay() {
    let mut server = TestServer::start(ClientCertificates::Required).await;
    let old_client = server.authority.client(payments());
    let old_channel = server.channel(Some(&old_client)).await.unwrap();
    check(&old_channel).await.unwrap();
    assert_eq!(server.acceptor.reload(), Ok(Reload::Unchanged));

    // A new server certificate of the same authority, and another authority for clients beside the old one.
    let new_clients = CertificateAuthority::new("another authority");
    let new_pair = server.authority.server();
    let both = format!("{}{}", server.authority.certificate, new_clients.certificate);
    write(&server.directory, &new_pair, &both);
    assert_eq!(server.acceptor.reload(), Ok(Reload::Replaced));
    assert_eq!(server.acceptor.reload(), Ok(Reload::Unchanged));
    check(&old_channel).await.unwrap();
    let new_channel = server.channel(Some(&new_clients.client(payments()))).await.unwrap();
    check(&new_channel).await.unwrap();

    // Without the old one, its client is let in no more.
    write(&server.directory, &new_pair, &new_clients.certificate);
    assert_eq!(server.acceptor.reload(), Ok(Reload::Replaced));
    check(&new_channel).await.unwrap();
    assert!(check(&old_channel).await.is_err());
    assert!(server.alert(Some(&old_client)).await.contains("UnknownCA"));
    let new_client = new_clients.client(payments());
    let stream = server.connect(Some(&new_client)).await.unwrap();
    assert_eq!(stream.get_ref().1.peer_certificates().unwrap()[0], new_pair.der);
    check(&new_channel).await.unwrap();
    while server.connections.try_recv().is_ok() {}
    assert!(server.seen(Some(&new_client)).await.certificate.is_some());
}

/// The two forms in which openssl writes a key that needs a passphrase.
const ENCRYPTED_PKCS_8: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIHsMFcG\n-----END ENCRYPTED PRIVATE KEY-----\n";
const ENCRYPTED_SEC_1: &str = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,C3ADCB62\n\n\
                               8TXMZQM2\n-----END EC PRIVATE KEY-----\n";

#[tokio::test]
async fn a_bad_new_certificate_is_refused_and_the_old_one_stays_in_use() {
    let mut server = TestServer::start(ClientCertificates::Required).await;
    let client = server.authority.client(payments());
    let good = server.authority.server();
    let mut mixed = server.authority.server();
    mixed.key = good.key.clone();
    let expired = server.authority.sign(vec![dns("localhost")], |params| {
        params.not_after = OffsetDateTime::now_utc() - time::Duration::DAY;
    });
    let changed = |change: fn(&mut CertificateAndKey)| {
        let mut pair = good.clone();
        change(&mut pair);
        pair
    };
    let TlsFiles { certificate, key, client_ca } = files(&server.directory);
    let client_ca = client_ca[0].file.clone();
    let ca = server.authority.certificate.clone();
    for (pair, ca, file, problem) in [
        (mixed, ca.as_str(), &key, TlsProblem::KeyMismatch),
        (expired, &ca, &certificate, TlsProblem::NotValidNow),
        (changed(|pair| pair.certificate = String::new()), &ca, &certificate, TlsProblem::NoCertificate),
        (changed(|pair| pair.certificate = pair.key.clone()), &ca, &certificate, TlsProblem::NoCertificate),
        (changed(|pair| pair.certificate.truncate(200)), &ca, &certificate, TlsProblem::NotPem),
        (changed(|pair| pair.key = String::new()), &ca, &key, TlsProblem::NoKey),
        (changed(|pair| pair.key = pair.certificate.clone()), &ca, &key, TlsProblem::NoKey),
        (changed(|pair| pair.key = ENCRYPTED_PKCS_8.to_owned()), &ca, &key, TlsProblem::EncryptedKey),
        (changed(|pair| pair.key = ENCRYPTED_SEC_1.to_owned()), &ca, &key, TlsProblem::EncryptedKey),
        (changed(|pair| pair.key = "x".repeat(1024 * 1024 + 1)), &ca, &key, TlsProblem::TooLarge),
        (good.clone(), "", &client_ca, TlsProblem::NoCertificate),
        (
            good.clone(),
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            &client_ca,
            TlsProblem::BadCertificate,
        ),
    ] {
        write(&server.directory, &pair, ca);
        let fault = TlsFileError { file: file.clone(), problem };
        assert_eq!(server.acceptor.reload(), Err(TlsError(vec![fault.clone()])));
        assert_eq!(server.acceptor.reload(), Err(TlsError(vec![fault.clone()])), "and again");
        assert_eq!(
            TlsAcceptor::load(files(&server.directory), ClientCertificates::Required).err(),
            Some(TlsError(vec![fault]))
        );
        assert!(server.seen(Some(&client)).await.certificate.is_some());
    }
    write(&server.directory, &good, &ca);
    assert_eq!(server.acceptor.reload(), Ok(Reload::Replaced));
}

#[tokio::test]
async fn an_endless_key_file_is_not_read() {
    let server = TestServer::start(ClientCertificates::Required).await;
    let key = files(&server.directory).key;
    std::fs::remove_file(&key).unwrap();
    make_fifo(&key);
    let acceptor = Arc::clone(&server.acceptor);
    // Not on a thread of the runtime, which would block on it.
    let (done, reloaded) = oneshot::channel();
    std::thread::spawn(move || done.send(acceptor.reload()));
    let reloaded = tokio::time::timeout(Duration::from_secs(30), reloaded).await;
    assert_eq!(
        reloaded.unwrap().unwrap(),
        Err(TlsError(vec![TlsFileError { file: key, problem: TlsProblem::NotAFile }]))
    );
}

#[tokio::test]
async fn every_problem_is_reported_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let faults = TlsAcceptor::load(files(&directory), ClientCertificates::Required).unwrap_err();
    let TlsFiles { certificate, key, client_ca } = files(&directory);
    let unreadable = |file| TlsFileError { file, problem: TlsProblem::Unreadable(io::ErrorKind::NotFound) };
    assert_eq!(faults.0, [certificate, key, client_ca[0].file.clone()].map(unreadable));
}

#[tokio::test]
async fn changed_files_are_noticed() {
    let server = TestServer::start(ClientCertificates::Optional).await;
    tokio::spawn(Arc::clone(&server.acceptor).watch(Duration::from_millis(1)));
    let pair = server.authority.server();
    write(&server.directory, &pair, &server.authority.certificate);
    let noticed =
        async { while server.connect(None).await.unwrap().get_ref().1.peer_certificates().unwrap()[0] != pair.der {} };
    tokio::time::timeout(Duration::from_secs(30), noticed).await.expect("the change is noticed");
}
