//! `parseye check`: attacks on the predictions of a recording or of labelled crops, as a table and as JSON.

use super::{
    complain, exit_status, load_gradient, load_model, print_beside,
    resolve::{CheckPlan, CheckSubject},
    stop_on_signals,
};
use anyhow::anyhow;
use parseye_capture::{Notice, name_of, open_recording};
use parseye_events::{event::Outcome, write_json};
use parseye_vision::{
    classify::EyeStateModel,
    evaluate::manifest::{Manifest, Split},
    eye_monitor::EyeMonitor,
    selfcheck::{
        agreement::AgreementRecord,
        labelled,
        labelled::LabelledAttack,
        offline::{CheckReport, Distribution, EyeStatistics, OfflineCheck, OfflineOptions},
    },
};
use std::{fmt::Write, path::Path, process::ExitCode, time::Duration};

/// Runs the command.
///
/// # Errors
/// When the source, the model or its gradient is wrong, or an output failed. A damaged recording is
/// reported and changes the exit status only.
pub(super) fn run(plan: &CheckPlan) -> anyhow::Result<ExitCode> {
    let model = load_model(&plan.settings)?;
    match &plan.subject {
        CheckSubject::Recording { path, every } => recording(plan, &model, path, *every),
        CheckSubject::Labelled {
            manifest,
            split,
            at_most,
        } => labelled(plan, &model, manifest, *split, *at_most),
    }
}

fn recording(
    plan: &CheckPlan,
    model: &EyeStateModel,
    path: &Path,
    every: Duration,
) -> anyhow::Result<ExitCode> {
    let stop = stop_on_signals()?;
    let gradient = load_gradient(&plan.settings, model)?;
    let mut monitor = EyeMonitor::new(&plan.settings.vision(), model)?;
    let options = OfflineOptions {
        settings: plan.settings.selfcheck.clone(),
        snrs_db: plan.snrs_db.clone(),
        every,
    };
    let mut check = OfflineCheck::new(model, gradient.as_ref(), options)?;
    let mut source = open_recording(path, plan.settings.recording.image_rate)?;
    let mut outcome = Outcome::Complete;
    while stop.requested().is_none() {
        match source.next_frame() {
            Ok(Some(frame)) => check.frame(&frame, &monitor.process(&frame)?.reading)?,
            Ok(None) => break,
            // The frames before the damage are still evaluated.
            Err(error) => {
                complain(&error);
                outcome = Outcome::Failed;
                break;
            }
        }
    }
    for notice in source.notices() {
        if let Notice::Note(message) | Notice::Gap { message, .. } = notice {
            complain(&format!("note: {message}"));
        }
    }
    let report = check.report(&name_of(path))?;
    if let Some(path) = &plan.json {
        write_json(path, &report)?;
    }
    print_beside([&plan.json], &text_of(&report)?)?;
    Ok(exit_status(outcome, &stop))
}

fn labelled(
    plan: &CheckPlan,
    model: &EyeStateModel,
    manifest: &Path,
    split: Split,
    at_most: usize,
) -> anyhow::Result<ExitCode> {
    let gradient = load_gradient(&plan.settings, model)?.ok_or_else(|| {
        anyhow!(
            "{}: the model has no gradient graph, which white-box steps need; put the NAME.gradient.onnx that `train` wrote beside it",
            model.card().name
        )
    })?;
    let manifest = Manifest::read(manifest)?;
    let attack = labelled::attack(&manifest, split, at_most, model, &gradient, &plan.snrs_db)?;
    if let Some(path) = &plan.json {
        write_json(path, &attack)?;
    }
    print_beside([&plan.json], &table_of(&attack)?)?;
    Ok(ExitCode::SUCCESS)
}

