//! `tequio jobs`, `job`, `pause`, `resume`, `close`, `cancel`, `repair`, `remove` and `workers`: one request, one answer.

use super::client::{Client, Remote, duration};
use super::print::{self, Table};
use super::still::Watcher;
use clap::Args;
use hyper::http::Method;
use indicatif::HumanCount;
use tequio_protocol::api::{JobState, JobView, RepairView, SlowBlock, WorkerView};
use tequio_protocol::check::Check;
use tequio_protocol::ids::JobId;

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// The job's number
    #[arg(value_name = "ID", value_parser = parse_id)]
    id: JobId,

    #[command(flatten)]
    remote: Remote,
}

pub(super) fn parse_id(text: &str) -> Result<JobId, String> {
    text.parse().map(JobId).map_err(|_| "a job's id is a number, as `tequio jobs` shows".to_owned())
}

impl List {
    pub(super) async fn jobs(self) -> anyhow::Result<()> {
        let client = self.remote.client();
        let jobs: Vec<JobView> = client.json(client.request(Method::GET, "api/jobs")).await?;
        if self.remote.json {
            return print::json(&jobs);
        }
        let mut table =
            Table::new(["ID", "STATE", "DONE", "TOTAL", "FAILED", "TASKS/S", "LEFT", "NAME"]);
        for job in jobs {
            table.add([
                job.id.to_string(),
                state(&job),
                HumanCount(job.done).to_string(),
                HumanCount(job.total).to_string(),
                HumanCount(job.failed).to_string(),
                HumanCount(job.rate as u64).to_string(),
                job.eta_s.map(duration).unwrap_or_default(),
                job.name,
            ]);
        }
        table.print()
    }

    pub(super) async fn workers(self) -> anyhow::Result<()> {
        let client = self.remote.client();
        let workers: Vec<WorkerView> =
            client.json(client.request(Method::GET, "api/workers")).await?;
        if self.remote.json {
            return print::json(&workers);
        }
        let mut table =
            Table::new(["ID", "ADDRESS", "SLOTS", "LEASES", "RESULTS", "REFUSED", "AGENT"]);
        for worker in workers {
            table.add([
                worker.pulse.id.to_string(),
                worker.address,
                worker.slots.to_string(),
                worker.pulse.leases.to_string(),
                HumanCount(worker.pulse.results).to_string(),
                worker.pulse.refused.to_string(),
                worker.agent.unwrap_or_default(),
            ]);
        }
        table.print()
    }
}

impl One {
    pub(super) async fn show(self) -> anyhow::Result<()> {
        let job = self.remote.client().job(self.id).await?;
        show(&job, self.remote.json)
    }

    /// `change` is `pause`, `resume`, `close` or `cancel`.
    pub(super) async fn change(self, change: &str) -> anyhow::Result<()> {
        let client = self.remote.client();
        let path = format!("api/jobs/{}/{change}", self.id);
        let job: JobView = client.json(client.request(Method::POST, &path)).await?;
        show(&job, self.remote.json)
    }

    pub(super) async fn repair(self) -> anyhow::Result<()> {
        let client = self.remote.client();
        let path = format!("api/jobs/{}/repair", self.id);
        let repair: RepairView = client.json(client.request(Method::POST, &path)).await?;
        if self.remote.json {
            return print::json(&repair);
        }
        print::lines(&describe_repair(&repair))?;
        show(&repair.job, false)
    }

    pub(super) async fn remove(self) -> anyhow::Result<()> {
        let client = self.remote.client();
        let path = format!("api/jobs/{}", self.id);
        client.send(client.request(Method::DELETE, &path)).await?;
        match self.remote.json {
            true => print::json(&serde_json::json!({"removed": self.id})),
            false => print::lines(&[format!("Job {} is removed, with its results", self.id)]),
        }
    }
}

/// What was damaged, and what came of that.
fn describe_repair(repair: &RepairView) -> Vec<String> {
    let id = repair.job.id;
    let mut lines = Vec::new();
    match repair.rows {
        0 => lines.push(format!("Every row of outcomes of job {id} is as it was written")),
        rows => {
            let (rows, tasks) = (HumanCount(rows), HumanCount(repair.tasks));
            let then = match repair.job.state {
                JobState::Cancelled => "the job was cancelled, and stays so",
                _ => "they are computed again",
            };
            lines.push(format!("Damaged rows of outcomes: {rows}, of {tasks} tasks; {then}"));
        }
    }
    for (first, end) in &repair.inputs {
        lines.push(format!(
            "The inputs of tasks {first}..{end} cannot be read, and nothing can bring them back but a copy of \
             the file"
        ));
    }
    lines
}

fn show(job: &JobView, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return print::json(job);
    }
    let mut lines = vec![
        format!("Job {} is {}: {}", job.id, job.state.name(), describe(job)),
        format!("  op         {}", job.op),
        format!("  submitted  {}", job.submitted_at),
    ];
    if !job.name.is_empty() {
        lines.insert(1, format!("  name       {}", job.name));
    }
    if let Some(trouble) = &job.trouble {
        lines.push(format!("  damaged    {trouble}"));
        if !job.state.is_over() {
            lines.push(format!(
                "             nothing more of it is computed; `tequio results {id}` gives what can be \
                 read of it, `tequio repair {id}` has lost results computed again, `tequio remove {id}` \
                 removes it",
                id = job.id
            ));
        }
    }
    if job.open {
        lines.push(format!(
            "  open       it waits for inputs; `tequio close {}` ends it with those that it has",
            job.id
        ));
    }
    lines.extend(describe_checks(job).into_iter().map(|said| format!("  checked    {said}")));
    if let Some(slow) = &job.slowest {
        lines.push(format!("  slow       {}", describe_slow(slow, job.block)));
    }
    if job.leased > 0 {
        let workers = if job.workers == 1 { "worker" } else { "workers" };
        lines.push(format!(
            "  with       {} {workers}: {} tasks",
            job.workers,
            HumanCount(job.leased)
        ));
    }
    print::lines(&lines)
}

