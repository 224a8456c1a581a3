//! Lines for whoever runs the server. Peers lead to most of them, so each place in the program that
//! writes lines has a pace, and all of them have one together: a flood is told by its newest line and a
//! count. Nothing waits for whoever reads them.

use crate::pace::Pace;
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tequio_protocol::limits::{
    CONSOLE_BYTES_BURST, CONSOLE_BYTES_PER_S, CONSOLE_END_PATIENCE, CONSOLE_LINE_BYTES_MAX,
    CONSOLE_LINE_PACE, CONSOLE_LINES_BURST, CONSOLE_SURE_PACE, CONSOLE_WAITING_BYTES_MAX,
};
use tracing::callsite::Identifier;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// The thread that writes lines. Dropped, it writes those that wait, if somebody takes them.
#[derive(Debug)]
pub struct Console(Arc<Shared>);

/// The way of lines to a console.
#[derive(Clone, Debug)]
pub struct Lines(Arc<Shared>);

/// One line that is being written.
#[derive(Debug)]
pub struct Line<'a> {
    to: &'a Lines,
    /// Which place it is of; `None` for what somebody has asked to see all of.
    site: Option<Identifier>,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    origin: Instant,
}

#[derive(Debug)]
struct State {
    paced: Paced,
    /// Lines that are to be written now.
    ready: Vec<u8>,
    /// Lines that were dropped since nobody read.
    dropped: u64,
    is_writing: bool,
    is_ending: bool,
}

impl Console {
    /// Starts a thread that writes to `to`.
    pub fn start(to: impl Write + Send + 'static) -> io::Result<Console> {
        let state = State {
            paced: Paced::new(),
            ready: Vec::new(),
            dropped: 0,
            is_writing: false,
            is_ending: false,
        };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        let shared = Arc::new(Shared { state, changed, origin: Instant::now() });
        let writing = shared.clone();
        thread::Builder::new().name("console".to_owned()).spawn(move || writing.write_to(to))?;
        Ok(Console(shared))
    }

