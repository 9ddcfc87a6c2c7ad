"""What Parseye takes of a machine: room on the disk, memory, time to the first prediction, time beside
decoding alone.

    python3 benches/footprint.py PARSEYE CLIPS SECONDS TURNS [PART...]

benches/footprint.sh builds the program and keeps what this prints. Linux only (/proc, CPU affinity);
needs ffmpeg, binutils and nothing of Python but itself. `play` is the camera of the measurements: this
file run by the monitor, a recording as Motion JPEG that is paced and never ends.
"""

import glob
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

MB = 1e6

GOAL_BINARY_MB = 25
GOAL_MEMORY_MB = 60
GOAL_START_MS = 400

SIZES = ((320, 240), (640, 480), (1280, 720), (1920, 1080))
WATCHED_AT_S = (10, 60, 300)
STARTS = 10

# Bytes that begin a JPEG and, since these are escaped within, nothing else.
JPEG_BEGINS = b"\xff\xd8\xff"


def run(*command, **options):
    options.setdefault("stdout", subprocess.PIPE)
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, **options).stdout


def verdict(value, goal):
    return "reached" if value <= goal else "missed"


# --- the camera -----------------------------------------------------------------------------------


def play(path, rate, stamp):
    """Writes a Motion JPEG file to the standard output again and again, and when it began to `stamp`."""
    with open(path, "rb") as file:
        images = [JPEG_BEGINS + rest for rest in file.read().split(JPEG_BEGINS)[1:]]
    with open(stamp, "w", encoding="utf-8") as file:
        file.write(repr(time.time()))
    begin, shown = time.monotonic(), 0
    try:
        while True:
            image = memoryview(images[shown % len(images)])
            while image:
                image = image[os.write(1, image):]
            shown += 1
            time.sleep(max(0.0, begin + shown / rate - time.monotonic()))
    except BrokenPipeError:
        pass


def camera(motion_jpeg, rate, stamp):
    # Isolated and without site packages: the interpreter is there at once.
    words = [sys.executable, "-I", "-S", os.path.abspath(__file__), "play", motion_jpeg, rate, stamp]
    return "pipe:" + " ".join(f"'{word}'" for word in words)


def frame_rate(clip):
    text = run("ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries",
               "stream=avg_frame_rate", "-of", "csv=p=0", clip).decode()
    frames, seconds = re.match(r"(\d+)/(\d+)", text).groups()
    return int(frames) / int(seconds)


def motion_jpeg(clip, size, path):
    width, height = size
    fit = f"scale={width}:{height}:force_original_aspect_ratio=decrease,pad={width}:{height}:-1:-1"
    run("ffmpeg", "-nostdin", "-v", "error", "-y", "-i", clip, "-an", "-vf", fit, "-pix_fmt", "yuvj420p",
        "-c:v", "mjpeg", "-q:v", "3", "-f", "mjpeg", path)


