# Thin: the build itself is CMake's (see CMakePresets.json).
BUILD  ?= build
PREFIX ?= /usr/local
ARGS   ?=

.PHONY: all demo demo-cluster test bench install clean

all: $(BUILD)/build.ninja
	@cmake --build $(BUILD)

$(BUILD)/build.ninja:
	@scripts/deps build
	@cmake --preset release -B $(BUILD) -D WEIR_TESTS=OFF

demo: $(BUILD)/build.ninja
	@cmake --build $(BUILD) --target weir-chatd weir-chat
	@scripts/demo $(BUILD) $(ARGS)

demo-cluster: $(BUILD)/build.ninja
	@scripts/deps cluster
	@cmake --build $(BUILD) --target weir-chatd weir-chat
	@scripts/demo-cluster $(BUILD) $(ARGS)

test:
	@scripts/deps build test
	@cmake --preset release -B $(BUILD) -D WEIR_TESTS=ON
	@cmake --build $(BUILD)
	@scripts/test $(BUILD) $(ARGS)

bench:
	@scripts/deps build test bench
	@cmake --preset release -B $(BUILD) -D WEIR_TESTS=ON -D WEIR_BENCH=ON
	@cmake --build $(BUILD)
	@bench/run --build $(BUILD) $(ARGS)

install: all
	@cmake --install $(BUILD) --prefix $(PREFIX)

clean:
	@rm -rf $(BUILD)
