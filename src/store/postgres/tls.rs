//! TLS to the server, by rustls with ring.
//!
//! As libpq has it: `prefer` and `require` encrypt without asking who the server is, unless roots are
//! named, which makes `require` mean `verify-ca`. Those that verify ask the certificates of the
//! system, where no file is named; an image without `ca-certificates` has none.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_rustls::{TlsConnector, client};

use super::fault::Fault;
use crate::config::plan::{PostgresHost, PostgresPlan, Roots, Tls};

/// Makes an encrypted stream of a plain one.
pub struct Encrypting {
    connector: TlsConnector,
    name: ServerName<'static>,
}

/// What is asked of a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Nothing,
    Roots,
    RootsAndName,
}

impl Encrypting {
    /// What a plan asks for; `None` where it wants no TLS.
    pub fn of(plan: &PostgresPlan) -> Result<Option<Self>, Fault> {
        let asked = match (plan.tls, &plan.roots, &plan.host) {
            // A socket never leaves the machine; libpq encrypts none either.
            (Tls::Disable, ..) | (_, _, PostgresHost::Socket(_)) => return Ok(None),
            (Tls::Prefer, ..) | (Tls::Require, Roots::System, _) => Asked::Nothing,
            (Tls::Require | Tls::VerifyCa, ..) => Asked::Roots,
            (Tls::VerifyFull, ..) => Asked::RootsAndName,
        };
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(Verifier::new(asked, &plan.roots, &provider)?);
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Fault::File(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Some(Self { connector: Arc::new(config).into(), name: server_name(&plan.host)? }))
    }
}

fn server_name(host: &PostgresHost) -> Result<ServerName<'static>, Fault> {
    match host {
        PostgresHost::Address(address) => Ok(ServerName::IpAddress((*address).into())),
        PostgresHost::Name(name) => ServerName::try_from(name.trim_end_matches('.').to_owned())
            .map_err(|_| Fault::File(format!("`{name}` is no name that a certificate can have"))),
        PostgresHost::Socket(_) => Err(Fault::File("a socket is not encrypted".into())),
    }
}

/// Asks of a certificate what the plan asks of it.
#[derive(Debug)]
struct Verifier {
    asked: Asked,
    provider: Arc<CryptoProvider>,
    /// Absent where nothing is asked.
    roots: Option<Arc<WebPkiServerVerifier>>,
}

impl Verifier {
    fn new(asked: Asked, roots: &Roots, provider: &Arc<CryptoProvider>) -> Result<Self, Fault> {
        let provider = Arc::clone(provider);
        if asked == Asked::Nothing {
            return Ok(Self { asked, provider, roots: None });
        }
        let store = Arc::new(read(roots)?);
        let verifier = WebPkiServerVerifier::builder_with_provider(store, Arc::clone(&provider));
        let verifier = verifier.build().map_err(|error| Fault::File(error.to_string()))?;
        Ok(Self { asked, provider, roots: Some(verifier) })
    }
}

/// The certificates that may vouch for a server.
fn read(roots: &Roots) -> Result<RootCertStore, Fault> {
    let mut store = RootCertStore::empty();
    let found = match roots {
        Roots::System => rustls_native_certs::load_native_certs().certs,
        Roots::File(path) => {
            let trouble = |error: &dyn std::fmt::Display| {
                Fault::File(format!("the sslrootcert {}: {error}", path.display()))
            };
            CertificateDer::pem_file_iter(path)
                .map_err(|error| trouble(&error))?
                .collect::<Result<_, _>>()
                .map_err(|error| trouble(&error))?
        }
    };
    let (added, _) = store.add_parsable_certificates(found);
    match (added, roots) {
        (0, Roots::System) => Err(Fault::File(
            "there are no certificates on this system to verify the server by; install \
             ca-certificates, or name a file with sslrootcert"
                .into(),
        )),
        (0, Roots::File(path)) => {
            Err(Fault::File(format!("the sslrootcert {} holds no certificate", path.display())))
        }
        _ => Ok(store),
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use CertificateError::{NotValidForName, NotValidForNameContext};
        let Some(roots) = &self.roots else { return Ok(ServerCertVerified::assertion()) };
        match roots.verify_server_cert(end_entity, intermediates, server_name, ocsp, now) {
            // The name is what is looked at last, so everything else was right.
            Err(rustls::Error::InvalidCertificate(
                NotValidForName | NotValidForNameContext { .. },
            )) if self.asked == Asked::Roots => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A stream that is encrypted.
pub struct Encrypted<S>(client::TlsStream<S>);

impl<S> TlsConnect<S> for Encrypting
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move { self.connector.connect(self.name, stream).await.map(Encrypted) })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Encrypted<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
