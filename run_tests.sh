#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Sets up what the tests need, and runs them through tox.

set -eu -o pipefail
cd "$(dirname "$(readlink -f "$0")")"

usage() {
    cat <<'EOF'
usage: ./run_tests.sh [LEVEL...] [FILTER...]

Runs the tests, and first sets up whatever they need: an own virtual environment
with tox (below .tox), and the system packages of bindep.txt, which are installed
if that is allowed (as root, or with sudo that asks for no password) and named if not.

levels (lint and unit if none is named)
  --lint          how the code reads: the linters of .pre-commit-config.yaml, and house rules
  --unit          each part by itself, against fake tools
  --docs          the documentation, built as doc/build/html, and read in a browser
  --functional    hooks with the real tools that they drive
  --integration   a built image, booted as a server of a real Heat
  --all           all of these

options
  --coverage      also measure which lines and branches these levels run (--unit if none is
                  named), in every process, and print that; pages: .tox/coverage/html

FILTER            only the tests whose name matches one of these regular expressions

environment
  HEAT_IMAGE      the image that --integration boots; unset, it is built first
  HEAT_TEST_LOGS  the folder of the logs (.tox/logs)

One level by hand, once set up: .tox/runner/bin/tox run -e unit -- FILTER
The last line says "N passed, N failed, N skipped"; the exit status is 0 if none failed.
EOF
}

say() {
    printf '%s  %s\n' "$(date +%T)" "$*"
}

die() {
    printf 'run_tests.sh: %s\n' "$*" >&2
    exit 1
}

# Runs a command as root; fails if that is not allowed without asking.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

# Installs system packages, or ends with their names.
install_packages() {
    local install
    if command -v apt-get >/dev/null; then
        install='apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends'
    elif command -v dnf >/dev/null; then
        install='dnf install -y'
    elif command -v zypper >/dev/null; then
        install='zypper --non-interactive install'
    else
        die "please install: $*"
    fi
    as_root true 2>/dev/null || die "please install what is missing: sudo $install $*"
    say "installing $*"
    # shellcheck disable=SC2086 # the command is words
    if ! {
        [ "${install%% *}" != apt-get ] || as_root apt-get -q update
        as_root env DEBIAN_FRONTEND=noninteractive $install "$@"
    } >"$logs/packages.log" 2>&1; then
        tail -n 20 "$logs/packages.log" >&2
        die "could not install: $*"
    fi
}

# Prints the first Python that can run the harness.
find_python() {
    local python
    for python in python3 python3.{9..20}; do
        if "$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 9))' \
            2>/dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

# Makes the environment that holds tox and bindep themselves.
set_up_runner() {
    local python
    if "$runner/tox" --version >/dev/null 2>&1 && "$runner/bindep" --version >/dev/null 2>&1; then
        return
    fi
    if ! python=$(find_python); then
        if command -v apt-get >/dev/null; then
            install_packages python3 python3-venv
        else
            install_packages python3
        fi
        python=$(find_python) || die 'the tests need Python 3.9 or later with its venv module'
    fi
    say "setting up tox in ${runner%/bin}"
    rm -rf "${runner%/bin}"
    "$python" -m venv "${runner%/bin}"
    if ! "$runner/pip" install --quiet 'tox>=4.11' 'bindep>=2.11' >"$logs/runner.log" 2>&1; then
        tail -n 20 "$logs/runner.log" >&2
        die 'could not install tox and bindep; pip reads PIP_INDEX_URL, https_proxy and PIP_CERT'
    fi
}

# Installs the system packages that bindep.txt names for these levels.
set_up_packages() {
    local level missing profiles=(test) status=0
    for level in "$@"; do
        case $level in
        docs) profiles+=(docs) ;;
        functional) profiles+=(functional) ;;
        integration) profiles+=(integration build) ;;
        esac
    done
    missing=$("$runner/bindep" --brief --file bindep.txt "${profiles[@]}") || status=$?
    if [ "$status" -ne 0 ]; then
        [ -n "$missing" ] || die 'bindep.txt cannot be read'
        # shellcheck disable=SC2086 # one package a line
        install_packages $missing
    fi
}

# add PASSED FAILED SKIPPED
add() {
    passed=$((passed + $1))
    failed=$((failed + $2))
    skipped=$((skipped + $3))
}

# note PART SECONDS RESULT: one line of the table at the end
note() {
    table+=$(printf '%-22s %5d s   %s' "$1" "$2" "$3")$'\n'
}

# broken PART LOG: something other than a test failed; counts as one failure
broken() {
    add 0 1 0
    note "$1" $((SECONDS - since)) 'FAILED'
    failures+=$(printf '\n%s\nfailed: %s; the end of %s:\n\n%s\n' \
        "$(printf '=%.0s' {1..80})" "$1" "$2" "$(tail -n 60 "$2")")$'\n'
}

