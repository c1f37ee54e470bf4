//! A target's TLS settings into a rustls configuration with libpq's meaning:
//! what is checked depends on `sslmode` and on whether a root certificate is
//! there (`initialize_SSL`, fe-secure-openssl.c).

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Error;
use super::target::{Host, Roots, SslMode, Tls, TlsVersion};

/// Read certificates and keys and make what the driver connects with.
pub(super) fn connector(tls: &Tls) -> Result<MakeRustlsConnect, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let versions: Vec<&'static SupportedProtocolVersion> =
        [(TlsVersion::V1_2, &rustls::version::TLS12), (TlsVersion::V1_3, &rustls::version::TLS13)]
            .into_iter()
            .filter(|(version, _)| {
                tls.oldest.is_none_or(|oldest| *version >= oldest)
                    && tls.newest.is_none_or(|newest| *version <= newest)
            })
            .map(|(_, version)| version)
            .collect();
    let verifier = Verifier::new(tls, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(|_| Error::BadTarget {
            reason: "ssl_min_protocol_version is above ssl_max_protocol_version".to_owned(),
        })?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match &tls.client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates("client certificate", certificate)?;
            refuse_open_key(key)?;
            let private = PrivateKeyDer::from_pem_slice(&read("client key", key)?).map_err(|error| {
                Error::BadCertificateFile {
                    what: "client key",
                    path: key.clone(),
                    reason: format!("{error}; it must be PEM and not encrypted"),
                }
            })?;
            builder.with_client_auth_cert(chain, private).map_err(|error| Error::BadCertificateFile {
                what: "client certificate",
                path: certificate.clone(),
                reason: error.to_string(),
            })?
        }
    };
    config.enable_sni = tls.server_name;
    if tls.direct {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(MakeRustlsConnect::new(config))
}

/// Why a handshake failed, where the certificate is to blame.
pub(super) fn blame(error: &rustls::Error, host: &Host) -> Option<Error> {
    let at = host.to_string();
    let rustls::Error::InvalidCertificate(cause) = error else { return None };
    Some(match cause {
        CertificateError::NotValidForName => {
            Error::WrongName { at, host: host.name().to_owned(), presented: Vec::new() }
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            Error::WrongName { at, host: host.name().to_owned(), presented: presented.clone() }
        }
        CertificateError::UnknownIssuer => {
            Error::Untrusted { at, reason: "no known authority signed it".to_owned() }
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Error::Untrusted { at, reason: "it has expired".to_owned() }
        }
        CertificateError::Revoked => Error::Untrusted { at, reason: "it was revoked".to_owned() },
        other => Error::Untrusted { at, reason: other.to_string() },
    })
}

/// Checks a server's certificate as far as the mode asks for.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// `None`: no root certificate is there, so any certificate will do.
    chain: Option<Arc<WebPkiServerVerifier>>,
    roots: Vec<CertificateDer<'static>>,
    name: bool,
}

impl Verifier {
    fn new(tls: &Tls, provider: &Arc<CryptoProvider>) -> Result<Self, Error> {
        let roots = match &tls.roots {
            Roots::None => Vec::new(),
            Roots::File(path) => certificates("root certificate", path)?,
            Roots::System => rustls_native_certs::load_native_certs().certs,
        };
        let chain = match &tls.roots {
            Roots::None => None,
            source => {
                let path = match source {
                    Roots::File(path) => path.clone(),
                    _ => "system".into(),
                };
                let mut store = RootCertStore::empty();
                store.add_parsable_certificates(roots.iter().cloned());
                let revoked = tls.revoked.as_deref().map(revocations).transpose()?.unwrap_or_default();
                let built = WebPkiServerVerifier::builder_with_provider(store.into(), Arc::clone(provider))
                    .with_crls(revoked)
                    .allow_unknown_revocation_status()
                    .build();
                Some(built.map_err(|error| Error::BadCertificateFile {
                    what: "root certificate",
                    path,
                    reason: error.to_string(),
                })?)
            }
        };
        Ok(Self { provider: Arc::clone(provider), chain, roots, name: tls.mode == SslMode::VerifyFull })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        let checked = chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match checked {
            // The chain is checked before the name, and `verify-ca` asks for the chain alone.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.name => Ok(ServerCertVerified::assertion()),
            // A self-signed certificate that is itself the root: webpki takes no
            // authority for a server (after its dates were checked), OpenSSL does.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(_)))
                if self.roots.iter().any(|root| root.as_ref() == end_entity.as_ref()) =>
            {
                if self.name {
                    let parsed = ParsedCertificate::try_from(end_entity)?;
                    rustls::client::verify_server_name(&parsed, server_name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// As libpq: a key that others may read is no secret; root's may have a group.
fn refuse_open_key(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt;
    let what = "client key";
    let found =
        std::fs::metadata(path).map_err(|source| Error::File { what, path: path.to_owned(), source })?;
    let allowed = if found.uid() == 0 && !nix::unistd::geteuid().is_root() { 0o037 } else { 0o077 };
    if found.mode() & allowed != 0 {
        let reason = format!("group or others have access to it; run `chmod 0600 {}`", path.display());
        return Err(Error::BadCertificateFile { what, path: path.to_owned(), reason });
    }
    Ok(())
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::File { what, path: path.to_owned(), source })
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bad = |reason: String| Error::BadCertificateFile { what, path: path.to_owned(), reason };
    let found: Vec<_> = CertificateDer::pem_slice_iter(&read(what, path)?)
        .collect::<Result<_, _>>()
        .map_err(|error| bad(error.to_string()))?;
    if found.is_empty() { Err(bad("there is no PEM certificate in it".to_owned())) } else { Ok(found) }
}

fn revocations(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, Error> {
    let what = "certificate revocation list";
    CertificateRevocationListDer::pem_slice_iter(&read(what, path)?)
        .collect::<Result<_, _>>()
        .map_err(|error| Error::BadCertificateFile { what, path: path.to_owned(), reason: error.to_string() })
}
