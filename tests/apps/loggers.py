# SPDX-License-Identifier: GPL-2.0-only
# loggers.py [later]: a Python program that logs what it is told to: commands on stdin, one line each, one answer line each.
#
#   log LOGGER LEVEL TEXT           one record
#   burst LOGGER LEVEL FIRST COUNT  records with the texts FIRST..
#   make LOGGER                     makes a logger
#   load                            loads the agent, with `later`
#   attached                        how many handlers of the agent are on the root logger
#   exit
#
# First line of output: "ready PID", when the agent is registered with the daemons that run. It has the logger "program".
import logging
import os
import sys


def attached():
    return sum(type(handler).__module__ == "lttngust.loghandler" for handler in logging.getLogger().handlers)


def answer(words):
    if words[0] == "log":
        logging.getLogger(words[1]).log(getattr(logging, words[2]), words[3])
    elif words[0] == "burst":
        first, count = map(int, words[3].split())
        logger = logging.getLogger(words[1])
        for n in range(first, first + count):
            logger.log(getattr(logging, words[2]), str(n))
    elif words[0] == "make":
        logging.getLogger(words[1])
    elif words[0] == "load":
        import lttngust  # noqa: F401
    elif words[0] == "attached":
        return str(attached())
    else:
        return "what?"
    return "done"


def main():
    # Without any handler, records go to standard error.
    logging.getLogger().addHandler(logging.NullHandler())
    logging.getLogger().setLevel(logging.NOTSET)
    logging.getLogger("program")
    if "later" not in sys.argv:
        import lttngust  # noqa: F401
    print("ready", os.getpid(), flush=True)
    for line in sys.stdin:
        if line == "exit\n":
            print("bye", flush=True)
            return
        print(answer(line.rstrip("\n").split(" ", 3)), flush=True)


main()
