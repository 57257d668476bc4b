//! What the facts promise, checked against the data itself.

mod hardware;
mod options;
mod packages;
mod releases;
mod types;
mod value;
mod zfs;
