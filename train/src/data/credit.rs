//! Credit for known data sets, which every model card names.

/// Sources by their name in the manifest.
const CREDITS: [(&str, &str); 19] = [
    (
        "cew",
        "CEW: Closed Eyes in the Wild (Song et al. 2014), research use",
    ),
    (
        "cewface",
        "CEW faces: Closed Eyes in the Wild (Song et al. 2014), cut from whole faces, research use",
    ),
    (
        "clips_down",
        "clips: eye crops of published face videos, research use",
    ),
    (
        "columbia",
        "Columbia Gaze (Smith et al. 2013), non-commercial use",
    ),
    ("fer", "FER-2013 (Goodfellow et al. 2013), research use"),
    ("lfpw", "LFPW (Belhumeur et al. 2011), research use"),
    (
        "lfwplus",
        "LFW+ (Han et al. 2018), press photographs, research use",
    ),
    ("rafdb", "RAF-DB (Li, Deng & Du 2017), research use"),
    (
        "rwmfd",
        "RMFD: Real-World Masked Face Dataset (Wang et al. 2020), research use",
    ),
    (
        "utkface",
        "UTKFace (Zhang, Song & Qi 2017), non-commercial research",
    ),
    (
        "yawdrivers",
        "yawning drivers: eye crops of published driver videos, research use",
    ),
    (
        "cmu",
        "CMU: CMU Face Images (Mitchell), educational use with attribution",
    ),
    (
        "clip_crops",
        "clips: eye crops of published face videos, research use",
    ),
    (
        super::demo::NAME,
        "demo: eyes drawn by Parseye, nobody's pictures",
    ),
    (
        "own",
        "own: eyes recorded by `parseye collect`, for their owner's use",
    ),
    (
        "mrl",
        "MRL: MRL Eye Dataset (Fusek 2018), academic download",
    ),
    (
        "orl",
        "ORL: Database of Faces, credit Olivetti Research Laboratory",
    ),
    (
        "ytf",
        "YTF: YouTube Faces (Wolf, Hassner & Maoz 2011), research use",
    ),
    (
        "ytf_patches",
        "YTF patches: parts of YouTube Faces that are no eyes, research use",
    ),
];

/// One sentence that names every source; unknown ones by their name in the manifest.
pub(crate) fn of_sources<'a>(sources: impl IntoIterator<Item = &'a String>) -> String {
    let credit = |source: &'a String| {
        let known = CREDITS.iter().find(|(name, _)| name == source);
        known.map_or(source.as_str(), |(_, credit)| credit)
    };
    sources
        .into_iter()
        .map(credit)
        .collect::<Vec<_>>()
        .join("; ")
}
