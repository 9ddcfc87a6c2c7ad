//! The connection to the broker: one thread that reads events and the present state, one that keeps
//! the connection. Neither ever makes the monitor wait.

use super::{
    MqttSettings,
    messages::{OFFLINE, ONLINE, Topics, discovery},
    settings::{BrokerAddress, Password},
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

/// How often the publisher looks whether the connection is new.
const LOOK_UP: Duration = Duration::from_millis(100);

/// Seconds without traffic after which the broker is asked whether it is still there; it calls the
/// monitor gone after one and a half of them.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// First and longest wait before the broker is tried again.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// Messages that may wait for the connection: all of discovery and some events.
const WAITING: usize = 256;

/// Events that may wait for the publisher.
const QUEUE: usize = 512;

/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_millis(500);

/// Bytes of one message at most; states and events have about 2 KB.
const LARGEST: usize = 256 << 10;

/// The threads that tell a broker.
#[derive(Debug)]
pub struct MqttPublisher {
    ended: Receiver<()>,
}

impl MqttPublisher {
    pub(super) fn start(
        events: &Fanout<Event>,
        status: &LatestStatus,
        settings: &MqttSettings,
        broker: BrokerAddress,
        tell: impl FnMut(&str) + Send + 'static,
    ) -> io::Result<Self> {
        let topics = Topics::new(&settings.name);
        let client_name = format!("parseye-{}", settings.name);
        let mut options = MqttOptions::new(client_name, broker.host.clone(), broker.port);
        options
            .set_keep_alive(KEEP_ALIVE)
            .set_max_packet_size(LARGEST, LARGEST)
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
        let (client, connection) = Client::new(options, WAITING);
        let stopping = Arc::new(AtomicBool::new(false));
        let (connected, news) = channel::unbounded();
        let (goodbye_said, goodbye) = channel::bounded(1);
        let mut network = Network {
            connection,
            broker,
            tell,
            connected,
            stopping: Arc::clone(&stopping),
        };
        std::thread::Builder::new()
            .name("mqtt-network".into())
            .spawn(move || {
                network.run();
                let _ = goodbye_said.send(());
            })?;
        let mut publisher = Publisher {
            client,
            topics,
            discovery: discovery(settings)
                .into_iter()
                .map(|(topic, config)| (topic, config.to_string()))
                .collect(),
            status: status.clone(),
            news,
            online: false,
            last_state: None,
        };
        let events = events.subscribe(QUEUE);
        let (sender, ended) = channel::bounded(1);
        std::thread::Builder::new()
            .name("mqtt".into())
            .spawn(move || {
                publisher.run(&events);
                stopping.store(true, Ordering::Relaxed);
                publisher.say_goodbye();
                let _ = goodbye.recv_timeout(GOODBYE);
                let _ = sender.send(());
            })?;
        Ok(Self { ended })
    }

    /// Waits, after the end of the events, until the broker knows that the monitor has ended; at most
    /// half a second and a little.
    pub fn finish(self) {
        let _ = self.ended.recv_timeout(GOODBYE + LOOK_UP);
    }
}

/// Turns events and states into messages.
struct Publisher {
    client: Client,
    topics: Topics,
    discovery: Vec<(String, String)>,
    status: LatestStatus,
    /// Whether the broker can be reached, whenever that changes.
    news: Receiver<bool>,
    online: bool,
    last_state: Option<Instant>,
}

impl Publisher {
    fn run(&mut self, events: &Subscription<Event>) {
        loop {
            let next = events.next(LOOK_UP);
            while let Ok(online) = self.news.try_recv() {
                self.online = online;
                if online {
                    self.introduce();
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

    /// What a broker must hold that may have forgotten everything.
    fn introduce(&mut self) {
        self.send(self.topics.availability(), true, ONLINE.into());
        for (topic, config) in &self.discovery {
            self.send(topic.clone(), true, config.clone());
        }
        self.last_state = None;
    }

    /// Every event but those of single frames, whose newest is in the state.
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

    /// Hands a message on without waiting; what does not fit is left out.
    fn send(&self, topic: String, retain: bool, text: String) {
        let _ = self
            .client
            .try_publish(topic, QoS::AtLeastOnce, retain, text);
    }

    fn say_goodbye(&self) {
        self.send(self.topics.availability(), true, OFFLINE.into());
        let _ = self.client.try_disconnect();
    }
}

/// Keeps the connection.
struct Network<T> {
    connection: Connection,
    broker: BrokerAddress,
    tell: T,
    connected: Sender<bool>,
    stopping: Arc<AtomicBool>,
}

impl<T: FnMut(&str)> Network<T> {
    fn run(&mut self) {
        let mut retry = FIRST_RETRY;
        let mut told = false;
        loop {
            match self.connection.recv() {
                Ok(Ok(MqttEvent::Incoming(Packet::ConnAck(_)))) => {
                    if told {
                        (self.tell)(&format!(
                            "{}: the MQTT broker is reached again",
                            self.broker
                        ));
                    }
                    (told, retry) = (false, FIRST_RETRY);
                    self.news(true);
                }
                Ok(Ok(MqttEvent::Outgoing(Outgoing::Disconnect))) => return,
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    self.news(false);
                    if self.stopping.load(Ordering::Relaxed) {
                        return;
                    }
                    if !told {
                        (self.tell)(&format!(
                            "{}: the MQTT broker cannot be used: {}; trying again",
                            self.broker,
                            reason(&error)
                        ));
                        told = true;
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

    /// There are as few as there are attempts to connect.
    fn news(&self, online: bool) {
        let _ = self.connected.send(online);
    }

    fn stopped_within(&self, time: Duration) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < time {
            if self.stopping.load(Ordering::Relaxed) {
                return true;
            }
            std::thread::sleep(LOOK_UP.min(time));
        }
        false
    }
}

/// The library's words, or better ones.
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
