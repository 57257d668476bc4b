//! The executor as a whole.
