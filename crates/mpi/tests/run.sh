#!/usr/bin/env bash
# Runs geartrain-mpi with 1, 2 and 4 ranks on this machine: same bits for any number of ranks, ranks
# that are killed, and errors that name the rank. Installs Open MPI on Debian if it is not there.
#
# PROFILE=dev uses builds that are faster to make.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$(cd ../.. && pwd)
profile=${PROFILE:-release}
folder=$profile
[[ $profile == dev ]] && folder=debug
target=${CARGO_TARGET_DIR:-$root/target}

if ! command -v mpirun >/dev/null || ! command -v mpicc >/dev/null; then
    as_root=$([[ $(id -u) == 0 ]] || echo sudo)
    $as_root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -qq -y --no-install-recommends \
        libopenmpi-dev openmpi-bin libclang-dev clang
fi
if [[ -z ${SKIP_BUILD:-} ]]; then
    cargo fmt --check
    cargo clippy --target-dir "$target" --all-targets -- -D warnings
    cargo test --quiet --target-dir "$target"
    cargo build --quiet --target-dir "$target" --profile "$profile"
    (cd "$root" && cargo build --quiet --target-dir "$target" --profile "$profile" --package geartrain-cli)
fi
geartrain=$target/$folder/geartrain
program=$target/$folder/geartrain-mpi
scratch=$(mktemp -d)
launcher=
trap '[[ -z $launcher ]] || kill $launcher 2>/dev/null || true; rm -rf "$scratch"' EXIT
cd "$scratch"

fail() { echo "FAILED: $*" >&2; exit 1; }
same() { cmp "$1" "$2" || fail "$1 and $2 differ"; }
ranks() { local n=$1; shift; mpirun --allow-run-as-root --oversubscribe -n "$n" "$@"; }
# In the background, with its process id in `launcher`.
start() { local n=$1; shift; mpirun --allow-run-as-root --oversubscribe -n "$n" "$@" & launcher=$!; }
mpi() { local n=$1; shift; ranks "$n" "$program" "$@" 2>"stderr.$n" || { cat "stderr.$n"; fail "$n ranks: $*"; }; }
# The command must fail, with this text on stderr or stdout.
refused() { local n=$1 text=$2; shift 2
    if ranks "$n" "$program" "$@" >output 2>&1; then fail "succeeds: $*"; fi
    grep -qF -- "$text" output || { cat output; fail "expected: $text"; }
}
# The process of a rank among the children of mpirun.
process_of() { local rank=$1 pid
    for pid in $(pgrep -P "$2"); do
        if tr '\0' '\n' <"/proc/$pid/environ" | grep -qx "OMPI_COMM_WORLD_RANK=$rank"; then echo "$pid"; fi
    done
}
wait_for() { local seconds=$1; shift
    for ((i = 0; i < seconds * 20; i++)); do if "$@"; then return 0; fi; sleep 0.05; done
    fail "after $seconds s: $*"
}
lines() { [[ -f $1 ]] && (($(wc -l <"$1") >= $2)); }

python3 - <<'PYTHON'
import random, struct
random.seed(1)
rows = []
for _ in range(6000):
    x = [random.gauss(0, 1) for _ in range(5)]
    rows.append(x + [x[0] * x[1] + abs(x[2]) - x[3] + 0.1 * random.gauss(0, 1)])
def csv(name, rows, header="a,b,c,d,e,y"):
    with open(name, "w") as file:
        file.write(header + "\n" + "".join(",".join(map(repr, row)) + "\n" for row in rows))
