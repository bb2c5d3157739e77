"""Node, what a topology is made of when it runs, and the contexts that nodes work in.

    TaskContext       one a task: the record it is at, stream time, stores, where output goes
    Node              one step: takes records, forwards to its children
    ProcessorNode     a step written in Python: a processor with init, process and close
    ProcessorContext  what that processor sees

A record goes down depth first: a node's `process` has returned when all that follows from the
record has happened. A subclass in Cython gives `process`; errors are handled in `receive`, at the
innermost node, once.
"""

cimport cython
from libc.stdint cimport int64_t

from pylog.streams.record cimport Record

from pylog.streams.errors import (
    MissingInternalTopicError,
    ProcessingError,
    ProductionError,
    TaskCorruptedError,
    TaskMigratedError,
    TopologyError,
)
from pylog.streams.read_only_store import ReadOnlyStore

# What a node below, or the collector, has already given to its handler, or that is for the thread.
HANDLED = (
    MissingInternalTopicError,
    ProcessingError,
    ProductionError,
    TaskCorruptedError,
    TaskMigratedError,
)


@cython.final
cdef class TaskContext:
    """What all nodes of a task share."""

    def __init__(self, task_id, str application_id, config, metrics, *, state_dir=None,
                 collector=None, clock=None, error_handler=None, scheduler=None):
        self.task_id = task_id
        self.application_id = application_id
        self.config = config
        self.metrics = metrics
        self.state_dir = state_dir
        self.stores = {}
        self.global_stores = {}
        self.processor_metadata = {}
        self.collector = collector
        self.clock = clock
        self.error_handler = error_handler
        self.scheduler = scheduler
        self.partition = -1
        self.offset = -1
        self.record_timestamp = -1
        self.stream_time = -1

    def set_record(self, str topic, int partition, int64_t offset, int64_t timestamp, headers):
        """The task is at this record now; topic None for none."""
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.record_timestamp = timestamp
        self.headers = headers

    def set_processor_metadata(self, str name, int64_t number):
        """Keep a number that comes back after a restart; it only grows."""
        if number > self.processor_metadata.get(name, -1):
            self.processor_metadata[name] = number
            self.processor_metadata_is_new = True

    def get_processor_metadata(self, str name):
        """The number kept under this name, or None."""
        return self.processor_metadata.get(name)

    def drop(self, str node_name, str reason):
        """Count a record that goes no further, and why: "null key", "late", "expired", ..."""
        self.metrics.record_dropped(node_name, reason)


cdef class Node:
    """One step of a topology, in one task."""

    def __cinit__(self, *args, **kwargs):
        self.children = []
        self.children_by_name = {}
        self.store_names = ()

    def attach(self, str name, TaskContext task, store_names=()):
        """Give the node its name and its task; before add_child and open."""
        self.name = name
        self.task = task
        self.store_names = tuple(store_names)

    def add_child(self, Node child):
        """Forward to this node too, after those that were added before."""
        self.children.append(child)
        self.children_by_name[child.name] = child
        self.only_child = child if len(self.children) == 1 else None

    def open(self):
        """For a subclass: get ready. Stores are open, children are attached."""

    def close(self):
        """For a subclass: let go. Called once; stores are still open."""

    def functions(self):
        """The program's functions that this node calls, for what an error says of it."""
        return ()

    def accept(self, Record record):
        """`receive`, for callers in Python."""
        self.receive(record)

    def work(self, Record record not None):
        """`process`, for callers in Python: what is raised is not handled."""
        self.process(record)

    cdef int receive(self, Record record) except -1:
        try:
            self.process(record)
        except Exception as error:
            if isinstance(error, HANDLED) or self.task.error_handler is None:
                raise
            self.task.error_handler(self, record, error)
        return 0

    cdef int process(self, Record record) except -1:
        raise NotImplementedError(f"{type(self).__name__}.process")

    cdef int forward(self, Record record) except -1:
        cdef Node child
        if self.only_child is not None:
            return self.only_child.receive(record)
        for child in self.children:
            child.receive(record)
        return 0


