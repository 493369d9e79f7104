# The checks and demonstrations that people and CI run. Each installs what it lacks first.

GO ?= go

.PHONY: run test bench soak install

run: install
	$(GO) run ./cmd/mkimage run ./samples/hello

# The last lines are go test's own, or what failed, in short.
test: install
	$(GO) vet ./... ./cmd/mkimage/...
	cd ci/peer && GOWORK=off $(GO) vet . && GOWORK=off $(GO) test .
	GO='$(GO)' ci/tests -timeout 60m ./... ./cmd/mkimage/...

bench: install
	$(GO) run ./ci/bench

# Everything that takes long: Go's own tests in many modes, and the fuzzers for a while each.
soak: install
	ci/soak

install:
	@ci/install
