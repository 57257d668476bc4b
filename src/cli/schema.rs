//! `hostwright schema`

use clap::ValueEnum;

use super::terminal::Terminal;
use super::{ExitStatus, Failure};
use crate::fleet::schema::{documents, reference};

/// Print the JSON Schema of a file or of a machine format.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright schema host > .schemas/host.json     for an editor that completes while one types
  hostwright schema check                         of `check --format json`
  hostwright schema --format md                   the keys as a page")]
pub(super) struct Args {
    /// Which one
    #[arg(value_name = "NAME", required_unless_present = "format")]
    name: Option<Name>,
    /// How to print it
    #[arg(long)]
    format: Option<SchemaFormat>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    /// fleet.toml
    Fleet,
    /// hosts/HOST/host.toml
    Host,
    /// hosts/HOST/facts.json
    Facts,
    /// modules/NAME/module.toml
    Module,
    /// The output of `check --format json`
    Check,
    /// The output of `plan --format json`, and out/hosts/HOST/plan.json
    Plan,
    /// The output of `migrate --format json`
    Migrate,
    /// The output of `drift --format json`
    Drift,
    /// The output of `watch --format json`
    Watch,
    /// The output of `rules --format json`
    Rules,
    /// state/HOST/reboot-test.json, and the output of `reboot-test --format json`
    RebootTest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SchemaFormat {
    /// JSON Schema, draft 2020-12
    Json,
    /// The page docs/schema.md, with the keys of every file
    Md,
}

pub(super) fn run(terminal: &Terminal, args: &Args) -> Result<ExitStatus, Failure> {
    if args.format == Some(SchemaFormat::Md) {
        terminal.print(&reference())?;
        return Ok(ExitStatus::Success);
    }
    let pretty = |value: &serde_json::Value| {
        serde_json::to_string_pretty(value).map_err(|error| Failure::new(error.to_string()))
    };
    let text = match args.name {
        Some(Name::Fleet) => pretty(&documents::fleet())? + "\n",
        Some(Name::Host) => pretty(&documents::host())? + "\n",
        Some(Name::Facts) => pretty(&documents::facts())? + "\n",
        Some(Name::Module) => pretty(&documents::module())? + "\n",
        Some(Name::Check) => include_str!("../../docs/schemas/check.json").to_owned(),
        Some(Name::Plan) => include_str!("../../docs/schemas/plan.json").to_owned(),
        Some(Name::Migrate) => include_str!("../../docs/schemas/migrate.json").to_owned(),
        Some(Name::Drift) => include_str!("../../docs/schemas/drift.json").to_owned(),
        Some(Name::Watch) => include_str!("../../docs/schemas/watch.json").to_owned(),
        Some(Name::Rules) => include_str!("../../docs/schemas/rules.json").to_owned(),
        Some(Name::RebootTest) => include_str!("../../docs/schemas/reboot-test.json").to_owned(),
        None => return Err(Failure::new("a schema's name is wanted").help("`hostwright schema --help` lists them")),
    };
    terminal.print(&text)?;
    Ok(ExitStatus::Success)
}
