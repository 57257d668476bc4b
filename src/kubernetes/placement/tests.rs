use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const GIB: u64 = 1 << 30;

fn load(id: &str, memory: u64) -> Load {
    Load { id: format!("apps/Deployment/{id}"), memory: Some(memory * GIB), ..Load::default() }
}

fn room(name: &str, memory: u64) -> Room {
    let name = name.to_owned();
    Room {
        nodes: [name.clone()].into(),
        name,
        memory: Some(memory * GIB),
        storage: Some(1000 * GIB),
        ..Room::default()
    }
}

fn tie(a: &str, b: &str) -> Tie {
    let id = |name: &str| format!("apps/Deployment/{name}");
    Tie { a: id(a), b: id(b), why: "they share the claim `apps/data`".to_owned() }
}

fn lines(placed: &[Placed]) -> Vec<String> {
    let short = |id: &str| id.rsplit('/').next().unwrap().to_owned();
    placed
        .iter()
        .map(|one| format!("{} -> {}: {}", short(&one.id), one.host.as_deref().unwrap_or("?"), one.reason))
        .collect()
}

#[test]
fn each_goes_to_the_host_that_it_fills_best_and_what_speaks_is_together() {
    let mut demand = Demand { loads: vec![load("web", 1), load("db", 6), load("cache", 2)], ..Demand::default() };
    demand.loads[2].memory = None;
    let id = |name: &str| format!("apps/Deployment/{name}");
    demand.talks = vec![Talk { from: id("web"), to: id("db"), weight: 2 }];
    assert_eq!(
        lines(&place(&demand, &[room("small", 4), room("large", 16)])),
        [
            "web -> large: it speaks with `db`, which is there",
            "db -> large: `large` alone has room for 6 GiB of memory",
            "cache -> large: nothing says how much memory it takes, and most is left there, 9 GiB",
        ]
    );
    demand.talks.clear();
    assert_eq!(
        lines(&place(&demand, &[room("large", 16), room("small", 4)])).first().unwrap(),
        "web -> small: it takes 1 GiB of memory, and 4 GiB are left there, the least that is enough"
    );
}

#[test]
fn what_shares_data_is_together_and_what_has_no_place_is_asked() {
    let demand = Demand {
        loads: vec![load("a", 3), load("b", 3), load("c", 9)],
        ties: vec![tie("a", "b")],
        ..Demand::default()
    };
    let placed = place(&demand, &[room("x", 5), room("y", 8)]);
    assert_eq!(
        lines(&placed),
        [
            "a -> y: `y` alone has room for 6 GiB of memory; beside `b`: they share the claim `apps/data`",
            "b -> y: `y` alone has room for 6 GiB of memory; beside `a`: they share the claim `apps/data`",
            "c -> ?: it takes 9 GiB of memory, and `x` has 5 GiB of memory and 1000 GiB of storage left and `y` has \
             8 GiB of memory and 1000 GiB of storage left",
        ]
    );
    assert!(placed[2].ask.as_ref().unwrap().text.ends_with("where should it go, or what makes room there?"));
}

#[test]
fn what_a_person_chose_stays_and_takes_its_company_along() {
    let mut demand = Demand {
        loads: vec![load("a", 3), load("b", 3), load("c", 1)],
        ties: vec![tie("a", "b")],
        ..Demand::default()
    };
    demand.loads[0].chosen = Some(Chosen { host: "y".to_owned(), defined: true });
    demand.loads[2].chosen = Some(Chosen { host: "z".to_owned(), defined: false });
    let rooms = [room("x", 50), room("y", 80)];
    assert_eq!(
        lines(&place(&demand, &rooms)),
        [
            "a -> y: the definitions of `y` have it",
            "b -> y: `a` is there; beside `a`: they share the claim `apps/data`",
            "c -> ?: the answer names `z`, which is none of `x` and `y`",
        ]
    );
    demand.loads[1].chosen = Some(Chosen { host: "x".to_owned(), defined: true });
    demand.loads[2].chosen = None;
    demand.ties.push(tie("c", "b"));
    assert_eq!(
        lines(&place(&demand, &rooms)).last().unwrap(),
        "c -> ?: it must be beside each of them, and `b` is on `x` and `a` is on `y`"
    );
}

