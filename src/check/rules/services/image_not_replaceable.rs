//! Containers that stay containers.

use crate::check::migrations::{self, MANIFESTS};
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "image-not-replaceable",
    group: Group::Services,
    level: Level::Note,
    allowable: true,
    needs: &[MANIFESTS],
    summary: "a workload stays a container",
    doc: include_str!("image_not_replaceable.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for one in migrations::of(cx) {
        let Some(container) = one.service.def.container() else { continue };
        let (Some(image), name) = (&one.workload.image, one.service.name) else { continue };
        let finding = Finding::at(container.image.place, format!("`{name}` stays a container"))
            .related(image.place, "the image that runs in the cluster");
        found.report(match &one.workload.module {
            Some(module) => finding
                .why(format!(
                    "the module `{module}` takes the place of this image, but only a person can say whether the service does without what \
                     the container was told"
                ))
                .help(format!("`kind = \"native\"` and `module = \"{module}\"`, and what the container was told as `options`")),
            None => finding
                .why("no module takes the place of this image: it is updated when its tag is, not with the system")
                .help("keep it, and follow the releases of its image")
                .help("write a module for it: docs/modules.md"),
        });
    }
}