fn table_of(attack: &LabelledAttack) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(
        text,
        "{} on {} crops of the {} split, white-box FGSM with the true label",
        attack.model, attack.n, attack.split
    )?;
    writeln!(
        text,
        "{:>8} {:>8} {:>11} {:>9} {:>7} {:>10}",
        "SNR dB", "epsilon", "gray levels", "accuracy", "macro", "unchanged"
    )?;
    for row in &attack.rows {
        let db = row.snr_db.map_or("clean".into(), |db| format!("{db}"));
        let gray = row
            .gray_levels
            .map_or("-".into(), |gray| format!("{gray:.2}"));
        writeln!(
            text,
            "{db:>8} {:>8.4} {gray:>11} {:>9.4} {:>7.4} {:>10.4}",
            row.epsilon, row.accuracy, row.macro_accuracy, row.agreement
        )?;
    }
    if attack.no_gradient > 0 {
        writeln!(
            text,
            "{} crops have a zero gradient, so that FGSM does not change them",
            attack.no_gradient
        )?;
    }
    Ok(text)
}

fn text_of(report: &CheckReport) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(
        text,
        "{} by {}: {} of {} frames checked, {} with a face",
        report.source, report.model, report.checked, report.frames, report.frames_with_face
    )?;
    writeln!(
        text,
        "{:27} {:>21} {:>21} {:>21}",
        "median (5 % to 95 %)", "left eye", "right eye", "both"
    )?;
    type Of = fn(&EyeStatistics) -> &Distribution;
    let rows: [(&str, Of, usize); 5] = [
        ("camera SNR, dB", |eye| &eye.camera_snr_db, 1),
        ("noise flip SNR, dB", |eye| &eye.noise_flip_snr_db, 1),
        ("headroom, dB", |eye| &eye.headroom_db, 1),
        (
            "adversarial margin, dB",
            |eye| &eye.adversarial_margin_db,
            1,
        ),
        ("flip probability", |eye| &eye.flip_probability, 4),
    ];
    for (name, of, digits) in rows {
        write!(text, "{name:27}")?;
        for eye in [&report.left, &report.right, &report.both] {
            write!(text, " {:>21}", quantiles(of(eye), digits))?;
        }
        writeln!(text)?;
    }
    for (name, of, _) in rows {
        for (reason, count) in &of(&report.both).missing {
            writeln!(text, "no {name} for {count} eyes: {reason}")?;
        }
    }
    write_shares(&mut text, report)?;
    writeln!(
        text,
        "{:>8} {:>8} {:>28} {:>28}",
        "SNR dB", "epsilon", "unchanged by white noise", "unchanged by FGSM"
    )?;
    for row in &report.table {
        let fgsm = row.fgsm.as_ref().map_or("-".into(), share);
        writeln!(
            text,
            "{:>8} {:>8.4} {:>28} {fgsm:>28}",
            row.snr_db,
            row.epsilon,
            share(&row.noise)
        )?;
    }
    Ok(text)
}

/// Writes what share of the eyes is trusted, predicted alike again, and turned at which margins.
fn write_shares(text: &mut String, report: &CheckReport) -> std::fmt::Result {
    let both = &report.both;
    let states: Vec<String> = both.trust.iter().map(|(s, n)| format!("{n} {s}")).collect();
    writeln!(
        text,
        "headroom of {} eyes: {}",
        2 * report.checked,
        states.join(", ")
    )?;
    writeln!(
        text,
        "same prediction under the camera's own noise: {}",
        share(&both.agreement)
    )?;
    if !both.margins.is_empty() {
        let bins: Vec<String> = both
            .margins
            .iter()
            .map(|(db, n)| format!("{db}: {n}"))
            .collect();
        writeln!(
            text,
            "adversarial margins from ... dB: {}; {} not monotone",
            bins.join(", "),
            both.not_monotone
        )?;
    }
    if !both.corruptions.is_empty() {
        let corruptions = both.corruptions.iter();
        let shares: Vec<String> = corruptions
            .map(|(corruption, share)| format!("{} {share:.2}", corruption.name()))
            .collect();
        writeln!(text, "unchanged under corruptions: {}", shares.join(", "))?;
    }
    Ok(())
}

fn quantiles(of: &Distribution, digits: usize) -> String {
    match (of.median, of.p05, of.p95) {
        (Some(median), Some(low), Some(high)) => {
            format!("{median:.digits$} ({low:.digits$} to {high:.digits$})")
        }
        _ => "-".into(),
    }
}

fn share(of: &AgreementRecord) -> String {
    match (of.share, of.at_least) {
        (Some(share), Some(bound)) => format!("{share:.3} (above {bound:.3}, n {})", of.draws),
        _ => "-".into(),
    }
}
