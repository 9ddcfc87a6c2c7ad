//! The connection to the broker: one thread that reads events and the newest status, one that keeps the
//! connection. Neither ever makes the monitor wait.

use super::{
    MqttSettings,
    settings::{BrokerAddress, Password},
    topics::{OFFLINE, ONLINE, Topics, discovery},
};
use crate::channels::LatestStatus;
use crossbeam::channel::{self, Receiver, Sender};
use parseye_events::{
    event::Event,
    fanout::{Fanout, Next, Subscription},
};
use rumqttc::{
    Client, Connection, ConnectionError, Event as MqttEvent, LastWill, MqttOptions, Outgoing,
    Packet, QoS,
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Least time between two states.
const STATE_EVERY: Duration = Duration::from_secs(1);

/// How often the publisher checks whether the connection is new.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// Seconds without traffic after which the broker is asked whether it is still there; it calls the
/// monitor gone after one and a half of them.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// First and longest wait before the broker is tried again.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// Messages that may wait for the connection: all of discovery and some events.
const MESSAGE_QUEUE: usize = 256;

/// Events that may wait for the publisher.
const EVENT_QUEUE: usize = 512;

/// Longest time for the last messages at the end.
const DISCONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// Largest message in bytes; states and events have about 2 KB.
const MAX_MESSAGE_BYTES: usize = 256 << 10;

/// The threads that publish to a broker.
#[derive(Debug)]
pub(super) struct PublisherThreads {
    ended: Receiver<()>,
}

impl PublisherThreads {
    /// Waits until the broker knows that the monitor has ended.
    pub(super) fn finish(self) {
        let _ = self.ended.recv_timeout(DISCONNECT_TIMEOUT + POLL_EVERY);
    }
}

/// Starts the threads.
///
/// # Errors
/// When the system refuses one.
pub(super) fn start(
    events: &Fanout<Event>,
    status: &LatestStatus,
    settings: &MqttSettings,
    broker: BrokerAddress,
    report: impl FnMut(&str) + Send + 'static,
) -> io::Result<PublisherThreads> {
    let topics = Topics::new(&settings.name);
    let client_name = format!("parseye-{}", settings.name);
    let mut options = MqttOptions::new(client_name, broker.host.clone(), broker.port);
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_max_packet_size(MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES)
        .set_last_will(LastWill::new(
            topics.availability(),
            OFFLINE,
            QoS::AtLeastOnce,
            true,
        ));
    if let Some(username) = &settings.username {
        let password = settings.password.as_ref().map_or("", Password::reveal);
        options.set_credentials(username.clone(), password);
    }
    let (client, connection) = Client::new(options, MESSAGE_QUEUE);
    let stopping = Arc::new(AtomicBool::new(false));
    let (connected, connection_changes) = channel::unbounded();
    let (disconnected, wait_disconnected) = channel::bounded(1);
    let mut network = Network {
        connection,
        broker,
        report,
        connected,
        stopping: Arc::clone(&stopping),
    };
    std::thread::Builder::new()
        .name("mqtt-network".into())
        .spawn(move || {
            network.run();
            let _ = disconnected.send(());
        })?;
    let mut publisher = Publisher {
        client,
        topics,
        discovery: discovery(settings)
            .into_iter()
            .map(|(topic, config)| (topic, config.to_string()))
            .collect(),
        status: status.clone(),
        connection_changes,
        online: false,
        last_state: None,
    };
    let events = events.subscribe(EVENT_QUEUE);
    let (sender, ended) = channel::bounded(1);
    std::thread::Builder::new()
        .name("mqtt".into())
        .spawn(move || {
            publisher.run(&events);
            stopping.store(true, Ordering::Relaxed);
            publisher.disconnect();
            let _ = wait_disconnected.recv_timeout(DISCONNECT_TIMEOUT);
            let _ = sender.send(());
        })?;
    Ok(PublisherThreads { ended })
}

/// Turns events and states into messages.
struct Publisher {
    client: Client,
    topics: Topics,
    discovery: Vec<(String, String)>,
    status: LatestStatus,
    /// Whether the broker can be reached, whenever that changes.
    connection_changes: Receiver<bool>,
    online: bool,
    last_state: Option<Instant>,
}

impl Publisher {
    fn run(&mut self, events: &Subscription<Event>) {
        loop {
            let next = events.next(POLL_EVERY);
            while let Ok(online) = self.connection_changes.try_recv() {
                self.online = online;
                if online {
                    self.announce();
                }
            }
            match next {
                Next::Event(event) => self.event(&event),
                Next::Nothing => {}
                Next::Ended => return,
            }
            self.state();
        }
    }

    /// Publishes what is retained: the broker may have lost everything.
    fn announce(&mut self) {
        self.send(self.topics.availability(), true, ONLINE.into());
        for (topic, config) in &self.discovery {
            self.send(topic.clone(), true, config.clone());
        }
        self.last_state = None;
    }

    /// Publishes an event; those of single frames are left out, whose newest is in the state.
    fn event(&self, event: &Event) {
        if !self.online || matches!(event, Event::Eyes(_)) {
            return;
        }
        let Ok(value) = serde_json::to_value(event) else {
            return;
        };
        if let Some(kind) = value["event"].as_str() {
            self.send(self.topics.event(kind), false, value.to_string());
        }
    }

    fn state(&mut self) {
        let due = self
            .last_state
            .is_none_or(|last| last.elapsed() >= STATE_EVERY);
        if !due || !self.online {
            return;
        }
        let Some(status) = self.status.get() else {
            return;
        };
        if let Ok(text) = serde_json::to_string(status.as_ref()) {
            self.send(self.topics.state(), true, text);
            self.last_state = Some(Instant::now());
        }
    }

    /// Queues a message without waiting; what does not fit is dropped.
    fn send(&self, topic: String, retain: bool, text: String) {
        let _ = self
            .client
            .try_publish(topic, QoS::AtLeastOnce, retain, text);
    }

    fn disconnect(&self) {
        self.send(self.topics.availability(), true, OFFLINE.into());
        let _ = self.client.try_disconnect();
    }
}

/// Keeps the connection.
struct Network<R> {
    connection: Connection,
    broker: BrokerAddress,
    report: R,
    connected: Sender<bool>,
    stopping: Arc<AtomicBool>,
}

impl<R: FnMut(&str)> Network<R> {
    fn run(&mut self) {
        let mut retry = FIRST_RETRY;
        let mut reported = false;
        loop {
            match self.connection.recv() {
                Ok(Ok(MqttEvent::Incoming(Packet::ConnAck(_)))) => {
                    if reported {
                        (self.report)(&format!(
                            "{}: the MQTT broker is reached again",
                            self.broker
                        ));
                    }
                    (reported, retry) = (false, FIRST_RETRY);
                    self.set_online(true);
                }
                Ok(Ok(MqttEvent::Outgoing(Outgoing::Disconnect))) => return,
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    self.set_online(false);
                    if self.stopping.load(Ordering::Relaxed) {
                        return;
                    }
                    if !reported {
                        (self.report)(&format!(
                            "{}: the MQTT broker cannot be used: {}; trying again",
                            self.broker,
                            reason(&error)
                        ));
                        reported = true;
                    }
                    if self.stopped_within(retry) {
                        return;
                    }
                    retry = (2 * retry).min(LONGEST_RETRY);
                }
                // The publisher has gone.
                Err(_) => return,
            }
        }
    }

    /// Reports a change to the publisher; there are as few as there are attempts to connect.
    fn set_online(&self, online: bool) {
        let _ = self.connected.send(online);
    }

    fn stopped_within(&self, time: Duration) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < time {
            if self.stopping.load(Ordering::Relaxed) {
                return true;
            }
            std::thread::sleep(POLL_EVERY.min(time));
        }
        false
    }
}

/// Returns the library's message, or a better one.
fn reason(error: &ConnectionError) -> String {
    use rumqttc::ConnectReturnCode::{BadUserNamePassword, NotAuthorized};
    match error {
        ConnectionError::ConnectionRefused(BadUserNamePassword | NotAuthorized) => {
            "it wants another user name or password, see mqtt.username and mqtt.password".into()
        }
        ConnectionError::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}
