"""Reading requests by generated code beside the codec of tables: the figures of docs/adr/0021.

    python -m benchmarks.adr.wire_codec

Writes Cython code that reads every request at every version, a class and a function a struct, from
the same field tables as pylog.wire; compiles it as the package is compiled, and compares its size
and its time a message with pylog.wire.decoder, which reads and checks the same. The best of several
rounds. Error texts, limits on counts and defaults of tagged arrays are left out of what is
generated: that flatters it.
"""

import importlib.util
import os
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.wire import body_of, key_of, microseconds, requests
from Cython.Build import cythonize
from setuptools import Distribution, Extension

from pylog.wire import APIS, decoder
from pylog.wire.fields import LAST_VERSION, Field, MessageType
from pylog.wire.planner import plan_of

SOURCE = Path(__file__).resolve().parents[2] / "src"
CALLS = 2000
INTEGERS = {"int8": (1, "signed char"), "int16": (2, "int16_t"), "int32": (4, "int32_t"),
            "int64": (8, "int64_t"), "bool": (1, "bint"), "float64": (8, "double")}  # fmt: skip
LOADS = {
    "int8": "(<signed char *> take(s, 1))[0]",
    "bool": "take(s, 1)[0] != 0",
    "int16": "pw_load_i16(take(s, 2))",
    "int32": "pw_load_i32(take(s, 4))",
    "int64": "pw_load_i64(take(s, 8))",
    "float64": "pw_load_f64(take(s, 8))",
    "uuid": "(<char *> take(s, 16))[:16]",
}

HEAD = """
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t

cdef extern from "wire/c/primitives.h" nogil:
    int16_t pw_load_i16(const uint8_t *p)
    int32_t pw_load_i32(const uint8_t *p)
    int64_t pw_load_i64(const uint8_t *p)
    double pw_load_f64(const uint8_t *p)
    const uint8_t *pw_load_uvarint(const uint8_t *p, const uint8_t *end, uint32_t *value)

cdef struct Source:
    const uint8_t *at
    const uint8_t *end
    const uint8_t *start
    void *owner

cdef const uint8_t *take(Source *s, Py_ssize_t size) except NULL:
    cdef const uint8_t *at = s.at
    if size > s.end - at:
        raise ValueError("too short")
    s.at = at + size
    return at

cdef int64_t uvarint(Source *s) except -1:
    cdef uint32_t value = 0
    cdef const uint8_t *after = pw_load_uvarint(s.at, s.end, &value)
    if after == NULL:
        raise ValueError("no varint")
    s.at = after
    return value

cdef int64_t size_of(Source *s, bint flexible, bint short_) except? -2:
    if flexible:
        return uvarint(s) - 1
    return pw_load_i16(take(s, 2)) if short_ else pw_load_i32(take(s, 4))

cdef object string(Source *s, bint flexible, bint nullable):
    cdef int64_t size = size_of(s, flexible, True)
    if size < 0:
        if size != -1 or not nullable:
            raise ValueError("null")
        return None
    return PyUnicode_DecodeUTF8(<const char *> take(s, size), size, NULL)

cdef object data(Source *s, bint flexible, bint nullable, bint is_slice):
    cdef int64_t size = size_of(s, flexible, False)
    if size < 0:
        if size != -1 or not nullable:
            raise ValueError("null")
        return None
    cdef Py_ssize_t start = take(s, size) - s.start
    if is_slice:
        return memoryview(<object> s.owner)[start:start + size]
    return (<const char *> s.start)[start:start + size]

cdef int64_t count_of(Source *s, bint flexible, bint nullable) except? -2:
    cdef int64_t count = size_of(s, flexible, False)
    if count < 0 and (count != -1 or not nullable):
        raise ValueError("null")
    if count > s.end - s.at:
        raise ValueError("too many")
    return count
"""


def structs(kind: MessageType) -> Iterator[MessageType]:
    """Yield those inside a struct before the struct."""
    for field in kind.layout.fields.values():
        if isinstance(field.kind, MessageType):
            yield from structs(field.kind)
    yield kind


def value(field: Field, names: dict[Any, str], flexible: str, nullable: str) -> str:
    """The expression that reads one value."""
    if isinstance(field.kind, MessageType):
        return f"read_{names[field.kind]}(s, v)"
    if field.kind == "string":
        return f"string(s, {flexible}, {nullable})"
    if field.kind in ("bytes", "records"):
        return f"data(s, {flexible}, {nullable}, {field.kind == 'records'})"
    return LOADS[field.kind]


def between(versions: Any) -> str:
    return f"{versions.first} <= v <= {versions.last}" if versions.last >= 0 else "False"


def read_field(name: str, field: Field, names: dict[Any, str], flexible: str) -> list[str]:
    """The lines that read one field."""
    nullable = between(field.nullable)
    if field.is_array:
        return [
            f"count = count_of(s, {flexible}, {nullable})",
            "if count < 0:",
            f"    m.{name} = None",
            "else:",
            "    values = []",
            "    for index in range(count):",
            f"        values.append({value(field, names, flexible, 'False')})",
            f"    m.{name} = values",
        ]
    line = f"m.{name} = {value(field, names, flexible, nullable)}"
    if isinstance(field.kind, MessageType) and field.nullable.last >= 0:
        null = f"({nullable}) and (<signed char *> take(s, 1))[0] < 0"
        return [f"if {null}:", f"    m.{name} = None", "else:", f"    {line}"]
    return [line]


def default_of(field: Field) -> str:
    if field.is_array:
        return "None" if field.default is None else "[]"
    return "None" if isinstance(field.kind, MessageType) else repr(field.default)


