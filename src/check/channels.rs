//! The channels that a check is about, and who uses them.
//!
//! Here belongs what several rules on channels ask. Not here: what is wrong with a channel (the rules).

use super::rule::FleetCx;
use crate::fleet::decode::Keyed;
use crate::fleet::schema::fleet_file::Channel;

/// A channel and who uses it.
#[derive(Debug)]
pub(super) struct UsedChannel<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// The channel.
    pub(super) channel: &'a Keyed<Channel>,
    /// Whether the deployer evaluates with it.
    deployer: Option<&'a str>,
    /// The hosts that boot it, by name.
    hosts: Vec<&'a str>,
}

impl UsedChannel<'_> {
    /// Says who uses it: "the deployer `desk`, `lufta` and 3 more".
    pub(super) fn users(&self) -> String {
        let mut users: Vec<String> = self.deployer.iter().map(|name| format!("the deployer `{name}`")).collect();
        users.extend(self.hosts.iter().map(|name| format!("`{name}`")));
        let more = users.len().saturating_sub(4);
        users.truncate(4);
        let listed = users.join(", ");
        if more > 0 { format!("{listed} and {more} more") } else { listed }
    }
}

/// Returns the channels that the deployer or a host of the check uses, in the order of the file. Installers and rescue
/// systems are images that somebody else built from their channels.
pub(super) fn used<'a>(cx: &FleetCx<'a>) -> Vec<UsedChannel<'a>> {
    let deployer = cx.fleet.deployer.as_ref();
    let hosts: Vec<(&str, &str)> = cx.subjects().map(|host| (host.channel.name, host.name)).collect();
    let channels = cx.fleet.fleet.channels().iter().map(|(name, channel)| UsedChannel {
        name,
        channel,
        deployer: deployer.filter(|deployer| deployer.channel.name == name).map(|deployer| deployer.def.name.as_str()),
        hosts: hosts.iter().filter(|(channel, _)| channel == name).map(|(_, host)| *host).collect(),
    });
    channels.filter(|channel| channel.deployer.is_some() || !channel.hosts.is_empty()).collect()
}
