//! Values of the field with an arithmetic of their own: releases, versions, sizes, time spans, addresses, dates, calendar
//! events, quantities and schedules of Kubernetes.
//!
//! Each type is made from text by `FromStr` and prints what it was made from in its usual form. Not here: where a value
//! stood (`source`), what it is for (`fleet`). The error of every `FromStr` is a sentence that says what form is wanted.

mod address;
mod calendar;
mod cron;
mod path;
mod quantity;
mod release;
mod size;
mod span;
mod version;

pub(crate) use address::is_host_name;
pub use address::{Cidr, Mac, SocketAddress, is_internal, is_link_local};
pub use calendar::OnCalendar;
pub use cron::{CronSchedule, Timer};
pub use path::{by_id_name, lies_in, topmost};
pub use quantity::Quantity;
pub use release::Release;
pub use size::Size;
pub use span::TimeSpan;
pub use version::Version;

pub use jiff::civil::Date;
