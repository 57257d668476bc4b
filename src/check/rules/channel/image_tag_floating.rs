//! A container image that may be another one tomorrow.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "image-tag-floating",
    group: Group::Channel,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "a container image without a digest, which may be another one tomorrow",
    doc: include_str!("image_tag_floating.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for service in &cx.host.services {
        let Some(container) = service.def.container() else { continue };
        let image = &container.image;
        if image.value.digest.is_some() {
            continue;
        }
        let tag = image.value.tag.as_deref().unwrap_or("latest");
        let what = if tag == "latest" { "is whatever was pushed last" } else { "has no digest" };
        found.report(
            Finding::at(image.place, format!("the image of `{}` {what}", service.name))
                .label(format!("`{tag}` is a name that its maker can move"))
                .why("a machine that is installed again, or loses its images, gets another program than the one that was tried")
                .help(format!("`{}:{tag}@sha256:…`, with the digest that `skopeo inspect docker://{}:{tag}` prints", image.value.name, image.value.name)),
        );
    }
}
