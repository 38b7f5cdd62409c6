# A target that needs more than Go, git and make reports what it needs, and installs it where it can.

GO ?= go
.DEFAULT_GOAL := help

# The pinned checkers. They stay out of go.mod because no part of them is in the program.
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
DEADCODE := golang.org/x/tools/cmd/deadcode@v0.52.0
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

# The architecture that Lambda runs the functions on; make build GOARCH=amd64 for x86_64.
GOARCH ?= arm64

FUNCTIONS := oauth-callback company-select webhook-receiver dispatcher announcer refresher reconciler access-token

# The function that receives the events; CONSUMER=examples/rfi-copy sam build for another one.
CONSUMER ?= examples/event-consumer
BINARIES := $(addprefix functions/,$(FUNCTIONS)) $(CONSUMER)

# $(call compile,package,directory of bootstrap): static, stripped, the same bytes wherever it is built.
compile = CGO_ENABLED=0 GOOS=linux GOARCH=$(GOARCH) $(GO) build -trimpath -buildvcs=false -ldflags "-s -w" -tags lambda.norpc -o "$(2)/bootstrap" ./$(1)

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The compiler needs no credentials of a sandbox's app.
unseen = env -u PROCORE_CLIENT_ID -u PROCORE_CLIENT_SECRET

# With the functions' flags, so that what both are made of is compiled once.
stack = $(unseen) CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -tags lambda.norpc -o build/local/stack

# Like go run ./cmd/local, which would end with an error after Ctrl-C, and which is silent while it compiles.
.PHONY: run
run: ## Run the whole system on this machine, with a fake Procore. ARGS="-connect 5678" connects a company; ARGS=-help lists more.
	@echo "compiling make run; the first time takes a few minutes" >&2; \
	{ $(stack) -v ./cmd/local 2>&1 || echo failed; } | { n=0; t=; while IFS= read -r line; do case "$$line" in \
		failed) exit 1;; \
		"" | *[!A-Za-z0-9._/-]*) echo "$$line";; \
		*) n=$$((n+1)); now=$$(date +%s); [ "$$now" = "$$t" ] || echo "compiling make run: $$n packages so far, now $$line"; t=$$now;; \
	esac; done; } >&2 && exec build/local/stack $(ARGS)

.PHONY: sandbox-check
sandbox-check: ## Try at Procore's developer sandbox what its documents leave open (docs/SANDBOX.md). Needs a person with an app's credentials. ARGS=-help
	@$(unseen) $(GO) build -o build/sandbox-check ./internal/testing/proof/sandboxcheck && exec build/sandbox-check $(ARGS)

# Built for this machine, because containers have its architecture. Not into .aws-sam, which sam deploy uploads.
.PHONY: sam-local
sam-local: ## Prepare build/sam for sam local invoke, while make run ARGS=-docker runs. Needs the SAM CLI.
	GOARCH=$$($(GO) env GOHOSTARCH) sam build --build-dir build/sam/.aws-sam/build
	@$(GO) run ./cmd/local sam $(ARGS)

# What the race detector leaves out, or makes shorter, runs once more without it.
unraced := TestExplore|TestExploreBreaker|TestRefreshesPerDay|TestNewCustomerAmongTwentyThousand|TestCrash|TestSystem|TestCorpus|Test.*OfTenThousand
unracedIn := ./pkg/tokens ./functions/refresher/handler ./internal/testing/proof/crash ./internal/testing/proof/system ./cmd/procore-connect

