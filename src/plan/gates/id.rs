//! The ids of steps that gates are about.

/// The definition has no errors and `out/` is what it says.
pub const CHECK_DEFINITION: &str = "check-definition";
/// Out-of-band access is proven.
pub const PROVE_ACCESS: &str = "prove-access";
/// The installer's image is built.
pub const BUILD_INSTALLER: &str = "build-installer";
/// The installer or rescue system is started.
pub const START_INSTALLER: &str = "start-installer";
/// Its host key is read.
pub const SCAN_INSTALLER_KEY: &str = "scan-installer-key";
/// A person compares its fingerprint.
pub const COMPARE_FINGERPRINT: &str = "compare-fingerprint";
/// Ids and sizes of the disks are as defined.
pub const CHECK_DISKS: &str = "check-disks";
/// Keys of encrypted disks lie on the installer.
pub const PLACE_KEYS: &str = "place-disk-keys";
/// Secrets, and the host key of the initrd, lie on the installer.
pub const PLACE_SECRETS: &str = "place-secrets";
/// A person confirms what is destroyed.
pub const CONFIRM_DISKS: &str = "confirm-disks";
/// The scripts lie on the rescue system.
pub const COPY_SCRIPTS: &str = "copy-install-scripts";
/// The system is built.
pub const BUILD_SYSTEM: &str = "build-system";
/// The disks are cut.
pub const PARTITION_DISKS: &str = "partition-disks";
/// The host id is set.
pub const SET_HOST_ID: &str = "set-host-id";
/// The pools are made.
pub const CREATE_POOLS: &str = "create-pools";
/// File systems are mounted below /mnt.
pub const MOUNT_TARGET: &str = "mount-target";
/// The host's ssh keys lie on it.
pub const PLACE_HOST_KEYS: &str = "place-host-keys";
/// The deployer knows them.
pub const RECORD_HOST_KEYS: &str = "record-host-keys";
/// The system's closure lies on the host.
pub const COPY_SYSTEM: &str = "copy-system";
/// The system is installed and the loader written.
pub const INSTALL_SYSTEM: &str = "install-system";
/// Everything is unmounted, every pool exported.
pub const EXPORT_POOLS: &str = "export-pools";
/// The first boot from the disks.
pub const FIRST_BOOT: &str = "first-boot";
/// The machine runs already.
pub const RUNS_ALREADY: &str = "machine-runs-already";
/// The scripts of the reboot test lie on the host.
pub const COPY_REBOOT_SCRIPTS: &str = "copy-reboot-scripts";
/// A boot of the good system through the one-shot entry.
pub const BASELINE_ONCE: &str = "baseline-boot-once";
/// A person at the console, where the loader cannot boot an entry once.
pub const WATCH_CONSOLE: &str = "watch-console";
/// A boot of the good system through the default entry.
pub const BASELINE_DEFAULT: &str = "baseline-boot-default";
/// The reboot test.
pub const REBOOT_TEST: &str = "reboot-test";
/// What the candidate changes is shown.
pub const SHOW_CHANGES: &str = "show-changes";
/// Every system that may boot next can import the pools.
pub const CHECK_POOL_CONTRACT: &str = "check-pool-contract";
/// The loader leads back.
pub const CHECK_READY: &str = "check-ready";
/// Snapshots of data that another version takes over.
pub const SNAPSHOT_STATE: &str = "snapshot-state";
/// Everything that restores is suspended still.
pub const CHECK_SUSPENDED: &str = "check-suspended";
/// The names that move get a short time to live.
pub const LOWER_TTL: &str = "lower-dns-ttl";
/// The old time to live is over.
pub const WAIT_TTL: &str = "wait-dns-ttl";
/// Snapshots of the data that came.
pub const SNAPSHOT_DATA: &str = "snapshot-after-data";
/// The reboot test with the data in place.
pub const REBOOT_TEST_AFTER_DATA: &str = "reboot-test-after-data";
/// The old volumes are kept while the services run.
pub const SOAK: &str = "soak";
/// A person has read what is deleted in the cluster.
pub const CONFIRM_DECOMMISSION: &str = "confirm-decommission";
/// A person knows what does not come back.
pub const ACCOUNT_UNSAVED: &str = "account-unsaved";
/// What restores lies on the host.
pub const COPY_RECOVER_SCRIPTS: &str = "copy-recover-scripts";
/// Backups are made again.
pub const RELEASE_BACKUPS: &str = "release-backups";
/// The migration's journal says that it is over.
pub const CHECK_SOAKED: &str = "check-soaked";
/// Nothing is known to be left behind.
pub const NOTHING_LEFT: &str = "nothing-left";
/// A person made sure that nobody needs the host.
pub const NOBODY_NEEDS_IT: &str = "nobody-needs-it";
/// The services of a host that goes rest.
pub const STOP_SERVICES: &str = "stop-services";
/// The last backup, read back.
pub const LAST_BACKUP: &str = "last-backup";
/// What is on the host, listed for the last time.
pub const LAST_LISTING: &str = "last-listing";
/// The fleet has forgotten the host.
pub const END_OF_HOST: &str = "take-out-of-fleet";
/// The definition says that the move is done.
pub const END_OF_MOVE: &str = "record-end-of-move";
