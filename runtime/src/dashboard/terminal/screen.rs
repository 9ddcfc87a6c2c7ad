//! The thread of the terminal dashboard, its keys, and the terminal's modes.
//!
//! It is only a reader. When its terminal goes away or blocks, it ends or hangs alone; the log and
//! everything else go on.

use super::{TerminalOptions, theme::Theme, view::View};
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

/// Longest wait for a terminal that blocks when the dashboard ends.
const LEAVE_TIMEOUT: Duration = Duration::from_millis(500);

/// Events that may wait between two drawings.
const EVENTS: usize = 1024;

/// What the confidence line shows, in seconds, and one of its characters.
const SPAN_S: f64 = 240.0;
const SLICE_S: f64 = 1.0;

/// A dashboard on the terminal. Dropping it restores the terminal.
#[derive(Debug)]
pub struct TerminalDashboard {
    leave: Arc<AtomicBool>,
    left: Receiver<()>,
}

/// Returns whether there is a terminal that can show a dashboard and take keys.
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
    let mut renderer = Renderer {
        events: events.subscribe(EVENTS),
        status: status.clone(),
        history: History::new(SPAN_S, SLICE_S),
        theme: Theme::from_environment(|name| std::env::var(name).ok()),
        stop: stop.clone(),
        leave: Arc::clone(&leave),
        options,
    };
    std::thread::Builder::new()
        .name("terminal".into())
        .spawn(move || {
            let mut screen = screen;
            // A terminal that fails is gone, as after a hang-up.
            let closed = renderer.run(&mut screen).is_err();
            let closed = closed || renderer.options.hung_up.load(Ordering::Relaxed);
            drop(screen);
            if closed && renderer.options.alone && renderer.stop.requested().is_none() {
                renderer.stop.request(SIGHUP as usize);
            }
            // It fails only when nobody waits any more.
            let _ = leaving.send(());
        })?;
    Ok(TerminalDashboard { leave, left })
}

impl Drop for TerminalDashboard {
    fn drop(&mut self) {
        self.leave.store(true, Ordering::Relaxed);
        let _ = self.left.recv_timeout(LEAVE_TIMEOUT);
    }
}

/// The terminal in raw mode on its alternate screen, restored when dropped.
struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    messages: Messages,
}

impl Screen {
    fn enter(messages: Messages) -> io::Result<Self> {
        restore_before_panics();
        messages.hold();
        enable_raw_mode()?;
        let entered = execute!(io::stdout(), EnterAlternateScreen, cursor::Hide)
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        match entered {
            Ok(terminal) => Ok(Self { terminal, messages }),
            Err(error) => {
                restore();
                messages.release();
                Err(error)
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
        self.messages.release();
    }
}

/// Leaves raw mode and the alternate screen, each on its own: when one fails, the others still help.
fn restore() {
    let _ = execute!(
        io::stdout(),
        EndSynchronizedUpdate,
        LeaveAlternateScreen,
        cursor::Show
    );
    let _ = disable_raw_mode();
}

/// Restores the terminal before a panic's message, which would vanish with the alternate screen.
fn restore_before_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            hook(panic);
        }));
    });
}

struct Renderer {
    status: LatestStatus,
    events: Subscription<Event>,
    history: History,
    theme: Theme,
    stop: Stop,
    leave: Arc<AtomicBool>,
    options: TerminalOptions,
}

impl Renderer {
    /// Draws until the program stops.
    ///
    /// # Errors
    /// When the terminal is gone.
    fn run(&mut self, screen: &mut Screen) -> io::Result<()> {
        let mut painted = Instant::now();
        // A request to stop ends it at once, so that a second signal finds the terminal restored.
        while !self.leave.load(Ordering::Relaxed)
            && !self.options.hung_up.load(Ordering::Relaxed)
            && self.stop.requested().is_none()
        {
            self.take_events();
            execute!(io::stdout(), BeginSynchronizedUpdate)?;
            if painted.elapsed() >= REPAINT_EVERY {
                // `clear` would ask the terminal where its cursor is, and wait for the reply.
                let size = screen.terminal.size()?;
                screen.terminal.resize(size.into())?;
                painted = Instant::now();
            }
            let status = self.status.get();
            let message = self.options.messages.newest();
            let view = View {
                status: status.as_deref(),
                history: &self.history,
                theme: self.theme,
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
