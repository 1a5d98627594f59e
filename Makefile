# make lab        installs what is missing, builds, starts a three-node lab with the demo, prints what to try
# make test       installs what is missing, builds, runs every test; the last line says how many passed and failed
# make lab-down   ends the lab and leaves nothing behind
# make images     builds the container images with buildah; make test-images runs them (neither is part of make test)
.PHONY: lab lab-down test images test-images build lint format packages node_modules clean

# With options: make lab LAB_OPTIONS='--nodes 5 --encap vxlan'
LAB_OPTIONS =

lab: packages build
	@bin/heddle-lab up $(LAB_OPTIONS)

lab-down: build
	@bin/heddle-lab down

test: packages build
	@node_modules/.bin/node test/run.mjs

images:
	@deploy/images/build.sh

test-images: node_modules
	@test/deploy/images.sh

build: node_modules
	@echo "Building"
	@npm run --silent build

lint: node_modules
	@npm run --silent lint

format: node_modules
	@npm run --silent format

packages:
	@sh apps/lab/setup/packages.sh

# Install scripts are not run: no package needs its own, and some would ask for a compiler.
node_modules:
	@node apps/lab/setup/npm-in-sync.cjs || { \
	  echo "Installing npm packages"; \
	  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error; \
	}

clean:
	rm -rf libs/*/dist apps/*/dist migrations/dist deploy/setup/dist
