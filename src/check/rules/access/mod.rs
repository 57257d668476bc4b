//! Who may log in. These rules know accounts, keys and the ssh server, and the firewall as far as it is in the way.
//!
//! What they guarantee: no line of a key is repeated in a message; a way in that the user's own Nix may open is never
//! said to be missing.

mod no_out_of_band_access;
mod password_login_open;
mod secret_inline;
mod secret_key_absent_at_boot;
mod ssh_key_malformed;
mod ssh_key_weak;
mod ssh_lockout;

use crate::check::rule::Rule;

pub(super) static RULES: &[&Rule] = &[
    &no_out_of_band_access::RULE,
    &password_login_open::RULE,
    &secret_inline::RULE,
    &secret_key_absent_at_boot::RULE,
    &ssh_key_malformed::RULE,
    &ssh_key_weak::RULE,
    &ssh_lockout::RULE,
];
