"""Scenarios with real V4L2 devices, run as root inside the camera machine (see vm.sh).

Usage: scenarios.py PARSEYE DETECTOR CLIP [NAME...] [--but NAME]

PARSEYE is the program, DETECTOR the face detector's file, CLIP a recording of a face that blinks within
its first five seconds. Each scenario starts `parseye monitor` on a
device, does something to it, and looks into the event log. The machine may be emulated and busy:
waits are long, and no speed is asserted.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

PARSEYE, DETECTOR, CLIP = sys.argv[1:4]
NAMES = sys.argv[4:] + ["--but"]
WANTED, UNWANTED = NAMES[: NAMES.index("--but")], NAMES[NAMES.index("--but") + 1 :]

# Devices, as init.sh makes them.
WEBCAM, LOOPBACK = 0, 10

# Longest wait for anything to happen, in seconds. An emulated processor may take ten for
# one frame.
PATIENCE = 300

# A camera that is emulated cannot draw large pictures fast.
SMALL = {"WIDTH": "320", "HEIGHT": "180", "FRAME_RATE": "10"}


def wait_for(what, condition):
    """Waits until the condition gives something true, and gives it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come within {PATIENCE} s")


def environment(camera, temporal={}):
    settings = {f"PARSEYE_CAMERA__{key}": value for key, value in camera.items()}
    settings |= {f"PARSEYE_TEMPORAL__{key}": value for key, value in temporal.items()}
    # An emulated processor takes a second for each view that is searched for a face: upright ones only.
    detector = {"PARSEYE_DETECTOR__FILE": DETECTOR, "PARSEYE_DETECTOR__ROTATE": "0"}
    return {**os.environ, **detector, **settings}


