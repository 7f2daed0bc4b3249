# SPDX-License-Identifier: GPL-2.0-only
# What the scenarios have in common. Standard output is the transcript, which must be the same with every daemon but for
# what `normalise` puts right; what a daemon says goes to $LOG.
#
# $SESSIOND is the daemon, $LOG a file, and $T an empty folder for traces.
export LTTNG_SESSIOND_PATH=${SESSIOND:-} LIBBABELTRACE2_DISABLE_PYTHON_PLUGINS=1 LTTNG_UST_REGISTER_TIMEOUT=-1
export LC_ALL=C
# What most scenarios need. All 43 modules take a second to load, and one to unload.
FEW=--kmod-probes=sched,statedump,signal
pid_file=/run/lttng/lttng-sessiond.pid

say() { echo "== $*"; }

# Runs a command and shows it, what it said, and how it ended.
#
# A stock daemon that refuses a request before it has read all of it makes `lttng` die of SIGPIPE, if that comes first:
# then it is asked again.
t() {
	local code begin=$EPOCHREALTIME tries
	for tries in $(seq 50); do
		# Not a pipe: a daemon that the command starts would hold it.
		timeout -k 5 "${LIMIT:-60}" "$@" >/run/said 2>&1 </dev/null
		code=$?
		[ $code = 141 ] || break
	done
	echo "\$ $*"
	cat /run/said
	echo "= $code"
	echo "$begin $EPOCHREALTIME $tries $*" >>"$LOG.commands"
	return $code
}

l() { t lttng "$@"; }
# In text, and in XML.
lx() {
	l "$@"
	t lttng --mi xml "$@"
}
# The same, where the order of lines means nothing.
sorted() {
	echo "\$ $* | sort"
	timeout -k 5 "${LIMIT:-60}" "$@" 2>&1 </dev/null | sed 's/></>\n</g' | sort
	echo "= ${PIPESTATUS[0]}"
}

# Starts the daemon in the background.
daemon() {
	echo "\$ lttng-sessiond --daemonize $*"
	timeout -k 5 60 "$SESSIOND" --daemonize "$@" 2>>"$LOG" </dev/null
	echo "= $?"
	# Ours goes on looking for the tracer when it is ready for clients; this waits for it.
	timeout -k 5 60 lttng list --kernel >/dev/null 2>&1 </dev/null
}

# A tracepoint whose events can be counted. It keeps the daemon from unloading what it is built upon.
with_test() { modprobe lttng-test; }

# Waits for something, at most 20 s.
until_() {
	local i
	for i in $(seq 400); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.05
	done
	say "in vain: $*"
	return 1
}
# Ended, though its parent may not have looked.
gone() { ! grep -q '^State:[[:space:]]*[A-Y]' "/proc/$1/status" 2>/dev/null; }
lines() { [ "$(wc -l <"$1")" -ge "$2" ]; }

modules() { lsmod | awk '/^lttng/ { print $1 }' | sort; }
# What is there of LTTng.
left() {
	say "modules: $(modules | tr '\n' ' ')"
	# The exec of one that begins may not have been yet.
	say "processes: $(ps -eo args= | awk '{ n = split($1, p, "/") } p[n] ~ /^lttng/ { print p[n] }' | sort | uniq -c | tr -s ' \n' ' ')"
	# The stock daemon can't be asked how it is.
	say "files: $(find /run/lttng /dev/shm ! -type d ! -name sessiond-status 2>/dev/null | sort | tr '\n' ' ')"
}

# Ends the daemon, and tells what is left.
end() {
	local pid
	pid=$(cat $pid_file)
	rmmod lttng-test 2>/dev/null
	kill -"${1:-TERM}" "$pid"
	until_ gone "$pid"
	left
}

# Ends everything and removes what it left, for a scenario to begin where another ended badly.
clean() {
	pkill -KILL -f '^(/[^ ]*/)?lttng|^/tests/(demo|notified|workload)'
	local round
	for round in $(seq 100); do
		pgrep -f '^(/[^ ]*/)?lttng-' --runstates=RSDT >/dev/null || break
		sleep 0.05
	done
	for round in 1 2 3 4 5 6; do
		# shellcheck disable=SC2046 # a list of words
		set -- $(lsmod | awk '/^lttng/ && $3 == 0 { print $1 }')
		[ $# -gt 0 ] || break
		rmmod "$@"
	done
	rm -rf /tmp/* /run/lttng /dev/shm/* /root/lttng-traces /root/.lttng /root/.lttngrc /home/user/.lttng* /home/user/lttng-traces
} 2>/dev/null

# Processes of the daemon's, by the beginning of their names.
consumer() { pgrep -f '^(/[^ ]*/)?lttng-consumerd .* -k ' | head -1; }

# On one CPU, so that its events are in one stream.
work() { taskset -c 0 /tests/workload "$@"; }

# The text files of metadata below a folder, without what differs from run to run.
metadata() {
	local file
	for file in $(find "$1" -name metadata | sort); do
		say "metadata of $file"
		babeltrace2 --output-format=ctf-metadata "$(dirname "$file")" 2>&1
	done
}

# How many events of which names were recorded. Optional: only those that an awk condition holds for.
count() {
	say "events in $1${2:+, $2}"
	babeltrace2 --clock-seconds --no-delta "$1" 2>>"$LOG" | awk "${2:-1} { print \$3 }" | sort | uniq -c
}

# The events themselves, but for their times and CPUs.
events() {
	say "events in $1${2:+, $2}"
	babeltrace2 --clock-seconds --no-delta "$1" 2>>"$LOG" | awk "${2:-1}" | sed 's/^\[[^]]*\] //; s/{ cpu_id = [0-9]* }, //' | sort
}

files() {
	say "files in $1"
	(cd "$1" && find . | sort)
}

# Registers a trigger that notifies: NAME, then what describes the condition.
trigger() { l add-trigger --name="$1" --condition=event-rule-matches "${@:2}" --action=notify; }

# Notifications of the triggers NAME...: `ask` puts a question, and shows the answer.
notified() {
	coproc NOTIFIED { exec /tests/notified "$@" 2>&1; }
	read -r -t 20 answer <&"${NOTIFIED[0]}" && say "notified $*: ${answer% *}"
}
ask() {
	local answer=
	echo "$*" >&"${NOTIFIED[1]}"
	read -r -t "${WAIT:-20}" answer <&"${NOTIFIED[0]}"
	say "$*: $answer"
}
unnotified() {
	eval "exec ${NOTIFIED[1]}>&-"
	wait "$NOTIFIED_PID"
}
