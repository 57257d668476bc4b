//! The plan of a move, as far as a reader of the inventory wants to know it: plain data, which whoever makes plans fills in.

/// The move to a host: its plan, as far as a reader of the inventory wants to know it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TimelineEntry {
    /// The host.
    pub host: String,
    /// Seconds of work.
    pub working_seconds: u64,
    /// Seconds of waiting and watching.
    pub soaking_seconds: u64,
    /// The steps, in order.
    pub steps: Vec<TimelineStep>,
    /// Which services are down meanwhile.
    pub downtime: Vec<DowntimeEntry>,
}

/// A step of a move.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TimelineStep {
    /// Its id.
    pub id: String,
    /// What is done.
    pub title: String,
    /// The heading that it stands under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Seconds from the beginning of the plan, when each step takes what is expected.
    pub begins_seconds: u64,
    /// How long it takes.
    pub expected_seconds: u64,
    /// Whether nothing goes on before it has passed.
    pub is_gate: bool,
    /// Whether something is gone after it.
    pub destroys: bool,
}

/// A service that is down for a while.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DowntimeEntry {
    /// The service.
    pub service: String,
    /// The step that stops it.
    pub from: String,
    /// The step that starts it.
    pub to: String,
    /// How long that is.
    pub expected_seconds: u64,
}