class Monitor:
    """A running `parseye monitor` and its event log."""

    def __init__(self, device, *arguments, size=SMALL, temporal={}):
        self.folder = tempfile.mkdtemp()
        self.log = os.path.join(self.folder, "log.jsonl")
        self.errors = open(os.path.join(self.folder, "errors"), "w+")
        self.child = subprocess.Popen(
            [PARSEYE, "monitor", "--camera", str(device), "--log", self.log, *arguments],
            cwd=self.folder,
            env=environment(size, temporal),
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        if failure[0]:
            self.errors.seek(0)
            print("   stderr:", self.errors.read()[-600:])
            print("   events:", [e for e in self.events() if e["event"] != "eyes"][-12:])

    def events(self, kind=None):
        try:
            with open(self.log) as lines:
                events = [json.loads(line) for line in lines if line.endswith("\n")]
        except FileNotFoundError:
            return []
        return [event for event in events if kind in (None, event["event"])]

    def story(self):
        """What happened to the camera, in short."""
        return [
            " ".join(filter(None, [event["kind"], event.get("reason")]))
            for event in self.events("camera")
        ]

    def formats(self):
        """What the camera was opened with, each time. A damaged picture may be told before."""
        return [event["format"] for event in self.events("camera") if "format" in event]

    def wait_until(self, *story):
        """Waits until the camera's story ends like this; `damaged` is left out of it."""

        def told():
            if self.child.poll() is not None:
                raise AssertionError(f"the monitor ended with {self.child.returncode}")
            now = [part for part in self.story() if not part.startswith("damaged")]
            return now[-len(story) :] == list(story)

        wait_for(f"{' > '.join(story)}", told)

    def wait_for_frames(self, more):
        """Waits until this many further frames are judged."""
        before = len(self.events("eyes"))
        wait_for(f"{more} frames", lambda: len(self.events("eyes")) >= before + more)

    def end(self):
        """Ends it politely; gives the `end` event."""
        begin = time.monotonic()
        self.child.send_signal(signal.SIGTERM)
        self.child.communicate(timeout=PATIENCE)
        took = time.monotonic() - begin
        # A second on a real machine. An emulated one has taken 20 s for the frame at hand, which is finished first;
        # what this finds is a camera that is waited for, which PATIENCE alone would end.
        assert took < 60, f"it took {took:.1f} s to end"
        assert self.child.returncode == 143, self.child.returncode
        last = self.events()[-1]
        assert last["event"] == "end" and last["outcome"] == "interrupted", last
        assert last["frames"] == len(self.events("eyes"))
        times = [event["time"] for event in self.events("eyes")]
        assert times == sorted(times), "time went back"
        return last


class Feeder:
    """Something that feeds the loopback camera."""

    def __init__(self, *arguments):
        command = ["ffmpeg", "-v", "error", "-nostdin", *arguments]
        command += ["-f", "v4l2", f"/dev/video{LOOPBACK}"]
        self.child = subprocess.Popen(command)
        wait_for("a fed loopback camera", self.is_feeding)

    @classmethod
    def pattern(cls, size, frames=None):
        """A test pattern at ten frames a second."""
        limit = [] if frames is None else ["-frames:v", str(frames)]
        source = ["-re", "-f", "lavfi", "-i", f"testsrc=size={size}:rate=10"]
        return cls(*source, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", *limit)

    def is_feeding(self):
        assert self.child.poll() is None, "the feeder ended"
        # While nobody feeds it, it offers every format.
        formats = output("v4l2-ctl", "-d", str(LOOPBACK), "--list-formats")
        return "MJPG" in formats and "[1]" not in formats

    def signal(self, number):
        self.child.send_signal(number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()


def output(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout


def control(name, value=1):
    subprocess.run(["v4l2-ctl", "-d", str(WEBCAM), "-c", f"{name}={value}"], check=True)


def the_list_shows_cameras_only():
    with Feeder.pattern("320x240"):
        text = output(PARSEYE, "cameras")
    names = re.findall(r"^/dev/video\d+", text, re.M)
    # /dev/video1 holds data about vivid's pictures.
    assert names == [f"/dev/video{WEBCAM}", f"/dev/video{LOOPBACK}"], text
    assert "YUYV 640x360 at 40, 30, 25, 15, 12.5" in text, text
    assert "MJPG 320x240" in text, text


def a_missing_camera_is_a_clear_error():
    run = subprocess.run(
        [PARSEYE, "monitor", "--camera", "7"],
        env=environment({}),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert run.returncode == 1, run
    assert run.stderr.count("\n") == 1 and "no such device" in run.stderr, run.stderr
    assert f"/dev/video{WEBCAM} (vivid)" in run.stderr, run.stderr


def unplugged_and_plugged_in_again():
    with Monitor(WEBCAM) as monitor:
        monitor.wait_until("opened")
        monitor.wait_for_frames(3)
        control("disconnect")
        # vivid plugs itself in when its last user has closed it.
        monitor.wait_until("opened", "lost unplugged", "reopened")
        monitor.wait_for_frames(3)
        monitor.end()


def driver_loses_one_picture_in_five():
    with Monitor(WEBCAM) as monitor:
        monitor.wait_until("opened")
        control("percentage_of_dropped_buffers", 20)
        # The losses are counted where pictures are taken, ten a second, however few are judged.
        time.sleep(6)
        monitor.wait_for_frames(3)
        control("percentage_of_dropped_buffers", 0)
        end = monitor.end()
        assert monitor.story() == ["opened"], monitor.story()
        lost, judged = end["lost"]["driver"], end["frames"]
        all_taken = lost + judged + end["lost"]["dropped"]
        assert all_taken >= 30, f"the camera showed {all_taken} pictures: {end}"
        share = lost / all_taken
        # A slow machine adds losses of its own.
        assert share > 0.08, f"{lost} of {judged} lost: {end}"


def a_corrupt_buffer_is_left_out_and_told():
    with Monitor(WEBCAM) as monitor:
        monitor.wait_until("opened")
        monitor.wait_for_frames(3)
        control("inject_v4l2_buf_flag_error")
        wait_for("the damage", lambda: "damaged corrupt" in monitor.story())
        monitor.wait_for_frames(3)
        end = monitor.end()
        assert end["lost"]["corrupt"] == 1, end
        assert monitor.story() == ["opened", "damaged corrupt"], monitor.story()


def a_busy_camera_is_waited_for():
    command = ["v4l2-ctl", "-d", str(WEBCAM), "--stream-mmap", "--stream-to=/dev/null"]
    other = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    time.sleep(3)
    try:
        with Monitor(WEBCAM) as monitor:
            monitor.wait_until("lost busy")
            other.kill()
            monitor.wait_until("lost busy", "opened")
            monitor.wait_for_frames(3)
            monitor.end()
    finally:
        other.kill()
        other.wait()


def a_stalled_feeder(*arguments):
    with Feeder.pattern("320x240") as feeder:
        with Monitor(LOOPBACK, *arguments) as monitor:
            monitor.wait_until("opened")
            monitor.wait_for_frames(3)
            feeder.signal(signal.SIGSTOP)
            monitor.wait_until("opened", "lost stalled")
            # It opens again and again meanwhile, which is told once.
            time.sleep(5)
            feeder.signal(signal.SIGCONT)
            monitor.wait_until("reopened")
            assert monitor.story().count("lost stalled") == 1, monitor.story()
            monitor.wait_for_frames(3)
            monitor.end()


def a_camera_that_stalls_is_survived():
    a_stalled_feeder()


def a_camera_that_stalls_is_survived_by_nokhwa():
    a_stalled_feeder("--backend", "nokhwa")


def the_end_comes_soon_while_the_camera_is_silent():
    with Feeder.pattern("320x240") as feeder:
        with Monitor(LOOPBACK) as monitor:
            monitor.wait_until("opened")
            feeder.signal(signal.SIGSTOP)
            monitor.wait_until("lost stalled")
            monitor.end()


def a_wrong_size_is_taken_and_a_new_one_followed():
    with Feeder.pattern("320x240") as feeder:
        with Monitor(LOOPBACK, size={"WIDTH": "640", "HEIGHT": "480"}) as monitor:
            monitor.wait_until("opened")
            assert "MJPG 320x240" in monitor.formats()[0]
            monitor.wait_for_frames(3)
            feeder.child.kill()
            feeder.child.wait()
            wait_for("the loss", lambda: any("lost" in part for part in monitor.story()))
            with Feeder.pattern("352x288"):
                monitor.wait_until("reopened")
                assert "MJPG 352x288" in monitor.formats()[-1]
                monitor.wait_for_frames(3)
                monitor.end()


def blinks_of(events):
    """Blinks, counted from the first: where a camera is opened decides its first number."""
    blinks = [event for event in events if event["event"] in ("blink", "long_closure")]
    first = min((blink["first_frame"] for blink in blinks), default=0)
    return [
        (b["event"], b["eye"], b["first_frame"] - first, b["last_frame"] - first) for b in blinks
    ]


def a_clip_blinks_live_as_in_its_replay():
    # Ten frames of each second of the clip, shown as slowly as this machine can judge them, with the
    # times that tell blinks from longer closures as much longer. Before and after the clip nobody is
    # there.
    folder = tempfile.mkdtemp()
    pictures, recording = os.path.join(folder, "%03d.jpg"), os.path.join(folder, "clip.avi")
    log, sums = os.path.join(folder, "replay.jsonl"), os.path.join(folder, "sums.json")
    empty = "color=gray:size=640x480:rate=10,trim=end_frame=3"
    graph = (
        f"{empty}[before];{empty}[after];"
        "[0:v]fps=10,trim=end_frame=50,scale=640:480:force_original_aspect_ratio=increase,"
        "crop=640:480,setsar=1[clip];[before][clip][after]concat=n=3[out]"
    )
    run = ["ffmpeg", "-v", "error", "-y", "-i", CLIP, "-filter_complex", graph, "-map", "[out]"]
    subprocess.run(run + ["-pix_fmt", "yuvj420p", "-q:v", "3", pictures], check=True)
    shown = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]

    run = ["ffmpeg", "-v", "error", "-y", "-framerate", "10", "-i", pictures, "-c", "copy"]
    subprocess.run([*run, recording], check=True)
    run = [PARSEYE, "replay", recording, "--log", log, "--summary", sums]
    subprocess.run(run, env=environment({}), check=True)
    with open(log) as lines, open(sums) as file:
        expected = blinks_of([json.loads(line) for line in lines])
        usual = json.load(file)["timing"]["total"]["p95"]
    assert expected, "the replay sees no blink"

    # Slower than one in two seconds, a camera would count as stalled.
    fast_enough = [rate for rate in (10, 5, 2.5, 1.25) if 1000 / rate > 1.5 * usual]
    for rate in [*fast_enough[:1], 0.6]:
        temporal = {"LONGEST_GAP_S": str(5 / rate), "LONG_CLOSURE_S": str(10 / rate)}
        seen, end = show(shown, rate, temporal)
        lost = end["lost"]
        print(f"   {len(expected)} closures; at {rate} frames/s, {usual:.0f} ms each: lost {lost}")
        if lost["dropped"] + lost["driver"] == 0:
            assert seen == expected, f"live {seen}, replayed {expected}"
            return
    raise AssertionError("this machine is too slow to judge every frame of a slow clip")


def show(pictures, rate, temporal):
    """Shows JPEG files to the loopback camera and gives the blinks that a monitor sees."""
    contents = []
    for path in pictures:
        with open(path, "rb") as file:
            contents.append(file.read())
    camera = os.open(f"/dev/video{LOOPBACK}", os.O_WRONLY)
    try:
        form = "width=640,height=480,pixelformat=MJPG"
        device = ["v4l2-ctl", "-d", str(LOOPBACK)]
        subprocess.run([*device, f"--set-fmt-video-out={form}"], check=True)
        os.write(camera, contents[0])
        with Monitor(LOOPBACK, size={}, temporal=temporal) as monitor:
            # The first picture, without a face, until it is seen.
            end = time.monotonic() + PATIENCE
            while not monitor.events("eyes"):
                assert time.monotonic() < end, "the camera was not opened"
                os.write(camera, contents[0])
                time.sleep(1 / rate)
            begin = time.monotonic()
            for number, content in enumerate(contents[1:]):
                time.sleep(max(0, begin + number / rate - time.monotonic()))
                os.write(camera, content)
            time.sleep(3)
            return blinks_of(monitor.events()), monitor.end()
    finally:
        os.close(camera)


SCENARIOS = [
    the_list_shows_cameras_only,
    a_missing_camera_is_a_clear_error,
    unplugged_and_plugged_in_again,
    driver_loses_one_picture_in_five,
    a_corrupt_buffer_is_left_out_and_told,
    a_busy_camera_is_waited_for,
    a_camera_that_stalls_is_survived,
    a_camera_that_stalls_is_survived_by_nokhwa,
    the_end_comes_soon_while_the_camera_is_silent,
    a_wrong_size_is_taken_and_a_new_one_followed,
    a_clip_blinks_live_as_in_its_replay,
]


def main():
    failed = 0
    for scenario in SCENARIOS:
        name = scenario.__name__
        if (WANTED and name not in WANTED) or name in UNWANTED:
            continue
        begin = time.monotonic()
        try:
            scenario()
            outcome = "ok"
        except Exception as error:  # every scenario is run, whatever happened to others
            outcome = f"FAILED: {type(error).__name__}: {error}"
            failed += 1
        print(f"{scenario.__name__} ... {outcome} ({time.monotonic() - begin:.0f} s)", flush=True)
    print(f"camera scenarios: {failed} failed", flush=True)
    sys.exit(1 if failed else 0)


main()