class Monitor:
    """`parseye monitor` on the camera above, with a log and everything else as it is by default."""

    def __init__(self, parseye, folder, recording, rate):
        self.log = os.path.join(folder, "log.jsonl")
        self.stamp = os.path.join(folder, "stamp")
        for path in (self.log, self.stamp):
            if os.path.exists(path):
                os.remove(path)
        command = [parseye, "monitor", "--no-terminal", "--log", self.log, "--camera",
                   camera(recording, str(rate), self.stamp)]
        self.words = open(os.path.join(folder, "words"), "w+", encoding="utf-8")
        self.began = time.time()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=self.words)

    def status(self):
        """VmRSS, of it the part that is files, and VmHWM, in MB."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as lines:
            kilobytes = dict(re.findall(r"^(\w+):\s+(\d+) kB", lines.read(), re.MULTILINE))
        return [int(kilobytes[key]) * 1024 / MB for key in ("VmRSS", "RssFile", "VmHWM")]

    def stop(self):
        if self.process.poll() is not None:
            self.words.seek(0)
            sys.exit(f"footprint: the monitor ended by itself: {self.words.read().strip()}")
        self.process.terminate()
        self.process.wait(10)
        self.words.close()
        with open(self.log, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    def camera_began(self):
        with open(self.stamp, encoding="utf-8") as file:
            return float(file.read())


# --- the parts ------------------------------------------------------------------------------------


def sections(path):
    """Bytes of each section that is loaded, and which part of the read-only data are files as they were."""
    table = run("readelf", "-SW", path).decode()
    sizes = {}
    for line in table.splitlines():
        match = re.match(r"\s*\[\s*\d+\]\s+(\S+)\s+(\S+)\s+\w+\s+\w+\s+(\w+)\s+\w+\s+(\w*)", line)
        if match and "A" in match[4] and match[2] != "NOBITS":
            sizes[match[1]] = int(match[3], 16)
    return sizes


def built_in(path, content):
    """Bytes of the files of the repository that are compiled in as they stand."""
    with open(path, "rb") as file:
        program = file.read()
    for name in content:
        with open(name, "rb") as file:
            data = file.read()
        if data in program:
            yield name, len(data)


def size(parseye, folder):
    stripped = os.path.join(folder, "stripped")
    run("strip", "--strip-all", "-o", stripped, parseye)
    total = os.path.getsize(stripped)
    print(f"\nthe program: {total / MB:.1f} MB (goal: {GOAL_BINARY_MB}, {verdict(total / MB, GOAL_BINARY_MB)}); "
          f"{os.path.getsize(parseye) / MB:.1f} MB as built, this after strip --strip-all")
    parts = sections(stripped)
    code = parts.pop(".text", 0)
    relocations = sum(parts.pop(name, 0) for name in (".rela.dyn", ".data.rel.ro"))
    unwinding = sum(parts.pop(name, 0) for name in (".eh_frame", ".eh_frame_hdr", ".gcc_except_table"))
    constants = parts.pop(".rodata", 0)
    print(f"  {code / MB:6.2f} MB  code")
    print(f"  {constants / MB:6.2f} MB  constants")
    sources = sorted(glob.glob("models/*.onnx")) + sorted(
        name for name in glob.glob("runtime/src/**/*", recursive=True)
        if os.path.isfile(name) and not name.endswith(".rs"))
    for name, length in built_in(stripped, sources):
        if length >= 5000:
            print(f"  {length / MB:6.2f} MB    of them {name}")
    print(f"  {unwinding / MB:6.2f} MB  tables for unwinding")
    print(f"  {relocations / MB:6.2f} MB  addresses and what relocates them")
    rest = total - code - constants - unwinding - relocations
    print(f"  {rest / MB:6.2f} MB  the rest")


def memory(parseye, folder, clip, seconds):
    print(f"\nmemory while monitoring, MB (goal: {GOAL_MEMORY_MB}); `files` is the part of it that is the "
          "program itself")
    print("  frame        after s     VmRSS     files     VmHWM   goal")
    rate = frame_rate(clip)
    recording = os.path.join(folder, "clip.mjpeg")
    for width, height in SIZES:
        motion_jpeg(clip, (width, height), recording)
        monitor = Monitor(parseye, folder, recording, rate)
        moments = sorted({at for at in WATCHED_AT_S if at < seconds} | {seconds})
        for at in moments:
            time.sleep(max(0.0, monitor.began + at - time.time()))
            resident, files, most = monitor.status()
            print(f"  {f'{width}x{height}':<11} {at:>8} {resident:>9.1f} {files:>9.1f} {most:>9.1f}   "
                  f"{verdict(most, GOAL_MEMORY_MB)}", flush=True)
        events = monitor.stop()
        eyes = [event for event in events if event["event"] == "eyes"]
        seen = sum(event["face"] is not None for event in eyes)
        print(f"              {len(eyes)} frames processed of about {seconds * rate:.0f}, "
              f"a face in {100 * seen / max(1, len(eyes)):.0f} %", flush=True)


def start(parseye, folder, clip):
    rate = 30
    recording = os.path.join(folder, "clip.mjpeg")
    motion_jpeg(clip, (640, 480), recording)
    rows = {"to the camera's first frame": [], "from there to the first prediction": [],
            "from there to the first prediction with a face": [], "to the first prediction": []}
    for _ in range(STARTS):
        monitor = Monitor(parseye, folder, recording, rate)
        time.sleep(2)
        events = monitor.stop()
        camera_ms = 1000 * (monitor.camera_began() - monitor.began)
        eyes = [event for event in events if event["event"] == "eyes"]
        first = 1000 * (eyes[0]["unix_time"] - monitor.began)
        face = next(event["unix_time"] for event in eyes if event["face"] is not None)
        measured = (camera_ms, first - camera_ms, 1000 * (face - monitor.began) - camera_ms, first)
        for values, value in zip(rows.values(), measured):
            values.append(value)
    print(f"\nfrom the start of the process, ms, {STARTS} starts at 640x480")
    print("                                                 median     least      most")
    for name, values in rows.items():
        print(f"  {name:<44} {statistics.median(values):>8.0f} {min(values):>9.0f} {max(values):>9.0f}")
    median = statistics.median(rows["to the first prediction"])
    print(f"  goal: {GOAL_START_MS} ms to the first prediction, {verdict(median, GOAL_START_MS)}; the camera is a "
          "program that must be started, too")


def replay(parseye, clips, turns):
    cores = sorted(os.sched_getaffinity(0))[-2:]

    def on_two_cores():
        os.sched_setaffinity(0, cores)

    def timed(*command):
        begin = time.monotonic()
        run(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=on_two_cores)
        return time.monotonic() - begin

    # What runtime/src/source/video.rs asks of ffmpeg, but for the pixels' way.
    ours = ("-hide_banner", "-nostdin", "-nostats", "-loglevel", "repeat+level+info", "-threads", "1",
            "-protocol_whitelist", "file", "-i")
    pixels = ("-map", "0:V:0", "-vf", "format=rgb24,showinfo=checksum=0", "-autoscale", "0", "-fps_mode",
              "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-y", "/dev/null")
    names = ("parseye replay", "ffmpeg, as parseye calls it, to /dev/null", "ffmpeg -i CLIP -an -f null -")
    seconds = {name: [] for name in names}
    summary = os.path.join(tempfile.gettempdir(), f"footprint-{os.getpid()}.json")
    for _ in range(turns):
        seconds[names[0]].append(timed(parseye, "replay", *clips, "--summary", summary))
        seconds[names[1]].append(sum(timed("ffmpeg", *ours, f"file:{clip}", *pixels) for clip in clips))
        seconds[names[2]].append(
            sum(timed("ffmpeg", "-nostdin", "-v", "error", "-i", clip, "-an", "-f", "null", "-")
                for clip in clips))
    with open(summary, encoding="utf-8") as file:
        frames = json.load(file)["frames"]
    os.remove(summary)
    print(f"\nreplay on {len(cores)} cores, {frames} frames of {len(clips)} clips, median of {turns} turns")
    print("                                              frames/s   of decoding alone")
    replayed = statistics.median(seconds[names[0]])
    for name in names:
        median = statistics.median(seconds[name])
        ratio = "" if name == names[0] else f"{median / replayed:>18.0%}"
        print(f"  {name:<44} {frames / median:>7.0f} {ratio}")


def main():
    if sys.argv[1:2] == ["play"]:
        play(sys.argv[2], float(sys.argv[3]), sys.argv[4])
        return
    parseye, clips, seconds, turns, *parts = sys.argv[1:]
    clips = sorted(glob.glob(os.path.join(clips, "*.mp4")))
    if not clips:
        sys.exit("footprint: there are no clips; set PARSEYE_DATA to the folder of the data")
    parseye = os.path.abspath(parseye)
    with tempfile.TemporaryDirectory() as folder:
        for part in parts or ("size", "memory", "start", "replay"):
            if part == "size":
                size(parseye, folder)
            elif part == "memory":
                memory(parseye, folder, clips[0], int(seconds))
            elif part == "start":
                start(parseye, folder, clips[0])
            elif part == "replay":
                replay(parseye, clips, int(turns))
            else:
                sys.exit(f"footprint: unknown part '{part}'; give size, memory, start or replay")


if __name__ == "__main__":
    main()
