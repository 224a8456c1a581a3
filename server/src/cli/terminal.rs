//! Lines from a person or a program, and lines for them: at a terminal with a line editor, above
//! which others' lines appear without tearing the one that is being typed.
//!
//! The editor blocks, so it has a thread of its own, and so has what prints above it.

use super::print;
use super::serve::stop_signal;
use anyhow::{Context, anyhow};
#[cfg(unix)]
use nix::sys::termios::{self, LocalFlags, SetArg, Termios};
use rustyline::completion::Completer;
use rustyline::error::{ReadlineError, Signal};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{ColorMode, Config, Editor, ExternalPrinter, Helper};
use std::borrow::Cow;
use std::io::{self, BufRead, IsTerminal, Read};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc as sync_mpsc};
use std::thread;
use std::time::Instant;
use tequio_protocol::limits::{FRAME_BYTES_MAX, SCREEN_PATIENCE, SHOWN_LINES_MAX, TYPED_LINES_MAX};
use tokio::sync::{Notify, mpsc};

/// Before what a person types.
pub(super) const PROMPT: &str = "> ";

/// Ends when the person, or the system, wants the command to end.
pub(super) type Interrupt = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes over stdin and stdout. Lines end with stdin (Ctrl-D at a terminal), or with one that is
/// `farewell`.
pub(super) fn open(farewell: Option<&'static str>) -> anyhow::Result<(Screen, Lines, Interrupt)> {
    let stop = stop_signal().context("signals cannot be listened for")?;
    let interrupted = Arc::new(Notify::new());
    let (screen, lines) = match is_terminal() {
        true => edited(farewell, interrupted.clone())?,
        false => plain(farewell)?,
    };
    let interrupt = async move {
        tokio::select! {
            () = stop => {}
            () = interrupted.notified() => {}
        }
    };
    Ok((screen, lines, Box::pin(interrupt)))
}

fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// The lines that are typed, or that stdin has.
pub(super) struct Lines(mpsc::Receiver<anyhow::Result<String>>);

impl Lines {
    /// The next line, without its end; `None` after the last. May be cancelled.
    pub(super) async fn next(&mut self) -> Option<anyhow::Result<String>> {
        self.0.recv().await
    }

    /// The next line, if it has been read already.
    pub(super) fn waiting(&mut self) -> Option<anyhow::Result<String>> {
        self.0.try_recv().ok()
    }
}

/// Where lines are printed. Dropped, it gives the terminal back as it was.
pub(super) struct Screen(Option<Above>);

impl Screen {
    /// Whether a person types, and sees what was typed.
    pub(super) fn is_typed_at(&self) -> bool {
        self.0.is_some()
    }

    /// A line on stdout; `false` when nobody reads any more.
    pub(super) async fn show(&self, line: &str) -> anyhow::Result<bool> {
        let line = format!("{line}\n");
        match &self.0 {
            Some(above) => above.show(line).await.map(|()| true),
            None => print::bytes(line.as_bytes()),
        }
    }

    /// A line about the command itself, which is no output for a program.
    pub(super) async fn notice(&self, line: &str) -> anyhow::Result<()> {
        match &self.0 {
            Some(above) => above.show(format!("{line}\n")).await,
            None => {
                // Nobody reads it who has closed stderr.
                print::line(line);
                Ok(())
            }
        }
    }
}

// ---- Without a terminal -----------------------------------------------------------------------

fn plain(farewell: Option<&'static str>) -> anyhow::Result<(Screen, Lines)> {
    // One line is read ahead, so that a file is read no faster than it is sent.
    let (read, lines) = mpsc::channel(1);
    let reader = move || {
        let mut stdin = io::stdin().lock();
        for number in 1u64.. {
            let line = match read_line(&mut stdin, number) {
                Ok(Some(line)) if Some(line.trim()) == farewell => return,
                Ok(Some(line)) => Ok(line),
                Ok(None) => return,
                Err(error) => Err(error),
            };
            let is_last = line.is_err();
            if read.blocking_send(line).is_err() || is_last {
                return;
            }
        }
    };
    thread::Builder::new().name("stdin".to_owned()).spawn(reader).context("no thread for stdin")?;
    Ok((Screen(None), Lines(lines)))
}

/// The next line, without its end.
fn read_line(input: &mut impl BufRead, number: u64) -> anyhow::Result<Option<String>> {
    let mut line = Vec::new();
    // The longest, and its end.
    let most = FRAME_BYTES_MAX as u64 + 2;
    if input.take(most).read_until(b'\n', &mut line).context("stdin cannot be read")? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    if line.len() > FRAME_BYTES_MAX {
        anyhow::bail!("line {number} of stdin is longer than {FRAME_BYTES_MAX} bytes");
    }
    String::from_utf8(line).map(Some).map_err(|_| anyhow!("line {number} of stdin is not UTF-8"))
}

