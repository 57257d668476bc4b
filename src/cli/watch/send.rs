//! Telling somebody: mail through the machine's sendmail, a webhook through curl.
//!
//! The webhook's URL is a secret. It stands in no argument, no message and no file of ours: curl reads it from its standard input, and
//! what curl says is not repeated, since it may quote the URL.
#![allow(
    clippy::disallowed_methods,
    reason = "whoever sends starts the programs that carry it, and is told where a secret lies"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::records;
use crate::cli::Failure;
use crate::cli::context::shown;
use crate::cli::output;
use crate::cli::process::{self, Unended};
use crate::cli::terminal::Terminal;
use crate::fleet::scalar::HttpUrl;
use crate::report::watch::mail;
use crate::resolve::Resolved;
use crate::source::{printable, quoted};
use crate::text::curl_setting;
use crate::watch::{Unsent, Waiting, Way};

/// Where sendmail lies that is not in `$PATH`: NixOS, then everybody else.
const SENDMAIL: [&str; 4] = ["sendmail", "/run/wrappers/bin/sendmail", "/usr/sbin/sendmail", "/usr/lib/sendmail"];

/// How long a program may take that carries a report.
const LONGEST: Duration = Duration::from_mins(2);

/// How much of what such a program says is read, in bytes.
const MOST: u64 = 1 << 16;

/// Where reports go.
pub(super) struct Outbox<'a> {
    pub(super) terminal: &'a Terminal,
    pub(super) folder: &'a Path,
    pub(super) fleet: &'a Resolved<'a>,
    pub(super) webhook_file: Option<&'a Path>,
}

/// Why a report was not taken, and what to do.
type Refused = (String, String);

