//! The image of a container: its name as containerd reads it, when it is pulled, and who may.

use super::{Container, Workload, secrets};
use crate::fleet::scalar::ImageRef;
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::Draft;
use crate::kubernetes::tree::Node;

/// Settles `image`, `imagePullPolicy` and `imagePullSecrets`, and adds them to a service.
pub(super) fn translate<'w, 's>(
    cx: &mut Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    container: &Container<'w, 's>,
    draft: &mut Draft,
) {
    let image = image(cx, workload, container);
    let is_pinned = image.digest.is_some();
    let policy = container.node.get("imagePullPolicy").filter(|policy| !policy.is_null());
    let pull = policy.map_or_else(
        || if image.tag.as_deref() == Some("latest") { "Always" } else { "" },
        |policy| policy.text().unwrap_or(""),
    );
    let login = login(cx, workload, container);
    let Some(work) = draft.as_container_mut() else { return };
    work.image = image.to_string();
    work.registry_login = login;
    // "Image pull policy": Always asks the registry at each start.
    match (pull, is_pinned) {
        ("Always", false) => work.pull = Some("always"),
        ("Never", _) => work.pull = Some("never"),
        _ => {}
    }
    let Some(policy) = policy else { return };
    match (pull, is_pinned) {
        ("Always", true) => {
            cx.books.dropped(policy, "the digest names one image, which does not have to be asked for again");
        }
        ("Always", false) => cx.books.translated(policy, container.key("pull")),
        ("Never", _) => {
            let text = "nobody pulls this image: how does it come to the host?";
            cx.ask(workload.object, policy, &container.question("imagePullPolicy"), text, true);
        }
        ("IfNotPresent", _) => cx.books.replaced(policy, "podman pulls an image that is not there"),
        _ => {}
    }
}

/// Returns the image, or one that stands for it until a question is answered.
fn image<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>, container: &Container<'w, 's>) -> ImageRef {
    let question = container.question("image");
    let Some(node) = container.node.get("image").filter(|node| !node.is_null()) else {
        let at = container.node.get("name").unwrap_or(container.node);
        let answer = cx.ask(workload.object, at, &question, "it has no image: which one does it run?", true);
        return answer.and_then(read).unwrap_or_else(|| stand_in(&container.service));
    };
    let text = node.text().unwrap_or("").trim();
    let Some(image) = read(text) else {
        // What stands before the tag may be whole.
        let base =
            text.rsplit_once(':').and_then(|(name, _)| read(name)).unwrap_or_else(|| stand_in(&container.service));
        let said = "the image is not known before it is filled in: which one does it run?";
        let answer = cx.ask(workload.object, node, &question, said, true);
        return answer.and_then(|answer| answered(answer, &base)).unwrap_or(base);
    };
    if image.digest.is_none() && image.tag.as_deref() == Some("latest") {
        let said = format!("`{image}` is whatever was pushed last: which version or digest ran in the cluster?");
        if let Some(other) =
            cx.ask(workload.object, node, &question, said, false).and_then(|answer| answered(answer, &image))
        {
            return other;
        }
    }
    cx.books.translated(node, container.key("image"));
    image
}

/// Returns an image that is written as an answer: whole, or its tag or digest alone.
fn answered(answer: &str, image: &ImageRef) -> Option<ImageRef> {
    let of_tag = |text: String| text.parse().ok();
    if answer.starts_with("sha256:") {
        return of_tag(format!("{}@{answer}", image.name));
    }
    if answer.contains(['/', ':']) { read(answer) } else { of_tag(format!("{}:{answer}", image.name)) }
}

/// What stands for an image that is not known.
fn stand_in(service: &str) -> ImageRef {
    ImageRef { name: format!("localhost/{service}"), tag: Some("unknown".to_owned()), digest: None }
}

/// Reads an image as containerd does: without a registry it is Docker's, without a path `library`, without a tag `latest`
/// (`ParseDockerRef` of github.com/distribution/reference).
pub(super) fn read(text: &str) -> Option<ImageRef> {
    let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
    let (name, tag) = match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (name, None),
    };
    let has_registry = name.split_once('/').is_some_and(|(first, _)| {
        first.contains(['.', ':']) || first == "localhost" || first.to_ascii_lowercase() != first
    });
    let path = if has_registry { name.strip_prefix("index.docker.io/").unwrap_or(name) } else { name };
    let path = path.strip_prefix("docker.io/").unwrap_or(path);
    let is_docker = !has_registry || path != name;
    let name = match (is_docker, path.contains('/')) {
        (true, false) => format!("docker.io/library/{path}"),
        (true, true) => format!("docker.io/{path}"),
        (false, _) => name.to_owned(),
    };
    let tag = match (tag, digest) {
        (Some(tag), _) => format!(":{tag}"),
        (None, None) => ":latest".to_owned(),
        (None, Some(_)) => String::new(),
    };
    let digest = digest.map(|digest| format!("@{digest}")).unwrap_or_default();
    format!("{name}{tag}{digest}").parse().ok()
}

/// Settles `imagePullSecrets`; podman takes one file for all registries.
fn login<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>, container: &Container<'w, 's>) -> Option<String> {
    let list = workload.spec.list("imagePullSecrets");
    let first = list.first()?;
    let name = first.get("name").and_then(Node::text)?;
    let namespace = workload.object.namespace();
    cx.take("Secret", namespace, name, &container.service, "registry-login");
    let what =
        format!("the logins of registries (key .dockerconfigjson of the Secret {name} in the namespace {namespace})");
    let item = secrets::item(cx, &[namespace, name], what);
    cx.books.translated(first, container.key("registry-login"));
    for other in list.iter().skip(1) {
        cx.books.translated_as(other, container.key("registry-login"), "its logins belong into the same file");
    }
    Some(item)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn images_are_named_as_containerd_names_them() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for (text, wanted) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.27", "docker.io/library/nginx:1.27"),
            ("grafana/grafana:11", "docker.io/grafana/grafana:11"),
            ("docker.io/nginx:1", "docker.io/library/nginx:1"),
            ("index.docker.io/a/b:1", "docker.io/a/b:1"),
            ("docker.io/library/redis:7", "docker.io/library/redis:7"),
            ("ghcr.io/a/b", "ghcr.io/a/b:latest"),
            ("registry:5000/b:2", "registry:5000/b:2"),
            ("localhost/b:2", "localhost/b:2"),
            (&format!("nginx@{digest}"), &format!("docker.io/library/nginx@{digest}")),
            (&format!("nginx:1@{digest}"), &format!("docker.io/library/nginx:1@{digest}")),
        ] {
            assert_eq!(read(text).map(|image| image.to_string()).as_deref(), Some(wanted), "{text}");
        }
        for text in ["", "${IMAGE}", "a/b:${TAG}", "{{ .Values.image }}", "a b"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