// ---- At a terminal ----------------------------------------------------------------------------

/// Starts the line editor; without one, if it cannot work with this terminal.
fn edited(
    farewell: Option<&'static str>,
    interrupted: Arc<Notify>,
) -> anyhow::Result<(Screen, Lines)> {
    let gate = Arc::new(Gate::default());
    let (typed, lines) = mpsc::channel(TYPED_LINES_MAX);
    let (started, starting) = sync_mpsc::sync_channel(1);
    let watch = Watch(gate.clone());
    let typing = move || {
        // Made where it is used: on Windows it cannot change its thread.
        let editor = editor(watch).and_then(|mut editor| {
            let printer = editor.create_external_printer()?;
            Ok((editor, printer))
        });
        match editor {
            Ok((editor, printer)) => {
                let modes = Modes::take();
                if started.send(Some((printer, modes))).is_ok() {
                    type_lines(editor, &typed, &interrupted, farewell);
                }
            }
            Err(_) => drop(started.send(None)),
        }
    };
    let thread = || thread::Builder::new().name("terminal".to_owned());
    thread().spawn(typing).context("no thread for the terminal")?;
    let Some((printer, modes)) = starting.recv().context("the line editor ended")? else {
        return plain(farewell);
    };
    let (queue, queued) = mpsc::channel(SHOWN_LINES_MAX);
    let above = Above { queue: Some(queue), gate: gate.clone(), modes };
    thread().spawn(move || show_lines(queued, &gate, printer)).context("no thread to print")?;
    Ok((Screen(Some(above)), Lines(lines)))
}

fn editor(watch: Watch) -> rustyline::Result<Editor<Watch, MemHistory>> {
    let config = Config::builder()
        .auto_add_history(true)
        // What is pasted is typed: each of its lines is a line, and not all of them one.
        .bracketed_paste(false)
        // Nothing is coloured, but a helper is only told of what is drawn where it may be.
        .color_mode(ColorMode::Forced)
        .build();
    let mut editor = Editor::with_history(config, MemHistory::new())?;
    editor.set_helper(Some(watch));
    Ok(editor)
}

fn type_lines(
    mut editor: Editor<Watch, MemHistory>,
    typed: &mpsc::Sender<anyhow::Result<String>>,
    interrupted: &Notify,
    farewell: Option<&'static str>,
) {
    let gate = match editor.helper() {
        Some(watch) => watch.0.clone(),
        None => return,
    };
    loop {
        gate.enter(Phase::Starting);
        let read = editor.readline(PROMPT);
        gate.enter(Phase::Between);
        let sent = match read {
            Ok(line) if Some(line.trim()) == farewell => break,
            Ok(line) => typed.blocking_send(Ok(line)),
            Err(ReadlineError::Eof) => break,
            Err(ReadlineError::Interrupted) => break interrupted.notify_one(),
            // Ctrl-C is a key, so that this came from elsewhere; and is meant for all of us.
            Err(ReadlineError::Signal(signal)) if signal != Signal::Resize => {
                break interrupted.notify_one();
            }
            Err(ReadlineError::Signal(_)) => Ok(()),
            Err(error) => {
                typed.blocking_send(Err(anyhow!("the terminal cannot be read: {error}"))).ok();
                break;
            }
        };
        if sent.is_err() {
            break;
        }
    }
    drop(editor);
    gate.enter(Phase::Over);
}

/// What prints above the line that is being typed.
struct Above {
    /// `None` when it is being dropped.
    queue: Option<mpsc::Sender<String>>,
    gate: Arc<Gate>,
    modes: Modes,
}

impl Above {
    async fn show(&self, line: String) -> anyhow::Result<()> {
        let Some(queue) = &self.queue else { return Ok(()) };
        self.gate.lock().queued += 1;
        queue.send(line).await.context("the terminal is gone")
    }
}

impl Drop for Above {
    fn drop(&mut self) {
        self.queue = None;
        let is_behind = |state: &mut State| {
            state.queued > 0 || (state.is_drawing && state.phase != Phase::Over)
        };
        let state = self.gate.lock();
        let waited = self.gate.changed.wait_timeout_while(state, SCREEN_PATIENCE, is_behind);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        self.modes.restore();
        if state.phase != Phase::Over {
            // The command ends by itself, and the editor still waits for a key.
            print::bytes(b"\n").ok();
        }
    }
}