impl Outbox<'_> {
    /// Sends what waits, oldest first; where one is refused the later ones of that way wait with it. Returns how many wait now, each
    /// way's reason said.
    pub(super) fn send(&self, unsent: &mut Unsent) -> Result<usize, Failure> {
        if unsent.reports.is_empty() {
            return Ok(0);
        }
        let mut refused: Vec<Way> = Vec::new();
        for report in std::mem::take(&mut unsent.reports) {
            if refused.contains(&report.way) {
                unsent.reports.push(report);
                continue;
            }
            let sent = match report.way {
                Way::Mail => self.mail(&report),
                Way::Webhook => self.webhook(&report),
            };
            if let Err((why, help)) = sent {
                let way = report.way.as_str();
                self.terminal.failure(
                    &Failure::new(format!("the report by {way} could not be sent: {why}"))
                        .help(help)
                        .help("it waits in state/, and the next `hostwright watch` sends it"),
                );
                refused.push(report.way);
                unsent.reports.push(report);
            }
        }
        records::keep_unsent(self.folder, unsent)?;
        Ok(unsent.reports.len())
    }

    fn mail(&self, report: &Waiting) -> Result<(), Refused> {
        let to = self.fleet.timer().and_then(|timer| timer.mail.as_ref());
        // Who is told no longer has nothing that waits.
        let Some(to) = to else { return Ok(()) };
        let message = mail(to.as_str(), &report.subject, &report.body);
        for program in SENDMAIL {
            let mut command = Command::new(program);
            // -i: a line with a dot alone ends nothing.
            command.args(["-t", "-i"]);
            return match process::run_with(command, Some(message.clone().into_bytes()), LONGEST, MOST) {
                Err(Unended::Missing) => continue,
                Err(why) => {
                    Err((format!("sendmail {}", words(&why)), "look at the mail system of this machine".to_owned()))
                }
                Ok(ended) if ended.status.success() => Ok(()),
                Ok(ended) => {
                    let said = String::from_utf8_lossy(&ended.err);
                    let said = said.lines().next().map_or_else(String::new, |line| format!(": {}", printable(line)));
                    Err((
                        format!("sendmail ended with {}{said}", ended.status),
                        "look at the mail system of this machine".to_owned(),
                    ))
                }
            };
        }
        Err((
            "this machine has no sendmail".to_owned(),
            "on NixOS `programs.msmtp` or `services.postfix` bring one; or take `mail` out of `[deployer] timer`"
                .to_owned(),
        ))
    }

    fn webhook(&self, report: &Waiting) -> Result<(), Refused> {
        let Some((name, own)) = self.fleet.webhook() else { return Ok(()) };
        let url = self.url(name, own)?;
        let seconds = LONGEST.as_secs().saturating_sub(10).to_string();
        let mut config = String::new();
        for (name, value) in [
            ("url", url.as_str()),
            ("header", "Content-Type: application/json"),
            ("data-raw", report.body.as_str()),
            ("user-agent", concat!("hostwright/", env!("CARGO_PKG_VERSION"))),
            // A redirect is not followed: it would carry the report elsewhere.
            ("proto", "=http,https"),
            ("connect-timeout", "20"),
            ("max-time", seconds.as_str()),
            ("output", "/dev/null"),
            ("write-out", "%{http_code}"),
        ] {
            config.push_str(&curl_setting(name, value));
        }
        // Brackets in a URL are no patterns.
        config.push_str("globoff\nsilent\n");
        let mut command = Command::new("curl");
        // -q comes first, so that nobody's own settings have a say.
        command.args(["-q", "--config", "-"]);
        let ask = "look whether the URL of the webhook is still good, and whether this machine reaches it".to_owned();
        let ended = match process::run_with(command, Some(config.into_bytes()), LONGEST, MOST) {
            Ok(ended) => ended,
            Err(Unended::Missing) => return Err(("this machine has no curl".to_owned(), "install curl".to_owned())),
            Err(why) => return Err((format!("curl {}", words(&why)), ask)),
        };
        let answer = String::from_utf8_lossy(&ended.out);
        let is_taken = answer.len() == 3 && answer.starts_with('2') && answer.bytes().all(|b| b.is_ascii_digit());
        if ended.status.success() && is_taken {
            return Ok(());
        }
        // Exit codes of curl(1).
        let why = match ended.status.code() {
            Some(0) => format!("it was answered with the HTTP status {}", printable(&answer)),
            Some(5 | 6) => "the name in the URL does not resolve".to_owned(),
            Some(7) => "nobody takes the connection".to_owned(),
            Some(28) => "there was no answer in time".to_owned(),
            Some(35 | 51 | 58 | 60) => "no trusted connection could be made (TLS)".to_owned(),
            _ => format!("curl ended with {}", ended.status),
        };
        Err((why, ask))
    }

    /// Returns the webhook's URL: from the file that was named, else the credential that systemd hands over, else the secret's file.
    fn url(&self, name: &str, own: Option<&str>) -> Result<HttpUrl, Refused> {
        let handed = std::env::var_os("CREDENTIALS_DIRECTORY").map(|folder| PathBuf::from(folder).join(name));
        let handed = handed.filter(|path| path.exists());
        let Some(path) = self.webhook_file.map(Path::to_owned).or(handed).or(own.map(PathBuf::from)) else {
            return Err(match self.fleet.deployer_host() {
                Some(host) => (
                    format!("the host `{}`, which is the deployer, has no secret {}", host.name, quoted(name)),
                    "define it below `[secrets.items]` of that host; `hostwright check` reports it, too".to_owned(),
                ),
                None => (
                    format!(
                        "where the secret {} lies is not known: the deployer is no host of the fleet",
                        quoted(name)
                    ),
                    "`--webhook-file FILE` names the file with the URL; in out/deployer/watch.nix the option webhookFile \
                     does"
                        .to_owned(),
                ),
            });
        };
        let text = output::read_text(&path).map_err(|failure| {
            (failure.message, format!("the file holds the URL of the webhook: the secret {}", quoted(name)))
        })?;
        // What stands there may be a secret of another kind: it is not shown.
        text.trim().parse().map_err(|_| {
            let what = format!("{} holds no URL", shown(&path));
            (what, "it holds one line: `https://…`, without spaces".to_owned())
        })
    }
}

fn words(why: &Unended) -> String {
    match why {
        Unended::Missing => "is not installed".to_owned(),
        Unended::Broken(why) => format!("cannot be run: {}", printable(why)),
        Unended::Late => format!("took longer than {} s", LONGEST.as_secs()),
        Unended::TooMuch => "says too much".to_owned(),
    }
}
