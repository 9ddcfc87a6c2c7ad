"""Writes the eye-aspect ratios that MediaPipe's FaceMesh gives for each frame, for programs that compare.

Standard input: frames, each a header of 16 bytes (number u64, width u32, height u32, little endian) and RGB,
8 bit, row by row. They are those of one clip: the face is tracked from frame to frame.
Standard output: a line for each frame, `number left right milliseconds`; `nan` where no face was found. Left
is the subject's left. The time is that of FaceMesh and of the ratios, not of the pipe.
"""

import math
import os
import struct
import sys
import time

os.environ["GLOG_minloglevel"] = "3"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import mediapipe  # noqa: E402
import numpy  # noqa: E402

HEADER = struct.Struct("<QII")
# Corners and lids in the order of Soukupova & Cech 2016, "Real-time eye blink detection using facial
# landmarks": outer corner, two of the upper lid, inner corner, two of the lower lid.
LEFT = [263, 387, 385, 362, 380, 373]
RIGHT = [33, 160, 158, 133, 153, 144]


def aspect_ratio(landmarks, indices, width, height):
    points = [(landmarks[i].x * width, landmarks[i].y * height) for i in indices]
    across = math.dist(points[0], points[3])
    if across == 0.0:
        return math.nan
    return (math.dist(points[1], points[5]) + math.dist(points[2], points[4])) / (2.0 * across)


def read_exactly(stream, count):
    data = stream.read(count)
    if data and len(data) < count:
        sys.exit("face_mesh: the last frame is cut off")
    return data


def main():
    frames, ratios = sys.stdin.buffer, sys.stdout
    # Tracking mode, and without the iris, which the ratio does not need: the faster way.
    mesh = mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=False, max_num_faces=1, refine_landmarks=False
    )
    while header := read_exactly(frames, HEADER.size):
        number, width, height = HEADER.unpack(header)
        pixels = read_exactly(frames, width * height * 3)
        image = numpy.frombuffer(pixels, numpy.uint8).reshape(height, width, 3)
        begin = time.perf_counter()
        faces = mesh.process(image).multi_face_landmarks
        if faces:
            landmarks = faces[0].landmark
            left, right = (aspect_ratio(landmarks, eye, width, height) for eye in (LEFT, RIGHT))
        else:
            left = right = math.nan
        elapsed = 1000.0 * (time.perf_counter() - begin)
        ratios.write(f"{number} {left:.5f} {right:.5f} {elapsed:.4f}\n")
        ratios.flush()


if __name__ == "__main__":
    main()
