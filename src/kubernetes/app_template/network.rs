//! How workloads of a release are reached: Services, Ingresses and routes, and what watches and guards them.

use super::make::{Map, instead};
use super::{Controller, Release};
use crate::kubernetes::tree::{Node, Pair, Value};

/// What a Service says in the words of Kubernetes.
const OF_SERVICE: &[&str] = &[
    "type",
    "clusterIP",
    "externalIPs",
    "externalName",
    "externalTrafficPolicy",
    "internalTrafficPolicy",
    "ipFamilies",
    "ipFamilyPolicy",
    "loadBalancerClass",
    "loadBalancerIP",
    "loadBalancerSourceRanges",
    "publishNotReadyAddresses",
    "sessionAffinity",
    "sessionAffinityConfig",
];

impl<'n, 's> Release<'n, 's> {
    /// Returns the Services that are not switched off.
    fn service_pairs(&self) -> Vec<&'n Pair<'s>> {
        let is_on = |pair: &&Pair<'s>| pair.node.bool_at("enabled") != Some(false);
        self.values.map("service").iter().filter(is_on).collect()
    }

    /// Returns the ports of a Service that are not switched off, the primary one first.
    fn port_pairs(service: &'n Node<'s>) -> Vec<&'n Pair<'s>> {
        let is_on = |pair: &&Pair<'s>| pair.node.bool_at("enabled") != Some(false);
        let mut all: Vec<&'n Pair<'s>> = service.map("ports").iter().filter(is_on).collect();
        all.sort_by_key(|pair| pair.node.bool_at("primary") != Some(true));
        all
    }

    /// Returns the name of a Service.
    fn service_name(&mut self, pair: &'n Pair<'s>) -> String {
        let count = self.service_pairs().len();
        self.called(&pair.key, &pair.node, count, true)
    }

    /// Returns a Service by its key; the primary one of the release without a key.
    fn service(&self, key: Option<&str>) -> Option<&'n Pair<'s>> {
        let all = self.service_pairs();
        match key {
            Some(key) => all.into_iter().find(|pair| pair.key == key),
            None => {
                let primary = all.iter().find(|pair| pair.node.bool_at("primary") == Some(true));
                primary.or_else(|| all.iter().find(|pair| pair.key == "main")).or_else(|| all.first()).copied()
            }
        }
    }

