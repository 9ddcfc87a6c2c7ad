//! From flags and settings to the plan of a command: every value is checked and every path decided before
//! anything is read or written.

use super::{
    args::{
        CheckArgs, CollectArgs, DashboardArgs, DemoArgs, EvaluateArgs, LogDetailArgs, MonitorArgs,
        ReplayArgs, SummarizeArgs, WatchArgs,
    },
    paths::{check_paths, is_standard, make_folder_of, source_of, with_clip},
};
use crate::{
    annotate::video::format::VideoFormat,
    config::{LogLevel, Settings},
    notify::event_commands::Pattern,
};
use anyhow::{Context, anyhow, bail, ensure};
use parseye_capture::name_of;
use parseye_vision::{evaluate::manifest::Split, nearest::hint, snr};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

/// What `parseye monitor` does.
#[derive(Debug)]
pub(super) struct MonitorPlan {
    /// Settings with the flags' values.
    pub settings: Settings,
    /// Ends by itself after this long.
    pub duration: Option<Duration>,
    /// Whether the demonstration is played where no camera is found.
    pub or_demo: bool,
}

/// What `parseye demo` does.
#[derive(Debug)]
pub(super) struct DemoPlan {
    /// Settings with the flags' values.
    pub settings: Settings,
    /// Ends by itself after this long.
    pub duration: Option<Duration>,
    /// Where the frames are written instead of being watched.
    pub write: Option<PathBuf>,
}

/// One recording of `parseye replay`.
#[derive(Debug)]
pub(super) struct ReplaySource {
    /// Where it is.
    pub path: PathBuf,
    /// Its name in events.
    pub clip: String,
    /// Where its annotated video goes.
    pub annotate: Option<PathBuf>,
}

/// What `parseye replay` does.
#[derive(Debug)]
pub(super) struct ReplayPlan {
    /// Settings with the flags' values.
    pub settings: Settings,
    /// In order.
    pub sources: Vec<ReplaySource>,
    /// Confirmed blinks.
    pub truth: Option<PathBuf>,
    /// Where the summary goes.
    pub summary: Option<PathBuf>,
    /// Whether the one source is played at its own pace instead.
    pub realtime: bool,
    /// Whether they start again at their end.
    pub loop_forever: bool,
    /// Ends by itself after this long: by the clock at the source's own pace, else of the recordings.
    pub duration: Option<Duration>,
}

/// What `parseye evaluate` does.
#[derive(Debug)]
pub(super) struct EvaluatePlan {
    /// Settings with the flags' values.
    pub settings: Settings,
    /// List of labelled crops.
    pub manifest: PathBuf,
    /// Crops to evaluate.
    pub split: Split,
    /// Where all metrics go.
    pub json: Option<PathBuf>,
}

/// What `parseye collect` does.
#[derive(Debug)]
pub(super) struct CollectPlan {
    /// Settings with the flags' values.
    pub settings: Settings,
    /// Folder for crops and manifest.
    pub out: PathBuf,
    /// Recording in place of a camera.
    pub recording: Option<PathBuf>,
    /// The person.
    pub subject: String,
}

/// What `parseye summarize` does.
#[derive(Debug)]
pub(super) struct SummarizePlan {
    /// Settings.
    pub settings: Settings,
    /// Event logs.
    pub logs: Vec<PathBuf>,
    /// Where all metrics go.
    pub json: Option<PathBuf>,
    /// Where the plot goes; its name ends in svg or png.
    pub plot: Option<PathBuf>,
}

/// What `parseye check` does.
#[derive(Debug)]
pub(super) struct CheckPlan {
    /// Settings with the flags' values.
    pub settings: Settings,
    /// Signal-to-noise ratios of the table in dB.
    pub snrs_db: Vec<f64>,
    /// What is checked.
    pub subject: CheckSubject,
    /// Where all metrics go.
    pub json: Option<PathBuf>,
}

/// What `parseye check` checks.
#[derive(Debug)]
pub(super) enum CheckSubject {
    /// A recording.
    Recording {
        /// Where it is.
        path: PathBuf,
        /// Least time between two checked frames.
        every: Duration,
    },
    /// Labelled crops.
    Labelled {
        /// List of labelled crops.
        manifest: PathBuf,
        /// Crops to attack.
        split: Split,
        /// How many at most.
        at_most: usize,
    },
}

