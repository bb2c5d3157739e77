"""The rows of the stream benchmarks, held to the issue's goals: `make bench-streams`."""

from benchmarks.rows import Probe, Row, Suite

FILLS = {"events": (Probe("fill_events"),)}

_WORKS = {
    # name: (label, goal in-process, goal from folder to folder), as quotients to the bare loop
    "filter_map": ("filter and map, two lambdas", 0.18, 0.08),
    "count": ("count by key", 0.12, 0.045),
    "tumbling": ("count in 10-s tumbling windows by key", 0.24, 0.1),
}


def _name(work: str) -> str:
    return work.replace("_", "-")


PROBES = {
    **{f"bare-{_name(work)}": Probe("bare_loop", {"work": work}) for work in _WORKS},
    **{f"{_name(work)}": Probe("in_process", {"work": work}) for work in _WORKS},
    "count-disk": Probe("in_process", {"work": "count", "store": "persistent"}, share=0.25),
    **{
        f"{_name(work)}-folder": Probe("folder_to_folder", {"work": work}, reads="events")
        for work in _WORKS
    },
    "count-folder-exactly-once": Probe(
        "folder_to_folder", {"work": "count", "guarantee": "exactly_once_v2"}, reads="events"
    ),
    "restore": Probe("restore", share=4),
    "state-memory": Probe("state_memory", share=5, once=True),
    "stream-latency": Probe("stream_latency", {"messages_per_s": 1000}, share=0.002),
}

ROWS = (
    *(
        Row(f"bare-{_name(work)}", f"bare loop: {label}", f"bare-{_name(work)}")
        for work, (label, _, _) in _WORKS.items()
    ),
    *(
        Row(_name(work), f"{label}, in-process", _name(work), against=f"bare-{_name(work)}",
            goal=goal)
        for work, (label, goal, _) in _WORKS.items()
    ),
    Row("count-disk", "count by key, store on disk", "count-disk", against="bare-count", goal=0.03),
    *(
        Row(f"{_name(work)}-folder", f"{label}, folder to folder", f"{_name(work)}-folder",
            against=f"bare-{_name(work)}", goal=goal)
        for work, (label, _, goal) in _WORKS.items()
    ),
    Row(
        "exactly-once", "count by key, exactly once", "count-folder-exactly-once",
        against="count-folder", goal=0.8,
    ),
    Row("restore", "restore of a store from its changelog", "restore", goal=1e6),
    Row("state-bytes", "memory a key of a store of counts", "state-memory", "bytes_per_key", "B",
        goal=300.0, at_most=True, also={"peak_mb": "MB"}),
    Row("state-growth", "growth over many events of those keys", "state-memory", "growth_mb", "MB",
        goal=5.0, at_most=True),
    Row("stream-latency", "append to result, 1,000/s, p50", "stream-latency", "p50_us", "µs",
        goal=1000.0, at_most=True, also={"p99_us": "µs"}),
)  # fmt: skip

STREAMS = Suite(
    "pylog.streams beside a bare loop with a dict",
    "Events a second, 1,000 keys",
    ROWS,
    PROBES,
    FILLS,
    1_000_000,
    "make bench-streams",
)
