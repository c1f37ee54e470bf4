//! Why the driver got no session: its error goes in, ours comes out, told apart
//! by SQLSTATE, by I/O error and, where the driver has only words, by those.

use std::io;

use tokio_postgres::error::SqlState;

use super::target::{Host, Target};
use super::{Error, tls};

/// The driver's error by what the user can do about it.
pub(super) fn classify(error: tokio_postgres::Error, target: &Target, host: &Host) -> Error {
    let at = host.to_string();
    let user = target.user().to_owned();
    if let Some(said) = error.as_db_error() {
        let message = said.message().to_owned();
        let code = said.code();
        return if code == &SqlState::INVALID_PASSWORD {
            Error::WrongPassword { at, host: host.name().to_owned(), user }
        } else if code == &SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
            Error::NotAllowed { at, user, message }
        } else if code == &SqlState::INVALID_CATALOG_NAME {
            Error::NoDatabase { at, database: target.database().to_owned() }
        } else if code == &SqlState::TOO_MANY_CONNECTIONS {
            Error::TooManyConnections { at, message }
        } else if code == &SqlState::CANNOT_CONNECT_NOW {
            Error::NotReady { at, message }
        } else if code == &SqlState::INSUFFICIENT_PRIVILEGE {
            Error::NotAllowed { at, user, message }
        } else if code == &SqlState::PROTOCOL_VIOLATION {
            // PgBouncer's own code for parameters that it does not pass on.
            Error::Pooler { at, message }
        } else {
            Error::Startup { at, message, sqlstate: code.code().to_owned() }
        };
    }
    if error.is_closed() {
        return Error::Closed { at, source: None };
    }
    let cause = std::error::Error::source(&error);
    if let Some(found) = cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
        if let Some(inner) = found.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return tls::blame(inner, host).unwrap_or(Error::Tls { at, source: error });
        }
        let kind = found.kind();
        let source = found
            .raw_os_error()
            .map_or_else(|| io::Error::new(kind, found.to_string()), io::Error::from_raw_os_error);
        return match kind {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Error::Refused { at, source },
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                Error::Closed { at, source: Some(error) }
            }
            _ => Error::Unreachable { at, source },
        };
    }
    // The driver tells these apart by its words alone; tests/connect.rs holds it to them.
    match cause.map(ToString::to_string).as_deref() {
        Some("password missing") => Error::NoPassword { at, user },
        Some("server does not support TLS") => Error::TlsRefused { at },
        Some("server did not use channel binding") => Error::NoChannelBinding { at },
        _ if error.to_string().contains("TLS") => Error::Tls { at, source: error },
        _ => Error::Authentication { at, source: error },
    }
}
