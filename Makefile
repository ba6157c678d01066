# oms: order management, enforced inside PostgreSQL
#
#   make                 build
#   make install         install into the PostgreSQL that PG_CONFIG names
#   make check           every test, on a private PostgreSQL and a throwaway
#                        cluster: needs no server and no installation
#                        (PARTS='pgtap t/001_dump': only these)
#   make demo            see it work; DATADIR=...: on that data
#   make bench           measure it against what it stands in for, in about
#                        8 minutes: docs/performance.md
#   make asan            every test under AddressSanitizer and its sibling for
#                        undefined behavior
#   make valgrind        most tests under valgrind
#   make coverage        every test, and which lines of src/ they run
#                        (all three take PARTS; test/asan ... say more)
#   make fuzz            libFuzzer against the workflow parser and the kernel that
#                        splits orders (SECONDS=60)
#   make sqlsmith        made-up statements against a store (SECONDS=60)
#   make soak            every kind of statement from many sessions, crashes, and a
#                        watch over all that must add up (SECONDS=300 SEED=n)
#   make soak-selftest   whether soak finds the bugs in test/mutants, each built
#                        in turn: in about half an hour
#   make installcheck    the same tests against the server PGHOST/PGPORT name
#   make pictures        draw the workflows and the plan in docs/pictures anew
#                        (Graphviz)
#   make indent          format the C sources

EXTENSION = oms
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" oms.control)
MODULE_big = oms

# One subject a file.
OBJS = $(patsubst %,src/%.o, \
	oms \
	plan \
	rows \
	store \
	owner \
	upgrade \
	grants \
	uuid7 \
	workflow_scan \
	workflow_parse \
	workflow_build \
	workflow_form \
	workflow \
	workflow_draw \
	workflow_report \
	workflow_stock \
	workflow_loops \
	workflow_lint \
	lint \
	traffic \
	machine \
	workflow_save \
	replace \
	guards \
	chain \
	functions \
	lifecycle \
	shape \
	judge \
	judge_fill \
	number \
	form \
	axes \
	facts \
	moves \
	steps \
	settle \
	transition \
	lines \
	hold \
	payment \
	transactions \
	requests \
	ledger \
	credit \
	event \
	follow \
	import \
	units \
	actions \
	order_actions \
	fulfillment_actions \
	sourcing \
	refusals \
	queue \
	codes \
	bundle \
	bundle_read \
	expand \
	placing \
	direct \
	making \
	keep_method \
	sourcing_plan \
	fewest \
	sourcing_lines \
	sourcing_problem \
	sourcing_price \
	sourcing_apply \
	sourcing_pieces \
	sourcing_cost \
	loads \
	plan_order \
	explain_plan \
	explain_standing \
	explain_outcome \
	quote \
	quote_demands \
	quote_options \
	warranty \
	supply \
	backorder \
	stock \
	stock_hold \
	hold_items \
	channel_rules \
	rulebook \
	rulebook_read \
	explain_source \
	location \
	reclaim \
	movement \
	replay \
	inbound \
	receiving \
	availability \
	promise \
	fill \
	fill_skus \
	fill_read \
	fill_kits \
	fill_write \
	giveway \
	companions \
	feed \
	feed_document \
	feed_levels \
	fulfillment \
	merge \
	short_pick \
	change_delivery \
	delivery_lines \
	redirect \
	holdings \
	packages \
	carrier \
	carrier_feed \
	carrier_moves \
	cancel \
	document \
	order_document \
	order_write \
	order \
	next_moves \
	policies \
	tick \
	split_check \
	split_model \
	split_value \
	split_improve \
	split_flow \
	split_bound \
	split_count \
	split_outdo \
	split_search \
	split_forced \
	split \
	solve_split \
	wave_check \
	wave_model \
	wave_state \
	wave_order \
	wave_improve \
	wave_price \
	wave_regroup \
	wave \
	plan_wave_skip \
	plan_wave_lines \
	plan_wave_read \
	plan_wave_share \
	plan_wave_price \
	plan_wave_pose \
	plan_wave_check \
	plan_wave_choose \
	plan_wave_apply \
	plan_wave \
	enforce \
	verify \
	repair \
	repair_bundle \
	repair_stock)

# One subject a module, in load order; together they are the install script.
SQL_MODULES = $(patsubst %,sql/%.sql, \
	prologue \
	uuid7 \
	workflow \
	lint \
	split \
	lifecycle \
	reference \
	stock \
	stock_holds \
	channel_rules \
	sourcing \
	backorders \
	inbound \
	feed \
	orders \
	fulfillments \
	packages \
	payments \
	bundles \
	views \
	fulfillment_views \
	availability \
	process \
	order \
	follow \
	import \
	traffic \
	wrappers \
	upgrade \
	defaults \
	store \
	grants \
	verify \
	repair)

DATA = $(wildcard sql/oms--*--*.sql)
DATA_built = sql/oms--$(EXTVERSION).sql

