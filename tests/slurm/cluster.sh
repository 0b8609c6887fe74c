#!/usr/bin/env bash
# A Slurm of one node with two fake GPUs, for tests: Debian's packages, no systemd, no accounting.
#   tests/slurm/cluster.sh start|stop|crash DAEMON|mend
# It owns its folder and one link, /etc/slurm/slurm.conf: job steps do not inherit SLURM_CONF, so the configuration must
# be in Slurm's default place.
set -euo pipefail

FOLDER=/run/oddlens-slurm
LINK=/etc/slurm/slurm.conf
export SLURM_CONF=$FOLDER/slurm.conf # overrides any other: nothing here may reach another cluster
SOCKET=/run/munge/munge.socket.2     # where Slurm's programs expect munge
DAEMONS="slurmd slurmctld munged"    # in the order in which they stop

fail() {
  echo "$0: $1" >&2
  exit 1
}

alive() { [ -s "$FOLDER/$1.pid" ] && [ "$(cat "/proc/$(<"$FOLDER/$1.pid")/comm" 2>/dev/null)" = "$1" ]; }

node_is_up() { sinfo --noheader --states=idle,mixed,allocated --format=%G | grep -q gpu:2; }

no_jobs() { [ -z "$(squeue --noheader)" ]; }

wait_until() { # seconds, description, command
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || fail "$what: not within the time; see $FOLDER/*.log"
    sleep 0.1
  done
}

check() {
  [ "$(id -u)" = 0 ] || fail "Slurm's daemons are started as root here, and you are $(id -un): run it as root, or in a container"
  for program in munged munge slurmctld slurmd srun; do
    command -v $program >/dev/null || fail "no $program: apt-get install -y --no-install-recommends slurm-wlm munge"
  done
  [ ! -e $LINK ] && [ ! -L $LINK ] || [ "$(readlink $LINK)" = "$SLURM_CONF" ] ||
    fail "$LINK exists and was not made by this script, which does not change it: use another machine, or a container"
}

configure() {
  local name cpus memory
  name=$(hostname -s) cpus=$(nproc) memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
  # Two device files represent two GPUs: Slurm refuses a count without files for the name gpu.
  printf 'Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n' >"$FOLDER/gres.conf"
  cat >"$SLURM_CONF" <<CONF
ClusterName=oddlens
SlurmctldHost=$name(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
AuthType=auth/munge
SlurmctldPidFile=$FOLDER/slurmctld.pid
SlurmctldLogFile=$FOLDER/slurmctld.log
StateSaveLocation=$FOLDER/state
SlurmdPidFile=$FOLDER/slurmd.pid
SlurmdLogFile=$FOLDER/slurmd.log
SlurmdSpoolDir=$FOLDER/spool
# No cgroups: processes are tracked by their parents, and memory is sampled every second.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherParams=OverMemoryKill,UsePss
JobAcctGatherFrequency=task=1
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0
KillWait=5
EnforcePartLimits=ALL
# squeue must report jobs that have ended.
MinJobAge=86400
GresTypes=gpu
NodeName=$name NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory Gres=gpu:2
PartitionName=cpu Nodes=$name Default=YES MaxTime=7-0
PartitionName=gpu Nodes=$name MaxTime=7-0
CONF
  ln -sfn "$SLURM_CONF" $LINK
}

start_munge() { # unless it runs
  munge -n 2>/dev/null | unmunge >/dev/null 2>&1 && return
  [ -s "$FOLDER/munge.key" ] || (umask 077 && head -c 1024 /dev/urandom >"$FOLDER/munge.key")
  install -d -m 0755 /run/munge
  munged --force --key-file="$FOLDER/munge.key" --socket=$SOCKET --pid-file="$FOLDER/munged.pid" \
    --log-file="$FOLDER/munged.log" --seed-file="$FOLDER/munged.seed"
}

start() {
  check
  install -d -m 0700 "$FOLDER" "$FOLDER/state" "$FOLDER/spool"
  install -d /etc/slurm
  configure
  start_munge
  alive slurmctld || slurmctld -c -f "$SLURM_CONF" # forgets the jobs of an earlier start
  alive slurmd || slurmd -f "$SLURM_CONF"
  wait_until 30 "a node with GPUs" node_is_up
  sinfo
}

stop() {
  ! alive slurmctld || { scancel --user=root && wait_until 60 "the end of all jobs" no_jobs; }
  for daemon in $DAEMONS; do
    alive "$daemon" || continue
    kill "$(<"$FOLDER/$daemon.pid")"
    wait_until 30 "the end of $daemon" eval "! alive $daemon"
  done
  [ "$(readlink $LINK)" != "$SLURM_CONF" ] || rm $LINK
  rm -rf "$FOLDER"
}

crash() { # kill a daemon, and start it again a little later with its saved state
  kill -KILL "$(<"$FOLDER/${1:?which daemon?}.pid")"
  sleep 2
  "$1" -f "$SLURM_CONF"
}

mend() { # as an operator: a controller that dies just after it started a job drains the node and holds the job
  sinfo --noheader --states=drain,down --format=%n | xargs -rI{} scontrol update nodename={} state=resume
  squeue --noheader --states=pending --format='%A %r' | awk '/held/ {print $1}' | xargs -r scontrol release
}

case ${1:-} in
  start | stop | crash | mend) "$@" ;;
  *) fail "start, stop, crash or mend, not '${1:-}'" ;;
esac
