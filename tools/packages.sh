# The Debian packages of this project, for tools/dev: what each is for, and how missing ones get installed.
# shellcheck shell=bash disable=SC2034  # the lists are for tools/dev

# One line per package: what it is for here. A command looks for what it needs itself, see need().

declare -A purpose=(
    [g++]="compiles everything"
    [cmake]="configures the build"
    [ninja-build]="runs the build"
    [pkg-config]="tests the installed pkg-config files"
    [python3]="the server of the quickstart, reports of test runs, a peer in the benchmarks"
    [scdoc]="manual pages"
    [doctest-dev]="test framework"
    [spin]="checks the protocol models"
    [strace]="tests that stop a launch at every system call, benchmark of system calls"
    [valgrind]="tests of the fallback where clone3 is missing"
    [util-linux]="setarch, unshare and prlimit in tests"
    [procps]="ps and pgrep in tests"
    [g++-aarch64-linux-gnu]="compiles for the other processor"
    [qemu-user]="runs what was compiled for it"
    [musl-tools]="links a static C program against the barrier"
    [mmdebstrap]="fetches a newer C library to run the tests under"
    [user-mode-linux]="another kernel to run tests in: older, and with all cgroup controllers"
    [uidmap]="lets mmdebstrap work without root, tests of subordinate ids"
    [ccache]="compiles nothing twice"
    [clang]="second compiler"
    [libclang-rt-14-dev]="run time of Clang's sanitizers"
    [llvm]="source lines in the reports of sanitizers"
    [clang-format]="checks the layout of sources"
    [clang-tidy]="static analysis"
    [shellcheck]="static analysis of shell scripts"
    [libbenchmark-dev]="benchmark framework"
    [gnuplot-nox]="plots of the benchmarks"
    [libboost1.81-dev]="Boost.Process and Asio, for the layer boost and as a peer in the benchmarks"
    [libboost-filesystem1.81-dev]="what Boost.Process needs"
    [libcap-dev]="names of capabilities, for the sandbox library"
    [libseccomp-dev]="filters of system calls, for the sandbox library"
    [libtomlplusplus-dev]="policy files, for the sandbox library"
    [libuv1-dev]="libuv, a peer in the benchmarks"
    [zsh]="tries its completion"
    [fish]="tries its completion"
    [golang-go]="Go, a peer in the benchmarks"
    [bubblewrap]="a peer in the benchmarks, and in tests of what takes its place"
    [flatpak]="a caller of bubblewrap, in tests"
    [tmux]="a real terminal, in tests"
    [socat]="what srt, another such caller, needs"
    [ripgrep]="the same"
    [curl]="the same"
)
boost_packages=(libboost1.81-dev libboost-filesystem1.81-dev)
sandbox_packages=(libcap-dev libseccomp-dev libtomlplusplus-dev)
quickstart_packages=(g++ cmake ninja-build python3 "${sandbox_packages[@]}")
test_packages=("${quickstart_packages[@]}" "${boost_packages[@]}" doctest-dev scdoc pkg-config strace valgrind util-linux procps musl-tools)
# For what `test` leaves out and `test --all` has.
further_test_packages=(spin g++-aarch64-linux-gnu qemu-user mmdebstrap uidmap user-mode-linux ccache bubblewrap flatpak socat ripgrep curl tmux zsh fish)
clang_packages=(clang libclang-rt-14-dev llvm)
bench_packages=(g++ cmake ninja-build python3 libbenchmark-dev "${boost_packages[@]}" "${sandbox_packages[@]}")
lint_packages=(clang clang-format clang-tidy shellcheck libbenchmark-dev libuv1-dev)
# What the benchmarks do without where it is not there; they say so.
bench_peers=(bubblewrap gnuplot-nox libuv1-dev golang-go strace)

# Where a package is known by the program it brings, for systems other than Debian 12.
declare -A program=(
    [g++]=g++ [cmake]=cmake [ninja-build]=ninja [pkg-config]=pkg-config [python3]=python3
    [scdoc]=scdoc [spin]=spin [strace]=strace [valgrind]=valgrind [util-linux]=setarch
    [procps]=pgrep [musl-tools]=musl-gcc [mmdebstrap]=mmdebstrap [user-mode-linux]=linux.uml [bubblewrap]=bwrap [flatpak]=flatpak [socat]=socat [ripgrep]=rg [curl]=curl [tmux]=tmux
    [ccache]=ccache [clang]=clang++ [llvm]=llvm-symbolizer [clang-format]=clang-format
    [clang-tidy]=clang-tidy [shellcheck]=shellcheck [zsh]=zsh [fish]=fish
)

is_debian_12() {
    grep -qx 'ID=debian' /etc/os-release && grep -qx 'VERSION_ID="12"' /etc/os-release
}

# Sets `missing` to those of its arguments that are not installed.
find_missing() {
    local package installed
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
    missing=()
    for package; do
        grep -qxF "installed $package" <<<"$installed" || missing+=("$package")
    done
}

# Makes sure that the given packages are there: the one place where anything is installed.
need() {
    local package as_root=() missing
    if ! is_debian_12; then
        need_programs "$@"
        return
    fi
    find_missing "$@"
    ((${#missing[@]})) || return 0

    say "Debian packages to install first"
    for package in "${missing[@]}"; do
        printf '  %-20s %s\n' "$package" "${purpose[$package]}"
    done
    if ((EUID != 0)); then
        [[ -n $(command -v sudo) ]] ||
            die "installing them takes root or sudo; as root: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    # A machine that has just been started may still be updating itself: wait for its lock.
    local apt=("${as_root[@]}" env LC_ALL=C DEBIAN_FRONTEND=noninteractive
        apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 --no-install-recommends)
    local log=build/packages.log
    mkdir -p build
    echo "Reading the package lists (about 10 MB) ..."
    "${apt[@]}" --quiet=2 update >"$log" 2>&1 || { cat "$log" && die "the package lists could not be read"; }
    # Says how much it is, and does nothing.
    "${apt[@]}" --assume-no install "${missing[@]}" 2>/dev/null |
        sed -n 's/^Need to get \(.*\) of archives.*/To download: \1/p; s/^After this operation, \(.*\) of.*/On the disk: \1/p' || true
    if ! "${apt[@]}" --quiet --yes install "${missing[@]}" 2>&1 | tee -a "$log" |
        sed -u -n 's/^Setting up \([^ :]*\).*/  installed: \1/p'; then
        cat "$log"
        die "the packages could not be installed"
    fi
}

# Elsewhere: say what is needed and go on if the programs are there; CMake looks for the libraries.
need_programs() {
    local package absent=()
    for package; do
        [[ -z ${program[$package]-} ]] || [[ -n $(command -v "${program[$package]}") ]] ||
            absent+=("${program[$package]}")
    done
    printf 'This is not Debian 12, so nothing is installed. Needed, by their names there:\n'
    for package; do
        printf '  %-20s %s\n' "$package" "${purpose[$package]}"
    done
    ((${#absent[@]} == 0)) || die "not found on this system: ${absent[*]}"
}

