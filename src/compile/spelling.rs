//! How NixOS spells things in a release: options that came, moved or changed their form.
//!
//! Every threshold is the first release with the later form. Where a release cannot express something at all, the
//! concern leaves it out; what that costs is said there.

use crate::units::Release;

/// The spelling of one release.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spelling(Release);

impl Spelling {
    /// Returns the spelling of a release; the unstable channel before a release spells as the release.
    pub(super) fn of(release: Release) -> Self {
        Self(release.base())
    }

    fn since(self, release: &str) -> bool {
        release.parse().is_ok_and(|release: Release| self.0 >= release)
    }

    /// `nixpkgs.hostPlatform`; before, the system is an argument of the evaluation.
    pub(super) fn host_platform(self) -> bool {
        self.since("22.11")
    }

    /// `services.openssh.settings`.
    pub(super) fn ssh_settings(self) -> bool {
        self.since("23.05")
    }

    /// `services.openssh.kbdInteractiveAuthentication`, before that `challengeResponseAuthentication`.
    pub(super) fn ssh_kbd_interactive(self) -> bool {
        self.since("21.11")
    }

    /// `security.acme.defaults`.
    pub(super) fn acme_defaults(self) -> bool {
        self.since("22.05")
    }

    /// `security.acme.certs.NAME.environmentFile`, before that `credentialsFile`.
    pub(super) fn acme_environment_file(self) -> bool {
        self.since("23.11")
    }

    /// `services.borgbackup.jobs.NAME.persistentTimer`.
    pub(super) fn borg_persistent_timer(self) -> bool {
        self.since("21.05")
    }

    /// `services.restic.backups.NAME.exclude` and `environmentFile`; before, flags and `s3CredentialsFile`.
    pub(super) fn restic_exclude(self) -> bool {
        self.since("23.05")
    }

    /// The firewall of `networking.firewall` written for nftables.
    pub(super) fn nftables_firewall(self) -> bool {
        self.since("23.05")
    }

    /// Templates and datasets of sanoid take any of its keys; before, each dataset had defaults that beat its template.
    pub(super) fn sanoid_templates(self) -> bool {
        self.since("21.05")
    }

    /// `systemd.tmpfiles.settings`.
    pub(super) fn tmpfiles_settings(self) -> bool {
        self.since("24.05")
    }

    /// Routes of networkd without a `routeConfig` around them.
    pub(super) fn flat_routes(self) -> bool {
        self.since("24.11")
    }

    /// The options of `systemd.network.wait-online`.
    pub(super) fn wait_online(self) -> bool {
        self.since("22.11")
    }

    /// Peers of wireguard without a `wireguardPeerConfig` around them.
    pub(super) fn flat_peers(self) -> bool {
        self.since("24.11")
    }

    /// `networking.nftables.tables`.
    pub(super) fn nftables_tables(self) -> bool {
        self.since("23.11")
    }

    /// `networking.firewall.filterForward` and the rules of the nftables firewall.
    pub(super) fn firewall_rules(self) -> bool {
        self.since("23.05")
    }

    /// systemd 253, which looks in /etc/credstore for credentials and does without those that are not there (before, a file
    /// that is not there kept the service from starting).
    pub(super) fn credential_store(self) -> bool {
        self.since("23.05")
    }

    /// systemd 247 with `LoadCredential=`.
    pub(super) fn credentials(self) -> bool {
        self.since("21.05")
    }

    /// `users.users.*.hashedPasswordFile`, before that `passwordFile`.
    pub(super) fn hashed_password_file(self) -> bool {
        self.since("23.11")
    }

    /// `boot.zfs.pools`.
    pub(super) fn zfs_pools(self) -> bool {
        self.since("23.11")
    }

    /// zed mails through the `sendmail` of the mail service by itself (release notes of 24.05).
    pub(super) fn zed_sendmail(self) -> bool {
        self.since("24.05")
    }

    /// `services.postfix.settings`.
    pub(super) fn postfix_settings(self) -> bool {
        self.since("25.11")
    }

    /// Pools are imported in `boot.initrd.postResumeCommands` (release notes of 24.11), before that in
    /// `postDeviceCommands`.
    pub(super) fn import_after_resume(self) -> bool {
        self.since("24.11")
    }

    /// `boot.zfs.package`.
    pub(super) fn zfs_package(self) -> bool {
        self.since("24.05")
    }

    /// `boot.loader.systemd-boot.extraInstallCommands`.
    pub(super) fn loader_hook(self) -> bool {
        self.since("22.05")
    }

    /// The test driver and `runTest` with the machines that out/boot-test.nix is written for.
    pub(super) fn boot_test(self) -> bool {
        self.since("24.05")
    }

    /// systemd in the initrd; from 26.05 on by default.
    pub(super) fn initrd_systemd(self) -> bool {
        self.since("22.11")
    }

    /// Stage 1 as a shell script, deprecated in 26.05 and to be removed in 26.11.
    pub(super) fn initrd_scripted(self) -> bool {
        !self.since("26.11")
    }

    /// `systemd.settings.Manager` and `boot.initrd.systemd.settings.Manager` (release notes of 25.11).
    pub(super) fn manager_settings(self) -> bool {
        self.since("25.11")
    }

    /// `systemd.crash_action=` (systemd 256), before that `systemd.crash_reboot`.
    pub(super) fn crash_action(self) -> bool {
        self.since("24.11")
    }

    /// `system.preSwitchChecks`.
    pub(super) fn pre_switch_checks(self) -> bool {
        self.since("25.05")
    }

    /// `boot.swraid`.
    pub(super) fn swraid(self) -> bool {
        self.since("23.11")
    }

    /// `boot.initrd.services.swraid`; before, arrays are always assembled.
    pub(super) fn swraid_of_initrd(self) -> bool {
        self.since("22.05")
    }

    /// File-system types of `boot.supportedFilesystems` as attributes.
    pub(super) fn filesystem_attributes(self) -> bool {
        self.since("24.05")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unstable_channel_spells_as_the_release_it_becomes() {
        let of = |release: &str| Spelling::of(release.parse().unwrap());
        assert!(of("25.11pre").manager_settings() && !of("25.05").manager_settings());
        assert!(!of("20.09").host_platform() && of("26.05").host_platform());
    }
}