/// Resolves `parseye monitor`.
///
/// # Errors
/// When a value is invalid.
pub(super) fn monitor(args: MonitorArgs, mut settings: Settings) -> anyhow::Result<MonitorPlan> {
    let duration = args.duration.map(duration).transpose()?;
    settings.camera.id = args.camera.or(settings.camera.id);
    settings.camera.backend = args.backend.unwrap_or(settings.camera.backend);
    settings.model.file = args.model.or(settings.model.file);
    event_log(args.log, &args.log_detail, &mut settings)?;
    watch(args.watch, &mut settings);
    dashboards(args.dashboards, &mut settings)?;
    alarm(args.on_alarm, &mut settings)?;
    on_event(args.on_event, &mut settings)?;
    mqtt(args.mqtt, &mut settings)?;
    Ok(MonitorPlan {
        settings,
        duration,
        or_demo: args.or_demo,
    })
}

/// Resolves `parseye demo`.
///
/// # Errors
/// When a value is invalid, or the recording cannot be written.
pub(super) fn demo(args: DemoArgs, mut settings: Settings) -> anyhow::Result<DemoPlan> {
    let duration = args.duration.map(duration).transpose()?;
    settings.model.file = args.model.or(settings.model.file);
    event_log(args.log, &LogDetailArgs::default(), &mut settings)?;
    // The frames show nobody.
    settings.web.preview = true;
    dashboards(args.dashboards, &mut settings)?;
    alarm(args.on_alarm, &mut settings)?;
    mqtt(args.mqtt, &mut settings)?;
    let outputs: Vec<&Path> = args.write.iter().map(PathBuf::as_path).collect();
    check_paths(&[], &outputs)?;
    Ok(DemoPlan {
        settings,
        duration,
        write: args.write,
    })
}

/// Merges `--mqtt` into the settings.
///
/// # Errors
/// When it is no address.
fn mqtt(broker: Option<String>, settings: &mut Settings) -> anyhow::Result<()> {
    settings.mqtt.broker = broker.or(settings.mqtt.broker.take());
    let checked = settings.mqtt.check();
    checked.map_err(|reason| anyhow!("--mqtt: mqtt.{reason}"))
}

/// Merges whom to watch into the settings.
fn watch(args: WatchArgs, settings: &mut Settings) {
    let detector = &mut settings.detector;
    detector.watch = args.watch.unwrap_or(detector.watch);
    detector.roi = args.roi.or(detector.roi);
    detector.rotate = args.rotate.unwrap_or(detector.rotate);
    detector.mirror |= args.mirror;
}

/// Merges the flags of a live run into the settings.
///
/// # Errors
/// When a value is invalid, or would open the web dashboard to anybody.
pub(super) fn dashboards(args: DashboardArgs, settings: &mut Settings) -> anyhow::Result<()> {
    settings.terminal.dashboard &= !args.no_terminal;
    settings.selfcheck.mode = args.self_check.unwrap_or(settings.selfcheck.mode);
    let web = &mut settings.web;
    web.address = args.web.or(web.address.take());
    web.token = args.token.map(Into::into).or(web.token.take());
    web.preview |= args.preview;
    web.check().map_err(|reason| anyhow!("web.{reason}"))
}

/// Merges the flags of the event log into the settings. A log on standard output leaves no terminal for a
/// dashboard.
///
/// # Errors
/// When both flags say which frames have lines.
fn event_log(
    log: Option<PathBuf>,
    detail: &LogDetailArgs,
    settings: &mut Settings,
) -> anyhow::Result<()> {
    let report = &mut settings.report;
    report.log = log.or(report.log.take());
    ensure!(
        !(detail.log_level == Some(LogLevel::Events) && detail.log_every.is_some()),
        "--log-level events leaves out all frames, --log-every some; give one of them"
    );
    if let Some(every) = detail.log_every {
        (report.log_level, report.log_every) = (LogLevel::All, every);
    }
    report.log_level = detail.log_level.unwrap_or(report.log_level);
    settings.terminal.dashboard &= !report.log.as_deref().is_some_and(is_standard);
    Ok(())
}

fn duration(seconds: f64) -> anyhow::Result<Duration> {
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => bail!("--duration is {seconds}; give seconds above 0"),
    }
}

