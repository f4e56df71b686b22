"""Training as a user would write it without this project: the peers of the benchmarks."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

from clock import Seconds, time_epochs

Epoch = Callable[[], Seconds]  # trains one, and gives its seconds


def make_keras_epoch(backbone: str, folder: Path, size: int, batch_size: int) -> Epoch:
    """Plain Keras: images from a directory, one layer a transformation, float32, ``fit``.

    XLA is off: on a CPU it would make this peer several times slower. An epoch is timed to its last step: after it
    ``fit`` may wait idly for tf.data's threads, until 5.12, 10.24, 20.48 s and so on.
    """
    import keras
    from keras import layers

    from leukoscope.models import architecture

    row = architecture.get(backbone)
    images = keras.utils.image_dataset_from_directory(
        str(folder), label_mode="categorical", image_size=(size, size), batch_size=batch_size, verbose=False
    )
    inputs = keras.Input((size, size, 3))
    augmented = inputs
    for layer in (
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(0.05),
        layers.RandomZoom(0.1),
        layers.RandomTranslation(0.1, 0.1),
    ):
        augmented = layer(augmented)
    base = row.build(row.preprocess(augmented), None)
    features = layers.GlobalAveragePooling2D()(base.output)
    model = keras.Model(base.inputs[0], layers.Dense(4, activation="softmax")(layers.Dropout(row.dropout)(features)))
    model.compile(keras.optimizers.Adam(1e-4), "categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    return partial(time_epochs, model, images)


def make_torch_epoch(
    backbone: str, folder: Path, size: int, batch_size: int, bfloat16: bool, device: str = "cpu", compiled: bool = False
) -> Epoch:
    """Torchvision's recipe: a ``DataLoader`` with workers, channels last, autocast, Adam.

    A VGG has a head like this project's: torchvision's own has several times the weights of all else.
    """
    import torch

    _allow_torchvision_without_its_kernels(torch)
    import torchvision
    from torchvision import transforms

    steps = transforms.Compose(
        [
            transforms.Resize((size, size)),
            transforms.RandomHorizontalFlip(),
            transforms.RandomAffine(18, translate=(0.1, 0.1), scale=(0.9, 1.1)),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    images = torchvision.datasets.ImageFolder(folder, steps)
    workers = torch.get_num_threads() if device == "cpu" else len(os.sched_getaffinity(0))
    loader = torch.utils.data.DataLoader(
        images, batch_size, shuffle=True, num_workers=workers, persistent_workers=True, pin_memory=device != "cpu"
    )
    options = {"init_weights": True, "aux_logits": False} if backbone == "inception_v3" else {}
    model = getattr(torchvision.models, backbone)(num_classes=4, **options)
    if backbone.startswith("vgg"):
        model.avgpool, model.classifier = torch.nn.AdaptiveAvgPool2d(1), torch.nn.Linear(512, 4)
    model = model.to(device, memory_format=torch.channels_last)
    torch.backends.cudnn.benchmark = True
    call = torch.compile(model, dynamic=False) if compiled else model
    optimizer = torch.optim.Adam(model.parameters(), 1e-4, fused=device != "cpu" or None)
    loss = torch.nn.CrossEntropyLoss()

    def run() -> Seconds:
        started = time.perf_counter()
        model.train()
        for batch in loader:
            pixels, labels = (one.to(device, non_blocking=True) for one in batch)
            with torch.autocast(device, torch.bfloat16, enabled=bfloat16):
                error = loss(call(pixels.to(memory_format=torch.channels_last)), labels)
            optimizer.zero_grad(set_to_none=True)
            error.backward()
            optimizer.step()
        if device != "cpu":
            torch.cuda.synchronize()
        return Seconds(time.perf_counter() - started)

    return run


def _allow_torchvision_without_its_kernels(torch) -> None:
    """Declare the operators that torchvision's Python asks for, where its build does not fit torch's."""
    found = importlib.util.find_spec("torchvision")
    if found is None:
        return
    try:
        torch.ops.load_library(Path(found.origin).with_name("_C.so"))
    except OSError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        torch.library._leukoscope_library = library  # it lives as long as its object


class Peer:
    """A peer in a process of its own, so that neither's threads nor its memory allocator serve or slow the other.

    Args:
        make: A function of this module.
        arguments: Its arguments.
    """

    def __init__(self, make: Callable[..., Epoch], **arguments) -> None:
        command = [sys.executable, __file__, make.__name__, json.dumps(arguments, default=str)]
        # What TensorFlow does of its own accord is the peer's: whether oneDNN computes, too.
        environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def __call__(self) -> Seconds:
        """Train one epoch, wait until the process can train another, and give the seconds of the epoch alone."""
        with suppress(BrokenPipeError):  # the answer tells
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
        return Seconds(self._listen())

    def _listen(self) -> str:
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("The peer's process ended; its error is above.")
        return answer

    def __enter__(self) -> Self:
        self._listen()
        return self

    def __exit__(self, error: type[BaseException] | None, *rest: object) -> None:
        if error:
            self._process.kill()
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()


def _serve(make: str, arguments: dict) -> None:
    """Train an epoch for each line that arrives, and answer with its seconds."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library says is no answer
    run = globals()[make](**arguments)
    print("ready", file=answers, flush=True)
    for _ in sys.stdin:
        print(run(), file=answers, flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1], json.loads(sys.argv[2]))