# Our own calls stay in our own library, whatever another one exports.
SHLIB_LINK += -Wl,-Bsymbolic

# The tests, by kind.  A kind of which there is none must expand to nothing
# (hence :=), or PGXS runs an empty suite.
REGRESS := $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
ISOLATION := $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
PGTAP := $(sort $(wildcard test/pgtap/*.sql))
PROVE_TESTS := $(sort $(wildcard test/t/*.pl))
TAP_TESTS := $(if $(PROVE_TESTS),1)

# Under the default output directory, ".", a test would run the SQL module of
# its name instead.
REGRESS_OPTS = --inputdir=test --outputdir=output_regress --load-extension=oms
ISOLATION_OPTS = --inputdir=test --outputdir=output_iso --use-existing
REGRESS_PREP = output_regress/expected output_iso/expected $(if $(ISOLATION),reused_store)
EXTRA_CLEAN = output_regress output_iso

# check and demo bring what they lack, so they work without PGXS too
PG_CONFIG ?= pg_config
PGXS := $(wildcard $(shell $(PG_CONFIG) --pgxs 2>/dev/null))
ifneq (,$(PGXS))
include $(PGXS)
else
all install installcheck:
	@echo 'PG_CONFIG=$(PG_CONFIG) has no PGXS; Debian: apt-get install postgresql-server-dev-15' >&2; exit 1
endif

# src/ is small: a changed header, or list of files, rebuilds everything it can
# touch
$(OBJS) $(OBJS:.o=.bc): $(wildcard src/*.h)
$(MODULE_big)$(DLSUFFIX): Makefile

$(DATA_built): $(SQL_MODULES) Makefile
	cat $(SQL_MODULES) >$@

.DELETE_ON_ERROR:

# Before PostgreSQL 16, pg_regress has no --expecteddir: it seeks expected
# output beside its own results first, so link it there.
output_%/expected:
	mkdir -p $(@D) && ln -sfn ../expected $@

# pg_isolation_regress seeks specs beside its results, too, before their own place.
# There are copies that take up one store again and again, test/specs/reuse.sql
# says how, instead of making it and dropping it; none with NEW_STORES=yes.
.PHONY: reused_store
reused_store:
	'$(bindir)/psql' -qX -d postgres -c 'SET client_min_messages = warning' -c 'DROP DATABASE IF EXISTS $(ISOLATION_TESTDB)' \
		-c 'CREATE DATABASE $(ISOLATION_TESTDB)' -c "ALTER DATABASE $(ISOLATION_TESTDB) SET lc_messages TO 'C'"
	'$(bindir)/psql' -qX -v ON_ERROR_STOP=1 -d $(ISOLATION_TESTDB) -c 'CREATE EXTENSION oms' -f test/specs/reuse.sql
	rm -rf output_iso/specs && mkdir -p output_iso/specs
	for spec in $(if $(NEW_STORES),,$(ISOLATION)); do \
		sed -e 's/oms\.create_store(/reuse.create_store(/' -e '/^[[:space:]]*DROP SCHEMA iso CASCADE;$$/d' \
			test/specs/$$spec.spec >output_iso/specs/$$spec.spec || exit 1; \
	done

PG_PROVE = pg_prove

.PHONY: pgtap
pgtap:
	'$(bindir)/psql' -qX -d postgres -c 'SET client_min_messages = warning' -c 'DROP DATABASE IF EXISTS oms_pgtap' -c 'CREATE DATABASE oms_pgtap'
	'$(bindir)/psql' -qX -d oms_pgtap -c 'CREATE EXTENSION pgtap' -c 'CREATE EXTENSION oms'
	$(PG_PROVE) --psql-bin '$(bindir)/psql' --failures --comments -d oms_pgtap $(PGTAP)

ifneq (,$(PGTAP))
installcheck: pgtap
endif

# "make -j install installcheck" would test what is not installed yet
ifneq (,$(filter installcheck,$(MAKECMDGOALS)))
.NOTPARALLEL:
endif

# PGXS gives "check" one recipe, a message that it is unsupported, and says
# success.  Silence that; run the tests instead.
check: private SHELL := /bin/true
check: run-check

.PHONY: check run-check asan valgrind coverage demo bench fuzz sqlsmith soak soak-selftest pictures indent
run-check:
	@sh test/check $(PARTS)

asan valgrind coverage:
	@sh test/$@ $(PARTS)

demo:
	@sh test/demo $(if $(DATADIR),'$(DATADIR)')

bench:
	@sh test/bench/run

fuzz:
	@sh test/fuzz/run $(SECONDS)
	@sh test/fuzz/split $(SECONDS)

sqlsmith:
	@sh test/fuzz/sqlsmith $(SECONDS)

soak:
	@sh test/soak $(or $(SECONDS),300) $(SEED)

soak-selftest:
	@sh test/soak_selftest $(MUTANTS)

pictures:
	@sh test/pictures

indent:
	@sh test/indent
