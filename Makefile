# Targets of the house. `make test` is the one that README and CI call.
GO        ?= go
BIN       := bin/yinxin
VERSION   ?= 0.1.0-dev
# Pinned tools; never in go.mod (house rule).
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOLANGCI    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.1.4
# -race needs a C compiler; CI=true insists on it.
RACE := $(shell if [ "$(CI)" = true ] || command -v gcc >/dev/null 2>&1 || command -v cc >/dev/null 2>&1; then echo -race; fi)

.PHONY: build test lint vet bench cover soak servers clean

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o $(BIN) ./cmd/yinxin

# Installs (as root, Debian) or finds the real servers that the tests use.
servers:
	sh deploy/testing/install-servers.sh

# The bounded worlds, the mutants of the core and the product of the reference are not
# built under the race detector: with it they run once, in a step of their own.
test: servers vet
	$(GO) test $(RACE) -timeout 20m ./...
	$(if $(RACE),$(GO) test -run '(Exhaustive|WholeWorld|Mutants|Reference)' ./authz/level ./authz)

vet:
	$(GO) vet ./...

# staticcheck is always run by CI; govulncheck only where its database can be reached.
lint: vet
	$(GO) run $(STATICCHECK) ./...
	@if curl -fsS --max-time 5 -o /dev/null https://vuln.go.dev/index/db.json 2>/dev/null; then $(GO) run $(GOVULNCHECK) ./...; \
	else echo "lint: the vulnerability database cannot be reached from here: govulncheck not run" >&2; fi

# The wider set of linters, for maintainers (slow to build the first time).
lint-all: lint
	$(GO) run $(GOLANGCI) run ./...

bench:
	$(GO) test -run '^$$' -bench . -benchtime 1s ./...

cover:
	$(GO) test -coverprofile=cover.out ./... && $(GO) tool cover -func=cover.out | tail -n 1

# Every fuzz target for FUZZTIME (default 10m), one at a time, then the long forms
# of the tests; the short forms are in `make test`.
soak:
	sh deploy/testing/fuzz.sh
	YINXIN_SOAK=1 $(GO) test -timeout 60m ./...

clean:
	rm -rf bin cover.out
