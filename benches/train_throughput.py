"""The PyTorch side of train_throughput.sh: the same training as `train` does, written as PyTorch's
users write it, with channels_last memory, and printed as images per second of the second epoch.

    python3 train_throughput.py DATA CROPS THREADS [--fgsm-eps E]

Prints the better of one and of several loader processes, since which is faster depends on the
machine.
"""

import csv
import math
import os
import random
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image

BATCH = 128
STATES = ["open", "partially_open", "closed", "not_visible"]


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.shortcut = None
        if inputs != outputs or stride != 1:
            self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x):
        a = F.relu(self.norm1(x), inplace=True)
        h = self.conv2(F.relu(self.norm2(self.conv1(a)), inplace=True))
        return h + (x if self.shortcut is None else self.shortcut(a))


class WideResNet(nn.Module):
    """WRN-16-1: the layers of train/src/network/wide_resnet.rs."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, 1, 1, bias=False)
        blocks, channels = [], 16
        for group in range(3):
            for block in range(2):
                outputs = 16 << group
                blocks.append(Block(channels, outputs, 2 if group and not block else 1))
                channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.BatchNorm2d(channels)
        self.dense = nn.Linear(channels, len(STATES))

    def forward(self, x):
        x = F.relu(self.norm(self.blocks(self.stem(x))), inplace=True)
        return self.dense(x.mean((2, 3)))


class Crops(torch.utils.data.Dataset):
    """Crops of the train split, varied as train/src/data/augment.rs does."""

    def __init__(self, folder, count):
        rows = [row for row in csv.DictReader(open(os.path.join(folder, "manifest.csv"))) if row["split"] == "train"]
        random.Random(0).shuffle(rows)
        self.images, self.labels = [], []
        for row in rows[:count]:
            image = Image.open(os.path.join(folder, row["path"])).convert("L")
            self.images.append(torch.from_numpy(np.asarray(image, dtype=np.float32).copy()))
            self.labels.append(STATES.index(row["label"]))
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        image = self.images[index % len(self.images)]
        uniform = lambda most: random.uniform(-most, most)
        angle, size = math.radians(uniform(10)), 1 + uniform(0.2)
        cos, sin = size * math.cos(angle), size * math.sin(angle)
        flip = -1 if random.random() < 0.5 else 1
        theta = torch.tensor([[flip * cos, -sin, 2 * uniform(0.15)], [flip * sin, cos, 2 * uniform(0.15)]])
        # Area averaging by sampling on a finer grid, as the sampler of the runtime does.
        fine = 2 if max(image.shape) > 48 else 1
        grid = F.affine_grid(theta[None], (1, 1, 32 * fine, 32 * fine), align_corners=False)
        gray = F.grid_sample(image[None, None], grid, padding_mode="border", align_corners=False)
        gray = F.avg_pool2d(gray, fine)[0] if fine > 1 else gray[0]
        if random.random() < 0.3:
            sigma = max(random.random() * 1.5, 0.05)
            steps = torch.arange(-3, 4, dtype=torch.float32)
            kernel = torch.exp(-(steps**2) / (2 * sigma**2))
            kernel /= kernel.sum()
            gray = F.conv2d(F.conv2d(gray[None], kernel.view(1, 1, 1, 7), padding=(0, 3)), kernel.view(1, 1, 7, 1), padding=(3, 0))[0]
        if random.random() < 0.5:
            gain = math.exp(random.uniform(math.log(0.1), math.log(1.6)))
            gray = (255 * (gray / 255).clamp(min=0) ** random.uniform(0.7, 1.4) * gain).round()
        if random.random() < 0.3:
            gray = gray + torch.randn_like(gray) * gray.std() * 0.3 * random.random()
        gray = gray.clamp(0, 255)
        return (gray - gray.mean()) / gray.std(unbiased=False).clamp(min=1.0), self.labels[index % len(self.labels)]


def images_per_second(crops, workers, epsilon):
    torch.manual_seed(0)
    network = WideResNet().to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    loader = torch.utils.data.DataLoader(
        crops, batch_size=BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    for _ in range(2):
        begun, seen = time.perf_counter(), 0
        for images, labels in loader:
            if epsilon:
                half = len(images) // 2
                network.eval()
                part = images[:half].clone().requires_grad_(True)
                loss = F.cross_entropy(network(part), labels[:half], reduction="sum")
                (gradient,) = torch.autograd.grad(loss, part)
                images = torch.cat([(part + epsilon * gradient.sign()).detach(), images[half:]])
                network.train()
            loss = F.cross_entropy(network(images), labels)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            loss.item()
            seen += len(images)
    return seen / (time.perf_counter() - begun)


def main():
    folder, count, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    epsilon = float(sys.argv[5]) if len(sys.argv) > 5 else 0.0
    torch.set_num_threads(threads)
    crops = Crops(folder, count)
    print(max(images_per_second(crops, workers, epsilon) for workers in (0, threads)))


if __name__ == "__main__":
    main()
