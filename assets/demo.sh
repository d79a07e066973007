#!/usr/bin/env bash
# Shows Branchline at work on this machine: a broker of its own, head office, two branches with real sales, one of which goes on selling by itself; then
# the first branch's screen. Quitting the screen stops and removes everything.
#
#   demo.sh [BRANCHLINE]        BRANCHLINE is the program; default: target/release/branchline
#
# Without a terminal it runs the same path unattended until every sale is at head office, says how many, and exits 0.
# BRANCHLINE_AMQP_URL uses a broker that already runs. Users can't be made there, so it must let `guest` in, and head office is started on trial. Use one
# that holds nothing of value: the demo's head office takes whatever sales wait in it.
set -euo pipefail

readonly ASSETS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly PROGRAM=$(realpath -m "${1:-$ASSETS/../target/release/branchline}")
readonly FIRST=TUNIS-01
readonly SECOND=SFAX-02
readonly MAP=date=InvoiceDate,product=Description,region=Country,qty=Quantity,cost=UnitPrice
# How many sales the second branch makes when nobody watches.
readonly UNATTENDED_SALES=5
readonly BROKER_SECONDS=130
readonly ARRIVE_SECONDS=180
readonly STOP_SECONDS=10

say() {
    echo "demo: $*"
}

die() {
    echo "demo: $*" >&2
    exit 1
}

[ -x "$PROGRAM" ] || die "$PROGRAM is not there: build it with \`cargo build --release\`, or use \`make demo\`"
[ -t 0 ] && [ -t 1 ] && attended=yes || attended=no

# What the person has configured for a branch of their own has no say here.
running_broker=${BRANCHLINE_AMQP_URL:-}
unset "${!BRANCHLINE_@}"
work=$(mktemp -d "${TMPDIR:-/tmp}/branchline-demo.XXXXXX")
export HOME=$work XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data XDG_STATE_HOME=$work/state

jobs_started=()
broker=
screen=

# Starts a program that goes on by itself, in a process group of its own, so that it goes with all that it starts.
start() {
    local log=$1
    shift
    set -m
    "$@" >>"$work/$log" 2>&1 </dev/null 9>&- &
    set +m
    jobs_started+=("$!")
}

is_running() {
    kill -0 -- "-$1" 2>/dev/null
}

# Waits until a process group is gone; one that takes too long is killed.
see_off() {
    while is_running "$1" && [ "$SECONDS" -lt "$2" ]; do sleep 0.1; done
    kill -KILL -- "-$1" 2>/dev/null || true
}

stop_all() {
    local status=$? job deadline=$((SECONDS + STOP_SECONDS))
    trap - EXIT
    trap '' INT TERM HUP
    if [ -n "$screen" ]; then
        kill -TERM "$screen" 2>/dev/null || true
        wait "$screen" 2>/dev/null || true
    fi
    for job in ${jobs_started[@]+"${jobs_started[@]}"}; do
        kill -TERM -- "-$job" 2>/dev/null || true
    done
    for job in ${jobs_started[@]+"${jobs_started[@]}"}; do
        see_off "$job" "$deadline"
    done
    if [ -n "$broker" ]; then
        # It runs until this pipe closes.
        exec 9>&-
        see_off "$broker" "$deadline"
    fi
    wait 2>/dev/null || true
    rm -rf "$work"
    exit "$status"
}
trap stop_all EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# What went wrong, from the log of the one that it went wrong for.
fail_with_log() {
    echo "--- the last lines of $1:" >&2
    tail -n 20 "$work/$1" >&2 || true
    die "$2"
}

start_broker() {
    say "starting a private RabbitMQ (about 10 seconds) ..."
    mkfifo "$work/broker-stdin"
    set -m
    "$ASSETS/broker/broker.sh" run "$work/broker" <"$work/broker-stdin" >"$work/broker.out" 2>"$work/broker.log" &
    set +m
    broker=$!
    exec 9>"$work/broker-stdin"
    local deadline=$((SECONDS + BROKER_SECONDS))
    until grep -q '^ready ' "$work/broker.out"; do
        kill -0 "$broker" 2>/dev/null || fail_with_log broker.log "the broker did not start"
        [ "$SECONDS" -lt "$deadline" ] || fail_with_log broker.log "the broker was not ready in time"
        sleep 0.1
    done
    url=$(sed -n 's/^ready //p' "$work/broker.out")
}