    /// What a subscriber of `tracing` writes to.
    pub fn lines(&self) -> Lines {
        Lines(self.0.clone())
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_ending = true;
        state.take_due(self.0.origin.elapsed());
        self.0.changed.notify_all();
        let is_left = |state: &mut State| state.is_writing || !state.ready.is_empty();
        let waited = self.0.changed.wait_timeout_while(state, CONSOLE_END_PATIENCE, is_left);
        // Whoever does not read by then is not waited for.
        drop(waited);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(&self, site: Option<Identifier>, line: Vec<u8>) {
        let mut state = self.lock();
        let taken = match site {
            None => Taken::Now(line),
            Some(site) => state.paced.take(site, line, self.origin.elapsed()),
        };
        match taken {
            Taken::Now(line) => state.push(&line),
            // The thread is to write it later.
            Taken::Later => {}
            Taken::Counted => return,
        }
        self.changed.notify_all();
    }

    fn write_to(&self, mut to: impl Write) {
        let mut state = self.lock();
        loop {
            state.take_due(self.origin.elapsed());
            if !state.ready.is_empty() {
                let ready = std::mem::take(&mut state.ready);
                state.is_writing = true;
                drop(state);
                // Nobody reads it where it is full or closed, and nothing can be done about that.
                to.write_all(&ready).and_then(|()| to.flush()).ok();
                state = self.lock();
                state.is_writing = false;
                self.changed.notify_all();
                continue;
            }
            if state.is_ending {
                return;
            }
            let due = state.paced.next_at();
            let left = due.map(|at| at.saturating_sub(self.origin.elapsed()));
            // Half a day is as good as for ever.
            let wait = left.unwrap_or(Duration::from_secs(43_200)).max(Duration::from_millis(1));
            let waited = self.changed.wait_timeout(state, wait);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl State {
    fn push(&mut self, line: &[u8]) {
        if self.ready.len() + line.len() > CONSOLE_WAITING_BYTES_MAX {
            self.dropped += 1;
            return;
        }
        if self.dropped > 0 {
            let said = format!("... {} lines were left out: nobody read them\n", self.dropped);
            self.dropped = 0;
            self.ready.extend_from_slice(said.as_bytes());
        }
        self.ready.extend_from_slice(line);
    }

    /// Has those lines written that were kept back for long enough; all of them at the end.
    fn take_due(&mut self, now: Duration) {
        let until = if self.is_ending { Duration::MAX } else { now };
        while let Some(line) = self.paced.take_due(until, now) {
            self.push(&line);
        }
    }
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    Now(Vec<u8>),
    /// It is kept back.
    Later,
    /// It takes the place of one that was kept back.
    Counted,
}

/// Who may write a line now, and what was kept back.
#[derive(Debug)]
struct Paced {
    sites: HashMap<Identifier, Site>,
    /// Of all sites, in bytes.
    bytes: Pace<Duration>,
}

#[derive(Debug)]
struct Site {
    pace: Pace<Duration>,
    sure: Pace<Duration>,
    kept: Option<Kept>,
}

/// The newest line that was kept back, how many there are with it, and when it is written.
#[derive(Debug)]
struct Kept {
    line: Vec<u8>,
    count: u64,
    due: Duration,
}

impl Paced {
    fn new() -> Paced {
        let each = Duration::from_secs(1) / CONSOLE_BYTES_PER_S;
        let bytes = Pace::new(CONSOLE_BYTES_BURST, each, Duration::ZERO);
        Paced { sites: HashMap::new(), bytes }
    }

    /// A line of a site.
    fn take(&mut self, id: Identifier, line: Vec<u8>, now: Duration) -> Taken {
        let site = self.sites.entry(id).or_insert_with(|| Site::new(now));
        if let Some(kept) = &mut site.kept {
            (kept.line, kept.count) = (line, kept.count + 1);
            return Taken::Counted;
        }
        let has_turn = site.pace.next_at(now) <= now;
        let has_room = self.bytes.next_at(now) <= now;
        if has_turn && (has_room || site.sure.take(now)) {
            site.pace.take(now);
            self.bytes.take_many(line.len() as u32, now);
            return Taken::Now(line);
        }
        let sure = site.sure.next_at(now);
        let due = if has_turn { self.bytes.next_at(now).min(sure) } else { site.pace.next_at(now) };
        site.kept = Some(Kept { line, count: 1, due });
        Taken::Later
    }

    /// When the next line that was kept back is due.
    fn next_at(&self) -> Option<Duration> {
        self.sites.values().filter_map(|site| Some(site.kept.as_ref()?.due)).min()
    }

    /// A line that was kept back and is due by `until`, and how many there were like it.
    fn take_due(&mut self, until: Duration, now: Duration) -> Option<Vec<u8>> {
        let due = |site: &Site| site.kept.as_ref().map(|kept| kept.due).filter(|due| *due <= until);
        let (_, site) = self
            .sites
            .values_mut()
            .filter_map(|site| Some((due(site)?, site)))
            .min_by_key(|of| of.0)?;
        let Kept { mut line, count, .. } = site.kept.take()?;
        site.pace.take(now);
        if self.bytes.next_at(now) > now {
            site.sure.take(now);
        }
        if count > 1 {
            let is_ended = line.pop_if(|byte| *byte == b'\n').is_some();
            let more = format!(" (and {} more like this before)", count - 1);
            line.extend_from_slice(more.as_bytes());
            line.extend(is_ended.then_some(b'\n'));
        }
        self.bytes.take_many(line.len() as u32, now);
        Some(line)
    }
}

impl Site {
    fn new(now: Duration) -> Site {
        Site {
            pace: Pace::new(CONSOLE_LINES_BURST, CONSOLE_LINE_PACE, now),
            sure: Pace::new(1, CONSOLE_SURE_PACE, now),
            kept: None,
        }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { to: self, site: None, bytes: Vec::new() }
    }

    /// Somebody who asks for lines of debugging asks for all of them.
    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line<'a> {
        let site = (*meta.level() <= Level::INFO).then(|| meta.callsite());
        Line { to: self, site, bytes: Vec::new() }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        if bytes.len() > CONSOLE_LINE_BYTES_MAX {
            let whole = String::from_utf8_lossy(&bytes[..CONSOLE_LINE_BYTES_MAX]);
            bytes = format!("{}...\n", whole.trim_end_matches('\u{fffd}')).into_bytes();
        }
        if !bytes.is_empty() {
            self.to.0.submit(self.site.take(), bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use tracing::subscriber::with_default;
    use tracing::{debug, info, warn};

    /// What is written, in whole writes.
    struct Written(mpsc::Sender<String>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What a console writes of what `log` logs, to its end.
    fn written_of(log: impl FnOnce()) -> String {
        let (writes, written) = mpsc::channel();
        let console = Console::start(Written(writes)).unwrap();
        let lines = tracing_subscriber::fmt()
            .with_max_level(Level::DEBUG)
            .with_writer(console.lines())
            .without_time()
            .with_ansi(false)
            .with_target(false);
        with_default(lines.finish(), log);
        drop(console);
        written.into_iter().collect()
    }

    #[test]
    fn a_flood_of_one_line_is_told_by_its_newest_and_a_count() {
        let written = written_of(|| {
            for nth in 1..=10_000 {
                info!("somebody said {nth}");
            }
            warn!("the disk is full");
        });
        let lines: Vec<&str> = written.lines().collect();
        assert!(lines.len() <= CONSOLE_LINES_BURST as usize + 3, "{} lines", lines.len());
        assert_eq!(lines[0], " INFO somebody said 1");
        assert!(lines.contains(&" WARN the disk is full"), "it comes through");
        let newest = lines.iter().find(|line| line.contains("somebody said 10000"));
        assert!(newest.is_some_and(|line| line.contains(" more like this before)")), "{newest:?}");
    }

    #[test]
    fn what_somebody_asked_to_see_all_of_is_not_paced() {
        let written = written_of(|| (0..1000).for_each(|nth| debug!("piece {nth}")));
        assert_eq!(written.lines().count(), 1000);
    }

    #[test]
    fn long_lines_are_cut() {
        let written = written_of(|| info!("{}", "ñ".repeat(CONSOLE_LINE_BYTES_MAX)));
        assert!(written.len() <= CONSOLE_LINE_BYTES_MAX + 4 && written.ends_with("...\n"));
    }

    #[test]
    fn nobody_waits_for_who_does_not_read() {
        struct Stuck(mpsc::Receiver<()>);
        impl Write for Stuck {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.recv().ok();
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (read, stuck) = mpsc::channel();
        let console = Console::start(Stuck(stuck)).unwrap();
        let line = vec![b'x'; CONSOLE_LINE_BYTES_MAX];
        for _ in 0..1000 {
            console.0.submit(None, line.clone());
        }
        let state = console.0.lock();
        assert!(state.ready.len() <= CONSOLE_WAITING_BYTES_MAX);
        assert!(state.dropped >= 900, "{} are counted", state.dropped);
        drop(state);
        drop(read);
    }

    #[test]
    fn all_lines_together_have_a_pace_and_each_has_a_turn_now_and_then() {
        let mut paced = Paced::new();
        let at = Duration::from_secs;
        let [flood, other] = two_sites();
        let line = || vec![b'x'; 1000];
        let burst = CONSOLE_BYTES_BURST as usize / 1000;
        // Lines of places without end would exceed what all may write.
        let mut written = 0;
        for second in 0..1000 {
            let taken = |taken| usize::from(matches!(taken, Taken::Now(_)));
            written += taken(paced.take(flood.clone(), line(), at(second)));
            paced.sites.get_mut(&flood).unwrap().pace =
                Pace::new(CONSOLE_LINES_BURST, CONSOLE_LINE_PACE, at(second));
            for _ in 0..100 {
                written += taken(paced.take(flood.clone(), line(), at(second)));
            }
            while paced.take_due(at(second), at(second)).is_some() {
                written += 1;
            }
        }
        let most = burst + 1000 * CONSOLE_BYTES_PER_S as usize / 1000 + 1000 / 10 + 10;
        assert!(written <= most, "{written} lines, at most {most}");
        let taken = paced.take(other, line(), at(1000));
        assert!(matches!(taken, Taken::Now(_)), "another is sure of a line");
    }

    /// Two places in the program.
    fn two_sites() -> [Identifier; 2] {
        struct Seen(mpsc::Sender<Identifier>);
        impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Seen {
            fn on_event(
                &self,
                event: &tracing::Event<'_>,
                _: tracing_subscriber::layer::Context<'_, S>,
            ) {
                self.0.send(event.metadata().callsite()).unwrap();
            }
        }
        use tracing_subscriber::prelude::*;
        let (seen, sites) = mpsc::channel();
        with_default(tracing_subscriber::registry().with(Seen(seen)), || {
            info!("one");
            info!("two");
        });
        [sites.recv().unwrap(), sites.recv().unwrap()]
    }
}
