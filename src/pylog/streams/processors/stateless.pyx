"""The steps of a stream that keep no state, and the step from a table to a stream.

    FilterNode           records that a predicate accepts, or those that it does not
    MapNode              another key and value          FlatMapNode        any number of them
    SelectKeyNode        another key                    PassThroughNode    the same record
    MapValuesNode        another value                  FlatMapValuesNode  any number of values
    PeekNode             a call on the way              ForeachNode        a call at the end
    NullKeyFilterNode    records with a key
    BranchNode           to the child of the first predicate that accepts
    KTableToStreamNode   a table's new values as records

Functions take (key, value), those of values (value), or (key, value) when marked by with_key.
"""

cimport cython

from pylog.streams.node cimport Node
from pylog.streams.record cimport Change, Record

from pylog.streams.errors import TopologyError
from pylog.streams.keyed_function import unwrapped


cdef class _FunctionNode(Node):
    """A node that calls one function of the program."""

    cdef object function
    cdef bint wants_key

    def __init__(self, function):
        self.function, self.wants_key = unwrapped(function)

    def functions(self):
        """The one function."""
        return (self.function,)


@cython.final
cdef class FilterNode(_FunctionNode):
    """Forwards what the predicate accepts; negated, what it does not."""

    cdef bint is_negated

    def __init__(self, predicate, bint is_negated=False):
        _FunctionNode.__init__(self, predicate)
        self.is_negated = is_negated

    cdef int process(self, Record record) except -1:
        cdef bint accepts = self.function(record.key, record.value)
        if accepts != self.is_negated:
            self.forward(record)
        return 0


@cython.final
cdef class NullKeyFilterNode(Node):
    """Stands before a repartition topic: what has no key has no place there, and is dropped."""

    cdef int process(self, Record record) except -1:
        if record.key is None:
            self.task.drop(self.name, "null key")
            return 0
        return self.forward(record)


@cython.final
cdef class MapNode(_FunctionNode):
    """Forwards the (key, value) that the mapper makes of each record."""

    cdef int process(self, Record record) except -1:
        pair = self.function(record.key, record.value)
        if type(pair) is not tuple or len(<tuple>pair) != 2:
            pair = _pair(pair)
        self.forward(record.derive((<tuple>pair)[0], (<tuple>pair)[1]))
        return 0


@cython.final
cdef class SelectKeyNode(_FunctionNode):
    """Forwards each record under the key that the mapper gives."""

    cdef int process(self, Record record) except -1:
        self.forward(record.derive(self.function(record.key, record.value), record.value))
        return 0


@cython.final
cdef class MapValuesNode(_FunctionNode):
    """Forwards each record with the value that the mapper makes."""

    cdef int process(self, Record record) except -1:
        if self.wants_key:
            value = self.function(record.key, record.value)
        else:
            value = self.function(record.value)
        self.forward(record.derive(record.key, value))
        return 0


@cython.final
cdef class FlatMapNode(_FunctionNode):
    """Forwards each (key, value) that the mapper makes of a record."""

    cdef int process(self, Record record) except -1:
        pairs = self.function(record.key, record.value)
        if pairs is None:
            raise TypeError("flat_map's function returned None; it returns an iterable of "
                            "(key, value) pairs, an empty one for none")
        for pair in pairs:
            if type(pair) is not tuple or len(<tuple>pair) != 2:
                pair = _pair(pair)
            self.forward(record.derive((<tuple>pair)[0], (<tuple>pair)[1]))
        return 0


@cython.final
cdef class FlatMapValuesNode(_FunctionNode):
    """Forwards each record once for each value that the mapper makes of its value."""

    cdef int process(self, Record record) except -1:
        if self.wants_key:
            values = self.function(record.key, record.value)
        else:
            values = self.function(record.value)
        if values is None:
            raise TypeError("flat_map_values' function returned None; it returns an iterable of "
                            "values, an empty one for none")
        for value in values:
            self.forward(record.derive(record.key, value))
        return 0


@cython.final
cdef class PeekNode(_FunctionNode):
    """Calls the action with each record and forwards the record."""

    cdef int process(self, Record record) except -1:
        self.function(record.key, record.value)
        self.forward(record)
        return 0


@cython.final
cdef class ForeachNode(_FunctionNode):
    """Calls the action with each record."""

    cdef int process(self, Record record) except -1:
        self.function(record.key, record.value)
        return 0


@cython.final
cdef class PassThroughNode(Node):
    """Forwards each record as it is: where streams merge, and the ends of branches."""

    cdef int process(self, Record record) except -1:
        return self.forward(record)


@cython.final
cdef class BranchNode(Node):
    """Forwards a record to the child that belongs to the first predicate that accepts it.

    Args:
        predicates: asked in this order.
        child_names: of the child for each; one more is for records that none accepts, which are
            dropped otherwise.
    """

    cdef tuple predicates
    cdef tuple child_names
    cdef list targets

    def __init__(self, predicates, child_names):
        self.predicates = tuple(predicates)
        self.child_names = tuple(child_names)
        self.targets = []

    def open(self):
        """Find the children."""
        for name in self.child_names:
            child = self.children_by_name.get(name)
            if child is None:
                raise TopologyError(
                    f"{self.name} has no child {name!r}; it has {sorted(self.children_by_name)}"
                )
            self.targets.append(child)

    def functions(self):
        """The predicates."""
        return self.predicates

    cdef int process(self, Record record) except -1:
        cdef Py_ssize_t index = 0
        cdef bint accepts
        for predicate in self.predicates:
            accepts = predicate(record.key, record.value)
            if accepts:
                break
            index += 1
        if index < len(self.targets):
            (<Node>self.targets[index]).receive(record)
        return 0


@cython.final
cdef class KTableToStreamNode(Node):
    """Forwards the new value of each update of a table; a deletion is a record with None."""

    cdef int process(self, Record record) except -1:
        self.forward(record.derive(record.key, (<Change?>record.value).new_value))
        return 0


cdef tuple _pair(pair):
    """What a mapper of records returned, as a tuple of two; an iterable of two will do.

    Raises:
        TypeError: it is none.
    """
    cdef tuple key_and_value
    if not isinstance(pair, (str, bytes)):
        try:
            key_and_value = tuple(pair)
        except TypeError:
            key_and_value = ()
        if len(key_and_value) == 2:
            return key_and_value
    raise TypeError(f"the mapper returned {pair!r}; it returns a (key, value) pair")
