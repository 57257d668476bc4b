//! Secrets that a program of the cluster makes: ExternalSecret, SealedSecret, OnePasswordItem and their like.
//!
//! What they lead to is a Secret. Workloads that read it ask for the host's secrets themselves; here a person learns where the values
//! are. Values are never read, not even encrypted ones.

use super::{Stage, Translator};
use crate::kubernetes::context::{Cx, as_name};
use crate::kubernetes::object::Object;
use crate::kubernetes::tree::Node;

pub(super) static EXTERNAL_SECRET: Translator = Translator {
    kind: "ExternalSecret",
    groups: &["external-secrets.io", "kubernetes-client.io"],
    stage: Stage::Guards,
    run: external,
};
pub(super) static SEALED_SECRET: Translator =
    Translator { kind: "SealedSecret", groups: &["bitnami.com"], stage: Stage::Guards, run: sealed };
pub(super) static ONE_PASSWORD_ITEM: Translator =
    Translator { kind: "OnePasswordItem", groups: &["onepassword.com"], stage: Stage::Guards, run: one_password };

fn external<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let Some(spec) = object.tree().get("spec") else { return };
    let text = |route: &[&str]| spec.at(route).and_then(Node::text).map(str::to_owned);
    let secret = text(&["target", "name"]).unwrap_or_else(|| object.name().to_owned());
    let template = spec.at(&["target", "template", "data"]).map_or(&[][..], Node::pairs);
    let mut keys: Vec<&str> = template.iter().map(|pair| pair.key.as_ref()).collect();
    if keys.is_empty() {
        keys = spec.list("data").iter().filter_map(key_of).collect();
    }
    let store = text(&["secretStoreRef", "name"]).map_or_else(String::new, |name| format!(" from the store `{name}`"));
    let question = question(cx, object, &secret, &keys, &format!("external-secrets fetches them{store}"));
    let about = ["data", "dataFrom", "secretStoreRef", "target"].iter().chain(OF_THE_STORE);
    let nodes: Vec<&'w Node<'s>> = about.filter_map(|key| spec.get(key)).collect();
    cx.ask_once(object, &nodes, "keys", question, false);
}

/// Where the values are, in the words of the first API group.
const OF_THE_STORE: &[&str] = &[
    "backendType",
    "keyVaultName",
    "kvVersion",
    "projectId",
    "region",
    "roleArn",
    "template",
    "vaultMountPoint",
    "vaultRole",
];

/// Returns the key of the Secret that an element of `data` fills: `secretKey`, in the first API group `name`.
pub(in crate::kubernetes::translate) fn key_of<'a>(data: &'a Node<'_>) -> Option<&'a str> {
    data.get("secretKey").or_else(|| data.get("name"))?.text()
}

fn sealed<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let Some(spec) = object.tree().get("spec") else { return };
    let data = spec.get("encryptedData");
    let keys: Vec<&str> = data.map_or(&[][..], Node::pairs).iter().map(|pair| pair.key.as_ref()).collect();
    let how = format!(
        "only their controller can open them: read them with `kubectl get secret -n {} {} -o yaml`",
        object.namespace(),
        object.name()
    );
    let question = question(cx, object, object.name(), &keys, &how);
    let nodes: Vec<&'w Node<'s>> = ["encryptedData", "data"].iter().filter_map(|key| spec.get(key)).collect();
    cx.ask_once(object, &nodes, "keys", question, false);
}

fn one_password<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let Some(item) = object.tree().at(&["spec", "itemPath"]) else { return };
    let question = question(
        cx,
        object,
        object.name(),
        &[],
        "they are the fields of an item in 1Password, which `spec.itemPath` names",
    );
    cx.ask(object, item, "keys", question, false);
}

/// Returns what to fill in: the host's secrets that workloads made of the Secret, or its keys where no workload reads it.
fn question(cx: &Cx<'_, '_>, object: &Object<'_>, secret: &str, keys: &[&str], where_they_are: &str) -> String {
    let start = as_name(&format!("{}-{secret}", object.namespace()));
    let is_of = |name: &&String| name.strip_prefix(&start).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    let items: Vec<String> = cx.host.secrets.keys().filter(is_of).map(|name| format!("`{name}`")).collect();
    if !items.is_empty() {
        return format!("fill in the host's secrets {}: in the cluster {where_they_are}", items.join(", "));
    }
    let named = match keys {
        [] => "its keys".to_owned(),
        keys => keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "),
    };
    format!(
        "no translated workload reads the Secret `{secret}`: if one needs {named}, fill them into the host's secrets; in the cluster {where_they_are}"
    )
}

#[cfg(test)]
mod tests {
    use crate::kubernetes::sample::translated;

    #[test]
    fn a_fetched_secret_is_one_question_that_names_its_keys_and_its_store() {
        let inventory = translated(
            "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: { name: db, namespace: apps }\nspec:\n  refreshInterval: 1h\n  secretStoreRef: { kind: ClusterSecretStore, name: vault }\n  target: { name: db-login, creationPolicy: Owner }\n  data: [{ secretKey: PASSWORD, remoteRef: { key: db, property: pw } }]\n",
        );
        assert_eq!(inventory.questions.len(), 1, "{:#?}", inventory.questions);
        insta::assert_snapshot!(inventory.questions.first().unwrap().question, @"no translated workload reads the Secret `db-login`: if one needs `PASSWORD`, fill them into the host's secrets; in the cluster external-secrets fetches them from the store `vault`");
    }

    #[test]
    fn a_sealed_secret_names_its_keys_and_says_none_of_its_values() {
        let inventory = translated(
            "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: { name: db, namespace: apps }\nspec: { encryptedData: { PASSWORD: AgBsealedvalue }, template: { metadata: { name: db } } }\n",
        );
        assert_eq!(inventory.questions.len(), 1, "{:#?}", inventory.questions);
        let question = &inventory.questions.first().unwrap().question;
        assert!(question.contains("`PASSWORD`") && question.contains("kubectl get secret -n apps db"), "{question}");
        assert!(!format!("{inventory:?}").contains("AgBsealedvalue"));
    }

    #[test]
    fn an_item_of_a_password_manager_is_one_question() {
        let inventory = translated(
            "apiVersion: onepassword.com/v1\nkind: OnePasswordItem\nmetadata: { name: db, namespace: apps }\nspec: { itemPath: vaults/a/items/b }\n",
        );
        assert_eq!(inventory.questions.len(), 1, "{:#?}", inventory.questions);
    }
}
