//! When which service is down while it moves, and for how long: read off the steps in their order.

use super::step::Step;

/// A service that is down from the beginning of one step to the end of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) service: String,
    /// The id of the step that stops it.
    pub(super) from: String,
    /// The id of the step that starts it.
    pub(super) to: String,
    /// Bytes that are copied or compared meanwhile.
    pub(super) bytes: u64,
    /// Bytes a second that this is reckoned with, and whether the definition says so.
    pub(super) rate: (u64, bool),
}

/// How long a service is down.
///
/// The fields are in the order of the JSON form.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Downtime {
    service: String,
    from: String,
    to: String,
    expected_seconds: u64,
    bytes: u64,
    bytes_per_second: u64,
    rate_is_stated: bool,
}

impl Downtime {
    /// Returns the service.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Returns the id of the step that stops it.
    pub fn from(&self) -> &str {
        &self.from
    }

    /// Returns the id of the step that starts it.
    pub fn to(&self) -> &str {
        &self.to
    }

    /// Returns how long it is expected to be down: the steps from the one to the other, one after the other.
    pub fn expected_seconds(&self) -> u64 {
        self.expected_seconds
    }

    /// Returns how many bytes its volumes hold.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns how many bytes a second that is reckoned with.
    pub fn bytes_per_second(&self) -> u64 {
        self.bytes_per_second
    }

    /// Tells whether the definition says how many.
    pub fn rate_is_stated(&self) -> bool {
        self.rate_is_stated
    }
}

/// Reads the times off steps that are in order; those without both ends are left out.
pub(super) fn of(steps: &[Step], spans: Vec<Span>) -> Vec<Downtime> {
    let place = |id: &str| steps.iter().position(|step| step.id() == id);
    let mut all: Vec<(usize, Downtime)> = Vec::new();
    for span in spans {
        let (Some(from), Some(to)) = (place(&span.from), place(&span.to)) else { continue };
        let down = steps.iter().take(to.saturating_add(1)).skip(from);
        let expected_seconds = down.map(Step::expected_seconds).fold(0, u64::saturating_add);
        let Span { service, from: from_id, to, bytes, rate } = span;
        let (bytes_per_second, rate_is_stated) = rate;
        let one = Downtime { service, from: from_id, to, expected_seconds, bytes, bytes_per_second, rate_is_stated };
        all.push((from, one));
    }
    all.sort_by_key(|(from, _)| *from);
    all.into_iter().map(|(_, one)| one).collect()
}
