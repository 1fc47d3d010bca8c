#!/usr/bin/env bash
# Two hosts on one machine: network namespaces with their own addresses, process ids of MPI daemons
# and a virtual link between them, over which two ranks train and sweep. Needs root and `ip`.
#
# Usage: two_hosts.sh PROGRAM, where PROGRAM is geartrain-mpi.
set -euo pipefail
program=$(realpath "$1")
one=gt$$a two=gt$$b
scratch=$(mktemp -d)
cleanup() {
    ip netns del "$one" 2>/dev/null || true
    ip netns del "$two" 2>/dev/null || true
    rm -rf "$scratch"
}
trap cleanup EXIT
ip netns add "$one"
ip netns add "$two"
ip link add veth0 netns "$one" type veth peer name veth0 netns "$two"
for host in "$one 10.77.0.1" "$two 10.77.0.2"; do
    read -r name address <<<"$host"
    ip -n "$name" address add "$address/24" dev veth0
    ip -n "$name" link set lo up
    ip -n "$name" link set veth0 up
done
cd "$scratch"

# What mpirun starts instead of ssh: HOST COMMAND… in the other namespace.
cat >agent <<AGENT
#!/bin/sh
shift
exec ip netns exec $two unshare --uts sh -c "hostname host2; \$*"
AGENT
chmod +x agent
awk 'BEGIN { srand(1); print "a,b,y"; for (i = 0; i < 4000; i++) { a = rand(); b = rand(); print a "," b "," a * b } }' >data.csv

run() { # ranks, hosts, then the arguments of geartrain-mpi
    local n=$1 hosts=$2
    shift 2
    ip netns exec "$one" unshare --uts sh -c 'hostname host1; exec "$@"' sh \
        mpirun --allow-run-as-root -n "$n" --host "$hosts" --map-by node \
        --mca plm_rsh_agent "$scratch/agent" --mca oob_tcp_if_include veth0 \
        --mca btl self,tcp --mca btl_tcp_if_include veth0 "$program" "$@"
}
options="--target y --hidden 16 --epochs 3 --batch-size 1024 --quiet"
run 1 10.77.0.1 train data.csv $options --save one.safetensors
before=$(ip netns exec "$one" cat /sys/class/net/veth0/statistics/tx_bytes)
run 2 10.77.0.1,10.77.0.2 train data.csv $options --save two.safetensors
after=$(ip netns exec "$one" cat /sys/class/net/veth0/statistics/tx_bytes)
cmp one.safetensors two.safetensors
((after - before > 10000)) || { echo "only $((after - before)) bytes crossed the link" >&2; exit 1; }
echo "The weights are identical; $((after - before)) bytes left the first host."
run 2 10.77.0.1,10.77.0.2 sweep gradients --depths 6 --widths 16 --seeds 1 --quiet --out sweep.csv
run 1 10.77.0.1 sweep gradients --depths 6 --widths 16 --seeds 1 --quiet --out one.csv
cmp sweep.csv one.csv
run 2 10.77.0.1,10.77.0.2 bench --batch-size 2048 --steps 10
