# Everything a fresh machine needs, in one word each. `make` alone lists them.
# Arguments go in ARGS: make run ARGS="--camera 1 --log eyes.jsonl"

.DEFAULT_GOAL := help
.PHONY: help run test camera-machine test-camera arm64 test-arm64 deb test-deb test-first-run models libtorch demo bench bench-train bench-live bench-network bench-temporal bench-selfcheck bench-models bench-ablation bench-peers bench-footprint bench-goals soak check-onnx ci coverage fuzz
MAKEFLAGS += --no-print-directory

CARGO ?= cargo
export CARGO
ARGS ?=
# A printed text that is not the one kept in tests/ fails (INSTA_UPDATE=always keeps the new one).
export INSTA_UPDATE ?= no
# Right after an installation with rustup the shell does not know this folder yet.
export PATH := $(PATH):$(HOME)/.cargo/bin

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# A run that its user ended (q, Ctrl-C) has not failed.
ENDED_BY_USER = [ $$? -eq 130 ]

run: ## set up what is missing and watch the first camera, or else a drawn face (ARGS="--camera ID --log FILE")
	@.ci/system-packages.sh run
	@models/fetch-face-detector.sh
	@.ci/build.sh build --locked --release -p parseye
	@$(CARGO) run --quiet --locked --release -p parseye -- monitor --or-demo $(ARGS) || $(ENDED_BY_USER)

test: ## set up what is missing, libtorch too, and run every test
	@.ci/system-packages.sh test
	@models/fetch-face-detector.sh
	@train/fetch-libtorch.sh
	@tests/needs/probe.sh --renew
	@$(if $(ARGS),,.ci/build.sh build --locked --workspace --examples)
	@.ci/build.sh test --locked --workspace --lib --bins --tests --no-run $(ARGS)
	@$(CARGO) test --locked --workspace --lib --bins --tests --no-fail-fast $(ARGS)
	@$(if $(ARGS),,$(CARGO) test --locked --workspace --doc)

coverage: ## measure which lines the tests run (ARGS="-p PACKAGE ..." instead of all but train)
	@.ci/system-packages.sh test
	@models/fetch-face-detector.sh
	@tests/needs/probe.sh --renew
	@.ci/coverage.sh $(ARGS)

camera-machine: ## set up the virtual machine of test-camera (Debian)
	@.ci/system-packages.sh camera
	@tests/camera/install-qemu.sh $(ARCH)
	@models/fetch-face-detector.sh
	@tests/camera/vm.sh prepare

test-camera: camera-machine ## set up what is missing and watch cameras in a virtual machine (ARGS="SCENARIO" ARCH=arm64)
	@$(if $(filter arm64,$(ARCH)),.ci/arm64.sh build,.ci/build.sh build --locked --workspace --bin parseye)
	@tests/camera/run.sh $(ARGS)

arm64: ## build for a Raspberry Pi (64-bit Arm): target/aarch64-unknown-linux-gnu/release/parseye
	@.ci/system-packages.sh arm64
	@.ci/arm64.sh build

test-arm64: ## set up what is missing and test that build on an emulated processor (ARGS="TEST")
	@.ci/system-packages.sh test-arm64
	@models/fetch-face-detector.sh
	@.ci/arm64.sh test $(ARGS)

deb: ## make a Debian package in target/debian (DEB_ARCH=arm64 for a Raspberry Pi)
	@.ci/system-packages.sh deb
	@models/fetch-face-detector.sh
	@runtime/debian/build.sh

test-deb: ## install the package of `make deb` in a clean system, use it, remove it (needs root)
	@.ci/system-packages.sh test-deb
	@tests/package/run.sh $(ARGS)

test-first-run: ## `make run` from a clean clone in a clean system without a camera (needs root)
	@.ci/system-packages.sh test-deb
	@tests/first-run/run.sh $(ARGS)

fuzz: ## feed the readers of files and streams with damaged ones (ARGS="TARGET SECONDS")
	@.ci/system-packages.sh fuzz
	@fuzz/run.sh $(ARGS)

models: ## fetch the face detector, which is not part of the repository
	@.ci/system-packages.sh models
	@models/fetch-face-detector.sh