csv("big.csv", rows)
csv("part0.csv", rows[:1700])
csv("part1.csv", rows[1700:])
csv("wide0.csv", rows[:1700])
csv("wide1.csv", [[0.5] + row for row in rows[1700:]], "z,a,b,c,d,e,y")
bad = open("big.csv").read().splitlines()
bad[5800 - 1] = "1,2,3,oops,5,6"
open("bad.csv", "w").write("\n".join(bad) + "\n")
def npy(name, rows):
    width = len(rows[0])
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (%d, %d), }" % (len(rows), width)
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with open(name, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        for row in rows:
            file.write(struct.pack("<%dd" % width, *row))
npy("x.npy", [row[:5] for row in rows])
npy("y.npy", [row[5:] for row in rows])
PYTHON

echo "== training: the bits of one process for 1, 2, 3 and 4 ranks"
options="--target y --hidden 16,16 --epochs 3 --batch-size 2048 --optimizer adam --schedule cosine --quiet"
"$geartrain" train big.csv $options --missing error --keep-index --save one.safetensors >/dev/null
for n in 1 2 3 4; do
    mpi $n train big.csv $options --save "m$n.safetensors" --json >"h$n.json"
    same one.safetensors "m$n.safetensors"
    sed -i 's/"ranks":[0-9]*,//' "h$n.json"
    same h1.json "h$n.json"
done

echo "== small slices, early stopping, momentum, LayerNorm, residual connections"
options="--target y --hidden 16,16,16 --residual --norm layer --epochs 8 --batch-size 300 --slice-rows 20"
options+=" --early-stopping 2 --learning-rate 0.05 --quiet"
for n in 1 2 3 4; do
    mpi $n train big.csv $options --save "s$n.safetensors" --json >"s$n.json"
    same s1.safetensors "s$n.safetensors"
    sed -i 's/"ranks":[0-9]*,//' "s$n.json"
    same s1.json "s$n.json"
done

echo "== BatchNorm over the whole batch, dropout, classes"
for extra in "--norm batch" "--dropout 0.2"; do
    options="--target y --hidden 8 --epochs 2 --batch-size 512 --quiet $extra"
    "$geartrain" train big.csv $options --missing error --keep-index --save one.safetensors >/dev/null
    mpi 2 train big.csv $options --save two.safetensors >/dev/null
    same one.safetensors two.safetensors
done
options="--target species --hidden 8 --epochs 3 --batch-size 40 --quiet"
"$geartrain" train "$root/data/iris.csv" $options --task classification --missing error --keep-index \
    --save one.safetensors >/dev/null
mpi 3 train "$root/data/iris.csv" $options --classification --save three.safetensors >/dev/null
same one.safetensors three.safetensors

echo "== files of each rank, and .npy files"
options="--hidden 16,16 --epochs 2 --batch-size 2048 --quiet"
mpi 1 train big.csv --target y $options --json >one.json
mpi 2 train 'part{rank}.csv' --target y $options --json >two.json
mpi 3 train x.npy --targets y.npy $options --json >three.json
sed -i 's/"ranks":[0-9]*,//' one.json two.json three.json
same one.json two.json
same one.json three.json

echo "== a checkpoint of 2 ranks resumed by 4"
options="--target y --hidden 16,16 --batch-size 1024 --optimizer adam --slice-rows 64 --quiet"
mpi 1 train big.csv $options --epochs 6 --save whole.safetensors --json >whole.json
mpi 2 train big.csv $options --epochs 3 --checkpoint checkpoint --checkpoint-every 1 >/dev/null
mpi 4 train big.csv $options --epochs 6 --resume checkpoint --save resumed.safetensors --json >resumed.json
same whole.safetensors resumed.safetensors
sed -i 's/"ranks":[0-9]*,//' whole.json resumed.json
same whole.json resumed.json
refused 2 "batch size" train big.csv ${options/1024/512} --epochs 6 --resume checkpoint

echo "== errors name the rank"
refused 4 "rank 3: bad.csv, line 5800, column 4" train bad.csv --target y --epochs 1 --quiet
refused 2 "rank 1: has 6 + 1 columns, but rank 0 has 5 + 1 columns" train 'wide{rank}.csv' --target y --epochs 1
refused 3 "rank 2: part2.csv" train 'part{rank}.csv' --target y --epochs 1
refused 2 "part1.csv: the output would replace another file in use" train 'part{rank}.csv' --target y --save part1.csv
# With recovery, mpirun itself succeeds.
ranks 2 --enable-recovery "$program" train big.csv --target y >output 2>&1 || true
grep -q "start mpirun without --enable-recovery" output || { cat output; fail "recovery is not refused"; }

echo "== a rank is killed in training"
start 3 "$program" train big.csv --target y --hidden 64 --epochs 1000000 --batch-size 2048 --quiet \
    --checkpoint running --checkpoint-every 1 >killed.out 2>&1
wait_for 60 test -s running
kill -KILL "$(process_of 1 $launcher)"
start=$SECONDS
if wait $launcher; then fail "a training without a rank succeeds"; fi
((SECONDS - start <= 10)) || fail "it ends after $((SECONDS - start)) s"
grep -q "rank 1 .*signal 9" killed.out || { cat killed.out; fail "no message about rank 1"; }

echo "== sweeps: the bytes of threads for 1, 2 and 4 ranks"
options="sweep gradients --depths 12 --sigma-w 0.5:3:6 --sigma-b 0:1:3 --seeds 3 --predict --quiet --widths"
"$geartrain" $options 24 --out threads.csv --svg threads.svg >/dev/null
for n in 1 2 4; do
    mpi $n $options 24 --out "sweep$n.csv" --svg "sweep$n.svg" >/dev/null
    same threads.csv "sweep$n.csv"
    same threads.svg "sweep$n.svg"
done
training="sweep train --data iris --rates 0.01,0.1 --widths 4,8 --folds 3 --epochs 5 --quiet"
"$geartrain" $training --out iris1.csv >/dev/null
mpi 3 $training --out iris3.csv >/dev/null
same iris1.csv iris3.csv

echo "== a rank is killed in a sweep"
"$geartrain" $options 64 --out whole.csv >/dev/null
start 3 --enable-recovery "$program" $options 64 --out killed.csv >killed.out 2>&1
wait_for 60 lines killed.csv 6
kill -KILL "$(process_of 2 $launcher)"
lines killed.csv 56 && fail "the sweep was over before the rank was killed"
wait $launcher || { cat killed.out; fail "the sweep did not survive"; }
same whole.csv killed.csv

echo "== the whole sweep is killed, and continues with other ranks"
start 3 "$program" $options 64 --out again.csv >/dev/null 2>&1
wait_for 60 lines again.csv 6
kill -KILL "$(process_of 0 $launcher)"
wait $launcher && fail "a sweep without rank 0 succeeds"
lines again.csv 56 && fail "the sweep was over before it was killed"
mpi 2 $options 64 --out again.csv >/dev/null
same whole.csv again.csv

echo "== the bench"
mpi 2 bench --hidden 32 --batch-size 1024 --steps 5 | tail -3
echo "All runs with MPI agree."
