//! What follows a boot by itself: the verdict, and where it is bad the evidence and the way back.
//!
//! The way back that runs by itself is `disarm.sh` alone: it takes away what arming has laid, and nothing that anybody else owns.

#![allow(clippy::disallowed_methods, reason = "waiting for the last good system takes time")]

use std::time::{Duration, Instant};

use super::executor::Executor;
use super::front::Said;
use super::journal::{now, private_folder, private_new};
use super::outcome::{Failed, Refused};
use super::record::Event;
use super::state::{Ended, Phase};
use super::transport::Ran;
use super::verdict::{self, Broke, End, Facts, Outcome, Spot, Verdict};
use crate::plan::{Line, Remote, Role, Step};
use crate::units::TimeSpan;

/// How long the judge, the evidence and the way back may take each.
const AID: Duration = Duration::from_mins(15);

/// How long it is between two looks whether the last good system is there.
const LOOK: Duration = Duration::from_secs(5);

/// What runs by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aid {
    Judge,
    Evidence,
    Disarm,
}

impl Aid {
    fn as_str(self) -> &'static str {
        match self {
            Self::Judge => "judge",
            Self::Evidence => "evidence",
            Self::Disarm => "disarm",
        }
    }
}

impl Executor<'_> {
    /// Gives the verdict on a step that has passed.
    pub(super) fn passed(&mut self, step: &Step) -> Result<(), Refused> {
        let verdict = self.verdict(step, None, None);
        self.deliver(step, &verdict)
    }

    /// Gives the verdict on a step that failed, keeps what the machine knows of it, and takes the trial away.
    pub(super) fn aftermath(&mut self, step: &Step, failed: &mut Failed) -> Result<(), Refused> {
        let broke = self.broke.take().unwrap_or(Broke { at: Spot::Line(0), end: End::Lost });
        let mut verdict = self.verdict(step, Some(broke), None);
        verdict.why = Some(failed.why.clone());
        // First of all nobody finds an older one: what follows takes its time.
        verdict::write(self.state, &verdict)?;
        if verdict::may_answer(step, &broke) {
            let judge = self.ask_judge(step, &broke)?;
            verdict = Verdict { why: verdict.why, ..self.verdict(step, Some(broke), judge.as_ref()) };
            // Where nothing was rebooted there is nothing to be known.
            if verdict.outcome != Outcome::Refused
                && let Some((path, findings)) = self.evidence(step, failed)?
            {
                verdict.evidence.push(path);
                verdict.findings = findings;
            }
            verdict.disarmed = self.way_back(step, &broke, &verdict, failed)?;
        }
        if !verdict::may_answer(step, &broke) && verdict.outcome != Outcome::Refused {
            // What is asked of the host comes behind what brings it back.
            let asks = [Role::Evidence, Role::Disarm].map(|role| step.way_back_for(role).map(str::to_owned));
            let (later, first): (Vec<_>, Vec<_>) =
                std::mem::take(&mut failed.undo).into_iter().partition(|line| asks.contains(&Some(line.clone())));
            failed.undo = first.into_iter().chain(later).collect();
            failed.help.push("the way back is in the order in which it is tried".to_owned());
        }
        failed.why = format!("{}: {}", verdict.outcome.words(), failed.why);
        failed.help.extend(verdict.outcome.advice().map(str::to_owned));
        verdict.why = Some(failed.why.clone());
        self.deliver(step, &verdict)
    }

    fn verdict(&self, step: &Step, broke: Option<Broke>, judge: Option<&Ended>) -> Verdict {
        let state = self.journal.state.step(step.id());
        verdict::of(self.plan, step, Facts { state: &state, checks: &self.checked, broke, judge }, now())
    }

    /// Writes a verdict down, in the journal first, and shows it.
    fn deliver(&mut self, step: &Step, verdict: &Verdict) -> Result<(), Refused> {
        self.journal.add(Event::Judged { step: step.id().to_owned(), verdict: verdict.summary() })?;
        verdict::write(self.state, verdict)?;
        self.front.hear(Said::Judged(verdict));
        Ok(())
    }

    /// Asks the judge of the boot at hand, where the line that failed does not tell which generation runs.
    fn ask_judge(&mut self, step: &Step, broke: &Broke) -> Result<Option<Ended>, Refused> {
        let Spot::Line(line) = broke.at else { return Ok(None) };
        if !verdict::needs_judge(step, broke) {
            return Ok(None);
        }
        let behind = (line..step.commands().len()).find(|at| step.role(*at) == Role::Judge);
        let check = (0..step.checks_after().len()).find(|at| step.role_after(*at) == Role::Judge);
        let text = behind.and_then(|at| step.commands().get(at));
        let Some(text) = text.or_else(|| step.checks_after().get(check?)).cloned() else { return Ok(None) };
        let (ran, tail) = self.aid(step, Aid::Judge, &text)?;
        Ok(match ran {
            Ok(status) => Some(Ended { status, tail }),
            Err(_) => None,
        })
    }

    /// Keeps what the machine knows of a boot that failed; returns where, below the fleet's folder, and what of it explains the failure.
    fn evidence(&mut self, step: &Step, failed: &mut Failed) -> Result<Option<(String, Vec<String>)>, Refused> {
        let Some(text) = step.way_back_for(Role::Evidence).map(str::to_owned) else { return Ok(None) };
        let (ran, tail) = self.aid(step, Aid::Evidence, &text)?;
        if let Err(why) = ran {
            failed.did.push(format!("what the host knows of it could not be had: {why}"));
            return Ok(None);
        }
        let path = self.evidence_path(step);
        let shown = path.strip_prefix(self.fleet).unwrap_or(&path).display().to_string();
        failed.did.push(format!("what the host knows of it is kept in {shown}"));
        // What has run is no way back that is left.
        failed.undo.retain(|line| *line != text);
        Ok(Some((shown, verdict::findings(&tail))))
    }

    fn evidence_path(&self, step: &Step) -> std::path::PathBuf {
        let attempt = self.journal.state.step(step.id()).attempt;
        let about = self.journal.state.about.as_ref();
        let nonce = about.map_or("", |about| about.nonce.as_str());
        let scenario = self.plan.scenario().as_str();
        self.state.join("evidence").join(format!("{scenario}-{nonce}-{}-{attempt}.txt", step.id()))
    }

    /// Takes the trial away. Returns whether that worked; none when nothing was armed.
    fn way_back(
        &mut self,
        step: &Step,
        broke: &Broke,
        verdict: &Verdict,
        failed: &mut Failed,
    ) -> Result<Option<bool>, Refused> {
        let Some(text) = step.way_back_for(Role::Disarm).map(str::to_owned) else { return Ok(None) };
        if !self.is_armed(step, broke) {
            return Ok(None);
        }
        let (mut ran, _) = self.aid(step, Aid::Disarm, &text)?;
        let is_confirmed = verdict.boots.last().is_some_and(|boot| boot.confirmed);
        if matches!(ran, Ok(status) if status != 0) && !is_confirmed && self.falls_back(step, &text) {
            (ran, _) = self.aid(step, Aid::Disarm, &text)?;
        }
        let worked = ran == Ok(0);
        if worked {
            failed
                .did
                .push("the trial was taken away from every disk: the last good generation boots by default".to_owned());
            // What has run is no way back that is left.
            failed.undo.retain(|line| *line != text);
        } else {
            let why = ran.map_or_else(|why| why, |status| format!("it ended with status {status}"));
            failed.did.push(format!(
                "the trial is not taken away yet ({why}): the last good generation boots by default all the same"
            ));
        }
        Ok(Some(worked))
    }

    /// Takes the trial of an attempt away that was cut off, so that the step can begin anew. Where that does not work, its checks say why.
    pub(super) fn take_cut_off_away(&mut self, step: &Step) -> Result<(), Refused> {
        let is_cut_off = matches!(self.journal.state.step(step.id()).phase, Phase::Begun);
        if !is_cut_off || !self.is_armed(step, &Broke { at: Spot::After(0), end: End::Lost }) {
            return Ok(());
        }
        if let Some(text) = step.way_back_for(Role::Disarm).map(str::to_owned)
            && self.aid(step, Aid::Disarm, &text)?.0 == Ok(0)
        {
            self.front.hear(Said::Remark("a run before was cut off in a trial: it was taken away from every disk"));
        }
        Ok(())
    }

    /// Tells whether a trial may be armed or in the menu.
    fn is_armed(&self, step: &Step, broke: &Broke) -> bool {
        let end = match broke.at {
            Spot::Before => return false,
            Spot::Line(line) => line + 1,
            Spot::After(_) => step.commands().len(),
        };
        let state = self.journal.state.step(step.id());
        let last = |role: Role| (0..end).rev().find(|at| step.role(*at) == role && state.lines.contains_key(at));
        let is_promoted = |at: usize| state.ended.get(&at).is_some_and(|ended| ended.status == 0);
        last(Role::Arm).is_some() && !last(Role::Promote).is_some_and(is_promoted)
    }

    /// Waits until the dead-man of a trial that was not confirmed has brought the last good system back; tells whether it has.
    fn falls_back(&mut self, step: &Step, text: &str) -> bool {
        let Line::Remote(remote) = self.plan.line(text) else { return false };
        let Some(boot) = self.boot_of(&remote) else { return false };
        let watched = (0..step.commands().len()).filter_map(|at| match step.role(at) {
            Role::Wait { watched, .. } => Some(watched),
            _ => None,
        });
        let most = watched.max().unwrap_or(0).min(self.limits.way_back);
        let within = TimeSpan::human(most);
        self.front.hear(Said::Remark(&format!(
            "the candidate runs unconfirmed: it gives up by itself, and the last good generation is waited for, {within} at most"
        )));
        let end = Instant::now() + Duration::from_secs(most);
        while Instant::now() < end && !self.stop.is_asked() {
            if self.boot_of(&remote).is_some_and(|now| now != boot) {
                return true;
            }
            self.front.hear(Said::Goes { seconds: self.started.elapsed().as_secs() });
            std::thread::sleep(LOOK.min(end.saturating_duration_since(Instant::now())));
        }
        false
    }

    fn boot_of(&mut self, remote: &Remote) -> Option<String> {
        self.transport.contact(remote).ok()?.boot
    }

    /// Runs something that is no line of the step, announced all the same. Returns its exit status or why it has none, and the last of what
    /// it printed.
    fn aid(&mut self, step: &Step, aid: Aid, text: &str) -> Result<(Result<i32, String>, String), Refused> {
        let line = self.plan.line(text);
        if let Line::Remote(remote) = &line {
            // Who holds the machine's lock by now does not keep this run from its end.
            let why = match self.reach(remote) {
                Ok(Ok(_)) => None,
                Ok(Err(trouble)) => Some(trouble.why),
                Err(refused) => Some(refused.what),
            };
            if let Some(why) = why {
                return Ok((Err(why), String::new()));
            }
        }
        self.count += 1;
        let id = format!("{}-{}-{}", self.job_prefix(), aid.as_str(), self.token());
        self.journal.add(Event::AidBegan { step: step.id().to_owned(), aid: aid.as_str().to_owned() })?;
        let until = Instant::now() + AID;
        let (ran, tail) = if aid == Aid::Evidence {
            let path = self.evidence_path(step);
            let folder = path.parent().unwrap_or(self.state);
            let file = private_folder(folder)
                .and_then(|()| private_new(&path))
                .map_err(|why| Refused::storage(&path, &why))?;
            self.run_into(step, text, &line, (&id, None), until, Some(file))
        } else {
            self.run_line(step, text, &line, (&id, None), until)
        };
        self.transport.forget(&id);
        let ran = match ran {
            Ran::Exit(status) => Ok(status),
            Ran::Late => Err("it took too long and was ended".to_owned()),
            Ran::Stopped { .. } => Err("it was stopped".to_owned()),
            Ran::NotStarted(trouble) | Ran::Unknown(trouble) => Err(trouble.why),
            Ran::NoTerminal => Err("it needs a terminal".to_owned()),
        };
        self.journal.add(Event::AidDone {
            step: step.id().to_owned(),
            aid: aid.as_str().to_owned(),
            status: ran.as_ref().ok().copied(),
            tail: tail.clone(),
        })?;
        Ok((ran, tail))
    }
}
