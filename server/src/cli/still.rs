//! Why a job stands still, for whoever waits for it: said once, in a pipe too, and again when it goes on.

use super::client::Client;
use super::print;
use hyper::http::Method;
use indicatif::HumanCount;
use serde::de::IgnoredAny;
use std::convert::Infallible;
use std::time::{Duration, Instant};
use tequio_protocol::api::{JobState, JobView};
use tequio_protocol::check::Check;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::CLIENT_STILL;

/// What is known of a job that somebody waits for.
#[derive(Debug)]
pub(super) struct Still {
    recorded: u64,
    since: Duration,
    told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Paused,
    NoWorker,
    OneWorker,
}

/// What to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Next {
    Nothing,
    Say(String),
    /// Ask who is connected, for [`Still::connected`].
    Ask,
    /// The same of a job that waits for a second worker.
    AskForSecond,
}

impl Still {
    /// Of a job that is waited for from now on.
    fn new(now: Duration) -> Still {
        Still { recorded: 0, since: now, told: Told::Nothing }
    }

    fn look(&mut self, job: &JobView, now: Duration) -> Next {
        let recorded = job.done + job.failed;
        // What one computes alone comes to nothing before a second one does.
        let is_alone = job.check == Check::Twice && job.unconfirmed > 0;
        let moves = recorded != self.recorded || job.workers > 0 && !is_alone;
        let has_work = recorded < job.total && !job.state.is_over();
        self.recorded = recorded;
        if moves || !has_work {
            self.since = now;
        }
        match self.told {
            Told::OneWorker if moves => {
                self.told = Told::Nothing;
                return Next::Say(format!("a second worker computes job {} as well now", job.id));
            }
            Told::NoWorker if job.workers > 0 || moves => {
                self.told = Told::Nothing;
                let workers = job.workers.max(1);
                let noun = if workers == 1 { "worker" } else { "workers" };
                return Next::Say(format!("now {} {noun}", HumanCount(workers.into())));
            }
            Told::Paused if job.state != JobState::Paused => {
                self.told = Told::Nothing;
                self.since = now;
            }
            _ => {}
        }
        if now.saturating_sub(self.since) < CLIENT_STILL || self.told != Told::Nothing {
            return Next::Nothing;
        }
        // Not asked at every look.
        self.since = now;
        if job.state == JobState::Paused {
            self.told = Told::Paused;
            let id = job.id;
            if let Some(trouble) = &job.trouble {
                return Next::Say(format!(
                    "job {id} is set aside: {trouble}; `tequio remove {id}` removes it"
                ));
            }
            return Next::Say(format!("job {id} is paused; `tequio resume {id}` goes on with it"));
        }
        if is_alone { Next::AskForSecond } else { Next::Ask }
    }

    /// So many are connected, where a job waits for a second worker.
    fn connected_for_second(&mut self, job: &JobView, workers: usize) -> Option<String> {
        if workers == 0 {
            return self.connected(workers);
        }
        self.told = Told::OneWorker;
        let (id, tasks) = (job.id, HumanCount(job.unconfirmed));
        let noun = if job.unconfirmed == 1 { "task" } else { "tasks" };
        // Others there may be that cannot load its kernel, or do something else.
        let others = if workers == 1 { "" } else { " that can compute it" };
        Some(format!(
            "job {id} waits for a second worker{others}: {tasks} {noun} are computed once, and `--check twice` has \
             each computed by two"
        ))
    }

    /// So many are connected.
    fn connected(&mut self, workers: usize) -> Option<String> {
        if workers > 0 {
            return None;
        }
        self.told = Told::NoWorker;
        Some(
            "no worker is connected, so nothing is computed: open the server's page in a browser, \
             or run `tequio work`"
                .to_owned(),
        )
    }
}

/// Looks at a job again and again.
pub(super) struct Watcher {
    client: Client,
    began: Instant,
    still: Still,
}

impl Watcher {
    pub(super) fn new(client: &Client) -> Watcher {
        let still = Still::new(Duration::ZERO);
        Watcher { client: client.clone(), began: Instant::now(), still }
    }

    /// What is to be said of a job as it is now.
    pub(super) async fn look(&mut self, job: &JobView) -> Option<String> {
        match self.still.look(job, self.began.elapsed()) {
            Next::Nothing => None,
            Next::Say(said) => Some(said),
            // Where that cannot be asked, nothing is claimed.
            Next::Ask => workers(&self.client).await.and_then(|n| self.still.connected(n)),
            Next::AskForSecond => {
                let workers = workers(&self.client).await?;
                self.still.connected_for_second(job, workers)
            }
        }
    }
}

/// How many are connected.
async fn workers(client: &Client) -> Option<usize> {
    let workers: Vec<IgnoredAny> =
        client.json(client.request(Method::GET, "api/workers")).await.ok()?;
    Some(workers.len())
}