/// Merges `--on-alarm` into the settings.
///
/// # Errors
/// When it is not a command.
pub(super) fn alarm(command: Option<String>, settings: &mut Settings) -> anyhow::Result<()> {
    if command.is_some() {
        settings.alarm.command = command;
        let checked = settings.alarm.check();
        checked.map_err(|reason| anyhow!("--on-alarm: {reason}"))?;
    }
    Ok(())
}

/// Merges `--on-event` into the settings.
///
/// # Errors
/// When one is no `KIND=COMMAND`, or its kind is given twice.
pub(super) fn on_event(commands: Vec<String>, settings: &mut Settings) -> anyhow::Result<()> {
    let names = Pattern::ALL.map(Pattern::name);
    let mut seen = Vec::new();
    for text in commands {
        let Some((kind, command)) = text.split_once('=') else {
            bail!("--on-event {text}: give KIND=COMMAND, such as wink='xdotool key Right'");
        };
        let found = Pattern::ALL.into_iter().find(|known| known.name() == kind);
        let Some(pattern) = found else {
            bail!(
                "--on-event: unknown event '{kind}'{}; known: {}",
                hint(kind, names),
                names.join(", ")
            );
        };
        ensure!(
            !seen.contains(&pattern),
            "--on-event {kind} is given twice; let one command do both"
        );
        seen.push(pattern);
        settings.on_event.set(pattern, command.to_owned());
    }
    let checked = settings.on_event.check();
    checked.map_err(|reason| anyhow!("--on-event: {reason}"))
}

/// Resolves `parseye replay`.
///
/// # Errors
/// When two sources have one name, or an output would overwrite an input or another output.
pub(super) fn replay(args: ReplayArgs, mut settings: Settings) -> anyhow::Result<ReplayPlan> {
    settings.model.file = args.model.or(settings.model.file);
    event_log(args.log, &args.log_detail, &mut settings)?;
    watch(args.watch, &mut settings);
    let several = args.sources.len() > 1;
    ensure!(
        !(several && args.realtime),
        "--realtime plays one recording; give one, or leave it out"
    );
    if let (false, Some(flag)) = (args.realtime, args.dashboards.given()) {
        bail!("{flag} is for live runs; give --realtime as well, or leave it out");
    }
    dashboards(args.dashboards, &mut settings)?;
    alarm(args.on_alarm, &mut settings)?;
    args.annotate.as_deref().map(VideoFormat::of).transpose()?;
    on_event(args.on_event, &mut settings)?;
    ensure!(
        !(args.loop_forever && args.sources.iter().any(|path| is_standard(path))),
        "--loop: standard input can be read only once; give a file"
    );
    let duration = args.duration.map(duration).transpose()?;
    let mut seen: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut sources = Vec::new();
    for path in args.sources {
        let path = source_of(path)?;
        let clip = name_of(&path);
        if let Some(other) = seen.insert(clip.clone(), path.clone()) {
            bail!(
                "{} and {} have the same name '{clip}' in the log; rename one, or replay them one after the other",
                other.display(),
                path.display()
            );
        }
        let annotate = args.annotate.as_deref().map(|out| match several {
            true => with_clip(out, &clip),
            false => out.to_path_buf(),
        });
        sources.push(ReplaySource {
            path,
            clip,
            annotate,
        });
    }
    let inputs = sources.iter().map(|source| &source.path);
    let inputs: Vec<&Path> = inputs
        .chain(&args.truth)
        .chain(&settings.model.file)
        .map(PathBuf::as_path)
        .collect();
    let outputs = sources.iter().filter_map(|source| source.annotate.as_ref());
    if let Some(log) = settings
        .report
        .log
        .as_deref()
        .filter(|log| !is_standard(log))
    {
        make_folder_of(log)?;
    }
    let outputs: Vec<&Path> = outputs
        .chain(&settings.report.log)
        .chain(&args.summary)
        .map(PathBuf::as_path)
        .collect();
    check_paths(&inputs, &outputs)?;
    Ok(ReplayPlan {
        settings,
        sources,
        truth: args.truth,
        summary: args.summary,
        realtime: args.realtime,
        loop_forever: args.loop_forever,
        duration,
    })
}

