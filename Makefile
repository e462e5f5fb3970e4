# make demo             the whole thing on this machine, to look at (ONESHOT=1: shown once, then removed; API=HOST:PORT)
# make run              Hotori on this machine's own Open vSwitch (ARGS="--datapath-type netdev …")
# make test             everything a change has to pass
# make lint bench soak clean
#
# Wants Debian 12, Node >= 20.19 and, but for lint and bench, root.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
# What a failed test leaves running dies with jest; jest must not wait for it.
JEST := npm run -s jest -- --forceExit
# They mostly wait: two at a time take half as long. What tests of faults measure wants the machine to itself: `make soak` runs one at a time.
E2E := $(JEST) --selectProjects e2e

# COMMAND:PACKAGE
DEMO_TOOLS := ovs-vswitchd:openvswitch-switch dhclient:isc-dhcp-client ping:iputils-ping traceroute:traceroute \
	nc:netcat-openbsd ip:iproute2 ethtool:ethtool sysctl:procps
TEST_TOOLS := $(DEMO_TOOLS) tcpdump:tcpdump arping:iputils-arping rdisc6:ndisc6 redis-server:redis-server \
	redis-cli:redis-tools openssl:openssl mtr:mtr-tiny tracepath:iputils-tracepath curl:curl systemd-analyze:systemd

.PHONY: demo run test lint bench soak clean build node demo-tools test-tools

demo: demo-tools build
	@exec node --enable-source-maps dist/test/demo/main.js --api $(or $(API),127.0.0.1:9090) $(if $(ONESHOT),--oneshot)

run: build
	@exec node --enable-source-maps --max-semi-space-size=64 dist/main.js all $(ARGS)

test: test-tools build lint
	npm run -s typecheck
	npm run -s layers
	$(JEST) --selectProjects unit codec --maxWorkers 100%
	$(E2E) --maxWorkers 2

lint: node_modules/.package-lock.json
	npm run -s lint

# ARGS="NAME --json"
bench: build
	node --enable-source-maps dist/test/bench/main.js $(ARGS)

# The end-to-end tests over and over, the files in another order each time and with every fault on every hypervisor, until one fails or ROUNDS are done.
soak: export SOAK := 1
soak: test-tools build
	for round in $$(seq $(or $(ROUNDS),20)); do \
		for file in $$(printf '%s\n' test/e2e/*.test.ts | shuf --random-source=<(yes $$round)); do \
			echo "round $$round: $$file"; \
			SECURITY_POLICIES=40 SECURITY_SEED=$$round $(E2E) --runInBand --runTestsByPath $$file; \
		done; \
	done

clean:
	rm -rf dist node_modules/.cache

build: node_modules/.package-lock.json
	npm run -s build

node_modules/.package-lock.json: package-lock.json | node
	npm ci --ignore-scripts

node:
	@node -e 'const [a, b] = process.versions.node.split("."); if (a * 100 + +b < 2019) throw Error("Node >= 20.19 is needed, this is " + process.version)'

demo-tools:
	@test/lab/install-packages.sh $(DEMO_TOOLS)

test-tools:
	@test/lab/install-packages.sh $(TEST_TOOLS)
