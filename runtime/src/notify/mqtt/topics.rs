//! The topics of a monitor, and their description for Home Assistant. docs/EVENTS.md describes them for
//! subscribers.

use super::MqttSettings;
use parseye_vision::{
    eye_state::{Eye, EyeState},
    temporal::AlertKind,
};
use serde_json::{Value, json};

/// Payload of the availability topic while the monitor runs.
pub(super) const ONLINE: &str = "online";

/// Payload of the availability topic once it has ended; published by the broker when the connection broke.
pub(super) const OFFLINE: &str = "offline";

/// Seconds after which Home Assistant shows a state as unknown; one comes every second.
const EXPIRES_AFTER_S: u64 = 15;

/// The topics of a monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Topics {
    base: String,
}

impl Topics {
    /// Names the topics under `parseye/NAME`.
    pub(super) fn new(name: &str) -> Self {
        Self {
            base: format!("parseye/{name}"),
        }
    }

    /// Returns the topic of the newest state, retained.
    pub(super) fn state(&self) -> String {
        format!("{}/state", self.base)
    }

    /// Returns the topic of [`ONLINE`] or [`OFFLINE`], retained.
    pub(super) fn availability(&self) -> String {
        format!("{}/availability", self.base)
    }

    /// Returns the topic of events of a kind, each published once.
    pub(super) fn event(&self, kind: &str) -> String {
        format!("{}/event/{kind}", self.base)
    }
}

/// Returns the discovery messages for Home Assistant: topics and retained payloads. Empty where the settings
/// name no discovery prefix.
pub(super) fn discovery(settings: &MqttSettings) -> Vec<(String, Value)> {
    if settings.discovery_prefix.is_empty() {
        return Vec::new();
    }
    let mut entities: Vec<Entity> = Eye::ALL.map(eye_entity).into();
    entities.push(Entity {
        more: json!({ "unit_of_measurement": "%", "state_class": "measurement", "suggested_display_precision": 1 }),
        ..sensor(
            "perclos",
            "PERCLOS",
            "{{ (100 * value_json.perclos) | round(2) if value_json.perclos is not none else none }}",
        )
    });
    entities.push(Entity {
        more: json!({ "unit_of_measurement": "blinks/min", "state_class": "measurement", "suggested_display_precision": 1 }),
        ..sensor(
            "blink_rate",
            "Blink rate",
            "{{ value_json.blinks_per_minute | round(2) if value_json.blinks_per_minute is not none else none }}",
        )
    });
    entities.extend(alert_entities());
    entities.push(Entity {
        component: "binary_sensor",
        more: json!({ "device_class": "problem", "entity_category": "diagnostic" }),
        ..sensor(
            "camera",
            "Camera",
            "{{ 'ON' if value_json.source.down else 'OFF' }}",
        )
    });
    let described = entities
        .into_iter()
        .map(|entity| entity.described(settings));
    described.collect()
}

fn sensor(key: &'static str, name: &str, template: &str) -> Entity {
    Entity {
        component: "sensor",
        key,
        name: name.to_owned(),
        template: template.to_owned(),
        more: json!({}),
    }
}

fn eye_entity(eye: Eye) -> Entity {
    let (field, key, name) = match eye {
        Eye::Left => ("left", "left_eye", "Left eye"),
        Eye::Right => ("right", "right_eye", "Right eye"),
    };
    // What was not measured is unknown to Home Assistant, not "not visible".
    let template = format!(
        "{{{{ value_json.{field}.state if value_json.{field} and value_json.{field}.probabilities else none }}}}"
    );
    let states = EyeState::ALL.map(EyeState::name);
    Entity {
        more: json!({ "device_class": "enum", "options": states }),
        ..sensor(key, name, &template)
    }
}

fn alert_entities() -> [Entity; 4] {
    [
        (AlertKind::LongClosureWarning, "Eyes closed, warning"),
        (AlertKind::LongClosureAlarm, "Eyes closed, alarm"),
        (AlertKind::FaceLostAsleep, "Face lost while asleep"),
        (AlertKind::Drowsiness, "Drowsiness"),
    ]
    .map(|(kind, name)| {
        // The name in the template is the one that alerts have in the state.
        let template = format!(
            "{{{{ 'ON' if value_json.alerts | selectattr('kind', 'eq', '{}') | list else 'OFF' }}}}",
            kind.name()
        );
        Entity {
            component: "binary_sensor",
            more: json!({ "device_class": "problem" }),
            ..sensor(kind.name(), name, &template)
        }
    })
}

/// An entity of Home Assistant.
struct Entity {
    component: &'static str,
    key: &'static str,
    name: String,
    template: String,
    more: Value,
}

impl Entity {
    fn described(self, settings: &MqttSettings) -> (String, Value) {
        let device = format!("parseye_{}", settings.name);
        let topics = Topics::new(&settings.name);
        let mut config = json!({
            "name": self.name,
            "unique_id": format!("{device}_{}", self.key),
            "state_topic": topics.state(),
            "value_template": self.template,
            "availability_topic": topics.availability(),
            "expire_after": EXPIRES_AFTER_S,
            "device": {
                "identifiers": [device],
                "name": settings.name,
                "manufacturer": "Parseye",
                "sw_version": env!("CARGO_PKG_VERSION"),
            },
            "origin": { "name": "parseye", "sw_version": env!("CARGO_PKG_VERSION") },
        });
        if let (Some(config), Value::Object(more)) = (config.as_object_mut(), self.more) {
            config.extend(more);
        }
        let prefix = &settings.discovery_prefix;
        let topic = format!("{prefix}/{}/{device}/{}/config", self.component, self.key);
        (topic, config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_entity_has_a_topic_and_a_name_of_its_own() {
        let settings = MqttSettings {
            name: "desk".into(),
            ..MqttSettings::default()
        };
        let entities = discovery(&settings);
        assert_eq!(entities.len(), 9);
        let topics: BTreeSet<&String> = entities.iter().map(|(topic, _)| topic).collect();
        assert_eq!(topics.len(), entities.len());
        assert!(topics.contains(&"homeassistant/sensor/parseye_desk/left_eye/config".to_owned()));
        let ids: BTreeSet<&str> = entities
            .iter()
            .map(|(_, config)| config["unique_id"].as_str().unwrap())
            .collect();
        assert_eq!(ids.len(), entities.len());
        for (_, config) in &entities {
            assert_eq!(config["state_topic"], "parseye/desk/state");
            assert_eq!(config["availability_topic"], "parseye/desk/availability");
            assert_eq!(config["device"]["identifiers"][0], "parseye_desk");
            let template = config["value_template"].as_str().unwrap();
            assert!(
                template.starts_with("{{ ") && template.ends_with(" }}"),
                "{template}"
            );
        }
        let quiet = MqttSettings {
            discovery_prefix: String::new(),
            ..settings
        };
        assert!(discovery(&quiet).is_empty());
    }
}
