//! What the person of the demonstration does, second by second, and what the light and the camera do meanwhile.
//! How it is drawn is left to the other modules.

use parseye_vision::eye_state::Eye;

/// Length of the script in seconds. It can be played again and again: the end meets the beginning.
pub const LENGTH_S: f32 = 60.0;

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// Both eyes blink.
    Blink,
    /// One eye closes while the other stays open.
    Wink(Eye),
    /// Both eyes are narrowed to this openness.
    Squint(f32),
    /// The eyes, and a little the head, look down; the lids follow.
    LookDown,
    /// The head turns to profile.
    TurnAway,
    /// The person leaves the frame.
    Leave,
    /// The lids grow heavy, down to this openness.
    Droop(f32),
    /// The eyes close and the head sinks.
    Sleep,
    /// The light falls to this share.
    Dim(f32),
    /// The camera's noise rises to this standard deviation in 8-bit levels.
    Noise(f32),
}

/// Something that happens from one second to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// When it has its whole effect: the lids meet, the person is gone. It begins before.
    pub from_s: f32,
    /// Until when it has its whole effect. It ends after.
    pub until_s: f32,
    /// What happens.
    pub action: Action,
}

const fn step(from_s: f32, until_s: f32, action: Action) -> Step {
    Step {
        from_s,
        until_s,
        action,
    }
}

/// A blink whose lids meet at a second, for four or five frames.
const fn blink(from_s: f32) -> Step {
    step(from_s, from_s + 0.14, Action::Blink)
}

/// The script, in the order in which things begin.
pub const SCRIPT: [Step; 26] = [
    blink(2.0),
    blink(4.8),
    step(6.5, 7.0, Action::Wink(Eye::Left)),
    blink(9.0),
    step(10.5, 12.5, Action::Squint(0.50)),
    blink(14.0),
    step(15.5, 18.0, Action::LookDown),
    blink(19.5),
    step(21.0, 23.0, Action::TurnAway),
    blink(25.0),
    step(27.0, 29.5, Action::Leave),
    blink(31.5),
    step(34.0, 40.0, Action::Dim(0.30)),
    blink(34.5),
    step(37.0, 43.0, Action::Noise(9.0)),
    blink(37.5),
    blink(40.7),
    blink(43.5),
    blink(45.5),
    step(48.2, 49.0, Action::Droop(0.50)),
    step(49.0, 53.0, Action::Sleep),
    blink(54.2),
    blink(54.8),
    step(55.8, 56.3, Action::Wink(Eye::Right)),
    blink(57.5),
    blink(59.2),
];

/// All that a frame of the script shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scene {
    /// Openness of the subject's left eye and of the right one, 0 to 1.
    pub openness: [f32; 2],
    /// How far the eyes look down, 0 to 1.
    pub look_down: f32,
    /// How far the head is turned to profile, 0 to 1.
    pub turned: f32,
    /// How far the person has left the frame, 0 to 1.
    pub gone: f32,
    /// How far the head has sunk in sleep, 0 to 1.
    pub sunk: f32,
    /// Light, 0 to 1.
    pub light: f32,
    /// Noise: standard deviation in 8-bit levels.
    pub noise: f32,
}

/// Noise of the camera in good light, in 8-bit levels.
const USUAL_NOISE: f32 = 1.6;

impl Action {
    /// Returns how many seconds it takes to begin and to end.
    const fn transition_s(self) -> [f32; 2] {
        match self {
            // Lids close in three frames and open in five.
            Self::Blink => [0.09, 0.16],
            Self::Wink(_) => [0.14, 0.20],
            Self::Squint(_) => [0.30, 0.30],
            Self::LookDown => [0.35, 0.30],
            Self::TurnAway => [0.55, 0.55],
            Self::Leave => [1.0, 1.0],
            Self::Droop(_) => [2.0, 0.3],
            Self::Sleep => [0.20, 0.20],
            Self::Dim(_) => [2.0, 2.0],
            Self::Noise(_) => [1.5, 1.5],
        }
    }

