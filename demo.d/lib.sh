# Shared by ./demo and ./run-tests: what has to be there before anything runs. Sourced, not run.

die() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

PATH=$PATH:/usr/sbin:/sbin
[ -x "${HOME:-/root}/.cargo/bin/cargo" ] && PATH=$HOME/.cargo/bin:$PATH
target=$(pwd)/target
[ -n "${CARGO_TARGET_DIR:-}" ] && target=$(realpath -m "$CARGO_TARGET_DIR")

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "needs root for '$*', and there is no sudo: run it as root"
    fi
}

# need PROGRAM=PACKAGE...: installs the packages of the programs that are missing, and leaves no service running that
# was not running before.
need() {
    local pair missing=()
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    [ ${#missing[@]} = 0 ] && return
    command -v apt-get >/dev/null || die "these are not installed: ${missing[*]} (this script installs with apt-get only)"
    echo "installing with apt-get: ${missing[*]}"
    local log
    log=$(mktemp)
    # RUNLEVEL=1 keeps the packages from starting their services where there is no systemd; with it, see below.
    if ! { as_root apt-get update -q &&
        as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
            apt-get install -q -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        die "apt-get could not install ${missing[*]}"
    fi
    rm -f "$log"
    [ -d /run/systemd/system ] || return 0
    for pair in bind9=named knot=knot unbound=unbound pdns-server=pdns; do
        case " ${missing[*]} " in
        *" ${pair%%=*} "*) as_root systemctl disable -q --now "${pair#*=}.service" 2>/dev/null || true ;;
        esac
    done
}

# Debian's AppArmor lets /usr/sbin/named and /usr/sbin/unbound work in their own directories only. It knows them by
# their paths; the laboratory uses copies.
unconfined() {
    local program
    [ -e /sys/kernel/security/apparmor ] || return 0
    mkdir -p "$target/lab-bin"
    for program in named unbound; do
        cp -u "$(command -v $program)" "$target/lab-bin/"
    done
    PATH=$target/lab-bin:$PATH
}

# Sets in_new_network to the command that runs another one as root in a network of its own.
new_network() {
    if [ "$(id -u)" = 0 ]; then
        in_new_network=(unshare --net)
    elif unshare --map-root-user --net true 2>/dev/null; then
        in_new_network=(unshare --map-root-user --net)
    elif command -v sudo >/dev/null; then
        in_new_network=(sudo env "PATH=$PATH" "HOME=$HOME" unshare --net)
    else
        die "needs a network namespace: run it as root, or where users may make one (unshare -rn), or install sudo"
    fi
    "${in_new_network[@]}" true 2>/dev/null ||
        die "no network namespace can be made here; in a container, start it with --privileged"
}

# Everything that the demo and the tests run besides chorus; dnssec-cds and dnssec-dsfromkey are in one package. pdnsutil
# stands for the database of PowerDNS, which has no program of its own.
servers="named=bind9 dig=bind9-dnsutils nsupdate=bind9-dnsutils dnssec-cds=bind9-utils knotd=knot unbound=unbound
pdns_server=pdns-server pdnsutil=pdns-backend-sqlite3 sqlite3=sqlite3 ip=iproute2 setpriv=util-linux cc=build-essential"

toolchain() {
    command -v cargo >/dev/null ||
        die "cargo is not found: install the Rust toolchain (https://rustup.rs); run as the user who has it, not with sudo"
}
