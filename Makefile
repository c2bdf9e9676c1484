BINARY  := bin/sysctl-injector
MODULE  := github.com/sysctl-injector/sysctl-injector
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
IMAGE   ?= sysctl-injector:$(or $(VERSION),dev)

# Further facts about the sources for a release. Without git, set all three.
REVISION          ?= $(shell git rev-parse HEAD 2>/dev/null)
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null)
RELEASE            = go run ./deploy/release --version=$(VERSION) --revision=$(REVISION) --source-date-epoch=$(SOURCE_DATE_EPOCH) \
                     $(if $(PLATFORMS),--platforms=$(PLATFORMS))

# All builds use the same flags, so that they share one compilation.
BUILD   := -trimpath -ldflags "-s -w -X $(MODULE)/cmd/sysctl-injector/app.version=$(VERSION)"
STATIC  := CGO_ENABLED=0

# The race detector needs a C compiler; RACE= turns it off.
RACE ?= -race

GOLANGCI_LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

ACTIONLINT := go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

GOVULNCHECK := go run golang.org/x/vuln/cmd/govulncheck@v1.9.0

FUZZTIME ?= 60s
# In `make test` it is a number of inputs: with Go 1.26 a target that is stopped by the clock now and then fails with
# "context deadline exceeded" (go.dev/issue/75804).
SMOKE ?= 20000x
# FuzzScripts starts a shell for each input.
SHELL_SMOKE ?= 500x

.NOTPARALLEL:

##@ Everyday

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {print "\n" substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/sysctl-injector
	$(STATIC) go build $(BUILD) -o $(BINARY) ./cmd/sysctl-injector

.PHONY: demo
demo: build ## Show what it does, with the real server on loopback
	@$(STATIC) go run -trimpath ./e2e/demo

.PHONY: demo-cluster
demo-cluster: ## Show what it does to running pods, on its own node (root on Linux)
	@$(STATIC) go run -trimpath ./e2e/demo/cluster

.PHONY: lint
lint: ## Run the linters, on the code and on the workflows
	$(GOLANGCI_LINT) run
	$(ACTIONLINT)

.PHONY: fmt
fmt: ## Format the code as the linters want it
	$(GOLANGCI_LINT) fmt

.PHONY: generate
generate: ## Regenerate the API types' deep copies and CRDs
	go generate ./webhook/api/...

.PHONY: image
image: ## Build the container image with docker
	docker build --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) --tag $(IMAGE) .

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin dist

##@ Release

.PHONY: image-tarball
image-tarball: ## Build the same image, for all Linux platforms, without an engine, into bin/image
	rm -rf bin/image
	$(RELEASE) --image-only --output=bin/image

.PHONY: release
release: ## Write binaries, image, SBOMs, chart, install.yaml and checksums into dist
	rm -rf dist
	$(RELEASE)

.PHONY: release-check
release-check: release ## Make the release in dist, and again, with nothing compiled beforehand, and compare
	again=$$(mktemp -d) && trap 'rm -rf "$$again"' EXIT && \
	GOCACHE=$$again/cache $(RELEASE) --output=$$again/dist && diff dist/SHA256SUMS $$again/dist/SHA256SUMS

##@ Tests

.PHONY: test
test: test-unit fuzz-smoke test-api test-oldest test-node test-install test-psp ## Run every test

.PHONY: test-unit
test-unit: ## Run the tests that need no cluster
	go test $(RACE) -timeout=20m ./cmd/... ./docs/... ./webhook/... ./templates/... ./deploy/...

# One suite at a time: an API server that shares its two cores with another suite's misses the webhook's deadlines of seconds.
.PHONY: test-api
test-api: ## Run the tests against a real API server and etcd; the first run builds Kubernetes
	go run ./e2e/framework/cluster/run build
	@go build ./e2e/...
	SYSCTL_INJECTOR_E2E=1 go test -count=1 -p=1 -timeout=20m $$(go list ./e2e/... | grep -v -e /e2e/suites/node -e /e2e/suites/install -e /e2e/suites/psp)

# On a machine that cannot run a node, the tests name what is missing. CI must have all of it.
define on-node
	@if lacks=$$(go run ./e2e/framework/cluster/run can-node 2>&1) || [ -n "$$CI" ]; then \
		SYSCTL_INJECTOR_E2E=1 go test -count=1 -timeout=30m $(1); \
	else \
		printf '\n*** NOT RUN: the tests in %s, on a real node.\n%s\n\n' '$(lastword $(1))' "$$lacks"; \
	fi
endef

.PHONY: test-node
test-node: ## Run the tests on a real node: kubelet, containerd, runc (root on Linux)
	$(call on-node,./e2e/suites/node)

.PHONY: test-install
test-install: ## Install, upgrade and disturb it on a real node, with helm and cert-manager, and count rejected pods
	@go run ./e2e/framework/cluster/run build
	$(call on-node,-v ./e2e/suites/install)

