"""Streams: a topology at work, on a folder or on a cluster.

    Streams(builder.build(), {"application.id": "counts", "log.dir": "data"}).run()

`run` blocks until Ctrl-C or SIGTERM; `run_to_end` processes what is there and returns; `start` and
`close` are for programs that do other things meanwhile. Any number of processes with the same
application.id share the work, each with a state.dir of its own when stores are on disk.

Source: Kafka KafkaStreams.
"""

import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import Any

from pylog import AdminClient
from pylog.streams.config import AT_ONCE, StreamsConfig
from pylog.streams.durations import Duration, to_ms
from pylog.streams.errors import StreamsError
from pylog.streams.metrics import StreamsMetrics, add_client
from pylog.streams.runtime import client_settings, topology_change
from pylog.streams.runtime.bounded_run import BoundedRun
from pylog.streams.runtime.global_thread import GlobalThread
from pylog.streams.runtime.instance import Instance, log
from pylog.streams.runtime.queries import Queries
from pylog.streams.runtime.query_server import QueryServer
from pylog.streams.runtime.restore_listeners import StandbyUpdateListener, StateRestoreListener
from pylog.streams.runtime.signals import stop_signals
from pylog.streams.runtime.state_directory import StateDirectory
from pylog.streams.runtime.store_access import StoreAccess
from pylog.streams.runtime.stream_thread import StreamThread
from pylog.streams.runtime.thread_state import State, ThreadState
from pylog.streams.runtime.uncaught import StreamThreadExceptionResponse, respond
from pylog.streams.topology import Topology, check_topology

StateListener = Callable[[State, State], object]
ExceptionHandler = Callable[[BaseException], StreamThreadExceptionResponse]