#[test]
fn hardware_binds() {
    let mut demand = Demand { loads: vec![load("zigbee", 1), load("gpu", 1), load("arm", 1)], ..Demand::default() };
    demand.loads[0].pins = vec![Pin::Nodes(vec!["pi3".to_owned()])];
    demand.loads[1].pins = vec![Pin::Hardware("the device `/dev/dri`".to_owned())];
    demand.loads[2].pins = vec![Pin::Machines(vec!["arm64".to_owned()])];
    let mut rooms = [room("a", 8), room("b", 9)];
    rooms[1].machine = Some("arm64".to_owned());
    rooms[0].machine = Some("amd64".to_owned());
    let placed = place(&demand, &rooms);
    assert_eq!(
        lines(&placed),
        [
            "zigbee -> ?: in the cluster it runs on the node `pi3` alone, and no host stands for that",
            "gpu -> ?: it needs the device `/dev/dri`, and nothing says which host has that",
            "arm -> b: it runs on machines of the kind `arm64` alone",
        ]
    );
    assert_eq!(
        placed[0].ask,
        Some(Ask {
            node: Some("pi3".to_owned()),
            text: "workloads run on the node `pi3` alone: which of `a` and `b` takes its place?".to_owned()
        })
    );
    rooms[0].nodes.insert("pi3".to_owned());
    assert_eq!(
        lines(&place(&demand, &rooms)).first().unwrap(),
        "zigbee -> a: in the cluster it runs on the node `pi3` alone"
    );
}

#[test]
fn what_speaks_with_a_host_goes_where_that_can_be_reached() {
    let mut demand = Demand { loads: vec![load("radio", 1), load("wiki", 4)], ..Demand::default() };
    demand.loads[0].pins = vec![Pin::Nodes(vec!["small".to_owned()])];
    let [radio, wiki] = ["radio", "wiki"].map(|name| format!("apps/Deployment/{name}"));
    demand.talks = vec![Talk { from: wiki, to: radio, weight: 2 }];
    let mut rooms = [room("far", 5), room("near", 32), room("small", 2)];
    assert!(lines(&place(&demand, &rooms))[1].starts_with("wiki -> far: it takes 4 GiB"));
    rooms[1].reaches = ["small".to_owned()].into();
    assert_eq!(
        lines(&place(&demand, &rooms))[1],
        "wiki -> near: from there it reaches what it speaks with in a network of the hosts' own"
    );
}

#[test]
fn no_host_gets_its_address_from_itself_where_another_one_is_there() {
    let mut demand = Demand { loads: vec![load("router", 1)], ..Demand::default() };
    demand.loads[0].gives = [Gift::Dhcp].into();
    let mut rooms = [room("a", 2), room("b", 9)];
    rooms[0].needs = [Gift::Dhcp, Gift::Dns].into();
    assert_eq!(
        lines(&place(&demand, &rooms)),
        ["router -> b: `a` would wait for itself when starting, which takes an address from it"]
    );
    rooms[1].needs = [Gift::Dhcp].into();
    assert!(lines(&place(&demand, &rooms))[0].starts_with("router -> a: it takes 1 GiB"));
}

/// Workloads with needs, ties and talks, and hosts with room.
fn any_demand() -> impl Strategy<Value = (Demand, Vec<Room>)> {
    let load = (prop::option::of(0u64..8), 0u64..40, 0u64..4000, prop::option::weighted(0.1, 0usize..4), any::<bool>());
    let loads = prop::collection::vec(load, 1..12);
    let pairs = || prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..6);
    let rooms = prop::collection::vec((prop::option::of(1u64..20), prop::option::of(1u64..90), any::<bool>()), 1..5);
    (loads, pairs(), pairs(), rooms).prop_map(|(loads, ties, talks, rooms)| {
        let loads: Vec<Load> = loads
            .into_iter()
            .enumerate()
            .map(|(at, (memory, storage, cpu, node, gives))| Load {
                id: format!("apps/Deployment/w{at}"),
                memory,
                storage,
                cpu,
                pins: node.map(|node| Pin::Nodes(vec![format!("h{node}")])).into_iter().collect(),
                gives: gives.then_some(Gift::Dns).into_iter().collect(),
                ..Load::default()
            })
            .collect();
        let id = |at: &prop::sample::Index| loads[at.index(loads.len())].id.clone();
        let ties = ties.iter().map(|(a, b)| Tie { a: id(a), b: id(b), why: "why".to_owned() }).collect();
        let talks = talks.iter().map(|(a, b)| Talk { from: id(a), to: id(b), weight: 2 }).collect();
        let rooms = rooms.into_iter().enumerate().map(|(at, (memory, storage, needs))| Room {
            name: format!("h{at}"),
            memory,
            storage,
            machine: None,
            nodes: [format!("h{at}")].into(),
            needs: needs.then_some(Gift::Dns).into_iter().collect(),
            reaches: BTreeSet::new(),
        });
        (Demand { loads, ties, talks }, rooms.collect())
    })
}