fn show_lines(mut queued: mpsc::Receiver<String>, gate: &Gate, mut printer: impl ExternalPrinter) {
    while let Some(line) = queued.blocking_recv() {
        let mut state = gate.turn_to_print();
        let mut is_shown = false;
        if state.phase == Phase::Editing {
            state.is_drawing = true;
            drop(state);
            is_shown = printer.print(line.clone()).is_ok();
            state = gate.lock();
        }
        if !is_shown {
            print::bytes(line.as_bytes()).ok();
        }
        state.queued -= 1;
        drop(state);
        gate.changed.notify_all();
    }
}

/// Who may print: the editor while it edits, and else whoever has a line.
///
/// rustyline takes one line at a time, and shows it when it next waits for a key; between two lines
/// typed it prints at once. What came first could so be shown last, after Enter or within what is
/// pasted. Hence lines wait until it edits again.
#[derive(Default)]
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    phase: Phase,
    /// Lines that are not with the editor yet.
    queued: usize,
    /// Whether the editor has a line that it may not have shown yet.
    is_drawing: bool,
}

/// Where the editor is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// It has been left with a line, and not been entered again.
    #[default]
    Between,
    /// It sets the terminal up.
    Starting,
    /// It waits for keys, and for what is to be printed.
    Editing,
    /// Enter was pressed; it is being left.
    Accepted,
    /// It is not entered again.
    Over,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, phase: Phase) {
        self.lock().phase = phase;
        self.changed.notify_all();
    }

    /// It has drawn its line, and whatever it was given to show is above it.
    fn drawn(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Starting {
            state.phase = Phase::Editing;
        }
        state.is_drawing = false;
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until the editor edits, or has been over or left for a while: it may wait itself until
    /// a line typed is taken, for as long as who takes it waits for what is printed here.
    fn turn_to_print(&self) -> MutexGuard<'_, State> {
        let began = Instant::now();
        let mut state = self.lock();
        loop {
            let is_turn = match state.phase {
                Phase::Editing | Phase::Over => true,
                Phase::Between => began.elapsed() >= SCREEN_PATIENCE,
                Phase::Starting | Phase::Accepted => false,
            };
            if is_turn {
                return state;
            }
            let waited = self.changed.wait_timeout(state, SCREEN_PATIENCE);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Is told by the editor where it is.
struct Watch(Arc<Gate>);

impl Highlighter for Watch {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        self.0.drawn();
        Cow::Borrowed(prompt)
    }
}

impl Validator for Watch {
    fn validate(&self, _: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        self.0.enter(Phase::Accepted);
        Ok(ValidationResult::Valid(None))
    }
}

impl Completer for Watch {
    type Candidate = String;
}

impl Hinter for Watch {
    type Hint = String;
}

impl Helper for Watch {}

/// How the terminal was before the editor came.
#[cfg(unix)]
struct Modes(Option<Termios>);

#[cfg(unix)]
impl Modes {
    /// Keeps how it is, and has it show and interpret nothing by itself. The editor leaves it so
    /// between two lines, when what is typed ahead would be seen twice.
    fn take() -> Modes {
        let before = termios::tcgetattr(io::stdin()).ok();
        if let Some(mut quiet) = before.clone() {
            quiet.local_flags -= LocalFlags::ECHO | LocalFlags::ICANON;
            set(&quiet);
        }
        Modes(before)
    }

    fn restore(&self) {
        if let Some(before) = &self.0 {
            set(before);
        }
    }
}

#[cfg(unix)]
fn set(modes: &Termios) {
    // A terminal that is gone needs none.
    termios::tcsetattr(io::stdin(), SetArg::TCSADRAIN, modes).ok();
}

/// Shells of other systems set the terminal up for themselves.
#[cfg(not(unix))]
struct Modes;

#[cfg(not(unix))]
impl Modes {
    fn take() -> Modes {
        Modes
    }

    fn restore(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_stdin_lose_their_ends_and_nothing_else() {
        let mut input = "uno\n dos \r\n\nñ".as_bytes();
        let mut next = || read_line(&mut input, 1).unwrap();
        for line in ["uno", " dos ", "", "ñ"] {
            assert_eq!(next().as_deref(), Some(line));
        }
        assert_eq!(next(), None);
    }

    #[test]
    fn what_is_no_text_or_too_long_is_said_with_its_line() {
        let long = vec![b'x'; FRAME_BYTES_MAX + 3];
        for (bad, said) in [(&b"\xff\n"[..], "line 7 of stdin is not UTF-8"), (&long, "longer")] {
            let error = read_line(&mut &bad[..], 7).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        let most = [&long[..FRAME_BYTES_MAX], b"\r\n"].concat();
        assert!(read_line(&mut &most[..], 1).is_ok(), "the longest, and its end");
    }
}
