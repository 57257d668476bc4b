//! What translators work with: the objects, the books, and the definitions in the making.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::claims::Claims;
use super::draft::{Draft, HostDraft, Protocol, WorkDraft};
use super::ledger::{Books, Said};
use super::object::{Object, ObjectId};
use super::ports::Ports;
use super::reach::Reach;
use super::spread::{Spread, hosts_of_objects};
use super::translate::pod::Catalogue;
use super::tree::Node;
use super::world::World;
use crate::facts::Facts;
use crate::fleet::Module;
use crate::fleet::schema::migration::{Answer, MigratesFrom, WorkloadRef};
use crate::source::Diagnostics;
use crate::units::{Release, Size};

/// What is known of the place that the workloads go to.
#[derive(Debug)]
pub struct Target<'a> {
    /// The host; none for an inventory alone.
    pub host: Option<&'a str>,
    /// The release it runs.
    pub release: Option<Release>,
    /// The cluster that is left, as fleet.toml calls it.
    pub cluster: &'a str,
    /// Service modules by name.
    pub modules: &'a BTreeMap<String, Module>,
    /// Facts of releases and packages.
    pub facts: &'a Facts,
    /// The dataset that claims go below: `rpool/safe`; none where the host has no pool, then they go below /var/lib.
    pub datasets: Option<String>,
    /// The services of workloads that moved before, by `migrates-from.workload`.
    pub moved: BTreeMap<String, String>,
    /// Names that services of other origin have.
    pub taken: BTreeSet<String>,
    /// Names that further containers of workloads have that moved before.
    pub parts: BTreeSet<String>,
    /// Addresses of the host; none where they are not known.
    pub addresses: Option<BTreeSet<IpAddr>>,
    /// Ports of the host, with the services that have them.
    pub ports: BTreeMap<(u16, Protocol), String>,
    /// Paths of virtual hosts, as (name, path), with the services that answer there.
    pub vhosts: BTreeMap<(String, String), String>,
    /// Modules that services of the host are of, with these services.
    pub natives: BTreeMap<String, String>,
    /// Answers by id of the question.
    pub answers: BTreeMap<String, String>,
    /// Used bytes by claim, `namespace/name`.
    pub used: BTreeMap<String, Size>,
    /// Where claims go that services of the host move already, by `namespace/name`.
    pub placed: BTreeMap<String, Placed>,
    /// Why claims stay that services of the host leave behind, by `namespace/name`.
    pub left: BTreeMap<String, String>,
    /// Several hosts, where it is not one.
    pub spread: Spread,
}

/// Where a definition takes a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The path on the host.
    pub path: String,
    /// What holds that path.
    pub held: Held,
}

/// What holds a path of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// A dataset that is mounted right there, by its pool and its name below that.
    Own(String, String),
    /// A dataset that is mounted above it.
    Above,
    /// No dataset.
    Nowhere,
}

impl<'a> Target<'a> {
    /// Returns no place in particular: for an inventory alone.
    pub fn nowhere(cluster: &'a str, modules: &'a BTreeMap<String, Module>, facts: &'a Facts) -> Self {
        Self {
            host: None,
            release: None,
            cluster,
            modules,
            facts,
            datasets: None,
            moved: BTreeMap::new(),
            placed: BTreeMap::new(),
            left: BTreeMap::new(),
            taken: BTreeSet::new(),
            parts: BTreeSet::new(),
            addresses: None,
            ports: BTreeMap::new(),
            vhosts: BTreeMap::new(),
            natives: BTreeMap::new(),
            answers: BTreeMap::new(),
            used: BTreeMap::new(),
            spread: Spread::default(),
        }
    }
}

/// Returns the answers of a service by the id of the question. An id without an object is a question about the workload itself.
pub fn answers_of(from: &MigratesFrom) -> impl Iterator<Item = (String, String)> {
    from.answers.iter().map(|(key, answer)| {
        let key = key.as_str();
        let id = if key.contains('#') { key.to_owned() } else { format!("{}#{key}", from.workload.value) };
        let said = match &answer.value.value {
            Answer::Text(text) => text.clone(),
            Answer::Number(number) => number.to_string(),
            Answer::Truth(truth) => truth.to_string(),
        };
        (id, said)
    })
}

/// Something that a person has to decide.
#[derive(Debug)]
pub struct Question<'w, 's> {
    /// What an answer is filed under: `apps/Deployment/gitea#image`.
    pub id: String,
    /// The field.
    pub node: &'w Node<'s>,
    /// The question.
    pub text: String,
    /// Whether the plan cannot be carried out before it is answered.
    pub blocks: bool,
    /// How many further leaves it stands for.
    pub further: usize,
}

/// What an object is used for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// The service that uses it.
    pub service: String,
    /// The key of the service's definition: `environment`, `files`, `volumes`.
    pub key: &'static str,
}