# Part of test-install.
.PHONY: test-faults
test-faults: ## Break an installation in every way that docs/concepts.md lists, and count rejected pods
	@go run ./e2e/framework/cluster/run build
	$(call on-node,-v -run='TestFaults|TestNodeLoss' ./e2e/suites/install)

.PHONY: test-psp
test-psp: ## Run the suite of PodSecurityPolicies on Kubernetes 1.24, which the first run builds
	SYSCTL_INJECTOR_E2E=1 go test -count=1 -timeout=20m ./e2e/suites/psp

# Not part of `make test`: building cosign takes minutes.
.PHONY: test-signing
test-signing: ## Sign a release with the real cosign, which the first run builds, and verify it
	go run ./e2e/framework/cluster/run build release/cosign
	SYSCTL_INJECTOR_E2E=1 go test -count=1 -run TestSignatures ./e2e/suites/release

.PHONY: test-oldest
test-oldest: ## Run the suites that depend on the Kubernetes version against the oldest one
	go run ./e2e/versions --oldest

.PHONY: test-versions
test-versions: ## Run them against each version, or VERSIONS="1.31 1.34", and update docs/compatibility.md
	go run ./e2e/versions --page=docs/compatibility.md $(VERSIONS)

# Not part of `make test`: it asks vuln.go.dev, which not every machine reaches.
.PHONY: vulncheck
vulncheck: ## Look for known vulnerabilities in called code (needs vuln.go.dev)
	$(GOVULNCHECK) ./cmd/... ./webhook/...

.PHONY: fuzz
fuzz: ## Fuzz each target for FUZZTIME (60s)
	@grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9]+' cmd webhook templates | sed 's,/[^/]*:func, ,' | sort | \
	while read -r package name; do \
		time=$(FUZZTIME); case $$name in FuzzScripts) time=$(or $(SHELL_FUZZTIME),$(FUZZTIME)) ;; esac; \
		echo "go test -fuzz=$$name -fuzztime=$$time ./$$package"; \
		go test -run='^$$' -fuzz="^$$name\$$" -fuzztime=$$time "./$$package" </dev/null || exit 1; \
	done

.PHONY: fuzz-smoke
fuzz-smoke: ## Fuzz each target for a few seconds
	@$(MAKE) --no-print-directory fuzz FUZZTIME=$(SMOKE) SHELL_FUZZTIME=$(SHELL_SMOKE)

# Each of these prints its results, and updates its figures in docs/benchmarks.md.
DOCS ?= --docs=docs

.PHONY: bench
bench: ## Measure the server's cost of a request, and compare it with a bare HTTPS server and controller-runtime
	go run ./e2e/bench/request $(DOCS)

.PHONY: bench-go
bench-go: ## Run the Go benchmarks, for benchstat
	go test -run='^$$' -bench=. -benchmem -count=$(or $(COUNT),1) ./cmd/... ./webhook/...

.PHONY: bench-admission
bench-admission: ## Measure the cost of an admission in a real API server, and compare it with a MutatingAdmissionPolicy
	GOGC=100 go run ./e2e/bench/admission $(DOCS)

.PHONY: bench-growth
bench-growth: ## Measure how the cost of a decision grows with pods, policies, grants and namespaces
	go run ./e2e/bench/growth $(DOCS)

.PHONY: bench-memory
bench-memory: ## Measure the server's memory and start, with few pods and with many
	go run ./e2e/bench/memory $(DOCS)

.PHONY: bench-node
bench-node: ## Measure what injection adds to a pod's start on a real node, and where the time goes (root on Linux)
	GOGC=100 go run ./e2e/bench/node $(DOCS)

.PHONY: fuzz-guard
fuzz-guard: ## Compare the guard with Pod Security admission on 20,000 random pods
	GUARD_PODS=20000 GUARD_SEED=$$(date +%s) SYSCTL_INJECTOR_E2E=1 go test -count=1 -timeout=90m -v -run=TestGuardRandomPods ./e2e/suites/guard

# uPlot is the library that Grafana itself draws lines with.
.PHONY: pictures
pictures: ## Renew the pictures of the dashboard and of audit's report in docs/images (needs chromium, prometheus, npm)
	go run ./e2e/framework/cluster/run build
	npm install --no-save --ignore-scripts --no-audit --prefix=bin/charts uplot@1.6.32
	SYSCTL_INJECTOR_E2E=1 go test -count=1 -p=1 -timeout=20m -run='TestDashboardPicture|TestAudit(Page)?$$' \
		./e2e/suites/observability ./e2e/suites/audit -update

##@ A cluster to try things on

.PHONY: cluster-up
cluster-up: ## Start an API server, controllers and a scheduler, with NODE=1 a node, with INSTALL=1 the chart on it; say how to reach them
	go run ./e2e/framework/cluster/run up $(if $(NODE),--node) $(if $(INSTALL),--install)

.PHONY: cluster-down
cluster-down: ## Stop them
	go run ./e2e/framework/cluster/run down
