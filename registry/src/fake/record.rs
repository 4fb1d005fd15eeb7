//! What the fake registry was asked.

/// One request, in the order of arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// Its place among the requests since the start or the last
    /// [`reset_counts`](super::FakeRegistry::reset_counts).
    pub index: usize,
    /// The HTTP method.
    pub method: String,
    /// The path with its query, as sent.
    pub path: String,
    /// The status answered; `None` when no answer was given, or not yet.
    pub status: Option<u16>,
    /// How the client identified itself; the credentials are not kept.
    pub authorization: AuthorizationKind,
    /// Bytes of the request's body.
    pub body_bytes: u64,
    /// Bytes of the response's body that were put on the wire.
    pub response_bytes: u64,
}

/// The scheme of an `Authorization` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorizationKind {
    /// There was no such header.
    None,
    /// User and password.
    Basic,
    /// A token.
    Bearer,
    /// Another scheme.
    Other,
}

impl AuthorizationKind {
    pub(super) fn of(header: Option<&str>) -> Self {
        let Some(header) = header else { return Self::None };
        match header.split(' ').next() {
            Some(scheme) if scheme.eq_ignore_ascii_case("basic") => Self::Basic,
            Some(scheme) if scheme.eq_ignore_ascii_case("bearer") => Self::Bearer,
            _ => Self::Other,
        }
    }
}

/// All records since the last reset.
#[derive(Debug, Default)]
pub(super) struct Log {
    records: Vec<RequestRecord>,
    generation: u64,
}

/// Which record a request in flight completes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    generation: u64,
    index: usize,
}

impl Log {
    pub(super) fn begin(
        &mut self,
        method: &str,
        path: &str,
        authorization: AuthorizationKind,
    ) -> Ticket {
        let index = self.records.len();
        self.records.push(RequestRecord {
            index,
            method: method.to_owned(),
            path: path.to_owned(),
            status: None,
            authorization,
            body_bytes: 0,
            response_bytes: 0,
        });
        Ticket { generation: self.generation, index }
    }

    /// The record behind `ticket`, unless the log was reset since.
    pub(super) fn record(&mut self, ticket: Ticket) -> Option<&mut RequestRecord> {
        let current = ticket.generation == self.generation;
        self.records.get_mut(ticket.index).filter(|_| current)
    }

    pub(super) fn records(&self) -> &[RequestRecord] {
        &self.records
    }

    pub(super) fn reset(&mut self) {
        self.records.clear();
        self.generation += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_outlives_a_reset_completes_nothing() {
        let mut log = Log::default();
        let old = log.begin("GET", "/v2/", AuthorizationKind::None);
        log.reset();
        let new = log.begin("PUT", "/v2/", AuthorizationKind::None);
        assert!(log.record(old).is_none());
        assert_eq!(log.record(new).map(|record| record.method.as_str()), Some("PUT"));
    }

    #[test]
    fn the_scheme_is_read_without_case() {
        assert_eq!(AuthorizationKind::of(Some("bEARER x")), AuthorizationKind::Bearer);
        assert_eq!(AuthorizationKind::of(Some("Basic x")), AuthorizationKind::Basic);
        assert_eq!(AuthorizationKind::of(Some("Negotiate x")), AuthorizationKind::Other);
    }
}