cdef class ProcessorNode(Node):
    """A node whose work is done by a processor: `init(context)`, `process(record)`, `close()`.

    Args:
        processor: such an object.
        is_fixed_key: it takes and forwards FixedKeyRecord, so that keys stay what they are.
    """

    cdef readonly object processor
    cdef object process_record
    cdef bint is_fixed_key

    def __init__(self, processor, bint is_fixed_key=False):
        process = getattr(processor, "process", None)
        if process is None:
            raise TopologyError(f"{processor!r} is no processor: it has no process(record)")
        self.processor = processor
        self.is_fixed_key = is_fixed_key
        self.process_record = process

    def open(self):
        """Call the processor's init."""
        init = getattr(self.processor, "init", None)
        if init is not None:
            kind = FixedKeyProcessorContext if self.is_fixed_key else ProcessorContext
            init(kind(self))

    def close(self):
        """Call the processor's close."""
        close = getattr(self.processor, "close", None)
        if close is not None:
            close()

    def functions(self):
        """The processor's own `functions()` if it has one, else its process."""
        functions = getattr(self.processor, "functions", None)
        return (self.process_record,) if functions is None else tuple(functions())

    cdef int process(self, Record record) except -1:
        cdef FixedKeyRecord fixed
        if self.is_fixed_key:
            fixed = FixedKeyRecord.__new__(FixedKeyRecord)
            fixed.record = record
            self.process_record(fixed)
        else:
            self.process_record(record)
        return 0


@cython.final
cdef class WrappedNode(Node):
    """A node with something of the program's around its work, such as a trace.

    Args:
        node: the one inside; it keeps the children.
        wrapper: called with the node's name and a function that does the work with a record, and
            returns another such function.
    """

    cdef Node inner
    cdef object wrapper
    cdef object process_record

    def __init__(self, Node node not None, wrapper):
        self.inner = node
        self.wrapper = wrapper

    def attach(self, str name, TaskContext task, store_names=()):
        """Give both nodes their name and their task."""
        Node.attach(self, name, task, store_names)
        self.inner.attach(name, task, store_names)
        self.process_record = self.wrapper(name, self.inner.work)
        if not callable(self.process_record):
            raise TopologyError(
                f"processor.wrapper.class: for {name!r} it returned {self.process_record!r}, which "
                "cannot be called"
            )

    def add_child(self, Node child):
        """The one inside forwards to it."""
        Node.add_child(self, child)
        self.inner.add_child(child)

    def open(self):
        """Open the one inside."""
        self.inner.open()

    def close(self):
        """Close the one inside."""
        self.inner.close()

    def functions(self):
        """Those of the one inside."""
        return self.inner.functions()

    cdef int process(self, Record record) except -1:
        self.process_record(record)
        return 0


cdef class ProcessorContext:
    """What a processor sees of its task: given to `init`."""

    def __init__(self, Node node):
        self.node = node
        self.task = node.task

    def forward(self, Record record not None, str child=None):
        """Hand a record on to all children, or to the one of this name.

        Raises:
            TopologyError: there is no child of this name.
        """
        cdef Node target
        if child is None:
            self.node.forward(record)
            return
        found = self.node.children_by_name.get(child)
        if found is None:
            raise TopologyError(
                f"{self.node.name} has no child {child!r}; it has "
                f"{sorted(self.node.children_by_name)}"
            )
        target = found
        target.receive(record)

    def get_state_store(self, str name):
        """A store that is connected to this processor, or a global one.

        Raises:
            TopologyError: it is not connected, or there is none of this name.
        """
        if name in self.node.store_names:
            store = self.task.stores.get(name)
            if store is not None:
                return store
        store = self.task.global_stores.get(name)
        if store is not None:
            return ReadOnlyStore(store)
        if name not in self.task.stores:
            raise TopologyError(f"{self.node.name}: there is no store {name!r}")
        raise TopologyError(
            f"{self.node.name} has no access to store {name!r}: connect it, by the supplier's "
            "`stores` or with connect_processor_and_state_stores"
        )

    def schedule(self, interval, punctuation_type, call, *, start_ms=None):
        """Have `call(timestamp_ms)` called again and again.

        Stream time moves with the records; a call is made once when it is due, however many
        intervals a record has jumped over. Wall-clock time moves between records.

        Args:
            interval: int ms, a timedelta or "10s"; 1 ms at least.
            punctuation_type: PunctuationType.STREAM_TIME or WALL_CLOCK_TIME.
            call: with the time, ms.
            start_ms: calls are due at this time and whole intervals after it. None: for stream
                time the first record and whole intervals since 1970, for wall-clock time an
                interval from now and so on.

        Returns:
            A Schedule: `cancel()` ends it.
        """
        return self.task.scheduler.schedule(self.node, interval, punctuation_type, call, start_ms)

    def commit(self):
        """Ask for a commit as soon as this record is done."""
        self.task.commit_is_requested = True

    def drop(self, str reason):
        """Count a record that goes no further, and why."""
        self.task.metrics.record_dropped(self.node.name, reason)

    @property
    def node_name(self):
        """Name of this processor in the topology."""
        return self.node.name

    @property
    def application_id(self):
        """`application.id`."""
        return self.task.application_id

    @property
    def task_id(self):
        """Which task this is."""
        return self.task.task_id

    @property
    def state_dir(self):
        """Folder of the task's state, None where it has none."""
        return self.task.state_dir

    @property
    def config(self):
        """The application's StreamsConfig."""
        return self.task.config

    @property
    def key_serde(self):
        """`default.key.serde`, None where it is not set."""
        return self.task.config.default_key_serde

    @property
    def value_serde(self):
        """`default.value.serde`, None where it is not set."""
        return self.task.config.default_value_serde

    @property
    def metrics(self):
        """The task's TaskMetrics."""
        return self.task.metrics

    @property
    def record_metadata(self):
        """RecordMetadata of the record that the task is at, None in a punctuation."""
        if self.task.topic is None:
            return None
        return RecordMetadata(self.task.topic, self.task.partition, self.task.offset)

    def current_stream_time_ms(self):
        """The highest timestamp that the task has seen, ms; -1 before its first record."""
        return self.task.stream_time

    def current_system_time_ms(self):
        """Wall-clock time as the task sees it, ms since 1970."""
        return self.task.clock()


