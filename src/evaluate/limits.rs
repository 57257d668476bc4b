//! How many evaluations run at once, and what each may use.

/// What one evaluation may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Seconds for all that is asked of a host.
    pub seconds: u64,
    /// Memory in bytes.
    pub memory: u64,
}

/// What a host of a NixOS with a few services takes, in bytes: measured, with Nix 2.26 and NixOS 26.11, 1.0 GiB.
const A_HOST: u64 = 5 << 28;

/// Returns how many of `hosts` are evaluated at once: no more than processors, and than fit into the memory that is
/// available (bytes; none where that is not known).
pub fn jobs(hosts: usize, processors: usize, available: Option<u64>) -> usize {
    let fitting = available.map_or(processors, |bytes| usize::try_from(bytes / A_HOST).unwrap_or(usize::MAX));
    hosts.min(processors).min(fitting).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_runs_always_and_many_only_where_they_fit() {
        const GIB: u64 = 1 << 30;
        assert_eq!(jobs(20, 8, Some(5 * GIB)), 4);
        assert_eq!(jobs(20, 2, Some(64 * GIB)), 2);
        assert_eq!(jobs(3, 8, None), 3);
        assert_eq!(jobs(3, 8, Some(GIB / 2)), 1);
        assert_eq!(jobs(0, 0, Some(0)), 1);
    }
}