# Builds the image for the integration tests, unless there is one.
set_up_image() {
    if [ -n "${HEAT_IMAGE:-}" ]; then
        [ -r "$HEAT_IMAGE" ] || die "HEAT_IMAGE: cannot read $HEAT_IMAGE"
        HEAT_IMAGE=$(readlink -f "$HEAT_IMAGE")
        export HEAT_IMAGE
        return
    fi
    since=$SECONDS
    say 'image: building, some minutes'
    mkdir -p .tox/images
    if ! ./build-heat-image.sh -o .tox/images/heat-agent 2>&1 | tee "$logs/image.log"; then
        broken image "$logs/image.log"
        return 1
    fi
    export HEAT_IMAGE=$PWD/.tox/images/heat-agent.qcow2
    note image $((SECONDS - since)) "$(($(stat -c %s "$HEAT_IMAGE") / 1048576)) MiB"
}

run_level() {
    local level=$1 log=$logs/$1.log report=$logs/$1-report.txt options=() sums line
    if ! compgen -G "tests/$level/test_*.py" >/dev/null; then
        say "$level: has no tests"
        return
    fi

    since=$SECONDS
    say "$level: setting up"
    if ! "$runner/tox" run --notest -e "$level" >"$log" 2>&1; then
        broken "$level, set-up" "$log"
        return
    fi
    note "$level, set-up" $((SECONDS - since)) ''
    if ! has_tests "$level"; then
        say "$level: no test matches"
        return
    fi
    if [ "$level" = integration ]; then
        set_up_image || return 0
    fi

    since=$SECONDS
    say "$level: testing"
    # Many quick tests show as a dot each, few slow ones as a line each.
    case $level in lint | unit | docs) options=(--dots) ;; esac
    rm -f "$report"
    if ! "$runner/tox" run -qq -e "$level" -- --subunit "${filters[@]}" 2>>"$log" |
        tee "$logs/$level.subunit" |
        ".tox/$level/bin/python" -m tests.report "${options[@]}" "$report"; then
        add 0 1 0
        failures+="$level: the run itself failed"$'\n'
    fi
    line='no result'
    if [ -s "$report" ]; then
        line=$(tail -n 1 "$report")
        read -r -a sums <<<"${line//[!0-9 ]/}"
        add "${sums[@]}"
        failures+=$(sed '$d' "$report")
    fi
    note "$level" $((SECONDS - since)) "$line"
}

# Has every Python process of the tests note which lines it runs.
start_measuring() {
    if ! "$runner/tox" run -q -e coverage -- start >"$logs/coverage.log" 2>&1; then
        tail -n 20 "$logs/coverage.log" >&2
        die 'could not set up coverage'
    fi
    export COVERAGE_PROCESS_START=$PWD/.tox/coverage/coveragerc
}

report_coverage() {
    unset COVERAGE_PROCESS_START
    since=$SECONDS
    if "$runner/tox" run -qq -e coverage 2>&1 | tee "$logs/coverage.log"; then
        note coverage $((SECONDS - since)) "$(grep -o 'TOTAL.*' "$logs/coverage.log")"
    else
        broken coverage "$logs/coverage.log"
    fi
}

# has_tests LEVEL: whether the filters leave any; true if that cannot be told, so that it shows
has_tests() {
    local listed
    [ ${#filters[@]} -eq 0 ] || ! listed=$(".tox/$1/bin/stestr" --test-path "tests/$1" \
        --repo-url ".tox/$1" list "${filters[@]}" 2>/dev/null) || [ -n "$listed" ]
}

# The last line is the sum, however the script ends.
finish() {
    if ! $complete; then
        add 0 1 0
        failures+='the run itself was ended early'$'\n'
    fi
    printf '%s\n%s%-22s %5d s   logs in %s\n\n' \
        "$failures" "$table" 'in all' "$SECONDS" "$logs"
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
}

levels=()
filters=()
coverage=false
for argument in "$@"; do
    case $argument in
    -h | --help)
        usage
        exit
        ;;
    --version)
        python3 -c 'from heat_software_config import version
print("run_tests.sh", version.version())'
        exit
        ;;
    --lint | --unit | --docs | --functional | --integration) levels+=("${argument#--}") ;;
    --all) levels=(lint unit docs functional integration) ;;
    --coverage) coverage=true ;;
    -*) die "unknown option $argument; see ./run_tests.sh --help" ;;
    *) filters+=("$argument") ;;
    esac
done
if [ ${#levels[@]} -eq 0 ]; then
    levels=(lint unit)
    ! $coverage || levels=(unit)
fi

# What Python would leave beside an element's modules would travel into images.
export PYTHONDONTWRITEBYTECODE=1
runner=$PWD/.tox/runner/bin
logs=${HEAT_TEST_LOGS:-.tox/logs}
mkdir -p "$logs"
complete=false passed=0 failed=0 skipped=0 table='' failures='' since=$SECONDS
trap finish EXIT

set_up_runner
set_up_packages "${levels[@]}"
note 'tox, system packages' $((SECONDS - since)) ''
! $coverage || start_measuring
for level in "${levels[@]}"; do
    run_level "$level"
done
! $coverage || report_coverage
if [ $((passed + failed + skipped)) -eq 0 ]; then
    die "no test matches ${filters[*]}"
fi
complete=true