@cython.final
@cython.freelist(64)
cdef class FixedKeyRecord:
    """A record whose key cannot be changed: what a fixed-key processor takes and forwards."""

    cdef Record record

    def __init__(self, *args, **kwargs):
        raise TypeError("a FixedKeyRecord is made from another, with with_value and the like")

    @property
    def key(self):
        """The key."""
        return self.record.key

    @property
    def value(self):
        """The value."""
        return self.record.value

    @property
    def timestamp(self):
        """Its time, ms since 1970."""
        return self.record.timestamp

    @property
    def headers(self):
        """The headers, a list that may be appended to."""
        return self.record.headers

    def with_value(self, value):
        """This record with another value."""
        return fixed_key_record(self.record.derive(self.record.key, value))

    def with_timestamp(self, int64_t timestamp):
        """This record at another time.

        Raises:
            ValueError: it is negative.
        """
        return fixed_key_record(self.record.with_timestamp(timestamp))

    def with_headers(self, headers):
        """This record with other headers."""
        return fixed_key_record(self.record.with_headers(headers))

    def __eq__(self, other):
        if not isinstance(other, FixedKeyRecord):
            return NotImplemented
        return self.record == (<FixedKeyRecord>other).record

    __hash__ = None

    def __repr__(self):
        return f"FixedKey{self.record!r}"


cdef FixedKeyRecord fixed_key_record(Record record):
    cdef FixedKeyRecord fixed = FixedKeyRecord.__new__(FixedKeyRecord)
    fixed.record = record
    return fixed


@cython.final
cdef class FixedKeyProcessorContext(ProcessorContext):
    """A ProcessorContext whose `forward` takes only records with a key that came in."""

    def forward(self, record, str child=None):
        """Hand a record on to all children, or to the one of this name.

        Raises:
            TopologyError: it is not made from one that came in, or there is no such child.
        """
        if not isinstance(record, FixedKeyRecord):
            raise TopologyError(
                f"{self.node.name} keeps the keys: it forwards what with_value, with_timestamp or "
                f"with_headers made of a record that came in, not {record!r}"
            )
        ProcessorContext.forward(self, (<FixedKeyRecord>record).record, child)


@cython.final
cdef class RecordMetadata:
    """Where a record came from."""

    cdef readonly str topic
    cdef readonly int partition
    cdef readonly int64_t offset

    def __init__(self, str topic, int partition, int64_t offset):
        self.topic = topic
        self.partition = partition
        self.offset = offset

    def __repr__(self):
        return (f"RecordMetadata(topic={self.topic!r}, partition={self.partition}, "
                f"offset={self.offset})")
