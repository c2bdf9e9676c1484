BINARY  := bin/sysctl-injector
MODULE  := github.com/sysctl-injector/sysctl-injector
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
IMAGE   ?= sysctl-injector:$(or $(VERSION),dev)

# The same flags for all that is built here, so that one compilation serves it all.
BUILD   := -trimpath -ldflags "-s -w -X $(MODULE)/cmd/sysctl-injector/app.version=$(VERSION)"
STATIC  := CGO_ENABLED=0

# The race detector needs a C compiler; RACE= does without.
RACE ?= -race

GOLANGCI_LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

FUZZTIME ?= 60s
# In `make test` it is a number of inputs: with Go 1.26 a target that is stopped by the clock now and then fails with
# "context deadline exceeded" (go.dev/issue/75804).
SMOKE ?= 20000x

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

.PHONY: lint
lint: ## Run the linters
	$(GOLANGCI_LINT) run

.PHONY: fmt
fmt: ## Format the code as the linters want it
	$(GOLANGCI_LINT) fmt

.PHONY: generate
generate: ## Regenerate the API types' deep copies and CRDs
	go generate ./webhook/api/...

.PHONY: image
image: ## Build the container image
	docker build --build-arg VERSION=$(VERSION) --tag $(IMAGE) .

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin

##@ Tests

.PHONY: test
test: test-unit fuzz-smoke test-api test-node ## Run every test

.PHONY: test-unit
test-unit: ## Run the tests that need no cluster
	go test $(RACE) ./cmd/... ./webhook/... ./templates/...

.PHONY: test-api
test-api: ## Run the tests against a real API server and etcd; the first run builds Kubernetes
	go run ./e2e/cluster/run build
	SYSCTL_INJECTOR_E2E=1 go test -count=1 -timeout=20m $$(go list ./e2e/... | grep -v /e2e/node)

# A machine that cannot run a node says what it lacks; CI has to have it.
.PHONY: test-node
test-node: ## Run the tests on a real node: kubelet, containerd, runc (root on Linux)
	@if lacks=$$(go run ./e2e/cluster/run can-node 2>&1) || [ -n "$$CI" ]; then \
		SYSCTL_INJECTOR_E2E=1 go test -count=1 -timeout=20m ./e2e/node; \
	else \
		printf '\n*** NOT RUN: the tests on a real node.\n%s\n\n' "$$lacks"; \
	fi

.PHONY: fuzz
fuzz: ## Fuzz each target for FUZZTIME (60s)
	@grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9]+' cmd webhook templates | sed 's,/[^/]*:func, ,' | sort | \
	while read -r package name; do \
		echo "go test -fuzz=$$name -fuzztime=$(FUZZTIME) ./$$package"; \
		go test -run='^$$' -fuzz="^$$name\$$" -fuzztime=$(FUZZTIME) "./$$package" </dev/null || exit 1; \
	done

.PHONY: fuzz-smoke
fuzz-smoke: ## Fuzz each target for a few seconds
	@$(MAKE) --no-print-directory fuzz FUZZTIME=$(SMOKE)

.PHONY: bench
bench: ## Run the benchmarks
	go test -run='^$$' -bench=. -benchmem ./cmd/... ./webhook/...

.PHONY: bench-admission
bench-admission: ## Measure what an admission costs a real API server, beside a MutatingAdmissionPolicy
	go run ./e2e/bench

.PHONY: bench-memory
bench-memory: ## Measure the server's memory and start, with few pods and with many
	go run ./e2e/bench/memory

.PHONY: fuzz-guard
fuzz-guard: ## Compare the guard with Pod Security admission on 20,000 random pods
	GUARD_PODS=20000 GUARD_SEED=$$(date +%s) SYSCTL_INJECTOR_E2E=1 go test -count=1 -timeout=90m -v -run=TestGuardRandomPods ./e2e/guard

##@ A cluster to try things on

.PHONY: cluster-up
cluster-up: ## Start an API server, controllers and a scheduler, and with NODE=1 a node; say how to reach them
	go run ./e2e/cluster/run up $(if $(NODE),--node)

.PHONY: cluster-down
cluster-down: ## Stop them
	go run ./e2e/cluster/run down
