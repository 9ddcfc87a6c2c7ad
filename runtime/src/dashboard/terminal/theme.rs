//! What the terminal can show: colours or none, block characters or plain ones. Every state has a
//! label and a symbol beside its colour, so that nothing is shown by colour alone.

use parseye_vision::eye_state::EyeState;
use ratatui::style::{Color, Modifier, Style};

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Theme {
    /// Colours.
    pub colour: bool,
    /// Characters beyond ASCII.
    pub unicode: bool,
}

/// Eighths of a character, from the left and from below.
const EIGHTHS_RIGHT: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
const EIGHTHS_UP: [char; 9] = ['▁', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// The same without block characters, from low to high.
const PLAIN_UP: [char; 9] = ['_', '_', '.', ',', '-', '=', '+', '*', '#'];

impl Theme {
    /// Reads the environment: `NO_COLOR` (<https://no-color.org>), and the locale's encoding.
    pub(super) fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        let utf8 = locale.is_some_and(|locale| {
            let encoding = locale.to_ascii_lowercase().replace('-', "");
            encoding.contains("utf8")
        });
        Self {
            colour: set("NO_COLOR").is_none(),
            // Windows has no such variables, and its terminals show all characters.
            unicode: utf8 || cfg!(windows),
        }
    }

    /// Returns a bar for a share from 0 to 1, `width` characters with its empty part.
    pub(super) fn bar(self, share: f64, width: usize) -> String {
        let share = share.clamp(0.0, 1.0);
        if !self.unicode {
            let full = (share * width as f64).round() as usize;
            return "#".repeat(full) + &".".repeat(width - full);
        }
        let eighths = (share * width as f64 * 8.0).round() as usize;
        let mut bar = EIGHTHS_RIGHT[8].to_string().repeat(eighths / 8);
        if bar.chars().count() < width {
            bar.push(EIGHTHS_RIGHT[eighths % 8]);
        }
        let missing = width.saturating_sub(bar.chars().count());
        bar + &" ".repeat(missing)
    }

    /// Returns a line of characters for shares from 0 to 1; a blank where there is none.
    pub(super) fn sparkline(self, shares: impl Iterator<Item = Option<f64>>) -> String {
        let levels = if self.unicode { EIGHTHS_UP } else { PLAIN_UP };
        let level = |share: f64| levels[(share.clamp(0.0, 1.0) * 8.0).round() as usize];
        shares.map(|share| share.map_or(' ', level)).collect()
    }

    /// Returns the colour of a state; none where the terminal shows no colours.
    pub(super) fn of_state(self, state: EyeState) -> Style {
        // Cyan, yellow and red stay apart for the colour-blind, too.
        let colour = match state {
            EyeState::Open => Color::Cyan,
            EyeState::PartiallyOpen => Color::Yellow,
            EyeState::Closed => Color::LightRed,
            EyeState::NotVisible => Color::DarkGray,
        };
        self.coloured(colour)
    }

    /// Returns the style of what must be seen at once.
    pub(super) fn alarm(self) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED);
        match self.colour {
            true => style.fg(Color::LightRed),
            false => style,
        }
    }

    /// Returns the style of what needs no attention.
    pub(super) fn quiet(self) -> Style {
        self.coloured(Color::DarkGray)
    }

    fn coloured(self, colour: Color) -> Style {
        match self.colour {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }
}

/// Returns a state's symbol, three characters.
pub(super) const fn symbol(state: EyeState) -> &'static str {
    match state {
        EyeState::Open => "(O)",
        EyeState::PartiallyOpen => "(=)",
        EyeState::Closed => "(-)",
        EyeState::NotVisible => "(?)",
    }
}

/// Returns a state's name as a heading.
pub(super) const fn label(state: EyeState) -> &'static str {
    match state {
        EyeState::Open => "OPEN",
        EyeState::PartiallyOpen => "PARTLY OPEN",
        EyeState::Closed => "CLOSED",
        EyeState::NotVisible => "NOT VISIBLE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: Theme = Theme {
        colour: true,
        unicode: true,
    };

    #[test]
    fn the_environment_decides() {
        let theme = |pairs: &[(&str, &str)]| {
            Theme::from_environment(|name| {
                let (_, value) = pairs.iter().find(|(key, _)| *key == name)?;
                Some((*value).to_owned())
            })
        };
        assert_eq!(theme(&[("LANG", "de_DE.UTF-8")]), ALL);
        assert_eq!(theme(&[("LANG", "C.utf8"), ("NO_COLOR", "")]), ALL);
        assert!(!theme(&[("LANG", "C.UTF-8"), ("NO_COLOR", "1")]).colour);
        assert!(cfg!(windows) || !theme(&[("LANG", "C.UTF-8"), ("LC_ALL", "C")]).unicode);
    }

    #[test]
    fn bars_and_lines_are_drawn_to_an_eighth() {
        assert_eq!(ALL.bar(0.5, 4), "██  ");
        assert_eq!(ALL.bar(0.53, 4), "██▏ ");
        let plain = Theme {
            unicode: false,
            ..ALL
        };
        assert_eq!(plain.bar(0.5, 4), "##..");
        assert_eq!(
            ALL.sparkline([Some(0.0), None, Some(1.0)].into_iter()),
            "▁ █"
        );
    }

    proptest! {
        #[test]
        fn a_bar_fills_its_width(share in -1.0_f64..2.0, width in 0_usize..60, unicode: bool) {
            let theme = Theme { colour: false, unicode };
            prop_assert_eq!(theme.bar(share, width).chars().count(), width);
        }
    }
}
