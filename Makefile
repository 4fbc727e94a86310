# Everything a developer or CI does. Go alone builds, tests and runs the demo;
# e2e and captures need npm, nginx and Caddy as well.
.PHONY: build test e2e e2e-install e2e-family e2e-report bench lint demo demo-hub generate data captures fuzz release-tools release-snapshot release-sums help

build: ## bin/clawsonar and bin/clawsonar-hub
	go build -trimpath -o bin/ ./cmd/clawsonar ./cmd/clawsonar-hub

test: ## unit tests and command scripts
	go test -timeout 20m ./...

e2e: ## against real gateways; needs npm, nginx, Caddy and more, see CONTRIBUTING.md (Linux)
	go test -tags e2e -count=1 -v -timeout 60m ./internal/test/e2e

# They do so themselves where this is not done before.
e2e-install: ## what e2e and e2e-report install from npm, without running them (Linux)
	$(report-tools)
	go run ./internal/tools/lab

# Apart from e2e: the first run builds Ollama's C++, which takes many minutes.
e2e-family: ## against real relatives and helpers out of npm and the Go module proxy (Linux)
	CLAWSONAR_E2E_FAMILY=1 go test -tags e2e -count=1 -v -timeout 90m -run '^TestFamily$$' ./internal/test/e2e

report-tools = npm install --prefix .cache/report --no-save --no-audit --no-fund --ignore-scripts axe-core@4.14.1 @microsoft/sarif-multitool@5.7.0

# The reports in the programs that read them: needs npm and chromium.
e2e-report: ## the pages in Chromium with axe-core, SARIF by its validator; needs npm and chromium
	$(report-tools)
	go test -tags e2e -count=1 -v -timeout 25m -run '^(TestBrowser|TestSARIFMultitool)' ./internal/report ./internal/hub/web

# The engine, and the command from outside, beside floors, each five times in the
# same run; then the parts. BASE=path names another build of the command to
# measure in the same run.
BASE ?=
bench: ## benchmarks beside the least that a client can do (Linux); BASE=another build
	CLAWSONAR_BENCH_BASE=$(abspath $(BASE)) go test -run '^$$' -bench . -benchtime 1x -timeout 60m ./internal/test/bench
	go test -run '^$$' -bench . -benchmem $$(go list ./... | grep -v internal/test/bench)

lint: ## gofmt, vet, staticcheck, and which package may import which
	@test -z "$$(gofmt -l cmd fingerprints internal testdata)" || { echo "gofmt needed:"; gofmt -l cmd fingerprints internal testdata; exit 1; }
	go vet ./...
	go vet -tags e2e ./internal/test/e2e ./internal/test/lab ./internal/report ./internal/hub/web
	go tool staticcheck ./...
	go test -count=1 ./internal/test/structure

demo: build ## build, scan bundled replicas of gateways on loopback
	./bin/clawsonar demo

demo-hub: build ## build, show the history of a fleet of replicas at http://127.0.0.1:8790/
	./bin/clawsonar-hub demo

generate: ## add new releases to the release table, installed ones to the keys; needs npm
	go run ./internal/tools/releases
	go run ./internal/tools/configkeys

data: ## the data file that "clawsonar data update" installs, to be signed with minisign
	go run ./internal/tools/data

captures: ## record the real gateways again into testdata/captures; needs what e2e needs
	go run ./internal/tools/captures

# Every fuzz target for FUZZTIME each.
FUZZTIME ?= 30s
fuzz: ## every fuzz target for FUZZTIME (default 30s)
	@for p in $$(go list ./...); do \
		for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz'); do \
			echo "$$p $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$p || exit 1; \
		done; \
	done

# A release is of the newest version in CHANGELOG.md, and everything in it has that date. A
# snapshot is the same but for the version.
VERSION ?= 0.0.0-snapshot
newest := $(shell sed -n 's/^## \[\([0-9][^]]*\)\] - \([-0-9]*\)$$/\1 \2/p' CHANGELOG.md | head -n 1)
release-env = export PATH="$(CURDIR)/.cache/release/bin:$$PATH" VERSION=$(VERSION) \
	SOURCE_DATE=$(lastword $(newest))T00:00:00Z SOURCE_DATE_EPOCH=$$(date -u -d $(lastword $(newest)) +%s) \
	GOTOOLCHAIN=go1.26.8 GOENV=off GOFLAGS=-trimpath GOEXPERIMENT= GOFIPS140=off CGO_ENABLED=0

release-tools: ## the pinned tools of a release into .cache/release/bin
	packaging/tools.sh

release-snapshot: release-tools ## archives, packages, images and the rest of a release, into dist (Linux); VERSION=x.y.z
	$(release-env); goreleaser release --snapshot --clean --skip=publish,announce
	$(release-env); go run ./internal/tools/release recipes dist $(VERSION)
	$(release-env); packaging/images.sh $(VERSION)
	$(release-env); packaging/collect.sh $(VERSION)

# The commit of a release has the digests of its archives in it, see docs/releasing.md.
release-sums: ## ci/sums.txt, templates/scan.yml, flake.nix and the skill for the newest version in CHANGELOG.md (Linux)
	$(MAKE) release-snapshot VERSION=$(firstword $(newest))
	{ echo '# SHA-256 of the archives of clawsonar of the release that this commit is, as sha256sum'; \
	  echo '# writes them; written by "make release-sums".'; \
	  grep '  clawsonar_.*\(tar\.gz\|zip\)$$' dist/SHA256SUMS; } >dist/sums.txt
	mv dist/sums.txt ci/sums.txt
	ci/embed.sh
	go run ./internal/tools/skill
	cp dist/flake.nix flake.nix

help: ## this list
	@awk -F ':.* ## ' '/^[a-z0-9-]+:.* ## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile
