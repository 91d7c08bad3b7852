//! `amqp://user:password@host:port/vhost`, as lapin wants it.

use lapin::uri::AMQPUri;

use crate::OpenError;

/// Reads a URL. Where none is named the virtual host is `/`, with or without a slash at the end.
pub(super) fn parse(text: &str) -> Result<AMQPUri, OpenError> {
    let url = url::Url::parse(text).map_err(|error| OpenError::Url(Box::new(error)))?;
    // The error of lapin may quote the URL.
    let malformed = || OpenError::Url("an AMQP URL is amqp[s]://user:password@host:port/vhost".into());
    let mut uri: AMQPUri = text.parse().map_err(|_| malformed())?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(malformed)?;
    // lapin takes an address of IPv6 for localhost.
    host.trim_matches(['[', ']']).clone_into(&mut uri.authority.host);
    if uri.vhost.is_empty() {
        "/".clone_into(&mut uri.vhost);
    }
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_virtual_hosts_are_found() {
        for (text, host, port, vhost) in [
            ("amqp://localhost", "localhost", 5672, "/"),
            ("amqp://u:p@rabbit.example/", "rabbit.example", 5672, "/"),
            ("amqps://u:p@rabbit.example/prod", "rabbit.example", 5671, "prod"),
            ("amqp://u:p@127.0.0.1:5000/%2f", "127.0.0.1", 5000, "/"),
            ("amqp://u:p@[::1]:5000/a%2Fb", "::1", 5000, "a/b"),
        ] {
            let uri = parse(text).unwrap();
            assert_eq!((uri.authority.host.as_str(), uri.authority.port, uri.vhost.as_str()), (host, port, vhost));
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_shown() {
        for text in ["amqp:hunter2", "amqp://u:hunter2@host:notaport", "amqp://u:hunter2@/x", "amqps://"] {
            let refused = parse(text).unwrap_err();
            assert!(!format!("{refused:?}{refused}").contains("hunter2"), "{refused:?}");
        }
    }
}
