# shellcheck shell=sh disable=SC2034,SC2154
# What test/check, test/demo and test/stage share: the packages, a private
# PostgreSQL with this tree's extension in it, and a throwaway cluster.
#
# PostgreSQL's programs find their lib and share directories relative to
# themselves.  So a copy of the programs, beside links to everything else, is
# a PostgreSQL of its own: its pg_config sends "make install" there, and the
# one that is really installed is never written to.
#
# All of it lies in one directory, the stage:
#
#	usr/...         the private PostgreSQL, at the real one's paths
#	bin             a link to its programs
#	oms/            a copy of this tree, built: the tree stays clean, and the
#	                server's user need not be able to read it
#	data/           the cluster, which listens on a socket in the stage only
#	tmp/            TMPDIR of the tests
#
# Scripts set $top, the tree, before they read this file.

here=$(pwd)
cd /	# which the server's user can enter too
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C.UTF-8

# An outer make's flags, or the caller's server, are not meant for us.
unset MAKEFLAGS MFLAGS MAKELEVEL CDPATH
for name in $(env | sed -n 's/^\(PG[A-Z]*\)=.*/\1/p'); do
	unset "$name"
done

die() {
	echo "$0: $*" >&2
	exit 1
}

root() {
	[ "$(id -u)" -eq 0 ]
}

# What CI builds with.  Not in the Makefile: a newer compiler has new warnings.
strict='-Wextra -Werror -Wno-unused-parameter -Wno-sign-compare -DUSE_ASSERT_CHECKING'

# ---- one line a step; what a command says is shown when it fails

log=$(mktemp)
keep=no
stage=

finish() {
	status=$?
	trap - EXIT
	set +e
	[ "$keep" = yes ] || stage_delete
	rm -f "$log"
	exit "$status"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

step() {
	title=$1
	shift
	printf '%s ... ' "$title"
	began=$(date +%s)
	# not "if (...)", which would disable set -e inside
	set +e
	(set -e; "$@") >"$log" 2>&1 </dev/null
	status=$?
	set -e
	if [ "$status" -ne 0 ]; then
		echo FAILED
		cat "$log"
		die "$title failed"
	fi
	echo "ok ($(($(date +%s) - began)) s)"
}

# ---- packages

# The major version in use: of $PG_CONFIG; else of the newest server installed
# that will do; else Debian's default.
find_major() {
	if [ -n "${PG_CONFIG-}" ]; then
		"$PG_CONFIG" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/'
		return
	fi
	for place in /usr/lib/postgresql/*; do
		[ ! -x "$place/bin/postgres" ] || echo "${place##*/}"
	done | awk '$1 >= 15' | sort -n | tail -n 1 | grep . && return
	apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | grep . && return
	case $(sed -n 's/^VERSION_ID="\(.*\)"/\1/p' /etc/os-release) in
		12) echo 15 ;;
		*) echo 17 ;;
	esac
}

installed() {
	dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

# missing build|check|...: the packages to install
missing() {
	# whoever names a PostgreSQL brings it, pgTAP included
	sed "${PG_CONFIG:+/MAJOR/d;}s/MAJOR/$major/" "$top/test/packages" |
	while read -r package need _; do
		case $package in '#'*) continue ;; esac
		case $need in
			build | "$1") installed "$package" || printf '%s ' "$package" ;;
		esac
	done
}

# install_packages build|check|...
install_packages() {
	# another run may be installing the same
	exec 9</var/lib/dpkg
	flock 9
	lacking=$(missing "$1")
	[ -n "$lacking" ] || return 0

	export DEBIAN_FRONTEND=noninteractive
	apt_install="apt-get -q -y -o DPkg::Lock::Timeout=600 install --no-install-recommends"

	# Debian makes and starts a cluster with the first server package.
	if ! installed "postgresql-$major"; then
		conf=/etc/postgresql-common/createcluster.conf
		mkdir -p "${conf%/*}"
		touch $conf
		sed -i '/^[[:space:]]*create_main_cluster\>/d' $conf
		echo 'create_main_cluster = false' >>$conf
	fi

	# lists may be absent, or name versions that are no more
	# shellcheck disable=SC2086
	$apt_install $lacking || { apt-get -q update && $apt_install $lacking; }
}

# packages build|check|...: the packages are there, or the script ends
packages() {
	command -v dpkg-query >/dev/null || return 0
	major=$(find_major)
	lacking=$(missing "$1")
	[ -n "$lacking" ] || return 0
	if ! root; then
		echo "Packages are missing.  Let root run this, then try again:" >&2
		echo "    apt-get update && apt-get install --no-install-recommends $lacking" >&2
		exit 1
	fi
	step "packages: $lacking" install_packages "$1"
}

