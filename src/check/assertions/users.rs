//! Users.

use super::Assertion;
use super::Effect::{Fails as Stops, Warns};
use super::Test::{Below, NameFails, Off, On, Set, Unset};

/// The assertions, by module.
pub(super) static ASSERTIONS: &[Assertion] = &[
    Assertion {
        each: "users.users",
        when: &[On("isNormalUser"), On("isSystemUser")],
        effect: Stops,
        since: Some("21.05"),
        message: "`NAME` is a normal user and a system user",
        cure: "set exactly one of `isNormalUser` and `isSystemUser`",
        file: "config/users-groups.nix",
    },
    Assertion {
        each: "users.users",
        when: &[Off("isNormalUser"), Off("isSystemUser")],
        effect: Stops,
        since: Some("21.05"),
        message: "`NAME` is neither a normal user nor a system user",
        cure: "set exactly one of `isNormalUser` and `isSystemUser`",
        file: "config/users-groups.nix",
    },
    Assertion {
        each: "users.users",
        when: &[On("isSystemUser"), Unset("group")],
        effect: Stops,
        since: Some("21.11"),
        message: "the system user `NAME` has no group",
        cure: "set `group`, and define it in `users.groups`",
        file: "config/users-groups.nix",
    },
    Assertion {
        each: "users.users",
        when: &[Below("uid", 1000), On("isNormalUser")],
        effect: Stops,
        since: None,
        message: "`NAME` is a normal user with a system user's number",
        cure: "set `isSystemUser`, or a `uid` from 1000 on",
        file: "config/users-groups.nix",
    },
    Assertion {
        each: "users.users",
        when: &[NameFails(is_user_name)],
        effect: Stops,
        since: Some("24.05"),
        message: "`NAME` is no valid user name",
        cure: "begin with a letter or `_`; letters, digits, `.`, `_` and `-` may follow",
        file: "config/users-groups.nix",
    },
    Assertion {
        each: "users.users",
        when: &[Set("password"), Set("hashedPassword")],
        effect: Warns,
        since: Some("23.11"),
        message: "`NAME` has `password` and `hashedPassword`, of which one takes effect",
        cure: "leave one of them",
        file: "config/users-groups.nix",
    },
    Assertion {
        each: "users.users",
        when: &[Set("password"), Set("initialPassword")],
        effect: Warns,
        since: Some("23.11"),
        message: "`NAME` has `password` and `initialPassword`, of which one takes effect",
        cure: "leave one of them",
        file: "config/users-groups.nix",
    },
    Assertion {
        each: "users.users",
        when: &[Set("password"), Set("hashedPasswordFile")],
        effect: Warns,
        since: Some("23.11"),
        message: "`NAME` has `password` and `hashedPasswordFile`, of which one takes effect",
        cure: "leave one of them",
        file: "config/users-groups.nix",
    },
    Assertion {
        each: "users.users",
        when: &[Set("hashedPassword"), Set("initialPassword")],
        effect: Warns,
        since: Some("23.11"),
        message: "`NAME` has `hashedPassword` and `initialPassword`, of which one takes effect",
        cure: "leave one of them",
        file: "config/users-groups.nix",
    },
    Assertion {
        each: "users.users",
        when: &[Set("hashedPassword"), Set("initialHashedPassword")],
        effect: Warns,
        since: Some("23.11"),
        message: "`NAME` has `hashedPassword` and `initialHashedPassword`, of which one takes effect",
        cure: "leave one of them",
        file: "config/users-groups.nix",
    },
    Assertion {
        each: "users.users",
        when: &[Set("hashedPassword"), Set("hashedPasswordFile")],
        effect: Warns,
        since: Some("23.11"),
        message: "`NAME` has `hashedPassword` and `hashedPasswordFile`, of which one takes effect",
        cure: "leave one of them",
        file: "config/users-groups.nix",
    },
    Assertion {
        each: "users.users",
        when: &[Set("initialPassword"), Set("initialHashedPassword")],
        effect: Warns,
        since: Some("23.11"),
        message: "`NAME` has `initialPassword` and `initialHashedPassword`, of which one takes effect",
        cure: "leave one of them",
        file: "config/users-groups.nix",
    },
    Assertion {
        each: "users.users",
        when: &[Set("initialPassword"), Set("hashedPasswordFile")],
        effect: Warns,
        since: Some("23.11"),
        message: "`NAME` has `initialPassword` and `hashedPasswordFile`, of which one takes effect",
        cure: "leave one of them",
        file: "config/users-groups.nix",
    },
];

/// `nameRegex` in config/users-groups.nix.
fn is_user_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !name.is_empty() && !name.starts_with('-') && name.bytes().all(fits)
}