# A C compiler links the race detector; runtime/cgo builds only if there is one with its headers.
# internal/testing/proof/leaks runs go test, passes on its output, and searches all output and logs for secrets.
.PHONY: test
test: ## Run go vet and every test, with the race detector where a C compiler exists, and search their output for secrets. Needs only Go.
	$(GO) vet ./...
	@if CGO_ENABLED=1 $(GO) build -race -o /dev/null runtime/cgo 2>/dev/null; then \
		echo "$(GO) test -race  (all packages but internal/testing/repo, which reads files; C compiler: $$($(GO) env CC))"; \
		$(GO) run ./internal/testing/proof/leaks env CGO_ENABLED=1 $(GO) test -race -timeout 20m $$($(GO) list ./... | grep -v '/internal/testing/repo$$') && \
		$(GO) run ./internal/testing/proof/leaks $(GO) test -timeout 20m ./internal/testing/repo && \
		echo "$(GO) test -run '$(unraced)' $(unracedIn)  (more schedules, days, companies, crashes and seeds, without the race detector)" && \
		$(GO) test -timeout 20m -run '^($(unraced))$$' $(unracedIn); \
	else \
		echo "$(GO) test ./...  (without the race detector: it needs a C compiler)"; \
		$(GO) run ./internal/testing/proof/leaks $(GO) test -timeout 20m ./...; \
	fi

.PHONY: lint
lint: lint-format lint-docs lint-go lint-dead lint-workflows lint-template ## Check format, links, vocabulary, Go code (golangci-lint), functions that nothing calls (deadcode), workflows (actionlint) and templates (cfn-lint, checkov, parliament).

.PHONY: lint-format
lint-format:
	@bad=$$(gofmt -l cmd examples functions internal pkg) && \
	if [ -n "$$bad" ]; then echo "gofmt -w these files:"; echo "$$bad"; exit 1; fi

.PHONY: lint-docs
lint-docs:
	$(GO) test -count=1 -run '^Test(Links|References|Vocabulary)$$' ./internal/testing/repo

.PHONY: lint-go
lint-go:
	$(GO) run $(GOLANGCI_LINT) run
	GOLANGCI_LINT=$(GOLANGCI_LINT) $(GO) test -count=1 -run '^TestRenamedModuleIsLinted$$' ./internal/testing/repo

.PHONY: lint-dead
lint-dead:
	DEADCODE=$(DEADCODE) $(GO) test -count=1 -run '^TestDeadCode$$' ./internal/testing/repo

# Without shellcheck and pyflakes, which some machines have, so that it finds the same everywhere.
.PHONY: lint-workflows
lint-workflows:
	$(GO) run $(ACTIONLINT) -shellcheck= -pyflakes=

.PHONY: lint-template
lint-template:
	GO="$(GO)" .ci/lint-template

.PHONY: build
build: ## Build the functions and the example consumer as they are deployed, into build/NAME/bootstrap.
	@set -e; for b in $(BINARIES); do $(MAKE) --no-print-directory compile-$$(basename $$b); done