# ---- the stage

# initdb and postgres refuse to run as root
as_server() {
	if root; then
		runuser -u "$server_user" -- "$@"
	else
		"$@"
	fi
}

# Find the PostgreSQL to copy, and the user to run it.
find_postgres() {
	if root; then
		server_user=postgres
		id -u postgres >/dev/null 2>&1 || server_user=nobody
		as_prefix="runuser -u $server_user -- env -C / "
	else
		as_prefix=
	fi
	pg_config=${PG_CONFIG:-/usr/lib/postgresql/${major-}/bin/pg_config}
	[ -x "$pg_config" ] || pg_config=$(command -v "$pg_config" || command -v pg_config) || die "no pg_config; set PG_CONFIG"
	bindir=$("$pg_config" --bindir)
	[ -x "$bindir/postgres" ] || die "$bindir has no server"
	version=$("$pg_config" --version | sed 's/^\([^ ]* [^ ]*\).*/\1/')
}

# A stage must suit make, which knows no quoting, and sockets, whose paths
# have 107 bytes at most; the tests make theirs below tmp/.
stage_name_ok() {
	case $1 in
		*[!A-Za-z0-9/._+-]*) return 1 ;;
	esac
	[ ${#1} -le 60 ]
}

# stage_fresh NAME: choose a new directory for the stage
stage_fresh() {
	stage=${TMPDIR:-/tmp}/oms-$1.XXXXXX
	stage_name_ok "$stage" && stage=$(as_server mktemp -d "$stage" 2>/dev/null) ||
		stage=$(as_server mktemp -d "/tmp/oms-$1.XXXXXX")
}

# stage_at DIR: this one, which may be there, and stays
stage_at() {
	case $1 in /*) dir=$1 ;; *) dir=$here/$1 ;; esac
	stage_name_ok "$dir" || die "\"$dir\": a stage's path has at most 60 of the characters A-Z a-z 0-9 / . _ + -"
	case $dir/ in "$top"/*) die "a stage in the tree would be copied into itself" ;; esac
	if [ -n "$(ls -A "$dir" 2>/dev/null)" ] && [ ! -e "$dir/bin/pg_ctl" ]; then
		die "\"$dir\" is in use and no stage"
	fi
	mkdir -p "$dir"
	chmod 700 "$dir"
	! root || chown "$server_user" "$dir"
	as_server test -w "$dir" || die "\"$dir\": out of reach of the server's user"
	stage=$dir
	keep=yes
}

# Make the private PostgreSQL.
stage_postgres() {
	libdir=$("$pg_config" --pkglibdir)
	sharedir=$("$pg_config" --sharedir)
	includedir=$("$pg_config" --includedir)

	# programs must be copies, folders real: they are found by their own path
	as_server mkdir -p "$stage$bindir" "$stage$libdir" "$stage$sharedir" "$stage${includedir%/*}" "$stage/tmp"
	as_server cp "$bindir"/* "$stage$bindir"
	as_server cp -Rs "$libdir"/. "$stage$libdir"
	as_server cp -Rs "$sharedir"/. "$stage$sharedir"
	[ -e "$stage$includedir" ] || as_server ln -s "$includedir" "$stage$includedir"
	as_server ln -s "$stage$bindir" "$stage/bin"
	stage_initdb

	# an installed oms is not the one to try
	as_server rm -rf "$stage$libdir/oms.so" "$stage$libdir/bitcode/oms" "$stage$libdir/bitcode/oms.index.bc" \
		"$stage$sharedir/extension/oms.control" "$stage$sharedir/extension"/oms--*.sql
}

# stage_initdb: a test's cluster is a copy of the first that initdb made with the
# same options, which takes a fifth of the time.  Where a test has several, the
# others are made anew: servers are told apart by identifiers that initdb draws.
stage_initdb() {
	as_server mv "$stage/bin/initdb" "$stage/bin/initdb.real"
	as_server tee "$stage/bin/initdb" <<-END
		#!/bin/sh
		set -e
		case "\$1 \$2" in
			"-D "*/tmp_check/t_[0-9]*_data/pgdata) ;;
			*) exec "$stage/bin/initdb.real" "\$@" ;;
		esac
		data=\$2
		shift 2
		test=\${data#*/tmp_check/t_}
		[ "\$(ls -d "\${data%%/tmp_check/*}/tmp_check/t_\${test%%_*}"_*_data | wc -l)" -eq 1 ] || exec "$stage/bin/initdb.real" -D "\$data" "\$@"
		first=$stage/tmp/initdb.\$(echo "\$*" | md5sum | cut -c 1-8)
		exec 9>"\$first.lock"
		flock 9
		[ -e "\$first/PG_VERSION" ] || "$stage/bin/initdb.real" -D "\$first" "\$@"
		exec 9>&-
		cp -RPpT "\$first" "\$data"
	END
	as_server chmod 755 "$stage/bin/initdb"
}

# stage_server COMMAND...: from now on, have this command start its servers
stage_server() {
	as_server mv "$stage/bin/postgres" "$stage/bin/postgres.real"
	as_server tee "$stage/bin/postgres" <<-END
		#!/bin/sh
		# pg_ctl says -D first; what initdb calls need not be watched
		case \${1-} in -D) exec $* "$stage/bin/postgres.real" "\$@" ;; esac
		exec "$stage/bin/postgres.real" "\$@"
	END
	as_server chmod 755 "$stage/bin/postgres"
}

# stage_reports: show what these servers reported, a file a process; how many
stage_reports() {
	as_server find "$stage/reports" -type f -size +0 -exec cat {} +
	reports=$(as_server find "$stage/reports" -type f -size +0 | wc -l)
}

stage_make() {
	# a test that hangs shall not hang CI
	as_server timeout --foreground "${SUITE_SECONDS:-1800}" env HOME="$stage" TMPDIR="$stage/tmp" make -s -C "$stage/oms" PG_CONFIG="$stage/bin/pg_config" with_llvm=no "$@"
}

# Build and install this tree.  Again: only what changed.
stage_build() {
	as_server mkdir -p "$stage/oms"
	# the objects stay, everything else comes anew; posix format keeps mtimes
	# finer than a second
	as_server find "$stage/oms" ! -type d ! -name '*.o' ! -name '*.so' -delete
	tar -C "$top" --format=posix --exclude=./.git --exclude='*.o' --exclude='*.bc' --exclude='*.so' -cf - . |
		as_server tar -C "$stage/oms" --no-same-owner -xf -
	stage_make -j"$(nproc)" PG_CFLAGS="$1" all
	stage_make PG_CFLAGS="$1" install
}

# Make the cluster if there is none, and start it if it is not running.
stage_start() {
	if [ ! -e "$stage/data/PG_VERSION" ]; then
		as_server "$stage/bin/initdb" -D "$stage/data" -U postgres -A trust -N --no-locale -E UTF8
		as_server tee -a "$stage/data/postgresql.conf" <<-END
			listen_addresses = ''
			unix_socket_directories = '$stage'
			fsync = off
			max_prepared_transactions = 10
		END
	fi
	as_server "$stage/bin/pg_ctl" -D "$stage/data" status ||
		as_server "$stage/bin/pg_ctl" -D "$stage/data" -l "$stage/postmaster.log" -w -s start ||
		{ as_server cat "$stage/postmaster.log"; return 1; }
}

# Everything, and what clients need to reach it.
stage_up() {
	[ -e "$stage/bin" ] || step "copy of $version" stage_postgres
	step 'build of oms' stage_build "$1"
	step 'cluster' stage_start
	export PATH="$stage/bin:$PATH" PGHOST="$stage" PGPORT=5432 PGUSER=postgres
}

# The real data that some tests read lies beside the tree; OMS_DATA tells them
# where.  If the server's user cannot reach it there, the stage has a copy.
stage_data() {
	OMS_DATA=$(cd "$here" && cd "${OMS_DATA:-$top/../shared/data}" 2>/dev/null && pwd) || return 0
	export OMS_DATA
	as_server test -r "$OMS_DATA/README.md" && return
	as_server mkdir -p "$stage/shared"
	tar -C "$OMS_DATA" --mode=u+w -cf - . | as_server tar -C "$stage/shared" --no-same-owner -xf -
	OMS_DATA=$stage/shared
}

stage_delete() {
	[ -n "$stage" ] || return 0
	cd /
	as_server "$stage/bin/pg_ctl" -D "$stage/data" -m immediate stop >/dev/null 2>&1
	rm -rf "$stage"
}

# stage_lines DATABASE: how to go on with a cluster that stays up
stage_lines() {
	cat <<-END
		Go on with:
		    $stage/bin/psql -h $stage -U postgres $1
		Stop and delete it with:
		    ${as_prefix}$stage/bin/pg_ctl -D $stage/data -s -m fast stop; rm -rf $stage
	END
}