libtorch: ## fetch libtorch, which only `train` needs
	@.ci/system-packages.sh libtorch
	@train/fetch-libtorch.sh

demo: ## set up what is missing and watch a drawn face that follows a script (ARGS="--web ADDRESS --log FILE")
	@.ci/system-packages.sh run
	@models/fetch-face-detector.sh
	@.ci/build.sh build --locked --release -p parseye
	@$(CARGO) run --quiet --locked --release -p parseye -- demo $(ARGS) || $(ENDED_BY_USER)

bench: ## measure the speed on this machine (ARGS="-- NAME" for one benchmark)
	@.ci/system-packages.sh run
	@models/fetch-face-detector.sh
	@$(CARGO) bench --locked -p parseye-benches --bench frame_stages $(ARGS)

bench-train: ## measure the training beside PyTorch's (fetches PyTorch by pip, about 5 GB)
	@.ci/system-packages.sh libtorch
	@train/fetch-libtorch.sh
	@benches/train_throughput.sh $(ARGS)

bench-live: ## measure the frames' age live, the self-check off and on (ARGS="SECONDS ROUNDS")
	@.ci/system-packages.sh run
	@models/fetch-face-detector.sh
	@$(CARGO) bench --locked -p parseye-benches --profile dev --bench live_latency -- $(ARGS)

bench-network: ## measure network cameras on this machine: cuts, the frames' age, leaks (ARGS=CUTS; ten minutes)
	@.ci/system-packages.sh run
	@.ci/system-packages.sh rtsp
	@$(CARGO) run --locked -q -p parseye-benches --bin network_cameras -- $(ARGS)

bench-temporal: ## compare ways from readings to blinks on clips with confirmed ones ($PARSEYE_DATA/clips)
	@.ci/system-packages.sh run
	@models/fetch-face-detector.sh
	@benches/temporal_filters.sh

bench-selfcheck: ## measure how good the self-check's own figures are (ARGS="EVERY": one of so many clips)
	@.ci/system-packages.sh run
	@models/fetch-face-detector.sh
	@benches/selfcheck_evidence.sh $(ARGS)

bench-models: ## measure what the models hold on the test split and on degraded clips (ARGS="PART...")
	@.ci/system-packages.sh libtorch
	@models/fetch-face-detector.sh
	@train/fetch-libtorch.sh
	@benches/model_robustness.sh $(ARGS)

bench-ablation: ## train and judge variants of the default's recipe: what each ingredient brings (hours)
	@.ci/system-packages.sh libtorch
	@train/fetch-libtorch.sh
	@benches/ablation.sh $(ARGS)

bench-peers: ## compare with onnxruntime and MediaPipe's FaceMesh (fetches both by pip, 0.5 GB; ARGS="PART...")
	@.ci/system-packages.sh libtorch
	@models/fetch-face-detector.sh
	@benches/peers.sh $(ARGS)

bench-footprint: ## measure size, memory, start and replay beside decoding (half an hour; ARGS="PART...")
	@.ci/system-packages.sh run
	@models/fetch-face-detector.sh
	@benches/footprint.sh $(ARGS)

bench-goals: ## what was aimed at in speed, at home and in hardness, and what was reached (ARGS="PART...")
	@.ci/system-packages.sh test
	@models/fetch-face-detector.sh
	@benches/goals.sh $(ARGS)

soak: ## play clips again and again and watch memory, threads and descriptors (ARGS="MINUTES [LIVE_MINUTES]")
	@.ci/system-packages.sh run
	@models/fetch-face-detector.sh
	@benches/soak.sh $(ARGS)

check-onnx: ## check the models with onnx.checker and onnxruntime (fetches both by pip; ARGS="MODEL.onnx")
	@[ -d third_party/onnx-py/onnxruntime ] || \
		.ci/pip.sh install --target third_party/onnx-py onnx onnxruntime numpy
	@PYTHONPATH=third_party/onnx-py python3 tests/onnx_peers.py \
		$(if $(ARGS),$(ARGS),$(filter-out %.gradient.onnx,$(wildcard models/*.onnx)))

ci: ## all that a change must pass: tests, format, lints, documentation, dependencies, workflows
	@.ci/run
