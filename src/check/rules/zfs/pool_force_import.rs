//! Settings that force the import of pools at every boot.

use crate::check::nixos;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::{Kind, Level, Place, quoted};

pub(super) static RULE: Rule = Rule {
    id: "pool-force-import",
    group: Group::Zfs,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "every boot forces the import of pools",
    doc: include_str!("pool_force_import.md"),
    check: Check::Host(check),
};

/// Words of the kernel's command line by which NixOS's initrd forces an import.
const WORDS: [&str; 2] = ["zfs_force", "zfs_force=1"];

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for option in ["forceImportAll", "forceImportRoot"] {
        if let Some((true, node)) = nixos::switch(cx.host, &["boot", "zfs", option]) {
            found.report(finding(node.place, &format!("`boot.zfs.{option}`")).help("remove the setting"));
        }
    }
    for word in cx.host.def.boot.kernel_params.iter().filter(|word| WORDS.contains(&word.as_str())) {
        found.report(finding(word.place, &quoted(word.as_str())).help("remove the word"));
    }
    let params = nixos::setting(cx.host, &["boot", "kernelParams"]).and_then(|params| params.as_list());
    for item in params.into_iter().flatten() {
        if let Kind::Str(word) = &item.node.kind
            && WORDS.contains(&word.as_str())
        {
            found.report(finding(item.node.place, &quoted(word)).help("remove the word"));
        }
    }
    if let Some(file) = nixos::file_with(cx, &["forceImport", "zfs_force"]) {
        found.unchecked(format!("{file} speaks of forced imports"));
    }
}

fn finding(place: Place, what: &str) -> Finding {
    Finding::at(place, format!("{what} forces the import of pools at every boot"))
        .label("at every boot")
        .why(
            "ZFS refuses a pool that another machine used last and did not export: forced, a pool that is in use elsewhere is \
             written by two machines, and is lost",
        )
        .help(
            "export a pool where it was used before this host boots; once, where that machine is gone: `zfs_force=1` typed in the \
             boot menu",
        )
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said_of;

    #[test]
    fn every_way_to_force_at_each_boot_is_found_and_a_refusal_is_none() {
        let count = |host: &str| said_of("pool-force-import", &[("hosts/a/host.toml", host)]).len();
        assert_eq!(count("nixos.boot.zfs.forceImportAll = true\nnixos.boot.zfs.forceImportRoot = true\n"), 2);
        assert_eq!(count("boot.kernel-params = ['quiet', 'zfs_force=1']\n"), 1);
        assert_eq!(count("nixos.boot.kernelParams = ['zfs_force']\n"), 1);
        assert_eq!(count("nixos.boot.zfs.forceImportRoot = false\nboot.kernel-params = ['zfs_force=0']\n"), 0);
        let nix = [("hosts/a/host.toml", ""), ("hosts/a/more.nix", "{ boot.zfs.forceImportAll = true; }\n")];
        assert!(said_of("pool-force-import", &nix)[0].starts_with("unchecked"));
    }
}
