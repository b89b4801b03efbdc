//! `--key`: the key that a client signs its requests with, by the library that the command has for TLS.

use std::fs;
use std::path::Path;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use clap::ValueEnum;
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::Signer;
use sha2::{Digest, Sha256};
use tokenward::parts::SignatureAlgorithm;

use crate::failure::Failure;

/// How an RSA key signs; every other one has one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RsaAlgorithm {
    #[value(name = "RS256")]
    Rs256,
    #[value(name = "PS256")]
    Ps256,
}

/// A client's key.
#[derive(Debug)]
pub(crate) struct ClientKey {
    signer: Box<dyn Signer>,
    pub(crate) algorithm: &'static SignatureAlgorithm,
    pub(crate) id: Option<String>,
    pub(crate) certificate_thumbprint: Option<String>,
}

impl ClientKey {
    /// Reads a private key in PEM, and the certificate that goes with it.
    pub(crate) fn read(
        file: &Path,
        rsa: Option<RsaAlgorithm>,
        id: Option<String>,
        certificate: Option<&Path>,
    ) -> Result<Self, Failure> {
        let mut pem = bytes(file)?;
        let der = PrivateKeyDer::from_pem_slice(&pem);
        tokenward::wipe(&mut pem);
        let unfit = |why: String| Failure::usage(format!("{}: {why}", file.display()));
        let der = der.map_err(|error| unfit(format!("no private key in PEM: {error}")))?;
        let key = any_supported_type(&der).map_err(|_| {
            unfit("give a key of P-256, of Ed25519, or of RSA with 2,048 bits or more".into())
        })?;
        let (algorithm, scheme) = match key.algorithm() {
            rustls::SignatureAlgorithm::ECDSA => {
                (SignatureAlgorithm::ES256, SignatureScheme::ECDSA_NISTP256_SHA256)
            }
            rustls::SignatureAlgorithm::ED25519 => (SignatureAlgorithm::EDDSA, SignatureScheme::ED25519),
            _ if rsa == Some(RsaAlgorithm::Ps256) => {
                (SignatureAlgorithm::PS256, SignatureScheme::RSA_PSS_SHA256)
            }
            _ => (SignatureAlgorithm::RS256, SignatureScheme::RSA_PKCS1_SHA256),
        };
        let signer = key.choose_scheme(&[scheme]);
        let signer =
            signer.ok_or_else(|| unfit("of the elliptic curves only P-256 signs a request".into()))?;
        let thumbprint = |file: &Path| -> Result<String, Failure> {
            let der = CertificateDer::from_pem_slice(&bytes(file)?).map_err(|error| {
                Failure::usage(format!("{}: no certificate in PEM: {error}", file.display()))
            })?;
            Ok(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&der)))
        };
        let certificate_thumbprint = certificate.map(thumbprint).transpose()?;
        Ok(Self { signer, algorithm, id, certificate_thumbprint })
    }

    pub(crate) fn sign(&self, input: &[u8]) -> Result<Vec<u8>, Failure> {
        self.signer.sign(input).map_err(|_| Failure::unavailable("the key does not sign"))
    }
}

fn bytes(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| {
        Failure::usage(format!("cannot read {}: {error}; give a readable file", file.display()))
    })
}
