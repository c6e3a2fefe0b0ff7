//! The receiver of what agents send: its port is bound before the first of them is spawned, and it is
//! answered at once what is below the line is there.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::{oneshot, watch};

use crate::assembly::control::busy;
use crate::config::plan::{Otlp, Plan};
use crate::init::telemetry::Telemetry;
use crate::ledger::task;
use crate::serve::ingest::{self, Receiver};
use crate::store::salt;
use crate::units::SessionId;

/// A port that is bound, and what children are told of it.
pub(super) struct Reserved {
    listener: TcpListener,
    pub(super) telemetry: Telemetry,
}

/// Binds the port where it is wanted: a few system calls. Without one agents are not told to send
/// anything, and their logs are followed as ever.
pub(super) fn reserve(plan: &Plan) -> Option<Reserved> {
    let has_agent = plan.processes.iter().any(|process| process.agent.is_some());
    let port = match plan.tokens.otlp {
        Otlp::Off => return None,
        Otlp::Auto if !has_agent => return None,
        Otlp::Auto => 0,
        Otlp::Port(port) => port,
    };
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
    match bound {
        Ok((port, listener)) => {
            Some(Reserved { listener, telemetry: Telemetry { port, key: salt::passing() } })
        }
        Err(error) => {
            tracing::warn!(target: "serve", "what agents send cannot be received at port {port}: \
                {error}; they are not told to send anything");
            None
        }
    }
}

/// Receives until we are to stop.
pub(super) async fn receive(
    reserved: Option<Reserved>,
    requests: mpsc::Sender<task::Asked>,
    stopped: watch::Receiver<bool>,
) {
    let Some(Reserved { listener, telemetry }) = reserved else { return };
    let key = Arc::new(telemetry.key);
    super::senses::restarting("serve", move || {
        let (requests, key) = (requests.clone(), Arc::clone(&key));
        let (again, stopped) = (listener.try_clone(), stopped.clone());
        async move {
            let Ok(listener) = again else { return };
            let receiver = Receiver {
                admit: Box::new(move |session, sign| {
                    let session = SessionId::parse(session)?;
                    (Telemetry::sign(&key, session) == sign).then_some(session)
                }),
                requests: Box::new(move |request| {
                    let (reply, answer) = oneshot::channel();
                    let asked = task::Asked { request, reply };
                    requests.try_send(asked).map(|()| answer).map_err(busy)
                }),
            };
            ingest::serve(listener, receiver, stopped).await;
        }
    })
    .await;
}