/// Says why a job stands still, for as long as it is polled.
pub(super) async fn tell(client: &Client, id: JobId) -> Infallible {
    let mut watcher = Watcher::new(client);
    loop {
        if let Ok(job) = client.job(id).await
            && let Some(said) = watcher.look(&job).await
        {
            print::note(&said);
        }
        tokio::time::sleep(CLIENT_STILL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tequio_protocol::op::OpId;

    fn job(state: JobState, done: u64, workers: u32) -> JobView {
        JobView {
            id: JobId(7),
            name: String::new(),
            op: OpId::new("repeat_multiply"),
            kernel: None,
            axes: None,
            block: 1,
            check: Check::Auto,
            audited: 0,
            unconfirmed: 0,
            slowest: None,
            state,
            open: false,
            total: 10,
            done,
            failed: 0,
            leased: workers.into(),
            workers,
            rate: 0.0,
            eta_s: None,
            submitted_at: String::new(),
            trouble: None,
        }
    }

    fn at(seconds: u32) -> Duration {
        CLIENT_STILL / 3 * seconds
    }

    fn said(next: Next) -> String {
        match next {
            Next::Say(said) => said,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn that_nobody_computes_is_said_once_and_so_is_that_somebody_does() {
        let waiting = job(JobState::Running, 0, 0);
        let mut still = Still::new(at(0));
        assert_eq!(still.look(&waiting, at(2)), Next::Nothing, "workers may be on their way");
        assert_eq!(still.look(&waiting, at(3)), Next::Ask);
        assert_eq!(still.connected(2), None, "they have other things to do");
        assert_eq!(still.look(&waiting, at(4)), Next::Nothing, "it is not asked all the time");
        assert_eq!(still.look(&waiting, at(6)), Next::Ask);
        assert!(still.connected(0).is_some_and(|said| said.contains("no worker is connected")));
        assert_eq!(still.look(&waiting, at(60)), Next::Nothing, "it was said");
        assert_eq!(said(still.look(&job(JobState::Running, 0, 3), at(61))), "now 3 workers");
        assert_eq!(still.look(&job(JobState::Running, 5, 1), at(62)), Next::Nothing);
        // They leave again.
        let left = job(JobState::Running, 5, 0);
        assert_eq!(still.look(&left, at(63)), Next::Nothing);
        assert_eq!(still.look(&left, at(66)), Next::Ask);
        assert!(still.connected(0).is_some());
        assert_eq!(said(still.look(&job(JobState::Running, 6, 0), at(67))), "now 1 worker");
    }

    #[test]
    fn that_a_second_worker_is_waited_for_is_said_though_the_first_goes_on() {
        let alone = |done| JobView {
            check: Check::Twice,
            unconfirmed: 4,
            ..job(JobState::Running, done, 1)
        };
        let mut still = Still::new(at(0));
        assert_eq!(still.look(&alone(0), at(2)), Next::Nothing);
        assert_eq!(still.look(&alone(0), at(3)), Next::AskForSecond);
        let told = still.connected_for_second(&alone(0), 1).unwrap();
        assert!(told.contains("job 7 waits for a second worker: 4 tasks"), "{told}");
        assert_eq!(still.look(&alone(0), at(60)), Next::Nothing, "it was said");
        assert!(said(still.look(&alone(2), at(61))).contains("a second worker computes"));
        let mut still = Still::new(at(0));
        assert_eq!(still.look(&alone(0), at(3)), Next::AskForSecond);
        assert!(still.connected_for_second(&alone(0), 0).unwrap().contains("no worker"));
        let mut still = Still::new(at(0));
        assert_eq!(still.look(&alone(0), at(3)), Next::AskForSecond);
        let told = still.connected_for_second(&alone(0), 5).unwrap();
        assert!(told.contains("a second worker that can compute it: 4 tasks"), "{told}");
    }

    #[test]
    fn a_job_that_has_nothing_to_compute_does_not_stand_still() {
        let mut still = Still::new(at(0));
        for seconds in 1..20 {
            assert_eq!(still.look(&job(JobState::Running, 10, 0), at(seconds)), Next::Nothing);
            assert_eq!(still.look(&job(JobState::Cancelled, 0, 0), at(seconds)), Next::Nothing);
        }
        assert_eq!(still.look(&job(JobState::Running, 0, 1), at(30)), Next::Nothing, "it is held");
    }

    #[test]
    fn of_a_job_that_is_set_aside_its_trouble_is_said() {
        let trouble = Some("its grid cannot be read".to_owned());
        let damaged = JobView { trouble, ..job(JobState::Paused, 0, 0) };
        let mut still = Still::new(at(0));
        let told = said(still.look(&damaged, at(3)));
        assert!(told.contains("its grid cannot be read") && told.contains("`tequio remove 7`"));
        assert!(!told.contains("resume"), "it is refused: {told}");
        assert_eq!(still.look(&damaged, at(9)), Next::Nothing);
    }

    #[test]
    fn that_a_job_is_paused_is_said_once_each_time() {
        let paused = job(JobState::Paused, 0, 0);
        let mut still = Still::new(at(0));
        assert!(said(still.look(&paused, at(3))).contains("`tequio resume 7`"));
        assert_eq!(still.look(&paused, at(9)), Next::Nothing);
        assert_eq!(still.look(&job(JobState::Running, 0, 0), at(10)), Next::Nothing);
        assert_eq!(still.look(&paused, at(11)), Next::Nothing);
        assert!(said(still.look(&paused, at(13))).contains("paused"));
    }
}
