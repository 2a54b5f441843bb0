//! `--tui`: the run on the whole terminal, drawn by a thread of its own so that a slow terminal
//! holds up nothing.

mod draw;
mod picture;

use std::collections::VecDeque;
use std::io::{self, Stderr, Write, stderr};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute};

use crate::exit::ExitStatus;
use crate::ui::signals::Seen;
use draw::Theme;
pub(crate) use picture::{HostRow, Picture};

/// The longest wait for a key; as often it is drawn.
const TICK: Duration = Duration::from_millis(100);

/// So many lines of what was told are kept: they are printed when the screen is left.
const KEPT: usize = 200;

/// Whether the terminal is ours now.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The lines that were told, the latest last.
type Told = Arc<Mutex<VecDeque<String>>>;

/// The screen. When it is closed, what is told goes to stderr.
#[derive(Debug)]
pub(crate) struct Screen {
    running: Mutex<Option<Running>>,
    told: Told,
}

#[derive(Debug)]
struct Running {
    pictures: SyncSender<Picture>,
    thread: JoinHandle<()>,
}

impl Screen {
    /// Takes the terminal. `q` and Ctrl-C are to `signals` what Ctrl-C is elsewhere.
    ///
    /// # Errors
    ///
    /// If the terminal cannot be taken.
    pub(crate) fn open(signals: Arc<Seen>) -> io::Result<Self> {
        let terminal = take()?;
        let told = Told::default();
        let (pictures, receiver) = sync_channel(1);
        let watching = Watching {
            pictures: receiver,
            signals,
            theme: Theme::of_environment(),
            told: told.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("screen".into())
            .spawn(move || watching.run(terminal))
            .inspect_err(|_| restore())?;
        Ok(Self {
            running: Mutex::new(Some(Running { pictures, thread })),
            told,
        })
    }

    /// Shows this; nothing if the one before is still being drawn.
    pub(crate) fn show(&self, picture: Picture) {
        if let Some(running) = &*lock(&self.running) {
            let _ = running.pictures.try_send(picture);
        }
    }

    /// Keeps a line to show. Whether the screen is there to show it.
    pub(crate) fn tell(&self, line: &str) -> bool {
        let is_open = lock(&self.running).is_some();
        if is_open {
            let mut told = lock(&self.told);
            if told.len() == KEPT {
                told.pop_front();
            }
            told.push_back(line.trim_end().to_owned());
        }
        is_open
    }

    /// Gives the terminal back, and prints what was told meanwhile.
    pub(crate) fn close(&self) {
        let Some(Running { pictures, thread }) = lock(&self.running).take() else {
            return;
        };
        drop(pictures);
        let _ = thread.join();
        restore();
        for line in lock(&self.told).drain(..) {
            let _ = writeln!(stderr(), "{line}");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread's part.
struct Watching {
    pictures: Receiver<Picture>,
    signals: Arc<Seen>,
    theme: Theme,
    told: Told,
}

impl Watching {
    /// Until the screen is closed, or the terminal is gone.
    fn run(self, mut terminal: Terminal<CrosstermBackend<Stderr>>) {
        let mut picture = Picture::default();
        loop {
            match self.pictures.try_recv() {
                Ok(new) => picture = new,
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {}
            }
            let told = lock(&self.told).clone();
            let drawn = terminal.draw(|frame| draw::draw(frame, &picture, &told, self.theme));
            if drawn.is_err() || self.keys().is_err() {
                return;
            }
        }
    }

    /// Waits a moment for keys, and obeys them.
    fn keys(&self) -> io::Result<()> {
        let mut wait = TICK;
        while event::poll(wait)? {
            if let Event::Key(key) = event::read()?
                && is_end(&key)
            {
                self.signals.note(ExitStatus::Interrupted);
            }
            wait = Duration::ZERO;
        }
        Ok(())
    }
}

/// Whether this key asks for the end.
fn is_end(key: &KeyEvent) -> bool {
    let with_control = key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind == KeyEventKind::Press
        && match key.code {
            KeyCode::Char('q') => !with_control,
            KeyCode::Char('c') => with_control,
            _ => false,
        }
}

/// Makes the terminal ours, to be given back even after a panic.
fn take() -> io::Result<Terminal<CrosstermBackend<Stderr>>> {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        restore();
        before(panic);
    }));
    enable_raw_mode()?;
    TAKEN.store(true, Relaxed);
    let taken = execute!(stderr(), EnterAlternateScreen, cursor::Hide)
        .and_then(|()| Terminal::new(CrosstermBackend::new(stderr())));
    taken.inspect_err(|_| restore())
}

/// Gives the terminal back, if it is ours.
pub(crate) fn restore() {
    if TAKEN.swap(false, Relaxed) {
        // Nothing can be done about errors, and nobody told.
        let _ = disable_raw_mode();
        let _ = execute!(stderr(), LeaveAlternateScreen, cursor::Show);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_and_ctrl_c_end_it_and_other_keys_do_not() {
        let key = |c, modifiers| KeyEvent::new(KeyCode::Char(c), modifiers);
        let (none, control) = (KeyModifiers::NONE, KeyModifiers::CONTROL);
        assert!(is_end(&key('q', none)) && is_end(&key('c', control)));
        assert!(!is_end(&key('c', none)) && !is_end(&key('x', control)));
    }
}
