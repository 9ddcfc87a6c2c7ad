"""Writes goals and what was reached as a table, from the metrics of model_robustness.sh.

    python3 benches/robustness_goals.py FOLDER EVALUATION.json CLIPS.txt

FOLDER holds clean.json, natural.json, noise.json and worst-SNR.json of `train evaluate`, EVALUATION.json is
that of `parseye evaluate`, CLIPS.txt what the clips printed. Needs only Python itself. Goals were set
before the models were made.
"""

import json
import os
import re
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def models_of(folder, name):
    path = os.path.join(folder, f"{name}.json")
    return {model["name"]: model for model in read(path)["models"]} if os.path.exists(path) else {}


def estimate(metric, digits=3):
    low, high = metric.get("low"), metric.get("high")
    interval = "" if low is None or high is None else f" ({low:.{digits}f}-{high:.{digits}f})"
    return f"{metric['value']:.{digits}f}{interval}"


def row(what, goal, reached, n, met):
    print(f"| {what} | {goal} | {reached} | {n} | {'yes' if met else '**no**'} |")


def attacked(model, attack, snr_db, access):
    for result in model["results"]:
        if (result["attack"], result["snr_db"], result["access"]) == (attack, snr_db, access):
            return result
    return None


def clean_rows(clean):
    default, twin = clean["default"], clean.get("default-clean")
    now = default["results"][0]
    graded = default["graded"]
    macro = now["macro_accuracy"]
    row("macro accuracy, labels as published", ".91", estimate(macro), now["n"], macro["value"] >= 0.91)
    corrected = graded["corrected"]
    macro = corrected["macro_accuracy"]
    row("macro accuracy, grades in place of labels", ".91", estimate(macro), corrected["n"], macro["value"] >= 0.91)
    if twin:
        for name, of in (
            ("labels as published", lambda m: m["results"][0]),
            ("grades in place of labels", lambda m: m["graded"]["corrected"]),
        ):
            lost = of(twin)["macro_accuracy"]["value"] - of(default)["macro_accuracy"]["value"]
            row(f"macro accuracy that hardening costs, {name}", "at most .01", f"{lost:.3f}", of(default)["n"], lost <= 0.01)
    for what, metrics in (("as published", now), ("as graded", corrected)):
        recall = metrics["recall"]["partially_open"]
        n = sum(metrics["confusion"][1])
        row(f"partially open recall, {what}", ".78", estimate(recall), n, recall["value"] >= 0.78)
    hard = graded["hard"]
    row("hard cases", ".82", estimate(hard["accuracy"]), hard["n"], hard["accuracy"]["value"] >= 0.82)
    undecidable = graded["undecidable"]
    confidence = undecidable["confidence"]
    row("mean confidence on undecidable crops", "below .75", estimate(confidence), undecidable["n"], confidence["value"] < 0.75)
    row("calibration error", "at most .03", f"{now['ece']:.3f}", now["n"], now["ece"] <= 0.03)


def two_state_rows(evaluation):
    for source, goal in (("mrl", 0.975), ("cew", 0.985)):
        two = evaluation["open_against_closed"][source]
        interval = two["ci95"]
        reached = f"{two['accuracy']:.3f}"
        if interval:
            reached += f" ({interval['low']:.3f}-{interval['high']:.3f})"
        row(f"open against closed, {source}", f"{goal:.3f}"[1:], reached, two["n"], two["accuracy"] >= goal)


def attack_rows(folder):
    for snr_db, goal in ((33, 0.86), (30, 0.84), (25, 0.78), (20, 0.70)):
        models = models_of(folder, f"worst-{snr_db}")
        for result in models["default"]["results"] if models else []:
            if result["attack"].startswith("worst"):
                accuracy = result["accuracy"]
                row(f"accuracy under the strongest white-box attack at {snr_db} dB", f"{goal:.2f}"[1:], estimate(accuracy), result["n"], accuracy["value"] >= goal)


def noise_rows(models):
    if "default" not in models:
        return
    default = models["default"]
    clean = default["results"][0]["macro_accuracy"]["value"]
    for snr_db, goal in ((20.0, 0.5), (10.0, 2.0), (5.0, 5.0)):
        result = attacked(default, "uniform", snr_db, "random")
        if result:
            lost = 100 * (clean - result["macro_accuracy"]["value"])
            row(f"points of macro accuracy lost to noise at {snr_db:.0f} dB", f"at most {goal:g}", f"{lost:.1f}", result["n"], lost <= goal)


def natural_rows(models):
    if "default" not in models:
        return
    default = models["default"]
    clean = default["results"][0]
    n, value = clean["n"], clean["macro_accuracy"]["value"]
    lost = 100 * (value - default["corruption"]["all"]["macro_accuracy"]["value"])
    row("points lost to corruptions, mean", "at most 4", f"{lost:.1f}", n, lost <= 4)
    families = default["corruption"]["by_family"]
    worst = min(families, key=lambda name: families[name]["macro_accuracy"]["value"])
    lost = 100 * (value - families[worst]["macro_accuracy"]["value"])
    row(f"points lost to the worst family, {worst}", "at most 12", f"{lost:.1f}", n, lost <= 12)


def clip_rows(path):
    if not os.path.exists(path):
        return
    text = open(path, encoding="utf-8").read()
    goals = text.split("$ clip_robustness tuning")[0]
    for name, goal in (
        ("as they are", 0.99),
        ("noise of 60 gray levels", 0.98),
        ("light x 0.07, noise 4", 0.97),
        ("120 lines", 0.99),
        ("blur of 8 pixels", 0.90),
    ):
        found = re.search(rf"^{re.escape(name)} +([\d.]+|NaN) +(\d+) +(\d+) +(\d+)", goals, re.M)
        if found:
            f1, hit, miss, false = found.groups()
            row(f"blink F1, {name}", f"{goal:.2f}"[1:], f"{f1} ({hit} hit, {miss} missed, {false} false)", "12 clips", float(f1) >= goal)
    for name in ("dark lenses", "mirrored lenses", "a hand"):
        found = re.search(rf"^{name} +(\d+) .* ([\d.]+)$", text, re.M)
        if found:
            n, share = found.groups()
            row(f"{name} drawn over the eyes, predicted open or closed", "below 3 %", f"{share} %", n, float(share) < 3)


def main():
    folder, evaluation, clips = sys.argv[1:]
    print("| what | goal | reached (95 % interval by person) | n | met |")
    print("|---|---|---|---|---|")
    clean = models_of(folder, "clean")
    if clean:
        clean_rows(clean)
    two_state_rows(read(evaluation))
    attack_rows(folder)
    noise_rows(models_of(folder, "noise"))
    natural_rows(models_of(folder, "natural"))
    clip_rows(clips)


if __name__ == "__main__":
    main()
