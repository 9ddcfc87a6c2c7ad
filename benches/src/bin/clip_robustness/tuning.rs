//! Whether other thresholds would do better: each clip is evaluated with those that were best on the
//! others (leave one clip out), over plain and degraded clips together.

use super::{
    GOALS,
    clips::print_line,
    degrade::Degradation,
    readings,
    scored_clips::{Clip, each, score},
};
use parseye_vision::{
    classify::EyeStateModel, evaluate::score::Score, reading::FrameReading,
    temporal::TemporalSettings,
};

/// The settings that are tried: all combinations.
fn grid() -> Vec<TemporalSettings> {
    let mut all = Vec::new();
    for closed_above in [0.3, 0.4, 0.5, 0.6] {
        for open_at_or_below in [0.2, 0.3, 0.4, 0.5] {
            for blink_below in [0.2, 0.25, 0.3, 0.35, 0.4] {
                for longest_reopening_s in [0.0, 0.1] {
                    for surely_open_above in [0.85, 1.0] {
                        if open_at_or_below <= closed_above {
                            all.push(TemporalSettings {
                                closed_above,
                                open_at_or_below,
                                blink_below,
                                longest_reopening_s,
                                surely_open_above,
                                ..TemporalSettings::default()
                            });
                        }
                    }
                }
            }
        }
    }
    all
}

fn f1(score: &Score) -> f64 {
    score.f1.unwrap_or(0.0)
}

fn description(settings: &TemporalSettings) -> String {
    format!(
        "closed above {}, open at or below {}, a blink below {}, reopening {} s, surely open above {}",
        settings.closed_above,
        settings.open_at_or_below,
        settings.blink_below,
        settings.longest_reopening_s,
        settings.surely_open_above
    )
}

/// Prints the score of the defaults beside that of tuned thresholds.
pub fn run(clips: &[Clip], model: &EyeStateModel) -> anyhow::Result<()> {
    let of_clip = |clip: &Clip| -> anyhow::Result<Vec<Vec<FrameReading>>> {
        let of_step = |step: &Degradation| readings(clip, model, *step);
        GOALS.iter().map(of_step).collect()
    };
    let readings_of = each(clips, of_clip)?;
    let grid = grid();
    let default = TemporalSettings::default();
    // Scores by settings, clip and degradation.
    let scores_of = |settings: &TemporalSettings| -> Vec<Vec<Score>> {
        let of_clip = |(clip, steps): (&Clip, &Vec<Vec<FrameReading>>)| {
            let of_step = |readings: &Vec<FrameReading>| score(readings, &clip.truth, settings);
            steps.iter().map(of_step).collect()
        };
        clips.iter().zip(&readings_of).map(of_clip).collect()
    };
    let by_settings: Vec<Vec<Vec<Score>>> = grid.iter().map(scores_of).collect();
    let of_default = scores_of(&default);

    // Each clip with the settings that are best on the others; the first of equals, so that the choice is
    // the same each time.
    let best_without = |left_out: Option<usize>| -> usize {
        let total = |scores: &Vec<Vec<Score>>| {
            let others = scores.iter().enumerate();
            let others = others.filter(|(clip, _)| Some(*clip) != left_out);
            f1(&Score::total(others.flat_map(|(_, steps)| steps)))
        };
        let mut best = 0;
        for (index, scores) in by_settings.iter().enumerate() {
            if total(scores) > total(&by_settings[best]) {
                best = index;
            }
        }
        best
    };
    let chosen: Vec<usize> = (0..clips.len())
        .map(|clip| best_without(Some(clip)))
        .collect();
    print_line(&format!(
        "{}: F1 with the default thresholds, and with those of {} combinations that are best on the other {} clips",
        model.card().name,
        grid.len(),
        clips.len().saturating_sub(1)
    ))?;
    print_line("degradation                    default  left out  best on all")?;
    let best = best_without(None);
    let row = |name: &str, wanted: &dyn Fn(usize) -> bool| {
        let total = |of: &dyn Fn(usize) -> Vec<Score>| {
            let scores: Vec<Score> = (0..clips.len()).flat_map(of).collect();
            f1(&Score::total(&scores))
        };
        let pick = |steps: &Vec<Score>| -> Vec<Score> {
            let steps = steps.iter().enumerate();
            let wanted = steps.filter(|(step, _)| wanted(*step));
            wanted.map(|(_, score)| *score).collect()
        };
        print_line(&format!(
            "{name:30} {:7.3} {:9.3} {:12.3}",
            total(&|clip| pick(&of_default[clip])),
            total(&|clip| pick(&by_settings[chosen[clip]][clip])),
            total(&|clip| pick(&by_settings[best][clip])),
        ))
    };
    for (index, step) in GOALS.iter().enumerate() {
        row(&step.to_string(), &|step| step == index)?;
    }
    row("all of them", &|_| true)?;
    print_chosen(&chosen, &grid)?;
    print_line(&format!("default: {}", description(&default)))
}

/// Prints which settings were chosen, and for how many clips.
fn print_chosen(chosen: &[usize], grid: &[TemporalSettings]) -> anyhow::Result<()> {
    let mut times: Vec<(usize, usize)> = Vec::new();
    for index in chosen {
        match times.iter_mut().find(|(of, _)| of == index) {
            Some((_, n)) => *n += 1,
            None => times.push((*index, 1)),
        }
    }
    for (index, n) in times {
        print_line(&format!(
            "chosen for {n} clips: {}",
            description(&grid[index])
        ))?;
    }
    Ok(())
}