class Streams(StoreAccess):
    """One instance of an application. A context manager: it starts, and is closed.

    Args:
        topology: of StreamsBuilder.build() or made by hand.
        config: Kafka Streams' properties; see StreamsConfig.

    Raises:
        StreamsConfigError: a property is wrong.
    """

    def __init__(self, topology: Topology, config: Mapping[str, Any]):
        self.config = config if isinstance(config, StreamsConfig) else StreamsConfig(config)
        check_topology(topology, self.config)
        self.topology = topology
        self._state = State.CREATED
        self._changed = threading.Condition(threading.RLock())
        self._threads: list[StreamThread] = []
        self._leaving: list[StreamThread] = []  # removed ones, until they have ended
        self._thread_count: int = self.config["num.stream.threads"]
        self._last_number = 0
        self._global_thread: GlobalThread | None = None
        self._failure: BaseException | None = None
        self._failed_threads = 0
        self._state_listener: StateListener | None = None
        self._exception_handler: ExceptionHandler | None = None
        self._restore_listener = StateRestoreListener()
        self._standby_listener = StandbyUpdateListener()
        self._is_over = threading.Event()
        self._closer: threading.Thread | None = None
        self._instance: Instance | None = None
        self._state_directory = StateDirectory(
            self.config["state.dir"], self.config.application_id, self._has_stores_on_disk()
        )
        self._server: QueryServer | None = None
        self._is_paused = False
        self._is_bounded = False

    def _has_stores_on_disk(self) -> bool:
        builders = [*self.topology.stores.values(), *self.topology.global_stores.values()]
        for builder in builders:
            if hasattr(builder, "configure"):
                builder.configure(self.config)
        return any(builder.build().is_persistent for builder in builders)

    # ---- state ----

    @property
    def state(self) -> State:
        """What the instance is at."""
        return self._state

    def _set_state(self, state: State) -> bool:
        with self._changed:
            before = self._state
            if state is before or not before.may_become(state):
                return False
            self._state = state
            self._changed.notify_all()
            if state.has_completed_shutdown:
                self._is_over.set()
        if self._state_listener is not None:
            try:
                self._state_listener(state, before)
            except Exception:
                log.exception("the state listener raised")
        return True

    @property
    def failure(self) -> BaseException | None:
        """What ended the instance, None when nothing did."""
        return self._failure

    def wait_for_state(self, state: State, timeout: float | None = None) -> bool:
        """Wait until the instance is at a state; False when the time is over."""
        with self._changed:
            return self._changed.wait_for(lambda: self._state is state, timeout)

    def set_state_listener(self, listener: StateListener | None) -> None:
        """Call `listener(new_state, old_state)` at each change. Before start() alone.

        Raises:
            StreamsError: it was started.
        """
        self._check_created("set_state_listener")
        self._state_listener = listener

    def set_uncaught_exception_handler(self, handler: ExceptionHandler | None) -> None:
        """Call `handler(exception)` when a thread fails; it says how to go on. Before start().

        Without one, or where it raises itself, the client is shut down.

        Raises:
            StreamsError: it was started.
        """
        self._check_created("set_uncaught_exception_handler")
        self._exception_handler = handler

    def set_global_state_restore_listener(self, listener: StateRestoreListener) -> None:
        """Tell a listener of all restoring. Before start() alone.

        Raises:
            StreamsError: it was started.
        """
        self._check_created("set_global_state_restore_listener")
        self._restore_listener = listener

    def set_standby_update_listener(self, listener: StandbyUpdateListener) -> None:
        """Tell a listener of what standbys do. Before start() alone.

        Raises:
            StreamsError: it was started.
        """
        self._check_created("set_standby_update_listener")
        self._standby_listener = listener

    def _check_created(self, what: str) -> None:
        if self._state is not State.CREATED:
            raise StreamsError(
                f"{what} must be called before start(); the state is {self._state.name}"
            )

    # ---- start, run ----

    def start(self) -> None:
        """Join the others and begin to process, in threads of its own.

        Raises:
            MissingSourceTopicError: a source topic does not exist.
            TopologyError: the topology does not fit the topics, or the state that is there.
            StateDirectoryLockedError: another process uses the state directory.
            StreamsError: it was started before, or the log cannot be reached.
        """
        self._check_created("start")
        try:
            instance = self._instance = self._make_instance()
            self._set_state(State.REBALANCING)
            self._start_global_thread(instance)
            if self._is_over.is_set():
                return  # a signal came while global stores were filled: run() closes
            self._queries = Queries(instance, lambda: list(self._threads), instance.group_view)
            for _ in range(self._thread_count):
                # Who shuts down, as when a thread has failed already, ends what there is then.
                with self._changed:
                    if not self._state.is_running_or_rebalancing:
                        break
                    if self._server is None:
                        self._server = QueryServer(instance.client_id, self._queries)
                        self._server.start()
                    self._start_thread(instance)
        except BaseException as error:
            self._failure = error
            self._shut_down(State.PENDING_ERROR)
            raise

    def _make_instance(self) -> Instance:
        config = self.config
        directory = self._state_directory
        process_id = directory.open()
        before = topology_change.check_state(self.topology, directory)
        client_id = f"{config['client.id'] or config.application_id}-{process_id}"
        instance = Instance(
            self.topology,
            config,
            directory,
            process_id,
            client_id,
            AdminClient(client_settings.admin(config, client_id)),
        )
        self._instance = instance
        add_client(
            instance.metrics,
            client_id,
            config.application_id,
            lambda: self._state.name,
            lambda: sum(each.state is not ThreadState.DEAD for each in self._threads),
            lambda: self._failed_threads,
        )
        instance.restore_listener = self._restore_listener
        instance.standby_listener = self._standby_listener
        instance.shutdown_application = lambda: self._begin_shut_down(State.PENDING_ERROR)
        instance.is_paused = self._is_paused
        instance.refresh()
        topology_change.match_changelogs(
            self.topology, config.application_id, instance.admin, directory, before
        )
        return instance

    def _start_global_thread(self, instance: Instance) -> None:
        """Fill the global stores, and keep them up to date."""
        if self.topology.global_stores:
            self._global_thread = GlobalThread(instance, self._judge, self._thread_failed)
            self._global_thread.open(self._is_over)
            if not self._is_over.is_set():
                self._global_thread.start()

    def _start_thread(self, instance: Instance) -> StreamThread:
        with self._changed:
            self._last_number += 1
            thread = StreamThread(
                instance,
                self._last_number,
                self._thread_changed,
                self._judge,
                self._thread_failed,
                self._cache_bytes,
                lambda: [each.number for each in self._threads],
            )
            thread.commits_when_idle = self._is_bounded
            self._threads.append(thread)
        thread.start()
        return thread

    def _cache_bytes(self) -> int:
        """What the cache of one thread may hold."""
        size: int = self.config["statestore.cache.max.bytes"]
        return size // max(1, self._thread_count)

    def run(self) -> None:
        """Process until Ctrl-C or SIGTERM, then close. Call it in the main thread.

        Raises:
            StreamsError: see start(), or what a thread failed with.
        """
        with stop_signals(self._is_over):
            self._run(lambda: self._is_over.wait())

    def run_to_end(self) -> None:
        """Process what is in the source topics now, and close. Ctrl-C and SIGTERM end it before.

        What a closed window or a join gives comes as soon as it can, as in TopologyTestDriver, so
        that results depend on the records and not on the clock (`__emit.interval.ms...` of 0).

        Raises:
            StreamsError: see start(), or what a thread failed with.
        """
        self._check_created("run_to_end")
        self._is_bounded = True
        self.config = StreamsConfig({**AT_ONCE, **self.config})

        def wait() -> None:
            assert self._instance is not None
            BoundedRun(self._instance).wait(self._threads, self._is_over)

        with stop_signals(self._is_over):
            self._run(wait)

    def _run(self, wait: Callable[[], object]) -> None:
        self.start()
        try:
            wait()
        finally:
            self.close()
        if self._failure is not None:
            raise self._failure

    # ---- threads ----

    def _thread_changed(self, thread: StreamThread, state: ThreadState) -> None:
        with self._changed:
            states = [each.state for each in self._threads if each.state is not ThreadState.DEAD]
            if state in (ThreadState.PARTITIONS_REVOKED, ThreadState.PARTITIONS_ASSIGNED):
                self._set_state(State.REBALANCING)
            elif state is ThreadState.RUNNING and all(
                each is ThreadState.RUNNING for each in states
            ):
                self._set_state(State.RUNNING)
            self._changed.notify_all()

    def _judge(
        self, thread: StreamThread | GlobalThread, error: BaseException
    ) -> StreamThreadExceptionResponse:
        """What to do about a thread that failed."""
        try:
            handler = self._exception_handler if isinstance(thread, StreamThread) else None
            response = respond(handler, error)
        except BaseException as own:
            log.exception("the uncaught exception handler failed")
            self._failure = self._failure or own
            response = StreamThreadExceptionResponse.SHUTDOWN_CLIENT
        log.error("%s: %s: %s; %s", thread.name, type(error).__name__, error, response.name)
        return response

    def _thread_failed(
        self,
        thread: StreamThread | GlobalThread,
        error: BaseException,
        response: StreamThreadExceptionResponse,
    ) -> None:
        """A thread ended with an exception."""
        assert self._instance is not None
        self._failed_threads += 1
        if response is StreamThreadExceptionResponse.REPLACE_THREAD:
            # In one step: who shuts down ends the threads that it finds then.
            with self._changed:
                is_wanted = thread in self._threads and self._state.is_running_or_rebalancing
                self._threads = [each for each in self._threads if each is not thread]
                if is_wanted:
                    self._start_thread(self._instance)
            return
        self._failure = self._failure or error
        self._begin_shut_down(State.PENDING_ERROR)

    def add_stream_thread(self) -> str | None:
        """One thread more. Returns its name, None when the instance does not run."""
        with self._changed:
            if not self._state.is_running_or_rebalancing or self._instance is None:
                return None
            self._thread_count += 1
            return self._start_thread(self._instance).name

    def remove_stream_thread(self, timeout: Duration | None = None) -> str | None:
        """One thread less. Returns its name, None when there is none, or the time is over."""
        with self._changed:
            alive = [each for each in self._threads if each.state is not ThreadState.DEAD]
            if not self._state.is_running_or_rebalancing or not alive:
                return None
            thread = next(
                (each for each in alive if each is not threading.current_thread()), alive[0]
            )
            self._thread_count -= 1
            self._threads.remove(thread)
            self._leaving.append(thread)
        thread.stop()
        if thread is threading.current_thread():
            return thread.name
        thread.join(None if timeout is None else to_ms(timeout) / 1000)
        return None if thread.is_alive() else thread.name

    # ---- pause ----

    def pause(self) -> None:
        """Process nothing until resume(); the instance stays in its group."""
        self._is_paused = True
        if self._instance is not None:
            self._instance.is_paused = True

    def resume(self) -> None:
        """Go on after pause()."""
        self._is_paused = False
        if self._instance is not None:
            self._instance.is_paused = False

    @property
    def is_paused(self) -> bool:
        """Whether pause() was called."""
        return self._is_paused

    # ---- the end ----

    def close(self, timeout: Duration | None = None, *, leave_group: bool = False) -> bool:
        """Commit and end. Idempotent.

        Args:
            timeout: how long to wait; None for as long as it takes.
            leave_group: give up the place in the group at once. Members do so in any case, except
                static ones (group.instance.id), whose place is kept for session.timeout.ms.

        Returns:
            False when the time was over before all had ended; they go on ending.

        Raises:
            StreamsError: `leave_group` of a static member, which the clients cannot do.
        """
        if leave_group and self.config.client_config("main.consumer").get("group.instance.id"):
            raise StreamsError(
                "leave_group: a static member (group.instance.id) keeps its place until "
                "session.timeout.ms is over"
            )
        timeout_s = None if timeout is None else to_ms(timeout) / 1000
        if self._state is State.CREATED:
            self._set_state(State.PENDING_SHUTDOWN)
            self._set_state(State.NOT_RUNNING)
            return True
        self._begin_shut_down(State.PENDING_SHUTDOWN)
        closer = self._closer
        own = [*self._threads, *self._leaving, self._global_thread]
        if threading.current_thread() in own:
            return False  # a thread cannot wait for itself
        if closer is not None and closer is not threading.current_thread():
            closer.join(timeout_s)
            return not closer.is_alive()
        return self._state.has_completed_shutdown

    def _begin_shut_down(self, state: State) -> None:
        with self._changed:
            if self._closer is not None or not self._set_state(state):
                return
            self._closer = threading.Thread(
                target=self._shut_down, args=(state,), name="pylog-streams-close", daemon=True
            )
        self._closer.start()

    def _shut_down(self, state: State) -> None:
        self._set_state(state)
        if self._instance is not None:
            self._instance.is_ending = True
        threads = [*self._threads, *self._leaving]
        for thread in threads:
            thread.stop()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
        with contextlib.ExitStack() as steps:  # the last one first, and each whatever one raises
            steps.callback(self._end)
            steps.callback(self._state_directory.close)
            if self._instance is not None:
                steps.callback(self._instance.admin.close)
            if self._server is not None:
                steps.callback(self._server.close)
            if self._global_thread is not None:
                steps.callback(self._close_global_thread, self._global_thread)

    def _close_global_thread(self, thread: GlobalThread) -> None:
        thread.stop()
        if thread.ident is not None:
            thread.join()
        else:
            thread.close()

    def _end(self) -> None:
        self._set_state(State.NOT_RUNNING if self._state is State.PENDING_SHUTDOWN else State.ERROR)

    def __enter__(self) -> "Streams":
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def clean_up(self) -> None:
        """Delete the instance's state on disk; it is restored from the changelogs.

        Raises:
            StreamsError: the instance runs.
            StateDirectoryLockedError: another one uses the directory.
        """
        if self._state is not State.CREATED and not self._state.has_completed_shutdown:
            raise StreamsError(
                f"clean_up() is for before start() and after close(), not {self._state}"
            )
        self._state_directory.clean()

    # ---- look ----

    @property
    def metrics(self) -> StreamsMetrics:
        """All metrics, by name; empty before start()."""
        return self._instance.metrics if self._instance is not None else StreamsMetrics()
