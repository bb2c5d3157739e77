"""A small application of quixstreams: counts words; `quixstreams_work.py BOOTSTRAP NAME COUNT`."""

import json
import sys
import tempfile
from collections import Counter

from quixstreams import Application

WORDS = ["ape", "bee", "cat"]


def main(bootstrap, name, count):
    """Write words, count them with state, exactly once, and print what was seen."""
    with tempfile.TemporaryDirectory() as state_dir:
        app = Application(
            broker_address=bootstrap,
            consumer_group=name,
            auto_offset_reset="earliest",
            processing_guarantee="exactly-once",
            commit_interval=0.5,
            state_dir=state_dir,
            loglevel="ERROR",
        )
        words = app.topic(f"{name}-words", key_deserializer="str", value_deserializer="str")
        counts = app.topic(f"{name}-counts", value_serializer="json")
        with app.get_producer() as producer:
            for number in range(count):
                word = WORDS[number % len(WORDS)]
                producer.produce(words.name, value=word, key=word)

        def tally(word, state):
            total = state.get("total", 0) + 1
            state.set("total", total)
            return {"word": word, "total": total}

        app.dataframe(words).apply(tally, stateful=True).to_topic(counts)
        app.run(count=count, timeout=60)

        totals = Counter()
        with app.get_consumer(auto_commit_enable=False) as consumer:
            consumer.subscribe([counts.name])
            seen = 0
            while seen < count:
                message = consumer.poll(30)
                assert message is not None, seen
                assert message.error() is None, message.error()
                row = json.loads(message.value())
                totals[row["word"]] = max(totals[row["word"]], row["total"])
                seen += 1
    print(json.dumps({"read": seen, "total": totals.total(), "words": len(totals)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