/// How its results were and are checked, in sentences.
fn describe_checks(job: &JobView) -> Vec<String> {
    let recorded = job.done + job.failed;
    let mut said = Vec::new();
    if recorded > 0 {
        said.push(format!("{} audited", percent(job.audited, recorded)));
    }
    match job.check {
        Check::Auto => {}
        Check::All if job.audited < recorded => said.push(
            "every task is audited (--check all), and what the server cannot compute is believed"
                .to_owned(),
        ),
        Check::All => said.push("every task is audited (--check all)".to_owned()),
        Check::None => said.push("nothing is audited (--check none)".to_owned()),
        Check::Twice => {
            said.push("each task is computed by two workers (--check twice)".to_owned());
        }
    }
    if job.unconfirmed > 0 && job.state == JobState::Running {
        let tasks = if job.unconfirmed == 1 { "task waits" } else { "tasks wait" };
        said.push(format!("{} {tasks} for a second worker", HumanCount(job.unconfirmed)));
    }
    said
}

/// A share of tasks: `1.3 %`, and never 0 or 100 where it is neither.
fn percent(tasks: u64, of: u64) -> String {
    let percent = tasks as f64 * 100.0 / of as f64;
    match tasks {
        0 => "0 %".to_owned(),
        _ if tasks >= of => "100 %".to_owned(),
        _ => format!("{:.1} %", percent.clamp(0.1, 99.9)),
    }
}

fn describe_slow(slow: &SlowBlock, block: u64) -> String {
    let (first, end) = (slow.first, slow.first + slow.tasks);
    let (times, took) = (HumanCount(slow.times as u64), duration(slow.seconds));
    let mut said = format!("a block of tasks {first}..{end} took {took}, {times} times the usual");
    if block > 1 {
        let smaller = (block / 16).max(1);
        said += &format!("; a smaller one, such as `--block {smaller}`, shares such tasks better");
    }
    said
}

/// A job's state, for a table.
fn state(job: &JobView) -> String {
    if job.trouble.is_some() {
        return format!("{},damaged", job.state.name());
    }
    match job.open {
        true => format!("{},open", job.state.name()),
        false => job.state.name().to_owned(),
    }
}

/// How far a job is, in words.
pub(super) fn describe(job: &JobView) -> String {
    let mut words = format!("{} of {} tasks done", HumanCount(job.done), HumanCount(job.total));
    if job.failed > 0 {
        words += &format!(", {} failed", HumanCount(job.failed));
    }
    if job.state == JobState::Running {
        words += &format!(", {} a second", HumanCount(job.rate as u64));
        if let Some(left) = job.eta_s {
            words += &format!(", {} left", duration(left));
        }
    }
    if job.open {
        words += ", waits for inputs";
    }
    words
}

/// Waits until a job is over, with a bar where somebody looks, and shows it; errs unless every task has a
/// result.
pub(super) async fn wait(client: &Client, id: JobId, as_json: bool) -> anyhow::Result<()> {
    let job = until_over(client, id).await?;
    show(&job, as_json)?;
    succeeded(&job)
}

/// Waits until a job is over, with a bar where somebody looks.
pub(super) async fn until_over(client: &Client, id: JobId) -> anyhow::Result<JobView> {
    let bar = print::bar();
    let mut watcher = Watcher::new(client);
    loop {
        let job = client.insist(async || client.job(id).await).await?;
        bar.show(&job);
        if let Some(said) = watcher.look(&job).await {
            bar.note(&said);
        }
        if job.state.is_over() {
            bar.end();
            return Ok(job);
        }
        if let Some(trouble) = &job.trouble {
            bar.end();
            anyhow::bail!(
                "job {id} is set aside: {trouble}; `tequio results {id}` gives what can be read of it"
            );
        }
        tokio::time::sleep(tequio_protocol::limits::CLIENT_POLL).await;
    }
}

/// Errs unless every task of a job that is over has a result.
pub(super) fn succeeded(job: &JobView) -> anyhow::Result<()> {
    let id = job.id;
    match job.state {
        JobState::Done if job.failed == 0 => Ok(()),
        JobState::Done => anyhow::bail!(
            "{} of the {} tasks of job {id} failed; `tequio results {id}` says why",
            HumanCount(job.failed),
            HumanCount(job.total)
        ),
        state => anyhow::bail!("job {id} is {}: {}", state.name(), describe(job)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_neither_none_nor_all_unless_it_is() {
        for (tasks, of, said) in [
            (0, 7, "0 %"),
            (7, 7, "100 %"),
            (13, 1000, "1.3 %"),
            (1, 9_000_000, "0.1 %"),
            (9999, 10_000, "99.9 %"),
        ] {
            assert_eq!(percent(tasks, of), said);
        }
    }

    #[test]
    fn of_a_slow_block_a_smaller_one_is_named_if_there_is_any() {
        let slow = SlowBlock { first: 640, tasks: 64, seconds: 12.0, times: 400.2 };
        let said = describe_slow(&slow, 64);
        assert!(said.contains("640..704") && said.contains("400 times the usual"), "{said}");
        assert!(said.contains("`--block 4`"), "{said}");
        assert!(!describe_slow(&slow, 1).contains("--block"));
    }
}
