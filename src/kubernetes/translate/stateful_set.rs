//! StatefulSet: a workload whose pods have names and data of their own. The first one's take the place of all.

use super::pod::{self, Running, Workload};
use super::{Stage, Translator};
use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;

pub(super) static STATEFUL_SET: Translator =
    Translator { kind: "StatefulSet", groups: &["apps"], stage: Stage::Workloads, run };

fn run<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let Some(workload) = Workload::of_template(cx, object, &["spec", "template"], Running::Always) else { return };
    pod::replicas(cx, &workload);
    pod::translate(cx, &workload);
    if let Some(node) = object.tree().at(&["spec", "serviceName"]) {
        cx.books.replaced(node, "the service has the name of its first pod itself");
    }
    if let Some(start) = object.tree().at(&["spec", "ordinals", "start"]) {
        match start.int() {
            Some(0) => cx.books.dropped(start, "this is the default"),
            Some(number) if number == object.first_ordinal() => {
                let how = "the number of its first pod, whose name and claims it has";
                cx.books.translated_as(start, format!("services.{}", workload.service), how);
            }
            _ => {
                let text = "this is no number of a pod: which one is the first?";
                cx.ask(object, start, "ordinals", text, false);
            }
        }
    }
}
