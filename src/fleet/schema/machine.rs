//! The hardware, what installs it, and how it boots.

use crate::fleet::decode::{Cx, Decode, Setting, choice, table};
use crate::fleet::scalar::{KernelWord, Name, PackageAttr};
use crate::fleet::schema::routes::Gateway;
use crate::fleet::schema::secrets::SecretPath;
use crate::fleet::shape::Shape;
use crate::source::{Node, Spanned};
use crate::units::{Cidr, Size, TimeSpan, Version};

choice! {
    /// The maker of the processor.
    pub enum Cpu {
        /// AMD.
        Amd = "amd",
        /// Intel.
        Intel = "intel",
        /// ARM.
        Arm = "arm",
        /// A guest of a hypervisor.
        Virtual = "virtual",
    }
}

choice! {
    /// How the firmware starts a boot loader.
    pub enum Firmware {
        /// BIOS: the first sector of a disk.
        Bios = "bios",
        /// UEFI: a file on an EFI system partition.
        Uefi = "uefi",
        /// Both ways.
        Both = "both",
    }
}

choice! {
    /// How a person reaches the machine when its network does not.
    pub enum Console {
        /// Not at all.
        None = "none",
        /// A serial line.
        Serial = "serial",
        /// A KVM over IP.
        IpKvm = "ip-kvm",
        /// The provider's web console.
        Provider = "provider",
        /// The hypervisor's console.
        Hypervisor = "hypervisor",
    }
}

table! {
    /// The hardware and how a person reaches it.
    pub struct Machine {
        /// The maker of the processor: microcode and virtualisation module.
        "cpu" => cpu: Option<Spanned<Cpu>>,
        /// Main memory.
        "memory" => memory: Option<Spanned<Size>>,
        /// How the firmware starts a boot loader.
        "firmware" => firmware: Spanned<Firmware>,
        /// Out-of-band access.
        "console" => console: Setting<Console> = Console::None,
        /// Serial console of the kernel, such as `ttyS0,115200n8`; that with `console = "serial"`.
        "serial" => serial: Option<Spanned<KernelWord>>,
        /// Commands on the deployer that reach the machine from outside.
        "hooks" => hooks: Option<Hooks>,
        /// The rescue system that may import the pools.
        "rescue" => rescue: Option<Rescue>,
    }
}

table! {
    /// Commands on the deployer that reach the machine from outside.
    pub struct Hooks {
        /// Switches the machine off and on.
        "power-cycle" => power_cycle: Option<Spanned<String>>,
        /// Boots the rescue system.
        "rescue" => rescue: Option<Spanned<String>>,
        /// Prints the console's log.
        "console" => console: Option<Spanned<String>>,
        /// Opens encrypted disks.
        "unlock" => unlock: Option<Spanned<String>>,
    }
}

table! {
    /// A rescue system, by the channel it was built from or by its ZFS.
    pub struct Rescue {
        /// The channel.
        "channel" => channel: Option<Spanned<Name>>,
        /// Its OpenZFS.
        "zfs" => zfs: Option<Spanned<Version>>,
    }
}

choice! {
    /// What puts the first system on the disks.
    pub enum Method {
        /// A NixOS installer started from the running system by kexec.
        Kexec = "kexec",
        /// The provider's rescue system.
        Rescue = "rescue",
        /// An installer image.
        Iso = "iso",
        /// Nothing: the machine is there already.
        Existing = "existing",
    }
}

table! {
    /// What puts the first system on the disks.
    pub struct Installer {
        /// The channel its image was built from.
        "channel" => channel: Option<Spanned<Name>>,
        /// Its OpenZFS, when known better than by the channel.
        "zfs" => zfs: Option<Spanned<Version>>,
        /// How it is started.
        "method" => method: Setting<Method> = Method::Existing,
        /// The port on which its ssh listens.
        "port" => port: Setting<u16> = 22u16,
    }
}

choice! {
    /// The boot loader.
    pub enum Loader {
        /// GRUB 2.
        Grub = "grub",
        /// systemd-boot.
        SystemdBoot = "systemd-boot",
        /// One that the user's own .nix describes; self-recovery is then not promised.
        Other = "other",
    }
}

choice! {
    /// How encrypted disks open at boot.
    pub enum Unlock {
        /// A person types the passphrase at the console.
        Console = "console",
        /// A person or a hook of the deployer sends it over ssh to the initrd.
        Ssh = "ssh",
        /// The machine's TPM holds the key.
        Tpm2 = "tpm2",
        /// Nobody: a key file is at hand.
        None = "none",
    }
}

impl Unlock {
    /// Tells whether somebody has to do something before the boot goes on.
    pub fn is_interactive(self) -> bool {
        matches!(self, Self::Console | Self::Ssh)
    }
}

table! {
    /// Boot loader, generations, kernel.
    pub struct Boot {
        /// The boot loader.
        "loader" => loader: Spanned<Loader>,
        /// Further disks that must be able to boot.
        "mirrors" => mirrors: Vec<Spanned<Name>>,
        /// How many generations stay in the menu.
        "generations" => generations: Setting<u32> = 10u32,
        /// The kernel package set.
        "kernel" => kernel: Option<Spanned<PackageAttr>>,
        /// Further words of the kernel's command line.
        "kernel-params" => kernel_params: Vec<Spanned<KernelWord>>,
        /// Further kernel modules of the initrd.
        "initrd-modules" => initrd_modules: Vec<Spanned<KernelWord>>,
        /// How encrypted disks open at boot.
        "unlock" => unlock: Setting<Unlock> = Unlock::Console,
        /// How long a panicked kernel waits before it resets the machine.
        "panic-timeout" => panic_timeout: Setting<TimeSpan> = TimeSpan::of_seconds(30),
        /// The ssh server of the initrd, for `unlock = "ssh"`.
        "initrd-ssh" => initrd_ssh: Option<InitrdSsh>,
    }
}

table! {
    /// The ssh server of the initrd.
    pub struct InitrdSsh {
        /// Its TCP port.
        "port" => port: Setting<u16> = 2222u16,
        /// Its private host key: a file on the host, and not that of the running system, since the initrd is read by who has the disk.
        "host-key" => host_key: Option<Spanned<SecretPath>>,
        /// ssh public keys that may unlock; `access.root-keys` when empty.
        "keys" => keys: Vec<Spanned<String>>,
        /// Addresses in the initrd; the interface's own when empty.
        "addresses" => addresses: Vec<Spanned<Cidr>>,
        /// Default gateways in the initrd; the interface's own when empty.
        "gateways" => gateways: Vec<Spanned<Gateway>>,
        /// The interface; the first with a default route when absent.
        "interface" => interface: Option<Spanned<Name>>,
    }
}

/// A switch or a time span; used where `false` means "not at all".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwitchOr<T> {
    /// On or off.
    Switch(bool),
    /// In detail.
    Detail(T),
}

impl<T: Decode> Decode for SwitchOr<T> {
    fn shape() -> Shape {
        Shape::OneOf(vec![bool::shape(), T::shape()])
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.kind {
            crate::source::Kind::Bool(value) => Some(Self::Switch(value)),
            _ => T::decode(node, cx).map(Self::Detail),
        }
    }
}
