//! `--tui`: the run on the whole terminal, drawn by a separate thread, so that a slow terminal does
//! not slow the run down.

mod draw;
mod view;

use std::collections::VecDeque;
use std::io::{self, Stderr, Write, stderr};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex};
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
use crate::mutex::lock;
use crate::ui::signals::SignalState;
use draw::ScreenTheme;
pub(crate) use view::{HostRow, ScreenView};

/// The interval of redraws, and the longest wait for a key.
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);

/// The most messages in memory. They are printed when the screen is closed.
const MAX_MESSAGES: usize = 200;

/// Whether the terminal is in raw mode, and must be restored.
static IS_RAW: AtomicBool = AtomicBool::new(false);

/// The messages, the latest last.
type MessageLog = Arc<Mutex<VecDeque<String>>>;

/// The screen, until it is closed.
#[derive(Debug)]
pub(crate) struct TuiScreen {
    running: Mutex<Option<ScreenThread>>,
    messages: MessageLog,
}

#[derive(Debug)]
struct ScreenThread {
    views: SyncSender<ScreenView>,
    thread: JoinHandle<()>,
}

impl TuiScreen {
    /// Opens the screen. `q` and Ctrl-C are recorded as signals.
    ///
    /// # Errors
    ///
    /// If the terminal cannot be used.
    pub(crate) fn open(signals: Arc<SignalState>) -> io::Result<Self> {
        let terminal = open_terminal()?;
        let messages = MessageLog::default();
        let (views, receiver) = sync_channel(1);
        let screen_loop = ScreenLoop {
            views: receiver,
            signals,
            theme: ScreenTheme::from_environment(),
            messages: messages.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("screen".into())
            .spawn(move || screen_loop.run(terminal))
            .inspect_err(|_| restore())?;
        Ok(Self {
            running: Mutex::new(Some(ScreenThread { views, thread })),
            messages,
        })
    }

    /// Shows a view, unless the previous one is still waiting to be drawn.
    pub(crate) fn show(&self, view: ScreenView) {
        if let Some(running) = &*lock(&self.running) {
            let _ = running.views.try_send(view);
        }
    }

    /// Shows a message; false if the screen is closed.
    pub(crate) fn push_message(&self, line: &str) -> bool {
        let is_open = lock(&self.running).is_some();
        if is_open {
            let mut messages = lock(&self.messages);
            if messages.len() == MAX_MESSAGES {
                messages.pop_front();
            }
            messages.push_back(line.trim_end().to_owned());
        }
        is_open
    }

    /// Restores the terminal, and prints the messages.
    pub(crate) fn close(&self) {
        let Some(ScreenThread { views, thread }) = lock(&self.running).take() else {
            return;
        };
        drop(views);
        let _ = thread.join();
        restore();
        for line in lock(&self.messages).drain(..) {
            let _ = writeln!(stderr(), "{line}");
        }
    }
}

/// The state of the thread.
struct ScreenLoop {
    views: Receiver<ScreenView>,
    signals: Arc<SignalState>,
    theme: ScreenTheme,
    messages: MessageLog,
}

impl ScreenLoop {
    /// Draws until the screen is closed, or the terminal fails.
    fn run(self, mut terminal: Terminal<CrosstermBackend<Stderr>>) {
        let mut view = ScreenView::default();
        loop {
            match self.views.try_recv() {
                Ok(new) => view = new,
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {}
            }
            let messages = lock(&self.messages).clone();
            let drawn = terminal.draw(|frame| draw::draw(frame, &view, &messages, self.theme));
            if drawn.is_err() || self.handle_keys().is_err() {
                return;
            }
        }
    }

    /// Handles keys, and waits for them until the next redraw.
    fn handle_keys(&self) -> io::Result<()> {
        let mut wait = REDRAW_INTERVAL;
        while event::poll(wait)? {
            if let Event::Key(key) = event::read()?
                && is_stop_key(&key)
            {
                self.signals.record(ExitStatus::Interrupted);
            }
            wait = Duration::ZERO;
        }
        Ok(())
    }
}

/// Whether this key stops the run.
fn is_stop_key(key: &KeyEvent) -> bool {
    let with_control = key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind == KeyEventKind::Press
        && match key.code {
            KeyCode::Char('q') => !with_control,
            KeyCode::Char('c') => with_control,
            _ => false,
        }
}

/// Switches the terminal to raw mode and the alternate screen. A panic restores it, too.
fn open_terminal() -> io::Result<Terminal<CrosstermBackend<Stderr>>> {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        restore();
        before(panic);
    }));
    enable_raw_mode()?;
    IS_RAW.store(true, Relaxed);
    let opened = execute!(stderr(), EnterAlternateScreen, cursor::Hide)
        .and_then(|()| Terminal::new(CrosstermBackend::new(stderr())));
    opened.inspect_err(|_| restore())
}

/// Restores the terminal, if it is in raw mode.
pub(crate) fn restore() {
    if IS_RAW.swap(false, Relaxed) {
        // Errors cannot be handled or shown here.
        let _ = disable_raw_mode();
        let _ = execute!(stderr(), LeaveAlternateScreen, cursor::Show);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_q_and_ctrl_c_stop_the_run() {
        let key = |c, modifiers| KeyEvent::new(KeyCode::Char(c), modifiers);
        let (none, control) = (KeyModifiers::NONE, KeyModifiers::CONTROL);
        assert!(is_stop_key(&key('q', none)) && is_stop_key(&key('c', control)));
        assert!(!is_stop_key(&key('c', none)) && !is_stop_key(&key('x', control)));
    }
}