/// What translators work with.
#[derive(Debug)]
pub struct Cx<'w, 's> {
    /// All objects.
    pub world: &'w World<'s>,
    /// Where they go.
    pub target: &'w Target<'w>,
    /// What became of each leaf.
    pub books: Books,
    /// The definitions in the making.
    pub host: HostDraft,
    /// What a person has to decide.
    pub questions: Vec<Question<'w, 's>>,
    /// Findings about the input.
    pub found: Diagnostics,
    /// What uses ConfigMaps, Secrets and claims, by the number of the object.
    pub uses: BTreeMap<ObjectId, BTreeSet<Use>>,
    /// The main service of each workload.
    pub services: BTreeMap<ObjectId, String>,
    /// The workload of each of those.
    pub(super) named: BTreeMap<String, ObjectId>,
    /// The host of each workload, where there are several.
    pub(super) hosts: BTreeMap<ObjectId, &'w str>,
    /// The ports of the host that services have.
    pub(super) ports: Ports,
    /// The services of each module.
    pub(super) natives: BTreeMap<String, Vec<String>>,
    /// Claims: what they ask for, who mounts them, where they go.
    pub(super) claims: Claims,
    /// How workloads are reached.
    pub reach: Reach,
    /// Objects that another object of the input made.
    pub(super) attributed: BTreeSet<ObjectId>,
    /// What modules replace; made when it is first asked for.
    pub(super) catalogue: Option<Catalogue<'w>>,
    /// The ids of all questions.
    asked: BTreeSet<String>,
}

impl<'w, 's> Cx<'w, 's> {
    /// Opens the books over all objects.
    pub fn new(world: &'w World<'s>, target: &'w Target<'w>) -> Self {
        let mut books = Books::default();
        world.objects().iter().for_each(|object| books.open(object.leaves));
        Self {
            world,
            target,
            books,
            host: HostDraft::default(),
            questions: Vec::new(),
            found: Diagnostics::new(),
            uses: BTreeMap::new(),
            services: BTreeMap::new(),
            named: BTreeMap::new(),
            hosts: hosts_of_objects(world, &target.spread),
            ports: Ports::default(),
            natives: BTreeMap::new(),
            claims: Claims::default(),
            reach: Reach::default(),
            attributed: BTreeSet::new(),
            catalogue: None,
            asked: BTreeSet::new(),
        }
    }

    /// Tells whether another object of the input made it, so that it is counted there.
    pub fn is_attributed(&self, object: &Object<'_>) -> bool {
        self.attributed.contains(&object.id)
    }