    /// Returns the port that a probe without one asks: the first one that leads to the workload.
    pub(super) fn first_port(&self, controller: &Controller<'n, 's>) -> Option<Node<'s>> {
        let leads = |pair: &&&'n Pair<'s>| {
            pair.node.get("controller").is_none_or(|wanted| wanted.text() == Some(controller.key))
        };
        let all = self.service_pairs();
        let primary = all.iter().filter(leads).find(|pair| pair.node.bool_at("primary") == Some(true));
        let service = primary.or_else(|| all.iter().find(leads))?;
        let port = Self::port_pairs(&service.node).into_iter().next()?;
        port.node.get("targetPort").or_else(|| port.node.get("port")).map(|port| self.fill(port))
    }

    /// Adds the Services.
    pub(super) fn services(&mut self, controllers: &[Controller<'n, 's>]) {
        for pair in self.enabled("service", |_| true) {
            let node = &pair.node;
            let mut spec = Map::new(node);
            for key in OF_SERVICE {
                spec = spec.some(*key, node.get(key).map(|node| self.fill(node)));
            }
            let wanted = node.get("controller");
            if let Some(wanted) = wanted {
                self.notes.replaced(wanted, "the service that it leads to");
            }
            let key = wanted.and_then(Node::text).map(|key| self.filled(key));
            let key = key.or_else(|| controllers.first().map(|controller| controller.key.to_owned()));
            let mut selector = Map::new(node);
            for pair in node.map("extraSelectorLabels") {
                selector = selector.node(pair.key.clone(), self.fill(&pair.node));
            }
            if let Some(key) = key {
                spec = spec.map("selector", self.selector(&key));
            }
            spec = spec.map("selector", selector);
            let mut ports = Vec::new();
            for pair in self.enabled_of(node.map("ports"), |_| true) {
                ports.push(self.port(pair));
            }
            let spec = spec.list("ports", ports);
            if let Some(primary) = node.get("primary") {
                self.notes.replaced(primary, "which port is asked where none is named, as it is here");
            }
            let name = self.service_name(pair);
            let metadata = self.metadata(&name, Some(node));
            self.add("v1", "Service", metadata, vec![("spec", spec.end())]);
        }
        self.monitors();
        self.policies();
    }

    fn port(&mut self, pair: &'n Pair<'s>) -> Node<'s> {
        let node = &pair.node;
        let mut map = Map::new(node).text("name", &pair.key);
        for key in ["port", "targetPort", "nodePort", "appProtocol"] {
            map = map.some(key, node.get(key).filter(|node| !node.is_null()).map(|node| self.fill(node)));
        }
        if let Some(protocol) = node.get("protocol") {
            // HTTP and HTTPS are words of the chart.
            match protocol.text() {
                Some("HTTP" | "HTTPS") => map = map.node("protocol", instead(protocol, "TCP".to_owned())),
                _ => map = map.node("protocol", self.fill(protocol)),
            }
        }
        if let Some(primary) = node.get("primary") {
            self.notes.replaced(primary, "which port is asked where none is named, as it is here");
        }
        map.end()
    }

    /// Adds Ingresses and routes.
    pub(super) fn routes(&mut self, _controllers: &[Controller<'n, 's>]) {
        let pairs = self.enabled("ingress", |_| true);
        let count = pairs.len();
        for pair in pairs {
            let node = &pair.node;
            let class = node.get("className").or_else(|| node.get("ingressClassName"));
            let mut spec = Map::new(node).some("ingressClassName", class.map(|class| self.fill(class)));
            let rules = node.list("hosts").iter().map(|host| self.rule(host)).collect();
            spec = spec.list("rules", rules).some("tls", node.get("tls").map(|tls| self.fill(tls)));
            if let Some(backend) = node.get("defaultBackend") {
                spec = spec.node("defaultBackend", self.fill(backend));
            }
            if let Some(primary) = node.get("primary") {
                self.notes.replaced(primary, "which of the addresses is shown first: all are served");
            }
            let name = self.called(&pair.key, node, count, true);
            let metadata = self.metadata(&name, Some(node));
            self.add("networking.k8s.io/v1", "Ingress", metadata, vec![("spec", spec.end())]);
        }
        let pairs = self.enabled("route", |_| true);
        let count = pairs.len();
        for pair in pairs {
            self.route(pair, count);
        }
    }

    /// Returns a rule of an Ingress.
    fn rule(&mut self, host: &'n Node<'s>) -> Node<'s> {
        let mut paths = Vec::new();
        for path in host.list("paths") {
            let service = path.get("service");
            let mut map = Map::new(path).some("path", path.get("path").map(|path| self.fill(path)));
            map = match path.get("pathType") {
                Some(kind) => map.node("pathType", kind.clone()),
                None => map.text("pathType", "Prefix"),
            };
            let backend = self.backend(path, service);
            let number = |port: &Node<'s>| if port.int().is_some() { "number" } else { "name" };
            let mut inner = Map::new(path);
            if let Some(name) = backend.0 {
                inner = inner.node("name", name);
            }
            if let Some(port) = backend.1 {
                let key = number(&port);
                inner = inner.map("port", Map::new(path).node(key, port));
            }
            paths.push(map.map("backend", Map::new(path).map("service", inner)).end());
        }
        let http = Map::new(host).list("paths", paths);
        Map::new(host).some("host", host.get("host").map(|host| self.fill(host))).map("http", http).end()
    }

    /// Returns the name and port of the Service that something leads to: what it says, else the first Service and its first port.
    fn backend(&mut self, like: &'n Node<'s>, says: Option<&'n Node<'s>>) -> (Option<Node<'s>>, Option<Node<'s>>) {
        let says = says.filter(|says| !says.pairs().is_empty());
        let identifier = says.and_then(|says| says.get("identifier"));
        let name = says.and_then(|says| says.get("name"));
        let port = says.and_then(|says| says.get("port")).map(|port| self.fill(port));
        let pair = match (identifier, name) {
            (Some(key), _) => self.service(key.text()),
            // A name was an identifier too before version 3.
            (None, Some(name)) => self.service(name.text()),
            (None, None) => self.service(None),
        };
        let Some(pair) = pair else { return (name.or(identifier).map(|name| self.fill(name)), port) };
        let called = self.service_name(pair);
        let node = match identifier.or(name) {
            Some(carrier) => instead(carrier, called),
            None => super::make::text_like(like, &called),
        };
        let first = || Self::port_pairs(&pair.node).into_iter().next().and_then(|port| port.node.get("port"));
        let port = match port {
            // The name of a port is its key among the values.
            Some(port) => Some(port),
            None => first().map(|port| Node::made(port.value.clone(), like)),
        };
        (Some(node), port)
    }

    fn route(&mut self, pair: &'n Pair<'s>, count: usize) {
        let node = &pair.node;
        let kind = match node.get("kind").and_then(Node::text) {
            None | Some("HTTPRoute") => "HTTPRoute",
            Some("GRPCRoute") => "GRPCRoute",
            Some("TCPRoute") => "TCPRoute",
            Some("TLSRoute") => "TLSRoute",
            Some("UDPRoute") => "UDPRoute",
            Some(_) => return,
        };
        if let Some(kind) = node.get("kind") {
            self.notes.replaced(kind, "the kind of route that is made of the values beside it");
        }
        let mut spec = Map::new(node);
        for key in ["parentRefs", "hostnames"] {
            spec = spec.some(key, node.get(key).map(|node| self.fill(node)));
        }
        let mut rules: Vec<Node<'s>> = Vec::new();
        for rule in node.list("rules") {
            let mut map = Map::new(rule);
            for pair in rule.pairs().iter().filter(|pair| pair.key != "backendRefs") {
                map = map.node(pair.key.clone(), self.fill(&pair.node));
            }
            let mut backends = Vec::new();
            for reference in rule.list("backendRefs") {
                backends.push(self.backend_reference(reference, Some(reference)));
            }
            if backends.is_empty() && !leads_elsewhere(rule) {
                backends.push(self.backend_reference(rule, None));
            }
            rules.push(map.list("backendRefs", backends).end());
        }
        if rules.is_empty() {
            let backend = self.backend_reference(node, None);
            rules.push(Map::new(node).list("backendRefs", vec![backend]).end());
        }
        let spec = spec.list("rules", rules);
        let version = if kind == "HTTPRoute" || kind == "GRPCRoute" {
            "gateway.networking.k8s.io/v1"
        } else {
            "gateway.networking.k8s.io/v1alpha2"
        };
        let name = self.called(&pair.key, node, count, true);
        let metadata = self.metadata(&name, Some(node));
        self.add(version, kind, metadata, vec![("spec", spec.end())]);
    }

    fn backend_reference(&mut self, like: &'n Node<'s>, says: Option<&'n Node<'s>>) -> Node<'s> {
        let (name, port) = self.backend(like, says);
        // A route names ports by number alone: their keys are words of the chart.
        let port = port.map(|port| {
            let key = port.text().unwrap_or_default();
            let number = self.service_pairs().into_iter().find_map(|pair| pair.node.at(&["ports", key, "port"]));
            match number {
                Some(number) => port.with(number.value.clone()),
                None => port,
            }
        });
        let mut map = Map::new(like).some("name", name).some("port", port);
        for pair in says.map_or(&[][..], Node::pairs) {
            if pair.key != "identifier" {
                map = map.node(pair.key.clone(), self.fill(&pair.node));
            }
        }
        map.end()
    }

    /// Adds what watches the workloads.
    fn monitors(&mut self) {
        for (list, kind) in [("serviceMonitor", "ServiceMonitor"), ("podMonitor", "PodMonitor")] {
            let pairs = self.enabled(list, |_| true);
            let count = pairs.len();
            for pair in pairs {
                let node = &pair.node;
                let endpoints = if kind == "ServiceMonitor" { "endpoints" } else { "podMetricsEndpoints" };
                let ends = node.get(endpoints).or_else(|| node.get("endpoints"));
                let mut spec = Map::new(node).some(endpoints, ends.map(|ends| self.fill(ends)));
                for key in ["jobLabel", "targetLabels", "selector", "namespaceSelector"] {
                    spec = spec.some(key, node.get(key).map(|node| self.fill(node)));
                }
                for key in ["serviceName", "service", "controller"] {
                    if let Some(node) = node.get(key) {
                        self.notes.replaced(node, "the service that is watched");
                    }
                }
                let name = self.called(&pair.key, node, count, true);
                let metadata = self.metadata(&name, Some(node));
                self.add("monitoring.coreos.com/v1", kind, metadata, vec![("spec", spec.end())]);
            }
        }
    }

    /// Adds what guards the workloads.
    fn policies(&mut self) {
        let pairs = self.enabled("networkpolicies", |_| true);
        let count = pairs.len();
        for pair in pairs {
            let node = &pair.node;
            let mut spec = Map::new(node);
            if let Some(controller) = node.get("controller") {
                let labels = self.selector(controller.text().unwrap_or_default());
                spec = spec.map("podSelector", Map::new(node).map("matchLabels", labels));
                self.notes.replaced(controller, "the service that the rules are about");
            }
            spec = spec.some("podSelector", node.get("podSelector").map(|node| self.fill(node)));
            spec = spec.some("policyTypes", node.get("policyTypes").cloned());
            for pair in node.map("rules") {
                spec = spec.node(pair.key.clone(), self.fill(&pair.node));
            }
            let name = self.called(&pair.key, node, count, true);
            let metadata = self.metadata(&name, Some(node));
            self.add("networking.k8s.io/v1", "NetworkPolicy", metadata, vec![("spec", spec.end())]);
        }
    }
}

/// Tells whether a rule answers itself, so that it leads to no Service.
fn leads_elsewhere(rule: &Node<'_>) -> bool {
    let is_redirect = |filter: &Node<'_>| filter.str_at("type") == Some("RequestRedirect");
    matches!(&rule.value, Value::Mapping(_)) && rule.list("filters").iter().any(is_redirect)
}