    /// Lets a share of its whole effect, 0 to 1, act on a scene.
    fn act(self, share: f32, scene: &mut Scene) {
        let narrow =
            |openness: &mut f32, to: f32| *openness = openness.min(1.0 + (to - 1.0) * share);
        match self {
            Self::Blink => scene.openness.iter_mut().for_each(|eye| narrow(eye, 0.0)),
            Self::Wink(eye) => {
                narrow(&mut scene.openness[eye.index()], 0.0);
                narrow(&mut scene.openness[eye.other().index()], 0.93);
            }
            Self::Squint(to) | Self::Droop(to) => {
                scene.openness.iter_mut().for_each(|eye| narrow(eye, to));
            }
            Self::LookDown => {
                scene.look_down = scene.look_down.max(share);
                scene.openness.iter_mut().for_each(|eye| narrow(eye, 0.55));
            }
            Self::TurnAway => scene.turned = scene.turned.max(share),
            Self::Leave => scene.gone = scene.gone.max(share),
            Self::Sleep => {
                scene.openness.iter_mut().for_each(|eye| narrow(eye, 0.0));
                scene.sunk = scene.sunk.max(share);
            }
            Self::Dim(to) => scene.light = scene.light.min(1.0 + (to - 1.0) * share),
            Self::Noise(to) => {
                scene.noise = scene.noise.max(USUAL_NOISE + (to - USUAL_NOISE) * share);
            }
        }
    }
}

impl Step {
    /// Returns the share of the whole effect at a second, 0 to 1.
    fn share(&self, time_s: f32) -> f32 {
        let [before, after] = self.action.transition_s();
        let share = if time_s < self.from_s {
            1.0 - (self.from_s - time_s) / before
        } else if time_s > self.until_s {
            1.0 - (time_s - self.until_s) / after
        } else {
            1.0
        };
        let share = share.clamp(0.0, 1.0);
        share * share * (3.0 - 2.0 * share)
    }
}

impl Scene {
    /// Returns what is shown at a second of the script.
    pub fn at(time_s: f32) -> Self {
        Self::of(&SCRIPT, time_s)
    }

    /// Returns what is shown at a second of any script.
    pub fn of(script: &[Step], time_s: f32) -> Self {
        let mut scene = Self {
            openness: [1.0; 2],
            look_down: 0.0,
            turned: 0.0,
            gone: 0.0,
            sunk: 0.0,
            light: 1.0,
            noise: USUAL_NOISE,
        };
        for step in script {
            let share = step.share(time_s);
            if share > 0.0 {
                step.action.act(share, &mut scene);
            }
        }
        scene
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_in_order_and_ends_as_it_begins() {
        for pair in SCRIPT.windows(2) {
            let begins = |step: &Step| step.from_s - step.action.transition_s()[0];
            assert!(pair[0].from_s <= pair[0].until_s);
            // Light changes slowly, before what begins after it.
            assert!(
                begins(&pair[0]) <= pair[1].from_s,
                "{:?} before {:?}",
                pair[0],
                pair[1]
            );
        }
        assert_eq!(Scene::at(0.0), Scene::at(LENGTH_S));
    }

    #[test]
    fn the_lids_meet_when_the_script_says_so() {
        for step in SCRIPT {
            let middle = Scene::at((step.from_s + step.until_s) / 2.0);
            match step.action {
                Action::Blink | Action::Sleep => assert_eq!(middle.openness, [0.0; 2]),
                Action::Wink(eye) => {
                    assert_eq!(middle.openness[eye.index()], 0.0);
                    assert!(middle.openness[eye.other().index()] > 0.9);
                }
                Action::TurnAway => assert_eq!(middle.turned, 1.0),
                Action::Leave => assert_eq!(middle.gone, 1.0),
                _ => {}
            }
        }
        let wake = Scene::at(30.8);
        assert_eq!((wake.openness, wake.gone), ([1.0; 2], 0.0));
    }
}
