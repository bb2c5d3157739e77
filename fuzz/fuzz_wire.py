"""Fuzz the wire protocol: `python -m fuzz.fuzz_wire --seconds 600 --seed 7`.

Any bytes are a message or a WireError; what was read can be written, and reads as the same again;
and frames do not depend on the pieces that they come in. With atheris (the extra `fuzz`)
libFuzzer drives it, and follows the codec too if that was built by clang with
-fsanitize=fuzzer-no-link; without it, random messages of every API and version are changed, --runs
times each. The seed is printed.
"""

import argparse
import random
import struct
import sys

from tests.wire.random_messages import RandomMessages, every_version

from pylog.wire import (
    APIS,
    FrameReader,
    Message,
    Request,
    WireError,
    decode_request,
    encode_request,
)
from pylog.wire.decoder import decode
from pylog.wire.encoder import encode
from pylog.wire.plan import Plan
from pylog.wire.planner import plan_of

MAX_FRAME_BYTES = 1 << 16


def check_message(plan: Plan, message: Message) -> None:
    """What was read can be written, and is then read as the same."""
    written = b"".join(encode(plan, message))
    assert b"".join(encode(plan, decode(plan, written))) == written


def check_request(data: bytes) -> None:
    """A request, or a WireError."""
    try:
        request = decode_request(data)
    except WireError:
        return
    if request.message is None:
        return
    check_message(plan_of(type(request.message), request.api_version), request.message)
    again = decode_request(b"".join(encode_request(request))[4:])
    assert (again.correlation_id, again.client_id) == (request.correlation_id, request.client_id)


def check_response(data: bytes) -> None:
    """A response, or a WireError; the first four bytes say of which API and version."""
    if len(data) < 4:
        return
    key, version = struct.unpack_from(">hh", data)
    api = APIS.get(key)
    if api is None or version not in api.versions:
        return
    plan = plan_of(api.response, version)
    try:
        message = decode(plan, data[4:])
    except WireError:
        return
    check_message(plan, message)


def check_frames(data: bytes) -> None:
    """Frames are those that a loop over the sizes finds, in whatever pieces they come."""
    wanted, at = [], 0
    is_broken = False
    while len(data) - at >= 4 and not is_broken:
        (size,) = struct.unpack_from(">i", data, at)
        is_broken = not 0 <= size <= MAX_FRAME_BYTES
        if is_broken or len(data) - at - 4 < size:
            break
        wanted.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    reader = FrameReader(MAX_FRAME_BYTES)
    found = []
    source = random.Random(len(data))
    rest = memoryview(data)
    try:
        while rest:
            with memoryview(reader.get_buffer(-1)) as room:
                size = min(source.randrange(1, 200), len(room), len(rest))
                room[:size] = rest[:size]
            reader.buffer_updated(size)
            rest = rest[size:]
            while (frame := reader.next_frame()) is not None:
                found.append(bytes(frame))
    except WireError:
        assert is_broken
    assert found == wanted


def check(data: bytes) -> None:
    """What the fuzzer calls."""
    check_request(data)
    check_response(data)
    check_frames(data)


def corpus(source: random.Random) -> list[bytes]:
    """Return a request or response of each API and version, and a few frames."""
    maker = RandomMessages(source)
    found = []
    for cls, key, version, direction in every_version():
        message = maker.make(cls, version)
        if direction == "request":
            found.append(b"".join(encode_request(Request(key, version, 7, "me", message)))[4:])
        else:
            found.append(struct.pack(">hh", key, version))
            found[-1] += b"".join(encode(plan_of(cls, version), message))
    frames = [source.randbytes(source.randrange(300)) for _ in range(20)]
    found.append(b"".join(struct.pack(">i", len(frame)) + frame for frame in frames))
    return found


def changed(data: bytes, source: random.Random) -> bytes:
    """Change a few bytes, cut some off or put some in; mostly near the front."""
    result = bytearray(data)
    for _ in range(source.randrange(1, 5)):
        end = min(len(result), 128) if source.random() < 0.5 else len(result)
        at = source.randrange(end + 1)
        match source.randrange(4):
            case 0:
                result[at : at + 1] = source.choice((b"\0", b"\1", b"\x7f", b"\x80", b"\xff"))
            case 1:
                result[at : at + 4] = source.choice((b"\x7f\xff\xff\xff", b"\xff" * 4, b"\0" * 4))
            case 2:
                result[at:at] = source.randbytes(source.randrange(9))
            case 3:
                del result[at : at + source.randrange(9)]
    return bytes(result)


def replay(source: random.Random, runs: int) -> None:
    """Without atheris: each message of the corpus, and changes of it."""
    for data in corpus(source):
        check(data)
        for _ in range(runs):
            other = changed(data, source)
            try:
                check(other)
            except BaseException:
                print(f"found: bytes.fromhex({other.hex()!r})")
                raise


def main() -> int:
    """Fuzz for a while."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="of libFuzzer")
    parser.add_argument("--runs", type=int, default=200, help="changes a message, without atheris")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 1 << 31))
    arguments = parser.parse_args()
    try:
        import atheris
    except ImportError:
        atheris = None
    print(f"{'atheris' if atheris else 'replay (no atheris)'}, --seed {arguments.seed}")
    source = random.Random(arguments.seed)
    if atheris is None:
        replay(source, arguments.runs)
        return 0
    messages = corpus(source)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        # Most of what libFuzzer makes by itself is no message from its first bytes on.
        choices = random.Random(seed)
        return changed(choices.choice((data, choices.choice(messages))), choices)[:max_size]

    options = [f"-max_total_time={arguments.seconds}", f"-seed={arguments.seed}", "-max_len=4096"]
    atheris.Setup([sys.argv[0], *options], check, custom_mutator=mutate)
    atheris.Fuzz()  # ends the process itself
    return 0


if __name__ == "__main__":
    sys.exit(main())
