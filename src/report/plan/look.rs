//! The last look at a host, as a plan's page shows it. It is no part of the plan: the plan is the same whatever was found.

use crate::report::watch;
use crate::text::Md;
use crate::watch::Look;

/// The last look at a host, in words.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LastLook {
    /// When, in RFC 3339.
    looked: String,
    /// What the comparison came to, or why there was none.
    drift: String,
    /// How the drills stand.
    drills: String,
    /// What was found.
    findings: Vec<String>,
}

impl LastLook {
    /// Returns a record in words.
    pub fn of(look: &Look) -> Self {
        let drift = match &look.drift {
            Some(drift) => {
                let many = if drift.differences.len() == 1 { "" } else { "s" };
                format!(
                    "{} difference{many} ({} compared, {} not compared)",
                    drift.differences.len(),
                    drift.compared,
                    drift.not_compared
                )
            }
            None => "not compared: the machine could not be asked".to_owned(),
        };
        let drills = if look.error.is_some() { "not asked about".to_owned() } else { watch::drills(&look.drills) };
        let findings = look.findings().into_iter().map(|finding| match finding.more.as_str() {
            "" => finding.what,
            more => format!("{} ({more})", finding.what),
        });
        Self { looked: look.looked.clone(), drift, drills, findings: findings.collect() }
    }

    /// Returns the section of a Markdown page, with the empty line behind it.
    pub(super) fn markdown(&self) -> String {
        let mut out = format!(
            "## Last look\n\n{}: drift: {}; drills: {}.\n\n",
            Md::text(&self.looked),
            Md::text(&self.drift),
            Md::text(&self.drills)
        );
        for finding in &self.findings {
            out.push_str(&format!("- {}\n", Md::text(finding)));
        }
        if !self.findings.is_empty() {
            out.push('\n');
        }
        out.push_str("This is what `hostwright watch` found, and no part of the plan.\n");
        out
    }
}
