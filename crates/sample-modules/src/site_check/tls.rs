//! Looks at the certificate of a site, whether it is trusted or not.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use flowork_egress::{Egress, Url};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use rustls_platform_verifier::Verifier;
use serde::Serialize;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

const DAY_SECONDS: i64 = 86_400;
/// Names of a certificate in the result.
const NAMES_MAX: usize = 50;

/// What is known about a certificate.
#[derive(Debug, Serialize)]
pub(super) struct Certificate {
    trusted: bool,
    expired: bool,
    /// Why it is not trusted.
    problem: Option<String>,
    /// Negative once it is over.
    days_left: i64,
    not_before: String,
    not_after: String,
    subject: String,
    issuer: String,
    names: Vec<String>,
    protocol: Option<String>,
}

/// Shakes hands with the host of `url` and reads what it shows.
///
/// # Errors
/// A reason for a person.
pub(super) async fn inspect(egress: &Egress, url: &Url, timeout: Duration) -> Result<Certificate, String> {
    let addresses = egress.addresses(url).await.map_err(|error| error.chain())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let recorder = Recorder::new(Arc::clone(&provider)).map_err(|error| error.to_string())?;
    let recorder = Arc::new(recorder);
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&recorder) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches([']', '.']).to_owned();
    let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
    let handshake = async {
        let socket = TcpStream::connect(addresses.as_slice()).await?;
        TlsConnector::from(Arc::new(config)).connect(name, socket).await
    };
    let outcome: io::Result<_> = tokio::time::timeout(timeout, handshake).await.map_err(|_| "it took too long")?;
    let protocol = outcome.as_ref().ok().and_then(|stream| stream.get_ref().1.protocol_version());
    let seen = recorder.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(Seen { der, problem }) = seen else {
        return Err(outcome.err().map_or_else(|| "no certificate was shown".to_owned(), |error| error.to_string()));
    };
    describe(&der, problem, protocol.map(|version| format!("{version:?}")))
}

fn describe(der: &[u8], problem: Option<String>, protocol: Option<String>) -> Result<Certificate, String> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| format!("it can't be parsed: {error}"))?;
    let validity = certificate.validity();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs() as i64);
    let left = validity.not_after.timestamp() - now;
    let date = |seconds| jiff::Timestamp::from_second(seconds).map_or_else(|_| String::new(), |time| time.to_string());
    let names = certificate
        .subject_alternative_name()
        .ok()
        .flatten()
        .map(|extension| extension.value.general_names.iter().filter_map(general_name).take(NAMES_MAX).collect())
        .unwrap_or_default();
    Ok(Certificate {
        trusted: problem.is_none(),
        expired: left < 0,
        problem,
        days_left: left.div_euclid(DAY_SECONDS),
        not_before: date(validity.not_before.timestamp()),
        not_after: date(validity.not_after.timestamp()),
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        names,
        protocol,
    })
}

fn general_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => <[u8; 4]>::try_from(*bytes)
            .map(|bytes| std::net::Ipv4Addr::from(bytes).to_string())
            .or_else(|_| <[u8; 16]>::try_from(*bytes).map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()))
            .ok(),
        _ => None,
    }
}

/// What the server showed and what the platform says to it.
#[derive(Debug)]
struct Seen {
    der: Vec<u8>,
    problem: Option<String>,
}

/// Asks the platform's verifier, writes down what it says, and goes on either way. Nothing but the handshake is sent
/// over such a connection.
#[derive(Debug)]
struct Recorder {
    platform: Verifier,
    seen: Mutex<Option<Seen>>,
}

impl Recorder {
    fn new(provider: Arc<CryptoProvider>) -> Result<Self, rustls::Error> {
        Ok(Self { platform: Verifier::new(provider)?, seen: Mutex::default() })
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = self.platform.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let seen = Seen { der: end_entity.to_vec(), problem: verdict.err().map(|error| error.to_string()) };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.platform.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.platform.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.platform.supported_verify_schemes()
    }
}
