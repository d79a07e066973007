#!/usr/bin/env bash
# Runs a private RabbitMQ in a directory of its own: no root, no service, loopback only, nothing left behind. The demo and the tests both start
# their broker with this script, so the flags are written down once.
#
#   broker.sh run DIR                        runs it until standard input closes; says `ready` and its URL when it is
#   broker.sh vhost DIR VHOST                makes a virtual host
#   broker.sh branch DIR CODE PASSWORD [VHOST]
#                                            makes a branch's user, with no more rights than a branch needs
#   broker.sh ctl DIR ARGUMENT...            runs rabbitmqctl on it
#   broker.sh find                           says where RabbitMQ is, if it is
#
# DIR keeps everything: ports (chosen at the first run), data, log. DIR/tls/{ca,cert,key}.pem, if there, open an amqps port as well.
set -euo pipefail

ASSETS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly ASSETS
# A loaded machine takes minutes for what an idle one does in seven seconds.
readonly READY_SECONDS=300
# guest:guest, as HTTP wants it.
readonly ADMIN=Z3Vlc3Q6Z3Vlc3Q=

die() {
    echo "broker.sh: $*" >&2
    exit 1
}

# The folder of the real scripts: what Debian puts into the PATH insists on root or on its own user.
find_rabbitmq() {
    local found
    for found in /usr/lib/rabbitmq/bin "$(dirname "$(readlink -f "$(command -v rabbitmq-server || echo /)")")"; do
        if [ -x "$found/rabbitmq-server" ]; then
            echo "$found"
            return
        fi
    done
    die "RabbitMQ is not installed here; \`make setup\` installs it"
}

answers() {
    (exec 4<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Five neighbouring ports that nobody listens on, below those that the system hands out by itself.
choose_ports() {
    local base port
    for _ in $(seq 50); do
        base=$((20000 + RANDOM % 2400 * 5))
        for port in $(seq "$base" $((base + 4))); do
            answers "$port" && continue 2
        done
        printf 'AMQP_PORT=%d\nTLS_PORT=%d\nHTTP_PORT=%d\nEPMD_PORT=%d\nDIST_PORT=%d\n' \
            "$base" $((base + 1)) $((base + 2)) $((base + 3)) $((base + 4))
        return
    done
    die "found no five free ports between 20000 and 32000"
}

# What server and rabbitmqctl must agree on to be one node that knows of no other.
use_dir() {
    dir=$1
    [ -f "$dir/ports" ] || die "no broker has run in $dir yet"
    # shellcheck source=/dev/null
    . "$dir/ports"
    unset XDG_CONFIG_HOME "${!RABBITMQ_@}"
    export HOME=$dir/home
    export ERL_EPMD_PORT=$EPMD_PORT ERL_EPMD_ADDRESS=127.0.0.1
    export RABBITMQ_NODENAME=branchline@localhost
    export RABBITMQ_DIST_PORT=$DIST_PORT
    export RABBITMQ_CONF_ENV_FILE=/dev/null
}

write_config() {
    cat "$ASSETS/rabbitmq.conf"
    echo "listeners.tcp.1 = 127.0.0.1:$AMQP_PORT"
    echo "management.tcp.ip = 127.0.0.1"
    echo "management.tcp.port = $HTTP_PORT"
    if [ -f "$dir/tls/cert.pem" ]; then
        echo "listeners.ssl.1 = 127.0.0.1:$TLS_PORT"
        echo "ssl_options.cacertfile = $dir/tls/ca.pem"
        echo "ssl_options.certfile = $dir/tls/cert.pem"
        echo "ssl_options.keyfile = $dir/tls/key.pem"
    fi
}

run() {
    local bin server epmd watch
    bin=$(find_rabbitmq)
    mkdir -p "$1/home" "$1/log"
    dir=$(cd "$1" && pwd)
    [ -f "$dir/ports" ] || choose_ports >"$dir/ports"
    use_dir "$dir"
    write_config >"$dir/rabbitmq.conf"
    echo '[rabbitmq_management].' >"$dir/plugins"
    rm -f "$dir/pid"
    export RABBITMQ_MNESIA_BASE=$dir/data RABBITMQ_LOG_BASE=$dir/log RABBITMQ_PID_FILE=$dir/pid
    export RABBITMQ_CONFIG_FILE=$dir/rabbitmq.conf RABBITMQ_ENABLED_PLUGINS_FILE=$dir/plugins
    # A broker that has nothing to do must not spin: it shares a small machine with what is tested.
    export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"

    # Job control gives each child a process group, so that a child goes with all that it started.
    set -m
    exec 3<&0 </dev/null
    # A name server of our own, or Erlang would start one that outlives us.
    epmd -port "$EPMD_PORT" -address 127.0.0.1 >"$dir/log/epmd" 2>&1 3<&- &
    epmd=$!
    "$bin/rabbitmq-server" >"$dir/log/console" 2>&1 3<&- &
    server=$!
    (while read -r -u 3 _; do :; done; kill -TERM $$) &
    watch=$!
    # shellcheck disable=SC2064
    trap "trap - EXIT; kill -KILL -- -$server -$epmd -$watch 2>/dev/null; wait 2>/dev/null; exit" EXIT
    trap 'exit 0' TERM INT HUP

    until answers "$HTTP_PORT" && answers "$AMQP_PORT"; do
        if ! kill -0 "$server" 2>/dev/null || [ "$SECONDS" -ge "$READY_SECONDS" ]; then
            tail -n 40 "$dir/log/console" >&2
            die "RabbitMQ did not start in $dir; its last words are above"
        fi
        sleep 0.1
    done
    echo "ready amqp://guest:guest@127.0.0.1:$AMQP_PORT"
    wait "$server" 2>/dev/null || true
}

# One request to the broker's HTTP interface: METHOD PATH BODY.
api() {
    local status
    exec 4<>"/dev/tcp/127.0.0.1/$HTTP_PORT" || die "no broker runs in $dir"
    printf '%s /api/%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s' \
        "$1" "$2" "$ADMIN" "${#3}" "$3" >&4
    read -r _ status _ <&4
    exec 4<&-
    case $status in
        2??) ;;
        *) die "the broker answered $status to $1 $2" ;;
    esac
}

branch() {
    local code=$1 password=$2 vhost=${3:-%2F}
    case $password in
        *[!A-Za-z0-9-]*) die "a password here is made of A-Z, a-z, 0-9 and -" ;;
    esac
    api PUT "users/$code" "{\"password\":\"$password\",\"tags\":\"\"}"
    # It may publish to one exchange and read one queue, and declares nothing.
    api PUT "permissions/$vhost/$code" "{\"configure\":\"^\$\",\"write\":\"^sales\$\",\"read\":\"^to\\\\.$code\$\"}"
    # Without this line it could write as any other branch.
    api PUT "topic-permissions/$vhost/$code" "{\"exchange\":\"sales\",\"write\":\"^$code\\\\.\",\"read\":\"^\$\"}"
}

command=${1:-}
if [ "$command" = find ]; then
    find_rabbitmq
    exit
fi
[ $# -ge 2 ] || die "usage: broker.sh run|vhost|branch|ctl DIR ..., or broker.sh find"
shift
case $command in
    run) run "$1" ;;
    vhost) use_dir "$1" && api PUT "vhosts/$2" '' ;;
    branch) use_dir "$1" && branch "$2" "$3" "${4:-%2F}" ;;
    ctl) bin=$(find_rabbitmq) && use_dir "$1" && shift && exec "$bin/rabbitmqctl" --quiet "$@" ;;
    *) die "there is no command \`$command\`" ;;
esac