/// Resolves `parseye evaluate`.
///
/// # Errors
/// When the split is unknown, or the output would overwrite an input.
pub(super) fn evaluate(args: EvaluateArgs, mut settings: Settings) -> anyhow::Result<EvaluatePlan> {
    settings.model.file = args.model.or(settings.model.file);
    let split = split(&args.split)?;
    let inputs = [Some(&args.manifest), settings.model.file.as_ref()];
    let inputs: Vec<&Path> = inputs.into_iter().flatten().map(PathBuf::as_path).collect();
    check_paths(
        &inputs,
        &args.json.iter().map(PathBuf::as_path).collect::<Vec<_>>(),
    )?;
    Ok(EvaluatePlan {
        settings,
        manifest: args.manifest,
        split,
        json: args.json,
    })
}

/// Resolves `parseye collect`.
pub(super) fn collect(args: CollectArgs, mut settings: Settings) -> CollectPlan {
    settings.camera.id = args.camera.or(settings.camera.id);
    CollectPlan {
        settings,
        out: args.out,
        recording: args.recording,
        subject: args.subject,
    }
}

fn split(name: &str) -> anyhow::Result<Split> {
    name.parse::<Split>()
        .map_err(|error| anyhow!("--split: {error}"))
}

/// Resolves `parseye summarize`.
///
/// # Errors
/// When the plot has an unknown format, or an output would overwrite a log.
pub(super) fn summarize(args: SummarizeArgs, settings: Settings) -> anyhow::Result<SummarizePlan> {
    if let Some(plot) = args.plot.as_ref().filter(|plot| !is_standard(plot)) {
        let extension = plot.extension().unwrap_or_default().to_ascii_lowercase();
        ensure!(
            extension == "svg" || extension == "png",
            "--plot {}: unknown image format; give a name that ends in .svg or .png",
            plot.display()
        );
    }
    for log in &args.logs {
        ensure!(
            !log.is_dir(),
            "{}: a folder; name the logs in it",
            log.display()
        );
    }
    let inputs: Vec<&Path> = args.logs.iter().map(PathBuf::as_path).collect();
    let outputs = args.json.iter().chain(&args.plot).map(PathBuf::as_path);
    check_paths(&inputs, &outputs.collect::<Vec<_>>())?;
    Ok(SummarizePlan {
        settings,
        logs: args.logs,
        json: args.json,
        plot: args.plot,
    })
}

/// Resolves `parseye check`.
///
/// # Errors
/// When a value is invalid, or the output would overwrite an input.
pub(super) fn check(args: CheckArgs, mut settings: Settings) -> anyhow::Result<CheckPlan> {
    settings.model.file = args.model.or(settings.model.file);
    settings.selfcheck.seed = args.seed.unwrap_or(settings.selfcheck.seed);
    let snrs_db = snr_list(&args.snr)?;
    let inputs = [&args.source, &args.manifest, &settings.model.file];
    let inputs: Vec<PathBuf> = inputs.into_iter().flatten().cloned().collect();
    let subject = match (args.source, args.manifest) {
        (Some(path), _) => CheckSubject::Recording {
            path: source_of(path)?,
            every: Duration::try_from_secs_f64(args.every)
                .with_context(|| format!("--every is {}; give seconds, 0 or more", args.every))
                .map_err(|error| anyhow!("{error}"))?,
        },
        (None, Some(manifest)) => CheckSubject::Labelled {
            manifest,
            split: split(&args.split)?,
            at_most: args
                .at_most
                .map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX)),
        },
        (None, None) => bail!("nothing to check; give a SOURCE or --manifest"),
    };
    // Last, since it creates the output: nothing else may fail any more.
    let inputs: Vec<&Path> = inputs.iter().map(PathBuf::as_path).collect();
    let outputs: Vec<&Path> = args.json.iter().map(PathBuf::as_path).collect();
    check_paths(&inputs, &outputs)?;
    Ok(CheckPlan {
        settings,
        snrs_db,
        subject,
        json: args.json,
    })
}

fn snr_list(text: &str) -> anyhow::Result<Vec<f64>> {
    const EXAMPLE: &str = "give decibels separated by commas, such as 50,40,30,20,10,0";
    snr::parse_list(text).map_err(|error| anyhow::anyhow!("--snr: {error}; {EXAMPLE}"))
}
