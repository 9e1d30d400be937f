# Everything a person does with the repository. Each target installs what it
# needs; on a fresh Debian with Go 1.26 and Node 20+ nothing else is to be done.

PORT ?= 8080
VERSION ?= $(shell sed -n 's/^## \[\{0,1\}\([0-9][0-9.]*\).*/\1/p' CHANGELOG.md | head -n 1)
SITE := dist/site
NPM_STAMP := site/node_modules/.package-lock.json

.PHONY: parity clients worker worker-dev worker-deploy all build native site serve test test-go test-site test-e2e size bench fuzz generate clean help

all: build

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

build: native site ## build dist/kubonsai and dist/site

native: ## build the native binary
	@mkdir -p dist
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o dist/kubonsai ./sim/cmd/kubonsai

$(NPM_STAMP): site/package.json site/package-lock.json
	cd site && npm ci --no-audit --no-fund --loglevel=error

site: $(NPM_STAMP) ## build the static site with the simulator
	node scripts/site/build.mjs

serve: site ## build everything and serve the site on http://127.0.0.1:8080
	PORT=$(PORT) node scripts/site/serve.mjs

WRANGLER := cd wasm/worker && WRANGLER_SEND_METRICS=false ./node_modules/.bin/wrangler

worker: ## build the Worker that hosts sandboxes
	node scripts/worker/build.mjs

worker-dev: site worker ## run it on this machine, without an account
	$(WRANGLER) dev --local --port $(PORT) --show-interactive-dev-session=false

worker-deploy: site worker ## deploy it to your Cloudflare account
	$(WRANGLER) deploy

test: test-go test-site test-e2e test-worker ## run every test

test-go:
	go vet ./...
	go test ./...

test-site: $(NPM_STAMP)
	node scripts/site/test.mjs

# The real kubectl, built only to compare ours with it.
dist/real-kubectl: scripts/parity/go.mod scripts/parity/go.sum scripts/parity/main.go
	cd scripts/parity && CGO_ENABLED=0 go build -trimpath -ldflags "$(foreach v,gitVersion=v1.36.2 gitMajor=1 gitMinor=36,-X k8s.io/component-base/version.$(v))" -o ../../dist/real-kubectl .

test-worker: worker dist/real-kubectl
	node scripts/worker/test.mjs

test-e2e: site worker
	node scripts/site/e2e.mjs

clients: ## client-go, controller-runtime and Helm against the server
	cd scripts/clients && go test ./...

parity: dist/real-kubectl ## build the real kubectl and compare it with ours
	go test ./sim/kubectl -run Parity
	go test -parallel 8 ./sim/httpserver -run RealKubectl

size: ## tell what the browser's module is made of
	go run ./scripts/size -brotli

bench: native site worker ## print the benchmark table
	scripts/bench/run

fuzz: ## run every fuzz target for FUZZTIME (default 1m)
	scripts/fuzz

generate: ## regenerate the API types and tables (scripts/gen), pack the image catalogue and add-ons (scripts/pack)
	cd scripts/gen && go run . ../..
	go run ./scripts/pack

clean: ## remove what was built
	rm -rf dist
