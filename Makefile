# Two commands matter: `make demo` and `make test`. Each does all of its own set-up.

SECONDS ?=
RATE ?= 1
SEED ?= 1
SEEDS ?= 10000
FUZZ_SECONDS ?= 60
PARQUET_TESTING ?= $(CURDIR)/.build/parquet-testing
RELEASE = swift build -c release --static-swift-stdlib --product weir
BINARY = .build/release/weir

.PHONY: demo test check build release format simulate mutants faults power-cut fuzz bench bench-sql lake-bench mutate-lake \
	interop tpch differential parquet-testing suites clean

## The whole platform, end to end, in one process: sources → log → tables → SQL.
demo: release
	@$(BINARY) demo --rate $(RATE) $(if $(SECONDS),--seconds $(SECONDS))

## All tests, real clients included. The last line counts them.
test:
	@scripts/setup.sh build
	@scripts/test.sh

## What a change must pass: format, import directions, warnings as errors, tests.
check:
	@scripts/setup.sh test
	@swift format lint --recursive --strict Package.swift Sources Tests
	@swift build --build-tests --explicit-target-dependency-import-check error
	@scripts/test.sh

build:
	@scripts/setup.sh build
	@swift build

release:
	@scripts/setup.sh build
	@$(RELEASE)

format:
	@swift format --in-place --recursive Package.swift Sources Tests

## One node under crashes and power loss: make simulate SEED=7 SEEDS=100
simulate: release
	@$(BINARY) sim run --seed $(SEED) --count $(SEEDS)

## Planted bugs that the simulator must find: make mutants, or make mutants NAME=journal
mutants:
	@scripts/setup.sh build
	@python3 Tests/Mutants/run.py --name '$(NAME)'

## Three real nodes under kills, freezes, cut networks and rotten disks: make faults MINUTES=30 SEED=1
faults: $(if $(WEIR),,release)
	@scripts/setup.sh test
	@.build/venv/bin/python Tests/Faults/run.py --minutes $(or $(MINUTES),30) --seed $(SEED)

## The power fails on three file systems under load, as root: make power-cut ROUNDS=50 SEED=1
power-cut: $(if $(WEIR),,release)
	@scripts/setup.sh test
	@.build/venv/bin/python Tests/Faults/power.py --rounds $(or $(ROUNDS),50) --seed $(SEED)

## Coverage-guided fuzzing of one decoder: make fuzz TARGET=FuzzRecordBatch
fuzz:
	@scripts/fuzz.sh $(TARGET) $(FUZZ_SECONDS)

## What the lake's benchmarks and long tests run inside of one process.
lake-bench:
	@scripts/setup.sh build
	@WEIR_LAKE_BENCH=1 swift build -c release --static-swift-stdlib --product LakeBench

## A million damaged Parquet files, commits, checkpoints, deletion vectors, hints and checksums:
## make mutate-lake, or make mutate-lake COUNT=1000 SEED=7
mutate-lake: lake-bench
	@.build/release/LakeBench mutate $(or $(COUNT),1000000) $(SEED)

## Figures of the README: make bench, or make bench NAME=produce
bench: release lake-bench
	@scripts/setup.sh test
	@.build/venv/bin/python Benchmarks/run.py $(NAME)

## TPC-H side by side with DuckDB, and the travel workload with Polars and DataFusion, too, as tables and
## pictures in Benchmarks/results: WEIR_TPCH_SCALE and WEIR_TRAVEL_EVENTS are their sizes.
bench-sql: release
	@scripts/setup.sh test
	@.build/venv/bin/python Benchmarks/run.py sql travel

## Tables, files and buckets with the engines that people use: each reads what the other writes.
interop: release
	@scripts/setup.sh test
	@scripts/setup.sh spark
	@WEIR_SPARK_PYTHON=$(CURDIR)/.build/spark/bin/python .build/venv/bin/python -m pytest -q \
		-p no:cacheprovider -n 2 --dist loadfile Tests/Interop/test_tables.py \
		Tests/Interop/test_table_features.py Tests/Interop/test_concurrent_writers.py \
		Tests/Interop/test_matrix*.py \
		Tests/Interop/test_lake.py Tests/Interop/test_local.py Tests/Interop/test_transfer.py \
		Tests/Interop/test_object_store.py Tests/Interop/test_parquet_*.py

## The queries of TPC-H against the known answers, in 128 MiB: make tpch, or make tpch SCALE=0.1 MEMORY=96
tpch: release
	@scripts/setup.sh test
	@WEIR_TPCH_SCALE=$(or $(SCALE),1) WEIR_TPCH_MEMORY=$(or $(MEMORY),128) .build/venv/bin/python -m pytest -q \
		-p no:cacheprovider Tests/Interop/test_tpch.py

## Random statements against the real PostgreSQL: make differential COUNT=100000 SEED=1
differential: release
	@scripts/setup.sh test
	@.build/venv/bin/python Tests/Interop/differential.py --count $(or $(COUNT),100000) --seed $(SEED) \
		--start $(or $(START),0)

## The public conformance files of Parquet, read by Weir and by PyArrow: fetches them first.
parquet-testing: release
	@scripts/setup.sh test
	@[ -d $(PARQUET_TESTING) ] || git clone -q --depth 1 \
		https://github.com/apache/parquet-testing $(PARQUET_TESTING)
	@WEIR_PARQUET_TESTING=$(PARQUET_TESTING) .build/venv/bin/python -m pytest -q \
		-p no:cacheprovider Tests/Interop/test_parquet_conformance.py

## Test suites of public clients: make suites SUITE=librdkafka|kafka-python|aiokafka SOURCE=path
## MODE=consumer|sasl|full|share: librdkafka in other ways; NAME=part,part: some tests only.
suites: $(if $(WEIR),,release)
	@python3 Tests/Suites/run.py '$(SUITE)' '$(SOURCE)' --mode '$(or $(MODE),default)' --name '$(NAME)'

clean:
	@swift package clean