def code_of(kind: MessageType, names: dict[Any, str], first_flexible: int) -> str:
    """A class and its function."""
    name = names[kind]
    fields = kind.layout.fields
    lines = [f"cdef class {name}:"]
    for field_name, field in fields.items():
        c_type = "object"
        if not field.is_array and field.kind in INTEGERS:
            c_type = INTEGERS[field.kind][1]
        lines.append(f"    cdef public {c_type} {field_name}")
    lines += [
        "",
        f"cdef {name} read_{name}(Source *s, int v):",
        f"    cdef {name} m = {name}.__new__({name})",
        "    cdef int64_t count, tag, size",
        "    cdef Py_ssize_t index",
        "    cdef const uint8_t *after",
        f"    cdef bint flexible = v >= {first_flexible}",
    ]
    for field_name, field in fields.items():
        body = read_field(field_name, field, names, "flexible")
        plain = field.versions
        if field.tagged.last >= 0:
            test = f"{between(plain)} and not {between(field.tagged)}"
        elif plain.first == 0 and plain.last == LAST_VERSION:
            lines += [f"    {line}" for line in body]
            continue
        else:
            test = between(plain)
        lines += [f"    if {test}:", *(f"        {line}" for line in body)]
        lines += ["    else:", f"        m.{field_name} = {default_of(field)}"]
    lines += [
        "    if flexible:",
        "        for _ in range(uvarint(s)):",
        "            tag = uvarint(s)",
        "            size = uvarint(s)",
        "            after = take(s, size) + size",
    ]
    for field_name, field in fields.items():
        if field.tagged.last >= 0:
            body = read_field(field_name, field, names, "True")
            lines += [f"            if tag == {field.tag} and {between(field.tagged)}:"]
            lines += ["                s.at = after - size"]
            lines += [f"                {line}" for line in body]
    return "\n".join([*lines, "            s.at = after", "    return m", ""])


def generate() -> str:
    """The whole module."""
    parts = [HEAD]
    for api in APIS.values():
        kinds = list(dict.fromkeys(structs(api.request)))
        names = {kind: f"K{api.key}_{kind.__name__}" for kind in kinds}
        flexible = api.request.layout.flexible
        first_flexible = flexible.first if flexible.last >= 0 else LAST_VERSION
        parts += [code_of(kind, names, first_flexible) for kind in kinds]
        parts.append(
            f"def decode_{api.key}(data, int v):\n"
            "    cdef Source s\n"
            "    cdef Py_buffer view\n"
            "    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)\n"
            "    s.at = s.start = <const uint8_t *> view.buf\n"
            "    s.end = s.at + view.len\n"
            "    s.owner = <void *> data\n"
            "    try:\n"
            f"        m = read_{names[api.request]}(&s, v)\n"
            "        if s.at != s.end:\n"
            '            raise ValueError("bytes behind")\n'
            "        return m\n"
            "    finally:\n"
            "        PyBuffer_Release(&view)\n"
        )
    return "\n".join(parts)


def build(folder: Path, text: str) -> tuple[Any, float, float, int]:
    """The compiled module, seconds of Cython and of gcc, bytes of the library without symbols."""
    path = folder / "generated.pyx"
    path.write_text(text)
    began_s = time.monotonic()
    extension = Extension(
        "generated",
        [str(path)],
        include_dirs=[str(SOURCE / "pylog")],
        extra_compile_args=["-std=gnu11", "-O3", "-g0", "-fno-strict-aliasing", "-w"],
        extra_link_args=["-s"],
    )
    directives = {"language_level": "3", "cdivision": True, "auto_pickle": False}
    extensions = cythonize([extension], compiler_directives=directives, quiet=True)
    translated_s = time.monotonic()
    command = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
    command.build_lib = command.build_temp = str(folder)
    command.ensure_finalized()
    command.run()
    done_s = time.monotonic()
    library = folder / f"generated{sysconfig.get_config_var('EXT_SUFFIX')}"
    spec = importlib.util.spec_from_file_location("generated", library)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    size = library.stat().st_size
    return module, translated_s - began_s, done_s - translated_s, size


def check(module: Any) -> None:
    """What is generated reads what the codec of tables reads."""
    for _, version, message in requests():
        data = body_of(message, version)
        key = key_of(message)
        ours = decoder.decode(plan_of(type(message), version), data)
        theirs = getattr(module, f"decode_{key}")(data, version)
        for name in type(ours).layout.fields:
            if not isinstance(getattr(ours, name), list):
                assert getattr(ours, name) == getattr(theirs, name), name


def main() -> None:
    text = generate()
    package = SOURCE / "pylog" / "wire"
    sources = [*package.glob("*.py"), *package.glob("*.pyx"), *package.glob("c/*.h")]
    lines = sum(len(path.read_text().splitlines()) for path in sources)
    tables = [path.read_text() for path in (package / "messages").glob("*.py")]
    table_lines = sum(len(text.splitlines()) for text in tables)
    print(f"pylog.wire: {lines} lines of code, {table_lines} of tables, both directions")
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        module, cython_s, gcc_s, size = build(Path(name), text)
        check(module)
        print(f"generated, reading requests alone: {len(text.splitlines())} lines of Cython, ")
        print(f"  {cython_s:.0f} s of Cython, {gcc_s:.0f} s of gcc, {size / 1e6:.1f} MB")
        print(f"{'':36}{'tables':>10}{'generated':>12}   µs")
        for label, version, message in requests():
            data = body_of(message, version)
            plan = plan_of(type(message), version)
            ours = microseconds(partial(decoder.decode, plan, data), CALLS)
            read = getattr(module, f"decode_{key_of(message)}")
            theirs = microseconds(partial(read, data, version), CALLS)
            print(f"{'read ' + label:36}{ours:>10.2f}{theirs:>12.2f}")


if __name__ == "__main__":
    sys.exit(main())
