"""Prints croniter's result for each timetable of a list: `runs`, `never` or `refused`."""
import json
import sys
from datetime import datetime

from croniter import croniter
from croniter.croniter import CroniterBadDateError, CroniterError

START = datetime(2026, 1, 1)


def judge(line):
    try:
        croniter(line, START).get_next(datetime)
    except CroniterBadDateError:
        return "never"
    except (CroniterError, ValueError, TypeError, KeyError, IndexError):
        return "refused"
    return "runs"


json.dump([judge(line) for line in json.load(sys.stdin)], sys.stdout)