fn hosts(placed: &[Placed]) -> BTreeMap<String, Option<String>> {
    placed.iter().map(|one| (one.id.clone(), one.host.clone())).collect()
}

proptest! {
    #[test]
    fn nothing_is_lost_and_what_has_no_host_is_asked((demand, rooms) in any_demand()) {
        let placed = place(&demand, &rooms);
        let ids: Vec<&String> = placed.iter().map(|one| &one.id).collect();
        prop_assert_eq!(ids, demand.loads.iter().map(|load| &load.id).collect::<Vec<_>>());
        for one in &placed {
            prop_assert_eq!(one.host.is_none(), one.ask.is_some());
            prop_assert!(!one.reason.is_empty());
            prop_assert!(one.host.iter().all(|host| rooms.iter().any(|room| room.name == *host)));
        }
    }

    #[test]
    fn what_must_be_together_is((demand, rooms) in any_demand()) {
        let at = hosts(&place(&demand, &rooms));
        for tie in &demand.ties {
            prop_assert_eq!(&at[&tie.a], &at[&tie.b]);
        }
    }

    #[test]
    fn no_host_is_filled_beyond_what_it_is_known_to_have((demand, rooms) in any_demand()) {
        let at = hosts(&place(&demand, &rooms));
        for room in &rooms {
            let here = || demand.loads.iter().filter(|load| at[&load.id].as_ref() == Some(&room.name));
            let memory: u64 = here().filter_map(|load| load.memory).sum();
            let storage: u64 = here().map(|load| load.storage).sum();
            prop_assert!(room.memory.is_none_or(|has| memory <= has));
            prop_assert!(room.storage.is_none_or(|has| storage <= has));
            for load in here() {
                prop_assert!(load.pins.iter().all(|pin| *pin == Pin::Nodes(vec![room.name.clone()])));
            }
        }
    }

    #[test]
    fn the_order_of_hosts_and_workloads_does_not_matter((demand, rooms) in any_demand()) {
        let before = hosts(&place(&demand, &rooms));
        let mut other = demand.clone();
        other.loads.reverse();
        other.ties.reverse();
        other.talks.reverse();
        let turned: Vec<Room> = rooms.iter().rev().cloned().collect();
        prop_assert_eq!(before, hosts(&place(&other, &turned)));
    }

    #[test]
    fn what_is_in_the_definitions_does_not_move_when_more_comes((demand, rooms) in any_demand(), memory in 0u64..30) {
        let before = place(&demand, &rooms);
        let mut more = demand.clone();
        let mut left = rooms;
        for (load, placed) in more.loads.iter_mut().zip(&before) {
            let Some(host) = &placed.host else { continue };
            load.chosen = Some(Chosen { host: host.clone(), defined: true });
            let room = left.iter_mut().find(|room| room.name == *host).unwrap();
            room.memory = room.memory.map(|has| has - load.memory.unwrap_or(0));
            room.storage = room.storage.map(|has| has - load.storage);
        }
        let new = Load { id: "apps/Deployment/new".to_owned(), memory: Some(memory), ..Load::default() };
        more.loads.insert(0, new);
        more.talks.push(Talk { from: "apps/Deployment/new".to_owned(), to: "apps/Deployment/w0".to_owned(), weight: 2 });
        let after = hosts(&place(&more, &left));
        for placed in before.iter().filter(|placed| placed.host.is_some()) {
            prop_assert_eq!(&after[&placed.id], &placed.host);
        }
    }
}
