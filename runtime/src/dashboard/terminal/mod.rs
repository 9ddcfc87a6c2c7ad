//! The terminal dashboard: a thread that reads events and status, draws ten times a second, and leaves
//! the terminal as it found it however the program ends.
//!
//! It is only a reader. When its terminal goes away or blocks, it ends or hangs alone; the log and
//! everything else go on.

mod look;
mod settings;
mod view;

pub use look::Look;
pub use settings::TerminalSettings;
pub use view::View;

use crate::{
    channels::{LatestStatus, Stop},
    dashboard::{history::History, messages::Messages},
};
use crossbeam::channel::{self, Receiver};
use parseye_events::{
    event::Event,
    fanout::{Fanout, Next, Subscription},
};
use ratatui::{
    Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor,
        event::{self, Event as Input, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
        execute,
        terminal::{
            BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen,
            LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
        },
    },
};
use signal_hook::consts::{SIGHUP, SIGINT};
use std::{
    io::{self, IsTerminal, Stdout},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Time between two drawings, and the longest that a key waits.
const REDRAW_EVERY: Duration = Duration::from_millis(100);

/// Time after which everything is drawn anew, in case another program wrote on the terminal.
const REPAINT_EVERY: Duration = Duration::from_secs(5);

/// How long the end waits for a terminal that blocks.
const PATIENCE: Duration = Duration::from_millis(500);

/// Events that may wait between two drawings.
const EVENTS: usize = 1024;

/// What the confidence line shows, in seconds, and one of its characters.
const SPAN_S: f64 = 240.0;
const SLICE_S: f64 = 1.0;

/// What the dashboard needs to know about the program around it.
#[derive(Clone, Debug)]
pub struct TerminalOptions {
    /// Where the web dashboard is, if it is served.
    pub web: Option<String>,
    /// Set when the terminal was closed (SIGHUP).
    pub hung_up: Arc<AtomicBool>,
    /// What else the program says; held back while its terminal is filled.
    pub messages: Messages,
    /// Whether nobody else shows or writes anything: then the program ends with its terminal.
    pub alone: bool,
}

/// A dashboard on the terminal. Dropping it gives the terminal back.
#[derive(Debug)]
pub struct TerminalDashboard {
    leave: Arc<AtomicBool>,
    left: Receiver<()>,
}

/// Whether there is a terminal that can show a dashboard and take keys.
pub fn is_possible() -> bool {
    let dumb = std::env::var("TERM").is_ok_and(|kind| kind == "dumb");
    io::stdout().is_terminal() && io::stdin().is_terminal() && !dumb
}

/// Takes the terminal over. `q` and Ctrl-C there ask `stop` to stop, as the signal would.
///
/// # Errors
/// When the terminal refuses, or the system refuses a thread.
pub fn start(
    events: &Fanout<Event>,
    status: &LatestStatus,
    stop: &Stop,
    options: TerminalOptions,
) -> io::Result<TerminalDashboard> {
    let screen = Screen::enter(options.messages.clone())?;
    let leave = Arc::new(AtomicBool::new(false));
    let (leaving, left) = channel::bounded(1);
    let mut shower = Shower {
        events: events.subscribe(EVENTS),
        status: status.clone(),
        history: History::new(SPAN_S, SLICE_S),
        look: Look::of_environment(|name| std::env::var(name).ok()),
        stop: stop.clone(),
        leave: Arc::clone(&leave),
        options,
    };
    std::thread::Builder::new()
        .name("terminal".into())
        .spawn(move || {
            let mut screen = screen;
            // A terminal that fails is gone, as after a hang-up.
            let closed = shower.show(&mut screen).is_err();
            let closed = closed || shower.options.hung_up.load(Ordering::Relaxed);
            drop(screen);
            if closed && shower.options.alone && shower.stop.requested().is_none() {
                shower.stop.request(SIGHUP as usize);
            }
            // Nobody waits any more where this fails.
            let _ = leaving.send(());
        })?;
    Ok(TerminalDashboard { leave, left })
}

impl Drop for TerminalDashboard {
    fn drop(&mut self) {
        self.leave.store(true, Ordering::Relaxed);
        let _ = self.left.recv_timeout(PATIENCE);
    }
}

/// The terminal in raw mode on its other screen, given back when dropped.
struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    messages: Messages,
}

impl Screen {
    fn enter(messages: Messages) -> io::Result<Self> {
        give_back_before_panics();
        messages.hold();
        enable_raw_mode()?;
        let entered = execute!(io::stdout(), EnterAlternateScreen, cursor::Hide)
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        match entered {
            Ok(terminal) => Ok(Self { terminal, messages }),
            Err(error) => {
                give_back();
                messages.release();
                Err(error)
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
        self.messages.release();
    }
}

/// Each part on its own: when one fails, the others still help.
fn give_back() {
    let _ = execute!(
        io::stdout(),
        EndSynchronizedUpdate,
        LeaveAlternateScreen,
        cursor::Show
    );
    let _ = disable_raw_mode();
}

/// A panic's message would vanish with the other screen.
fn give_back_before_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            hook(panic);
        }));
    });
}

struct Shower {
    status: LatestStatus,
    events: Subscription<Event>,
    history: History,
    look: Look,
    stop: Stop,
    leave: Arc<AtomicBool>,
    options: TerminalOptions,
}

impl Shower {
    /// Draws until the program stops; an error means that the terminal is gone.
    fn show(&mut self, screen: &mut Screen) -> io::Result<()> {
        let mut painted = Instant::now();
        // The wish to stop ends it at once, so that a second signal finds the terminal given back.
        while !self.leave.load(Ordering::Relaxed)
            && !self.options.hung_up.load(Ordering::Relaxed)
            && self.stop.requested().is_none()
        {
            self.take_events();
            execute!(io::stdout(), BeginSynchronizedUpdate)?;
            if painted.elapsed() >= REPAINT_EVERY {
                // `clear` would ask the terminal where its cursor is, and wait for an answer.
                let size = screen.terminal.size()?;
                screen.terminal.resize(size.into())?;
                painted = Instant::now();
            }
            let status = self.status.get();
            let message = self.options.messages.newest();
            let view = View {
                status: status.as_deref(),
                history: &self.history,
                look: self.look,
                web: self.options.web.as_deref(),
                message: message.as_ref(),
            };
            screen.terminal.draw(|frame| view.draw(frame))?;
            execute!(io::stdout(), EndSynchronizedUpdate)?;
            self.take_keys()?;
        }
        Ok(())
    }

    fn take_events(&mut self) {
        for _ in 0..EVENTS {
            match self.events.next(Duration::ZERO) {
                Next::Event(event) => {
                    self.history.take(&event);
                }
                Next::Nothing | Next::Ended => break,
            }
        }
    }

    /// Waits for keys until it is time to draw again.
    fn take_keys(&self) -> io::Result<()> {
        let until = Instant::now() + REDRAW_EVERY;
        loop {
            let wait = until.saturating_duration_since(Instant::now());
            if !event::poll(wait)? {
                return Ok(());
            }
            match event::read()? {
                Input::Key(key) if quits(&key) => {
                    self.stop.request(SIGINT as usize);
                    return Ok(());
                }
                // The next drawing takes the new size.
                Input::Resize(..) => return Ok(()),
                _ => {}
            }
        }
    }
}

/// In raw mode Ctrl-C is a key.
fn quits(key: &KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind != KeyEventKind::Release
        && match key.code {
            KeyCode::Char('q' | 'Q') => true,
            KeyCode::Char('c') => control,
            _ => false,
        }
}
