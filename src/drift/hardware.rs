//! What the machine is: architecture, memory, firmware, host id.

use super::Cx;
use super::outcome::{Comparison, Difference, Group};
use crate::fleet::decode::Word as _;
use crate::fleet::schema::machine::Firmware;
use crate::units::Size;

const GROUP: Group = Group::Machine;

/// What the kernel and the firmware keep of the memory for themselves, in percent.
const KEPT: u128 = 10;

pub(super) fn compare(cx: &Cx<'_>, out: &mut Comparison) {
    let (def, machine) = (&cx.host.def, cx.machine);
    let wanted = def.system.value.word();
    match &machine.arch {
        Some(arch) => out.hold(wanted.split('-').next() == Some(arch), || {
            Difference::new(GROUP, "architecture", format!("the machine is {arch}"))
                .defined(wanted, def.system.place)
                .live(arch.as_str())
                .why("what is built for another processor does not run there")
                .help(format!("`system = \"{arch}-linux\"`, if it is this machine"))
        }),
        None => out.unknown(GROUP, "architecture", "the machine did not tell"),
    }
    let firmware = &def.machine.firmware;
    match &machine.firmware {
        Some(live) => out.hold(firmware.value == Firmware::Both || firmware.value.word() == live, || {
            Difference::new(GROUP, "firmware", format!("the machine booted through {live}"))
                .defined(firmware.value.word(), firmware.place)
                .live(live.as_str())
                .why("the boot loader is written for the defined one: the next change of it may boot nothing")
                .help("set the firmware back to it, if its setting was changed")
                .help(format!("`firmware = \"{live}\"` with the partitions that it needs"))
        }),
        None => out.unknown(GROUP, "firmware", "the machine did not tell"),
    }
    if let Some(memory) = &def.machine.memory {
        match machine.memory_bytes {
            Some(live) => {
                let enough = u128::from(live) * 100 >= u128::from(memory.bytes()) * (100 - KEPT);
                out.hold(enough, || {
                    Difference::new(GROUP, "memory", "less memory than defined")
                        .defined(memory.value.to_string(), memory.place)
                        .live(Size::human(live))
                        .why("limits of services and of the ARC were reckoned with more; or a module has failed")
                        .help("look at `dmidecode -t memory` for a module that is gone")
                        .help("`memory`, if it is meant to have less")
                });
            }
            None => out.unknown(GROUP, "memory", "the machine did not tell"),
        }
    }
    let id = &cx.host.host_id;
    if cx.is_compiled() || id.place.is_some() {
        match &machine.host_id {
            Some(live) => out.hold(*live == id.id, || {
                Difference::new(GROUP, "host id", "the machine has another host id")
                    .defined(id.id.as_str(), id.place)
                    .live(live.as_str())
                    .why("ZFS imports a pool without force only on the machine with the id that had it last")
                    .help(format!("`host-id = \"{live}\"` below `[network]`, if the machine is right"))
                    .help("boot the current generation, if the id was changed by hand")
            }),
            None => out.unknown(GROUP, "host id", "the machine has no /etc/hostid that could be read"),
        }
    }
}