    /// Asks a person, unless the question is answered: then the answer is returned and the field counts as translated.
    ///
    /// `key` tells the questions of one object apart and stays the same between runs. `blocks` says that no plan can be carried out
    /// without an answer.
    pub fn ask(
        &mut self,
        object: &Object<'_>,
        node: &'w Node<'s>,
        key: &str,
        question: impl Into<Said>,
        blocks: bool,
    ) -> Option<&'w str> {
        self.ask_once(object, &[node], key, question, blocks)
    }

    /// Asks one question about several fields, as [`Self::ask`] does about one.
    pub fn ask_once(
        &mut self,
        object: &Object<'_>,
        nodes: &[&'w Node<'s>],
        key: &str,
        question: impl Into<Said>,
        blocks: bool,
    ) -> Option<&'w str> {
        self.ask_as(question_id(object, key), nodes, question, blocks)
    }

    /// Asks one question about several fields, under an id of its own.
    pub(super) fn ask_as(
        &mut self,
        id: String,
        nodes: &[&'w Node<'s>],
        question: impl Into<Said>,
        blocks: bool,
    ) -> Option<&'w str> {
        let text = question.into();
        let [first, rest @ ..] = nodes else { return None };
        if let Some(answer) = self.target.answers.get(&id) {
            let how = format!("answered: {text}");
            for node in nodes {
                self.books.translated_as(node, "migrates-from.answers", how.clone());
            }
            return Some(answer);
        }
        for node in nodes {
            self.books.needs_you(node, text.clone());
        }
        if self.asked.insert(id.clone()) {
            let mut further = 0;
            for node in rest {
                node.each_leaf(&mut |_, _| further += 1);
            }
            self.questions.push(Question { id, node: first, text: text.into_owned(), blocks, further });
        }
        None
    }

    /// Returns the name of the service that an object becomes: the object's own where that is free, else with its namespace.
    pub fn service_name(&mut self, object: &Object<'_>) -> String {
        if let Some(known) = self.services.get(&object.id) {
            return known.clone();
        }
        let name = match self.target.moved.get(&object.identity()) {
            Some(before) => before.clone(),
            None => self.free_name(&[object.name(), &format!("{}-{}", object.namespace(), object.name())]),
        };
        self.services.insert(object.id, name.clone());
        self.named.insert(name.clone(), object.id);
        name
    }

    /// Returns the first of some words, made a name of a service, that no other service has; with a number where all are taken.
    pub fn free_name(&self, words: &[&str]) -> String {
        let is_free = |name: &String| {
            !self.target.taken.contains(name)
                && !self.host.services.contains_key(name)
                && !self.named.contains_key(name)
        };
        let names: Vec<String> = words.iter().map(|word| as_name(word)).collect();
        names.iter().find(|name| is_free(name)).cloned().unwrap_or_else(|| {
            let last = names.last().map_or("service", String::as_str);
            let cut: String = last.chars().take(58).collect();
            (2..=u32::MAX).map(|number| format!("{cut}-{number}")).find(is_free).unwrap_or(cut.clone())
        })
    }

    /// Returns the name of a service that belongs to another one: the one it got when that moved, else a free one.
    pub fn part_name(&self, word: &str) -> String {
        let name = as_name(word);
        if self.target.parts.contains(&name) { name } else { self.free_name(&[word]) }
    }

    /// Returns the service of the host other than `service` that answers at a path of a virtual host.
    pub fn vhost_of_other(&self, service: &str, name: &str, path: &str) -> Option<&str> {
        let vhosts = self.spot(service).map_or(&self.target.vhosts, |spot| &spot.vhosts);
        let owner = vhosts.get(&(name.to_owned(), path.to_owned()))?;
        (owner != service).then_some(owner)
    }

    /// Returns the service other than `service` that has the options of a module already: NixOS has one of each, and MySQL's are
    /// MariaDB's.
    pub fn native_of_other(&self, service: &str, module: &str) -> Option<String> {
        let prefix = |name: &str| Some(self.target.modules.get(name)?.file.prefix.as_ref()?.as_str());
        let wanted = prefix(module);
        let is_same = |name: &str| name == module || wanted.is_some() && prefix(name) == wanted;
        let drafts = self.natives.iter().filter(|(name, _)| is_same(name)).flat_map(|(_, owners)| owners);
        let drafts = drafts.filter(|other| self.is_beside(service, other));
        let natives = self.spot(service).map_or(&self.target.natives, |spot| &spot.natives);
        let services = natives.iter().filter(|(name, _)| is_same(name)).map(|(_, owner)| owner);
        drafts.chain(services).find(|owner| *owner != service).cloned()
    }

    /// Tells whether an object has a name and namespace that Kubernetes would take, and asks for them where it has not: nothing could
    /// refer to it.
    pub fn is_named(&mut self, object: &'w Object<'s>) -> bool {
        if object.identity().parse::<WorkloadRef>().is_ok() {
            return true;
        }
        let named = ["name", "generateName", "namespace"].map(|key| object.tree().at(&["metadata", key]));
        let mut named: Vec<&'w Node<'s>> = named.into_iter().flatten().collect();
        if named.is_empty() {
            named.push(object.tree());
        }
        let text =
            "it has no name that Kubernetes would take, so nothing can refer to it: what is it called in the cluster?";
        self.ask_once(object, &named, "name", text, true);
        if let Some(spec) = object.tree().get("spec") {
            self.books.needs_you(spec, "what it becomes waits for the question about its name");
        }
        false
    }

    /// Adds a service.
    pub fn add(&mut self, name: &str, draft: Draft) {
        draft.ports.iter().for_each(|port| self.ports.take(name, port));
        if let WorkDraft::Native(native) = &draft.work {
            self.natives.entry(native.module.clone()).or_default().push(name.to_owned());
        }
        self.host.services.insert(name.to_owned(), draft);
    }

    /// Returns an object that a workload uses, and remembers what for.
    pub fn take(
        &mut self,
        kind: &str,
        namespace: &str,
        name: &str,
        service: &str,
        key: &'static str,
    ) -> Option<&'w Object<'s>> {
        let object = self.world.find(kind, namespace, name)?;
        self.uses.entry(object.id).or_default().insert(Use { service: service.to_owned(), key });
        Some(object)
    }
}

/// Returns a word as the name of a service: lower-case letters, digits and hyphens, 63 at most.
pub(super) fn as_name(word: &str) -> String {
    let plain: String =
        word.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let cut: String = plain.trim_matches('-').chars().take(63).collect();
    let name = cut.trim_matches('-');
    if name.is_empty() { "service".to_owned() } else { name.to_owned() }
}

/// Returns what an answer is filed under. What an id cannot hold, such as `${NAME}` in a name, stands in it as `_`.
fn question_id(object: &Object<'_>, key: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._:/-#".contains(c);
    let id = format!("{}#{key}", object.identity());
    id.chars().take(300).map(|c| if fits(c) { c } else { '_' }).collect()
}