.PHONY: fuzz
fuzz: ## Run every fuzz test for T each: make fuzz T=10m
	@set -e; found=$$(grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' cmd examples functions internal pkg); \
	for f in $$(echo "$$found" | sed 's/:func /:/'); do \
		echo "$(GO) test -fuzz $${f##*:} -fuzztime $(or $(T),5s) ./$$(dirname "$$f")"; \
		$(GO) test -run '^$$' -fuzz "^$${f##*:}$$" -fuzztime $(or $(T),5s) -fuzzminimizetime 10x "./$$(dirname "$$f")"; \
	done

.PHONY: model
model: ## Check the models of the refresh protocol and of provisioning in spec/, and that their broken variants fail. Needs spin and gcc.
	spec/model.sh

.PHONY: explore
explore: ## Run the refresh protocol and the dispatcher under millions of schedules and faults: make explore T=1h N=100000
	EXPLORE_TIME=$(or $(T),10m) $(if $(N),EXPLORE_SEEDS=$(N)) $(GO) test -count=1 -timeout 0 -run '^TestExplore$$' -v ./pkg/tokens ./internal/webhook/dispatch

.PHONY: simulate
simulate: ## Simulate the whole system for days under seeds, and judge all of it: make simulate T=10m, or SEED=7 COMPANIES=3 DAYS=0.5 MINIMISE=1. WEEK=1: a week of reconciliation.
ifneq ($(WEEK),)
	SIMULATE=week SEED=$(SEED) $(GO) test -count=1 -timeout 0 -run '^TestWeek$$' -v ./internal/testing/proof/week
else
	@SIMULATE=$(or $(T),3m) SEED=$(SEED) FROM=$(FROM) FAILURES=$(FAILURES) COMPANIES=$(COMPANIES) DAYS=$(DAYS) EVENTS=$(EVENTS) STORMS=$(STORMS) WITHOUT='$(WITHOUT)' FAULTS='$(FAULTS)' MINIMISE=$(MINIMISE) \
		$(GO) test -count=1 -timeout 0 -run '^TestSimulate$$' -v ./internal/testing/proof/system
endif

.PHONY: chaos
chaos: ## Kill, stop and cut off real processes at random, and all of make run, then check the rules: make chaos T=10m N=100000 K=50
	@$(GO) build -o build/chaos ./internal/testing/proof/chaos
	build/chaos -T $(or $(T),2m) $(ARGS)
	build/chaos -deliveries $(or $(N),100000) $(ARGS)
	KILLS=$(or $(K),50) $(GO) test -count=1 -timeout 20m -run '^TestKilled$$' ./internal/testing/proof/crash

.PHONY: bench
bench: PAUSES ?= 100s,305s
bench: ## Measure the functions side by side with a bare handler and a naive build: make bench N=51. PEERS=1: with Node.js and Python too. PAUSES=: without the pauses of five minutes. Needs Linux; some rows need root.
	@$(GO) build -o build/bench ./internal/testing/proof/bench && exec build/bench -n $(or $(N),21) $(if $(PAUSES),-pauses $(PAUSES)) $(if $(PEERS),-peers) $(ARGS)

.PHONY: test-aws
test-aws: ## Run storage tests and chaos on dynoxide (needs cargo), another project's DynamoDB, and SAM with its containers; the consumer in Python (needs python3 with pip).
	.ci/with-dynoxide $(GO) test -count=1 ./internal/testing/fake/dynamotest ./internal/testing/kit/tables ./internal/testing/fake/streamtest ./internal/testing/stack
	.ci/with-dynoxide $(GO) test -count=1 -run '^(TestListOfTenThousand|TestRestoreOfTenThousand)$$' ./cmd/procore-connect
	.ci/with-dynoxide $(GO) run ./internal/testing/proof/chaos -T $(or $(T),1m)
	.ci/with-dynoxide $(GO) run ./internal/testing/proof/chaos -deliveries $(or $(N),100000)
	PYTHON_TEST=1 $(GO) run ./internal/testing/proof/leaks $(GO) test -count=1 -run '^TestPython' ./internal/testing/stack
	SAM_TEST=1 .ci/with-sam $(GO) run ./internal/testing/proof/leaks $(GO) test -count=1 -timeout 20m -run '^TestSAM' ./internal/testing/sam

.PHONY: vuln
vuln: ## Search for known vulnerabilities that the code can reach (govulncheck), if their database can be reached.
	GO="$(GO)" .ci/vuln

.PHONY: test-browser
test-browser: ## Check every page and the whole flow in headless Chromium with axe-core. Needs Node.js.
	$(stack) ./cmd/local
	$(GO) build -o build/local/console ./cmd/procore-connect
	@rm -f build/browser.log
	internal/testing/chromium/run --test pages.test.mjs console.test.mjs flow.test.mjs fake.test.mjs
	@[ ! -e build/browser.log ] || $(GO) run ./internal/testing/proof/leaks -scan build/browser.log

.PHONY: test-oidc
test-oidc: ## Run the flow, 1,000 refreshes and sandbox-check against oidc-provider, a certified OAuth server. Needs Node.js.
	@internal/testing/oidc/run prepare
	OIDC_TEST=1 $(GO) run ./internal/testing/proof/leaks $(GO) test -count=1 -run '^Test(SandboxCheck|Refreshes)$$' ./internal/testing/oidc

.PHONY: screenshots
screenshots: ## Renew the pictures in docs/; make screenshots ALL=1 puts every page into build/screenshots instead.
	$(stack) ./cmd/local
	STORY="$(abspath build/story.json)" $(GO) test -count=1 -run '^TestStory$$' ./internal/testing/proof/story
	$(GO) test -c -o build/local/storied ./cmd/procore-connect
	ALL=$(ALL) internal/testing/chromium/run screenshots.mjs

.PHONY: mutants
mutants: ## Break the rules one at a time, on purpose: a test must catch each breakage. SHARE=0/8 takes an eighth of those that break none of R1 to R9.
	$(GO) run ./internal/testing/proof/mutants -share $(or $(SHARE),0/1)

.PHONY: reference
reference: ## Compare every call with Procore's OpenAPI file, and list what is deprecated: make reference FILE=openapi.json
	@[ -n "$(FILE)" ] || { echo "usage: make reference FILE=openapi.json, as downloaded from developers.procore.com"; exit 2; }
	OPENAPI="$(abspath $(FILE))" $(GO) test -count=1 -run '^TestPathsAgainstAFile$$' -v ./pkg/procore

# Replaces the module's path in go.mod and wherever a package's path is written: imports, .golangci.yml, texts of tests.
# The product keeps its name.
.PHONY: rename-module
rename-module: ## Give a fork its own module path: make rename-module NEW=example.com/you/connect
	@[ -n "$(NEW)" ] || { echo "usage: make rename-module NEW=example.com/you/connect"; exit 2; }
	@old=$$($(GO) list -m) && $(GO) mod edit -module "$(NEW)" && \
	git grep --untracked -lIF "$$old/" | OLD="$$old" NEW="$(NEW)" xargs perl -pi -e 's{(?<![./-])\Q$$ENV{OLD}/}{$$ENV{NEW}/}g' && \
	echo "$$old is now $$($(GO) list -m)"

.PHONY: clean
clean: ## Remove everything that was built, and the checkers that make lint installed.
	rm -rf build .aws-sam

.PHONY: $(addprefix compile-,$(notdir $(BINARIES)))
$(addprefix compile-,$(FUNCTIONS)): compile-%:
	$(call compile,functions/$*,build/$*)
compile-$(notdir $(CONSUMER)):
	$(call compile,$(CONSUMER),build/$(notdir $(CONSUMER)))

# The targets of sam build, by the functions' logical ids in template.yaml.
.PHONY: build-OAuthCallbackFunction build-CompanySelectFunction build-WebhookReceiverFunction build-DispatcherFunction build-AnnouncerFunction build-RefresherFunction build-ReconcilerFunction build-EventConsumerFunction build-PythonConsumerFunction build-AccessTokenFunction
build-OAuthCallbackFunction:
	$(call compile,functions/oauth-callback,$(ARTIFACTS_DIR))
build-CompanySelectFunction:
	$(call compile,functions/company-select,$(ARTIFACTS_DIR))
build-WebhookReceiverFunction:
	$(call compile,functions/webhook-receiver,$(ARTIFACTS_DIR))
build-DispatcherFunction:
	$(call compile,functions/dispatcher,$(ARTIFACTS_DIR))
build-AnnouncerFunction:
	$(call compile,functions/announcer,$(ARTIFACTS_DIR))
build-RefresherFunction:
	$(call compile,functions/refresher,$(ARTIFACTS_DIR))
build-ReconcilerFunction:
	$(call compile,functions/reconciler,$(ARTIFACTS_DIR))
build-EventConsumerFunction:
	$(call compile,$(CONSUMER),$(ARTIFACTS_DIR))
build-PythonConsumerFunction:
	cp examples/consumer-python/*.py "$(ARTIFACTS_DIR)"
build-AccessTokenFunction:
	$(call compile,functions/access-token,$(ARTIFACTS_DIR))