# Writes a configuration file that only its owner reads: NAME BROKER-URL and further lines.
configure() {
    local name=$1 amqp=$2
    shift 2
    (
        umask 077
        printf 'db = "%s"\namqp = "%s"\n' "$work/$name.db" "$amqp" >"$work/$name.toml"
        printf '%s\n' "$@" >>"$work/$name.toml"
    )
}

configure_branch() {
    local branch=$1 amqp=$url
    if [ -z "$running_broker" ]; then
        local password
        password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
        "$ASSETS/broker/broker.sh" branch "$work/broker" "$branch" "$password" || die "the broker user $branch could not be made"
        amqp=amqp://$branch:$password@${url##*@}
    fi
    configure "$branch" "$amqp" "branch = \"$branch\"" 'tax-rate = 20'
}

branchline() {
    local name=$1
    shift
    "$PROGRAM" --config "$work/$name.toml" "$@"
}

# Every other line of the sample, with the header: BRANCH REMAINDER.
import_half() {
    local branch=$1 file=$work/$1.csv
    awk -v half="$2" 'NR == 1 || NR % 2 == half' "$ASSETS/sample-sales.csv" >"$file"
    branchline "$branch" import "$file" --create --map "$MAP" || die "the sample sales could not be imported"
}

sell_once() {
    local products=("WHITE METAL LANTERN" "PAPER CHAIN KIT 50'S CHRISTMAS" "HAND WARMER UNION JACK" "JUMBO BAG RED RETROSPOT")
    branchline "$SECOND" add --product "${products[RANDOM % ${#products[@]}]}" --qty $((RANDOM % 12 + 1)) --cost "$((RANDOM % 9 + 1)).$((RANDOM % 90 + 10))"
}

sell_now_and_then() {
    while sleep $((RANDOM % 12 + 4)); do
        sell_once
    done
}

# One number out of a status: NAME FIELD.
status_number() {
    local status field=$2
    # Exit code 1 only says that sales are still on their way.
    status=$(branchline "$1" status --json) || [ $? -eq 1 ] || return 1
    [[ $status =~ \"$field\":([0-9]+) ]] && echo "${BASH_REMATCH[1]}"
}

wait_until_all_is_there() {
    local branch deadline=$((SECONDS + ARRIVE_SECONDS))
    for branch in "$FIRST" "$SECOND"; do
        until branchline "$branch" status >/dev/null; do
            [ "$SECONDS" -lt "$deadline" ] || fail_with_log "$branch.log" "$branch is still ahead of head office: $(branchline "$branch" status)"
            sleep 0.2
        done
    done
}

summary() {
    local branch sales acked all_sales=0 all_acked=0 hq
    printf '\n  %-10s %10s %10s\n' branch sales acked
    for branch in "$FIRST" "$SECOND"; do
        sales=$(status_number "$branch" sales)
        acked=$(status_number "$branch" acked)
        printf '  %-10s %10d %10d\n' "$branch" "$sales" "$acked"
        all_sales=$((all_sales + sales))
        all_acked=$((all_acked + acked))
    done
    hq=$(status_number hq sales)
    printf '  %-10s %10d\n\n' 'HQ holds' "$hq"
    say "$all_sales sales, $all_acked acked, $hq at head office"
    [ "$all_sales" -eq "$all_acked" ] && [ "$all_sales" -eq "$hq" ]
}

if [ -n "$running_broker" ]; then
    url=$running_broker
    case $url in
        *://guest:*@* | *://guest@*) ;;
        *@*) die "BRANCHLINE_AMQP_URL must log in as guest: no users can be made on a broker that already runs" ;;
    esac
    configure hq "$url" 'headless = "hq"' 'trial = true'
else
    start_broker
    configure hq "$url" 'headless = "hq"'
fi
configure_branch "$FIRST"
configure_branch "$SECOND"

say "starting head office and two branches, $FIRST and $SECOND ..."
start hq.log branchline hq --create
import_half "$FIRST" 0
import_half "$SECOND" 1
start "$SECOND.log" branchline "$SECOND" --headless branch

if [ "$attended" = yes ]; then
    start seller.log sell_now_and_then
    # In the background, so that a signal is not kept waiting until the screen is left; its standard input stays the terminal.
    "$PROGRAM" --config "$work/$FIRST.toml" <&0 9>&- &
    screen=$!
    wait "$screen" && screen= || { status=$?; screen=; exit "$status"; }
    say "stopping everything ..."
else
    start "$FIRST.log" branchline "$FIRST" --headless branch
    for _ in $(seq "$UNATTENDED_SALES"); do
        sell_once
    done
    wait_until_all_is_there
    summary
fi
