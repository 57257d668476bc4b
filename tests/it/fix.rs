//! `check --fix`: what it changes in a definition, and what it leaves.

use crate::program::Sandbox;

/// The small fleet on a release whose own options the facts have.
fn fleet(host: &str) -> Sandbox {
    let sandbox = Sandbox::small();
    sandbox.edit("fleet.toml", "26.05", "26.11pre");
    sandbox.write("hosts/a/host.toml", host);
    sandbox
}

#[test]
fn renamed_and_misspelt_options_get_their_names_and_every_other_byte_stays() {
    let sandbox = fleet(
        "# mine\r\n[nixos]\r\nboot.cleanTmpDir = true # kept\r\nservices.fail2ban.enabel = true\r\nservices.fail2ban.zzzz = 1\r\n\r\n\
         [nixos.services.openssh]\r\npermitRootLogin   = 'no'\r\n",
    );
    let run = sandbox.run(&["check", "--fix", "--today", "2026-11-21"]);
    let run = run.ends(1).complains("boot.cleanTmpDir -> boot.tmp.cleanOnBoot").complains("hosts/a/host.toml:4:");
    assert!(run.out.contains("zzzz") && !run.out.contains("enabel"), "{}", run.out);
    assert_eq!(
        sandbox.read("hosts/a/host.toml"),
        "# mine\r\n[nixos]\r\nboot.tmp.cleanOnBoot = true # kept\r\nservices.fail2ban.enable = true\r\nservices.fail2ban.zzzz = 1\r\n\r\n\
         [nixos.services.openssh]\r\nsettings.PermitRootLogin   = 'no'\r\n"
    );
}

#[test]
fn what_has_no_certain_answer_stays() {
    for host in [
        // The new name is taken.
        "[nixos]\nboot.cleanTmpDir = true\nboot.tmp.cleanOnBoot = false\n",
        // The new name lies outside of the table.
        "[nixos.boot]\ncleanTmpDir = true\n[nixos.boot.tmp]\ncleanOnBoot = true\n",
        "[nixos]\nservices.nosuchservice.enable = true\n",
        "[nixos]\nservices.fail2ban.enable = true\n",
    ] {
        let sandbox = fleet(host);
        let run = sandbox.run(&["check", "--fix", "--today", "2026-11-21"]);
        assert!(!run.err.contains("fixed"), "{}", run.err);
        assert_eq!(sandbox.read("hosts/a/host.toml"), host);
    }
}
