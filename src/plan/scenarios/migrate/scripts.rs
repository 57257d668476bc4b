//! The scripts that the plan runs on the deployer: the same for every host, so that what differs is seen in the plan.

use crate::plan::scripts::templates;
use crate::plan::{PlanError, Script};

/// Their names, without ending.
const NAMES: [&str; 5] = ["allowed", "delete-claim", "name-leads", "same-cluster", "stopped"];

/// Returns the scripts.
pub(super) fn scripts() -> Result<Vec<Script>, PlanError> {
    let templates = templates()?;
    let script = |name: &str| {
        let text = templates.render(&format!("migrate/{name}.sh.tera"), &serde_json::Map::new())?;
        Ok(Script { path: format!("migrate/{name}.sh"), text })
    };
    NAMES.into_iter().map(script).collect()
}
