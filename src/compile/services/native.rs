//! Native services: the options of their modules, and the secrets that these take as files.

use crate::compile::HostCx;
use crate::compile::convert;
use crate::compile::settings::Settings;
use crate::facts::{OptionIndex, Shape, Type};
use crate::nix::Expr;
use crate::resolve::ResolvedService;
use crate::source::{Diagnostics, Kind, NORMAL, Node};

/// Adds what a native service sets; what is switched off keeps its options.
pub(super) fn settings(cx: &HostCx<'_>, service: &ResolvedService<'_>, out: &mut Settings, found: &mut Diagnostics) {
    let (Some(module), Some(native)) = (service.module, service.def.native()) else { return };
    let (def, prefix) = (service.def, module.prefix);
    let place = if def.enable.written { def.enable.place } else { def.key };
    out.set(&format!("{prefix}.enable"), def.enable.value, place);
    if let Some(package) = &native.package {
        out.set(&module.package_option(), Expr::select("pkgs", package.as_str()), package.place);
    }
    if let Some(set) = &module.file.set {
        defaults(cx, service, (prefix, &mut Vec::new()), set, out, found);
    }
    if let (Some(own), Some(vhost)) = (&module.file.vhost, def.vhost.0.first()) {
        out.set(&format!("{prefix}.{}", own.option.value), vhost.name.as_str(), vhost.name.place);
        if let Some(tls) = &own.tls_option {
            out.derive(&format!("{prefix}.{}", tls.value), super::web::has_tls(vhost), vhost.tls.place);
        }
    }
    let index = cx.facts.options_of(cx.host.channel.name, cx.host.channel.channel.release.value);
    for secret in &def.secrets {
        let Some(known) = module.secret(secret) else { continue };
        let Some(file) = cx.host.secret(secret.name.as_str()) else { continue };
        let own = secret.path.as_ref().map_or(file.path.as_str(), |path| path.as_str());
        let form = known.form.as_ref().map_or("FILE", |form| form.value.as_str());
        let (option, file) = (format!("{prefix}.{}", known.option.as_str()), form.replace("FILE", own));
        if takes_list(index, &option) {
            out.list(&option, [file], secret.name.place);
        } else {
            out.set(&option, file, secret.name.place);
        }
    }
    let Some(options) = &native.options else { return };
    let loc: Vec<&str> = prefix.split('.').collect();
    match &options.kind {
        // One definition an option, so that each keeps its own place.
        Kind::Table(table) if options.priority == NORMAL => {
            for (name, entry) in table {
                let mut loc = loc.clone();
                loc.push(name);
                let value = convert::value(index, &loc, &entry.node, found);
                out.set_below(prefix, &[name], value, entry.node.place);
            }
        }
        _ => out.set(prefix, convert::value(index, &loc, options, found), options.place),
    }
}

/// Tells whether an option takes a list and nothing else.
fn takes_list(index: Option<OptionIndex<'_>>, option: &str) -> bool {
    let loc: Vec<&str> = option.split('.').collect();
    let shape = index.and_then(|index| index.type_of(&loc)).map(Type::shape);
    matches!(shape, Some(Shape::ListOf { .. }))
}

/// Sets what a module sets, each value by itself and at `mkDefault`: what the definition says of one leaves the others.
fn defaults(
    cx: &HostCx<'_>,
    service: &ResolvedService<'_>,
    (prefix, below): (&str, &mut Vec<String>),
    node: &Node,
    out: &mut Settings,
    found: &mut Diagnostics,
) {
    if let Kind::Table(table) = &node.kind {
        for (name, entry) in table {
            below.push(name.clone());
            defaults(cx, service, (prefix, &mut *below), &entry.node, out, found);
            below.pop();
        }
        return;
    }
    let below: Vec<&str> = below.iter().map(String::as_str).collect();
    let loc: Vec<&str> = prefix.split('.').chain(below.iter().copied()).collect();
    let by_key = service.def.native().is_some_and(|native| native.package.is_some())
        && service.module.is_some_and(|module| module.package_option() == loc.join("."));
    if by_key || service.def.options().is_some_and(|options| options.at(&below).is_some()) {
        return;
    }
    let index = cx.facts.options_of(cx.host.channel.name, cx.host.channel.channel.release.value);
    let value = convert::value(index, &loc, node, found);
    let value = if lies_in_attrs(index, &loc) { value } else { value.default_priority() };
    out.set_below(prefix, &below, value, node.place);
}

/// Tells whether a value lies in an option of type `attrs`, which takes what it is given as it is: it knows no priorities within.
fn lies_in_attrs(index: Option<OptionIndex<'_>>, loc: &[&str]) -> bool {
    let is_attrs = |loc: &[&str]| {
        let shape = index.and_then(|index| index.type_of(loc)).map(Type::shape);
        matches!(shape, Some(Shape::Attrs))
    };
    (1..loc.len()).filter_map(|length| loc.get(..length)).any(is_attrs)
}
