//! A headless Chromium, driven by its DevTools protocol. The protocol goes through two pipes
//! (`--remote-debugging-pipe`), one JSON object and a zero byte a message, so it takes neither a port
//! nor a WebSocket.

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

/// Longest wait for an answer before the test gives up; no result depends on it.
const PATIENCE: Duration = Duration::from_secs(300);

/// Names under which systems know it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// The program: what `PARSEYE_BROWSER` names, or the first of the usual names that runs.
pub fn chromium() -> String {
    let named = std::env::var("PARSEYE_BROWSER").unwrap_or_default();
    if !named.is_empty() {
        return named;
    }
    let runs = |name: &&&str| {
        let version = Command::new(name).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    };
    let found = NAMES.iter().find(runs);
    (*found.expect("Chromium runs, or PARSEYE_BROWSER names one")).to_owned()
}

/// One page of a browser of its own.
pub struct Page {
    browser: Child,
    orders: ChildStdin,
    messages: Receiver<Value>,
    session: Option<String>,
    last_id: u64,
    /// What the page did, in order: messages without an order.
    pub events: Vec<Value>,
}

impl Drop for Page {
    fn drop(&mut self) {
        // The launcher may be a script; the group holds the browser, too.
        let _ = Command::new("kill")
            .args(["-s", "KILL", "--", &format!("-{}", self.browser.id())])
            .stderr(Stdio::null())
            .status();
        let _ = self.browser.wait();
    }
}

impl Page {
    /// Starts the program, with what it keeps in `profile`, and opens an empty page of a size.
    pub fn open(program: &str, profile: &Path, (width, height): (u32, u32)) -> Self {
        // Chromium reads orders from descriptor 3 and writes to 4; what it says besides is noise.
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#])
            .args(["sh", program])
            // Its sandbox refuses root, and what is opened here is the project's own page.
            .args(["--headless", "--no-sandbox", "--remote-debugging-pipe"])
            .args(["--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"])
            .arg(format!("--window-size={width},{height}"))
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut browser = command.spawn().expect("a shell starts");
        let orders = browser.stdin.take().expect("it is piped");
        let mut answers = BufReader::new(browser.stdout.take().expect("it is piped"));
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while answers.read_until(0, &mut message).is_ok_and(|n| n > 0) {
                message.pop();
                let value = serde_json::from_slice(&message).expect("messages are JSON");
                if sender.send(value).is_err() {
                    break;
                }
                message.clear();
            }
        });
        let mut page = Self {
            browser,
            orders,
            messages,
            session: None,
            last_id: 0,
            events: Vec::new(),
        };
        let target = page.order("Target.createTarget", json!({ "url": "about:blank" }));
        let attached = page.order(
            "Target.attachToTarget",
            json!({ "targetId": target["targetId"], "flatten": true }),
        );
        page.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.order(&format!("{domain}.enable"), json!({}));
        }
        page
    }

    /// Gives an order and waits for its result; events that come meanwhile are kept.
    pub fn order(&mut self, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let mut order = json!({ "id": self.last_id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            order["sessionId"] = json!(session);
        }
        let mut line = order.to_string().into_bytes();
        line.push(0);
        self.orders.write_all(&line).expect("the browser listens");
        loop {
            let message = self.messages.recv_timeout(PATIENCE);
            let mut message = message.unwrap_or_else(|_| panic!("{method}: no answer"));
            if message["id"] == self.last_id {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].take();
            }
            if message["method"].is_string() {
                self.events.push(message);
            }
        }
    }

    /// The value of an expression on the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let order = json!({ "expression": expression, "returnByValue": true });
        let mut answer = self.order("Runtime.evaluate", order);
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {answer}"
        );
        answer["result"]["value"].take()
    }
}
